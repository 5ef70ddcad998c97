import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { MODE_PICKLE } from '../disk/modes.js'
import {
  deleteRow,
  entryOf,
  isLive,
  type NewEntry,
  noteGrown,
  stateOf,
  storeInline,
  storeRow,
  type Taken,
  takeRow,
  versionOf,
} from './entries.js'
import { leaseName, revokeLease } from './leases.js'

/** Stores an entry. */
export function set(session: Session, entry: NewEntry): boolean {
  const isInline = entry.value.file === undefined && entry.tags.length === 0
  if (isInline && storeInline(session, entry)) return true
  storeRow(session, entry, stateOf(session, entry.key))
  return true
}

/** Stores an entry unless the key has a live one. */
export function add(session: Session, entry: NewEntry): boolean {
  const state = stateOf(session, entry.key)
  if (state) {
    const [, filename, size, expireTime] = state
    const isThere = (): boolean => filename === null || session.disk.files.holds(filename, Number(size))
    if (isLive(expireTime, entry.now) && isThere()) return false
  }
  storeRow(session, entry, state)
  return true
}

/** The changes of `touch`. What is absent stays as it is. */
export interface Change {
  readonly expireTime?: number | null
  /** JSON text. */
  readonly meta?: string
  readonly ifVersion?: string
}

/** Changes expiry or metadata of a live entry. Returns `false` when there is none or it has another version. */
export function touch(session: Session, key: EncodedKey, change: Change, now: number): boolean {
  const state = stateOf(session, key)
  if (!state) return false
  const [rowid, filename, , expireTime, storeTime, mode] = state
  if (!isLive(expireTime, now)) return false
  if (change.ifVersion !== undefined && change.ifVersion !== versionOf(rowid, storeTime, expireTime)) return false
  if (change.meta !== undefined) {
    if (filename === null || mode === MODE_PICKLE) {
      throw new TypeError(
        'meta can be changed only on an entry that was stored with meta, or that is bytes or text in a file',
      )
    }
    session.grows = true
    session.statements.run('touchMeta', change.meta, rowid)
    noteGrown(session, key, change.meta.length)
  }
  if (change.expireTime !== undefined) session.statements.run('touch', change.expireTime, rowid)
  return true
}

/** Removes an entry. Returns whether it was live; an expired row is removed as well. */
export function remove(session: Session, key: EncodedKey, now: number): boolean {
  revokeFlight(session, key)
  const state = stateOf(session, key)
  if (!state) return false
  deleteRow(session, state[0], state[1], state[2], state[4])
  return isLive(state[3], now)
}

/** Removes a live entry and returns its row. The caller owns its file, which holds the value. */
export function take(session: Session, key: EncodedKey, now: number): Taken | undefined {
  revokeFlight(session, key)
  const row = entryOf(session, key)
  if (!row) return undefined
  if (!isLive(row[4], now)) {
    deleteRow(session, row[0], row[10], row[8])
    return undefined
  }
  return takeRow(session, row)
}

/** Ends a computation for the key, which began before the removal and would store an outdated value. */
function revokeFlight(session: Session, key: EncodedKey): void {
  if (session.has('leases')) revokeLease(session, leaseName('flight', key))
}

/** Removes a row whose value file was found missing or too short, unless it was stored anew meanwhile. */
export function removeDamaged(session: Session, rowid: number, filename: string): void {
  const row = session.statements.get<readonly unknown[]>('deleteFile', rowid, filename)
  if (row) deleteRow(session, rowid, filename, Number(row[2]))
}
