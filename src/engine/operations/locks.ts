import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { addInline, deleteOwn, type NewEntry, takeReleased } from './entries.js'
import { add } from './items.js'
import { acquireLease, countLeases, dropEndedLeases, extendLease, nextFence, releaseLease } from './leases.js'

/** The expiry of a released lock whose row is kept: long ago, stored in as many bytes as any other time. Seconds. */
const RELEASED = 0.5

/** The operations of a kind of lock. */
export interface LockRules {
  /** Takes the lock. Returns its fencing number, or `undefined` while others have it. */
  take(session: Session, token: string, seconds: number): number | undefined
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
    take: (session, token, seconds) => {
      const entry = entryOfToken(session, key, token, seconds)
      // A wrong guess costs one statement, as much as a look.
      const taken =
        (isKept && takeReleased(session, entry, RELEASED)) || addInline(session, entry) || add(session, entry)
      if (!taken) return undefined
      return nextFence(session, entry.now)
    },
    extend: (session, token, seconds) => {
      const { mode, data } = session.disk.codec.encodeValue(token)
      const expireTime = session.disk.now() + seconds
      return session.statements.run('touchOwn', expireTime, key.data, raw, mode, data) > 0
    },
    release: (session, token, keep) => {
      isKept = keep
      const { mode, data } = session.disk.codec.encodeValue(token)
      if (keep) return session.statements.run('touchOwn', RELEASED, key.data, raw, mode, data) > 0
      return deleteOwn(session, key, mode, data)
    },
    tidy: session => {
      isKept = false
      session.statements.run('deleteReleased', key.data, raw, RELEASED)
    },
    isFree: session => session.statements.get('has', key.data, raw, session.disk.now()) === undefined,
  }
}

/** A lock of `value` places. Every holder has a lease in the side table. */
export function placesLock(group: string, value: number): LockRules {
  return {
    take: (session, token, seconds) => {
      // Ended leases are removed, so that a holder that counted as dead cannot return to a place given to another.
      dropEndedLeases(session, group)
      if (countLeases(session, group) >= value) return undefined
      return acquireLease(session, group + token, token, seconds)
    },
    extend: (session, token, seconds) => extendLease(session, group + token, token, seconds),
    release: (session, token) => releaseLease(session, group + token, token),
    isFree: session => countLeases(session, group) < value,
  }
}

function entryOfToken(session: Session, key: EncodedKey, token: string, seconds: number): NewEntry {
  const { mode, data } = session.disk.codec.encodeValue(token)
  const now = session.disk.now()
  const value = { mode, value: data, size: 0, weight: token.length }
  return { key, value, now, expireTime: now + seconds, tag: null, tags: NO_TAGS }
}

const NO_TAGS: readonly string[] = []
