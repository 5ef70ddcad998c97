import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { deleteRow, entryOf, isLive, type NewEntry } from './entries.js'
import { add } from './items.js'
import { acquireLease, extendLease, leaseOf, nextFence, releaseLease } from './leases.js'

/** How a kind of lock is kept in a database. Operations over a session, as all of them. */
export interface LockRules {
  /** Answers the fencing number; `undefined` while others have it. */
  take(session: Session, token: string): number | undefined
  /** Answers false when the lock is not this token's any more. */
  extend(session: Session, token: string): boolean
  release(session: Session, token: string): boolean
  /** Whether trying is worth a transaction. */
  isFree(session: Session): boolean
}

/**
 * A lock that is an entry: whoever adds it has it, and it ends by expiring. Python's `Lock` on the same key adds an entry
 * as well, so that both exclude each other. Its value is the token of the owner.
 *
 * @param makeEntry the entry of a token, with its expiry from now
 */
export function entryLock(key: EncodedKey, makeEntry: (token: string) => NewEntry): LockRules {
  const ownRow = (session: Session, token: string): EntryRow | undefined => {
    const row = entryOf(session, key)
    return row && row[10] === null && session.disk.decode(row[9], row[11]) === token ? row : undefined
  }
  return {
    take: (session, token) => {
      const entry = makeEntry(token)
      return add(session, entry) ? nextFence(session, entry.now) : undefined
    },
    extend: (session, token) => {
      const row = ownRow(session, token)
      return row !== undefined && session.statements.run('touch', makeEntry(token).expireTime, row[0]) > 0
    },
    release: (session, token) => {
      const row = ownRow(session, token)
      if (row) deleteRow(session, row[0], null, 0)
      return row !== undefined
    },
    isFree: session => {
      const row = entryOf(session, key)
      return !row || !isLive(row[4], session.disk.now())
    },
  }
}

/** Places of which one token has one each: leases in the side table. */
export function slotLock(names: readonly string[], seconds: number): LockRules {
  const slotOf = (session: Session, token: string): string | undefined =>
    names.find(name => leaseOf(session, name)?.token === token)
  return {
    take: (session, token) => {
      for (const name of names) {
        const fence = acquireLease(session, name, token, seconds)
        if (fence !== undefined) return fence
      }
      return undefined
    },
    extend: (session, token) => {
      const slot = slotOf(session, token)
      return slot !== undefined && extendLease(session, slot, token, seconds)
    },
    release: (session, token) => {
      const slot = slotOf(session, token)
      return slot !== undefined && releaseLease(session, slot, token)
    },
    isFree: session =>
      names.some(name => {
        const lease = leaseOf(session, name)
        return !lease || lease.due <= session.disk.now()
      }),
  }
}
