import type { Session } from '../database/session.js'
import type { EntryRow, StatementName, StateRow } from '../database/statements.js'
import type { EncodedKey, SqlValue } from '../disk/codec.js'
import type { PreparedValue } from '../disk/disk.js'
import type { PendingFile } from '../disk/pending-file.js'
import { beginGrace } from './grace.js'
import { ensureSideTable } from './side-tables.js'

const MICROSECOND = 1e-6
/** How far the store time of a removed row may be ahead so that new rows get later ones. Seconds. */
const MOST_AHEAD = 1
/** Upper estimate of the bytes of the row of a further tag beyond the tag. */
const TAG_ROW_BYTES = 1024

/** An entry to be stored. Times are seconds; `now` is the instant at which the verb was called. */
export interface NewEntry {
  readonly key: EncodedKey
  readonly value: PreparedValue
  readonly now: number
  readonly expireTime: number | null
  readonly tag: SqlValue
  readonly tags: readonly string[]
  /** Whether a new row keeps `now` as its store time, as that of an imported entry does. */
  readonly isOld?: true
}

/** An entry whose key the operation determines. */
export type KeylessEntry = Omit<NewEntry, 'key'>

/**
 * Adds a key. Properties are copied one by one: spreading changes the shape each time, a tenth of the time of `append`.
 */
export function keyed({ value, now, expireTime, tag, tags }: KeylessEntry, key: EncodedKey): NewEntry {
  return { key, value, now, expireTime, tag, tags }
}

/** A row that was removed from the database, with its further tags. The caller owns its file. */
export interface Taken {
  readonly row: EntryRow
  readonly tags: readonly string[]
}

/** Removes a row from the database, keeps its file, and returns the row with its further tags. */
export function takeRow(session: Session, row: EntryRow): Taken {
  const tags = tagsOf(session, row[0])
  removeRow(session, row[0], row[3])
  return { row, tags }
}

/** Removes a row and keeps its file. @param storeTime that of the row, from whoever has read it */
export function removeRow(session: Session, rowid: number, storeTime?: number): void {
  const { statements } = session
  session.removed++
  if (storeTime === undefined) return noteRemoved(session, statements.get<number>('deleteUnseen', rowid))
  statements.prepare('delete').run(rowid)
  noteRemoved(session, storeTime)
}

/** @param storeTime that of the removed row. Updates within a microsecond, or by another clock, have put it ahead */
function noteRemoved(session: Session, storeTime: number | undefined): void {
  const now = session.disk.now()
  const ahead = storeTime !== undefined && storeTime < now + MOST_AHEAD ? storeTime : 0
  session.removedUntil = Math.max(session.removedUntil, now, ahead)
}

/** Whether an entry with this expiry is live. At the instant of its expiry it is not. */
export function isLive(expireTime: number | null, now: number): boolean {
  return expireTime === null || expireTime > now
}

export function stateOf(session: Session, key: EncodedKey): StateRow | undefined {
  return session.statements.prepare('state').get(key.data, key.raw ? 1 : 0) as StateRow | undefined
}

/** Reads the whole row of a key, expired or not. */
export function entryOf(session: Session, key: EncodedKey): EntryRow | undefined {
  return readRow(session, 'entry', key.data, key.raw ? 1 : 0)
}

/** Reads a whole row with a statement. Whole numbers beyond 2^53 lose no digits. */
export function readRow(
  { statements }: Pick<Session, 'statements'>,
  name: StatementName,
  ...values: unknown[]
): EntryRow | undefined {
  // Not through `get`, which would spread the values once more.
  const row = statements.prepare(name).get(...values) as EntryRow | undefined
  return row && isInexact(row) ? toEntryRow(statements.getExact(name, ...values)) : row
}

/** Whether a row has a number so large that it may be an integer that lost digits in the conversion from SQLite. */
function isInexact(row: EntryRow): boolean {
  return isLarge(row[1]) || isLarge(row[11]) || isLarge(row[7])
}

export function isLarge(value: SqlValue): boolean {
  return typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)
}

/** Converts a row that was read with bigints: all columns except key, tag and value become numbers. */
function toEntryRow(row: readonly unknown[] | undefined): EntryRow | undefined {
  if (!row) return undefined
  return row.map((column, at) =>
    typeof column === 'bigint' && at !== 1 && at !== 7 && at !== 11 ? Number(column) : column,
  ) as unknown[] as EntryRow & unknown[]
}

/**
 * Writes the row of an entry, as a new row or over `state`. An overwritten row keeps its rowid and thereby its place in
 * stored order.
 */
export function storeRow(session: Session, entry: NewEntry, state: StateRow | undefined): number {
  const { statements } = session
  const { value, now, key } = entry
  session.grows = true
  const filename = value.file ? placeFile(session, value.file) : null
  const columns = [entry.tag, value.size, value.mode, filename, value.value] as const
  let rowid: number
  if (state) {
    rowid = state[0]
    statements.prepare('update').run(updateTime(session, now), entry.expireTime, now, ...columns, rowid)
    if (state[1] !== null) removeFile(session, state[1], state[2])
  } else {
    rowid = statements.insert(
      'insert',
      key.data,
      key.raw ? 1 : 0,
      insertTime(session, entry),
      entry.expireTime,
      now,
      ...columns,
    )
  }
  if (entry.tags.length > 0) addTags(session, rowid, entry.tags)
  noteStored(session, entry)
  return rowid
}

function placeFile(session: Session, file: PendingFile): string {
  const filename = session.disk.files.place(file)
  // A quarantine moves placed files along with the database, and this write may be repeated in the next database.
  session.afterRollback(() => session.disk.files.displace(file))
  session.placed.push(file)
  return filename
}

/**
 * Writes an entry that lies in the database and has no further tags, as a new row or over another such row. Returns
 * `false` and writes nothing when it would replace a file.
 *
 * Whether the key is new is guessed from the write before. A wrong guess costs one statement, as much as a look.
 */
export function storeInline(session: Session, entry: NewEntry): boolean {
  const isNew = session.storesNewKeys
  session.grows = true
  const first = isNew ? insertInline : updateInline
  if (!first(session, entry)) {
    const second = isNew ? updateInline : insertInline
    if (!second(session, entry)) return false
    session.storesNewKeys = !isNew
  }
  noteStored(session, entry)
  return true
}

/** Writes a new entry that lies in the database and has no further tags. Returns `false` when its key has a row. */
export function addInline(session: Session, entry: NewEntry): boolean {
  session.grows = true
  if (!insertInline(session, entry)) return false
  noteStored(session, entry)
  return true
}

function updateInline(session: Session, { value, now, key, expireTime, tag }: NewEntry): boolean {
  const statement = session.statements.prepare('updateInline')
  const raw = key.raw ? 1 : 0
  const storeTime = updateTime(session, now)
  return statement.run(storeTime, expireTime, now, tag, value.mode, value.value, key.data, raw).changes > 0
}

function insertInline(session: Session, entry: NewEntry): boolean {
  const { value, now, key, expireTime, tag } = entry
  const statement = session.statements.prepare('insertInline')
  const storeTime = insertTime(session, entry)
  return statement.run(key.data, key.raw ? 1 : 0, storeTime, expireTime, now, tag, value.mode, value.value).changes > 0
}

function noteStored(session: Session, entry: NewEntry): void {
  const { value } = entry
  noteGrown(session, entry.key, value.weight + value.size + bytesBeside(entry))
}

/** Counts what was written of an entry towards the limits, and keeps it from being evicted in this transaction. */
export function noteGrown(session: Session, key: EncodedKey, bytes: number): void {
  session.stored.push(key)
  session.bytes += bytes
  session.grew = true
}

/** The least store time of a row that is overwritten: see Session.pagedUntil. */
export function updateTime(session: Session, now: number): number {
  return now > session.pagedUntil ? now : session.pagedUntil + MICROSECOND
}

/** Bytes of a row beside its value. Keys and tags count twice, because they are in an index too. */
function bytesBeside({ key, value, tag, tags }: NewEntry): number {
  let bytes = 2 * (lengthOf(key.data) + lengthOf(tag))
  if (value.file) bytes += lengthOf(value.value)
  for (const further of tags) bytes += 2 * further.length + TAG_ROW_BYTES
  return bytes
}

function lengthOf(data: SqlValue): number {
  return typeof data === 'string' || Buffer.isBuffer(data) ? data.length : 0
}

/** The store time of a new row: see Session.removedUntil. */
function insertTime(session: Session, { now, isOld }: NewEntry): number {
  if (!isOld) noteOthers(session, now)
  if (now <= session.removedUntil) session.removedUntil += MICROSECOND
  return Math.max(now, session.removedUntil)
}

/**
 * Looks, once in a transaction, whether others have committed while the call waited for the lock or its file. They may
 * have stored a row at the instant of the call and removed it.
 */
function noteOthers(session: Session, calledAt: number): void {
  if (session.hasLooked) return
  const now = session.disk.now()
  const known = session.othersVersion
  if (now <= calledAt && known !== undefined) return
  session.hasLooked = true
  session.othersVersion = session.statements.prepare('dataVersion').get()
  if (known !== undefined && known !== session.othersVersion) session.removedUntil = Math.max(session.removedUntil, now)
}

export function deleteRow(
  session: Session,
  rowid: number,
  filename: string | null,
  size: number,
  storeTime?: number,
): void {
  removeRow(session, rowid, storeTime)
  if (filename !== null) removeFile(session, filename, size)
}

/** Overwrites an entry that has no file, no further tags and exactly the expiry `released`. */
export function takeReleased(session: Session, { value, now, key, expireTime }: NewEntry, released: number): boolean {
  const { statements } = session
  const raw = key.raw ? 1 : 0
  const storeTime = updateTime(session, now)
  return (
    statements.run('takeReleased', storeTime, expireTime, now, value.mode, value.value, key.data, raw, released) > 0
  )
}

/** Removes the row of a key if it has exactly this value, in the database. */
export function deleteOwn(session: Session, key: EncodedKey, mode: number, value: SqlValue): boolean {
  const storeTime = session.statements.get<number>('deleteOwn', key.data, key.raw ? 1 : 0, mode, value)
  if (storeTime === undefined) return false
  session.removed++
  noteRemoved(session, storeTime)
  return true
}

/** Removes a value file after the commit, or after the grace that is set for the directory. */
export function removeFile(session: Session, filename: string, size: number): void {
  const grace = session.settings.unlinkGrace
  if (grace <= 0) {
    session.afterCommit(() => session.disk.files.remove(filename))
    return
  }
  ensureSideTable(session, 'unlinkLater')
  beginGrace(session, filename, size, session.disk.now() + grace)
}

export function tagsOf(session: Session, rowid: number): string[] {
  return session.has('entryTags') ? session.statements.all<string>('tags', rowid) : []
}

/** The version of a row. Every UPDATE changes it, because each sets a later store time. */
export function versionOf(rowid: number, storeTime: number, expireTime: number | null): string {
  return `${rowid}.${storeTime}.${expireTime ?? ''}`
}

/** Gives an entry further tags, where it does not have them. */
export function addMissingTags(session: Session, key: EncodedKey, tags: readonly string[]): void {
  const state = tags.length > 0 ? stateOf(session, key) : undefined
  if (!state) return
  const known = new Set(tagsOf(session, state[0]))
  const missing = tags.filter(tag => !known.has(tag))
  if (missing.length > 0) addTags(session, state[0], missing)
}

function addTags(session: Session, rowid: number, tags: readonly string[]): void {
  ensureSideTable(session, 'entryTags')
  for (const tag of tags) session.statements.run('insertTag', rowid, tag)
}
