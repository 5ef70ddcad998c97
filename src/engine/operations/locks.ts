import { randomInt } from 'node:crypto'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { addInline, deleteOwn, deleteRow, type NewEntry, stateOf, takeReleased } from './entries.js'
import { add } from './items.js'
import {
  acquireLease,
  countLeases,
  dropEndedLeases,
  extendLease,
  giveFence,
  leaseName,
  lookAtFence,
  releaseLease,
} from './leases.js'
import { isSilent } from './signs-of-life.js'

/** The expiry of a released lock whose row is kept: long ago, stored in as many bytes as any other time. Seconds. */
const RELEASED = 0.5

const FENCE_DIGITS = 16
const RANDOM_DIGITS = 15

/** One acquisition of a lock. */
export interface Grant {
  readonly token: string
  readonly fence: number
}

/** The operations of a kind of lock. */
export interface LockRules {
  /** Takes the lock. Returns `undefined` while others have it. */
  take(session: Session, seconds: number): Grant | undefined
  /** Makes the lock last for `seconds` from now. Returns `false` when this token does not hold it any more. */
  extend(session: Session, token: string, seconds: number): boolean
  /** Releases the lock. @param keep whether to keep its row, because it is probably taken again soon */
  release(session: Session, token: string, keep: boolean): boolean
  /** Removes a row that `keep` has left. */
  tidy?(session: Session): void
  /** Whether the lock looks free, so that an attempt is worth a transaction. */
  isFree(session: Session): boolean
}

/**
 * A lock that is an entry: a process that adds the entry holds the lock, and it ends by expiring. Python's `Lock` on
 * the same key adds an entry as well, so that both exclude each other. The value is the token of the owner.
 *
 * A lock that is taken often keeps its row as an expired entry in between: two updates change four pages, an insertion
 * and a deletion eight.
 */
export function entryLock(key: EncodedKey): LockRules {
  const raw = key.raw ? 1 : 0
  let isKept = false
  return {
    take: (session, seconds) => {
      const now = session.disk.now()
      const free = lookAtFence(session, now)
      const token = tokenOf(free.fence)
      const entry = entryOfToken(session, key, { token, now, seconds })
      // A wrong guess costs one statement, as much as a look.
      const taken =
        (isKept && takeReleased(session, entry, RELEASED)) || addInline(session, entry) || add(session, entry)
      if (!taken && !(isHolderSilent(session, key) && replace(session, entry))) return undefined
      return { token, fence: giveFence(session, free) }
    },
    extend: (session, token, seconds) => {
      const { mode, data } = session.disk.codec.encodeValue(token)
      const now = session.disk.now()
      return session.statements.run('touchOwn', now, now + seconds, key.data, raw, mode, data) > 0
    },
    release: (session, token, keep) => {
      isKept = keep
      const { mode, data } = session.disk.codec.encodeValue(token)
      if (keep) return session.statements.run('touchOwn', RELEASED, RELEASED, key.data, raw, mode, data) > 0
      return deleteOwn(session, key, mode, data)
    },
    tidy: session => {
      isKept = false
      session.statements.run('deleteReleased', key.data, raw, RELEASED)
    },
    isFree: session => {
      const isHeld = session.statements.get('has', key.data, raw, session.disk.now()) !== undefined
      return !isHeld || isHolderSilent(session, key)
    },
  }
}

/** A lock of `value` places. Every holder has a lease in the side table. */
export function placesLock(group: string, value: number): LockRules {
  return {
    take: (session, seconds) => {
      // Ended leases are removed, so that a holder that counted as dead cannot return to a place given to another.
      dropEndedLeases(session, group)
      if (countLeases(session, group) >= value) return undefined
      const token = tokenOf(lookAtFence(session, session.disk.now()).fence)
      const fence = acquireLease(session, group + token, token, seconds)
      return fence === undefined ? undefined : { token, fence }
    },
    extend: (session, token, seconds) => extendLease(session, group + token, token, seconds),
    release: (session, token) => releaseLease(session, group + token, token),
    isFree: session => countLeases(session, group) < value,
  }
}

/** Whether the holder has died while its clock was ahead. It stores the time of each sign of life. */
function isHolderSilent(session: Session, key: EncodedKey): boolean {
  const state = stateOf(session, key)
  if (!state || state[3] === null) return false
  const [, , , due, storeTime] = state
  const lasts = due - storeTime
  // The row of a holder that was ahead may have been taken over by one that is not.
  return lasts > 0 && isSilent(session, leaseName('lock', key), { sign: `${storeTime} ${due}`, lasts, due })
}

/** Stores an entry in the place of another one, of whose store time nothing stays. */
function replace(session: Session, entry: NewEntry): boolean {
  const state = stateOf(session, entry.key)
  if (state) deleteRow(session, state[0], state[1], state[2])
  return add(session, entry)
}

/**
 * A new token. It begins with the fencing number, so that later ones are greater as text and as numbers too. The rest
 * keeps it apart from those of a directory that was removed.
 */
function tokenOf(fence: number): string {
  const rest = String(randomInt(2 ** 48 - 1))
  return `${String(fence).padStart(FENCE_DIGITS, '0')}${rest.padStart(RANDOM_DIGITS, '0')}`
}

interface Claim {
  readonly token: string
  readonly now: number
  readonly seconds: number
}

function entryOfToken(session: Session, key: EncodedKey, { token, now, seconds }: Claim): NewEntry {
  const { mode, data } = session.disk.codec.encodeValue(token)
  const value = { mode, value: data, size: 0, weight: token.length }
  return { key, value, now, expireTime: now + seconds, tag: null, tags: NO_TAGS }
}

const NO_TAGS: readonly string[] = []
