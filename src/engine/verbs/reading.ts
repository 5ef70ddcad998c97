import type { CacheHandle } from '../cache-handle.js'
import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import { backoff } from '../database/lock-attempts.js'
import type { Session } from '../database/session.js'
import { isBusy } from '../database/sqlite-errors.js'
import type { EntryRow, ValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { slashed } from '../disk/safe-filename.js'
import { TimeoutError } from '../errors.js'
import { entryOf, isLarge, isLive, readRow, tagsOf, versionOf } from '../operations/entries.js'
import type { Info, Item, PlainData } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { toExpiry, toMilliseconds } from '../time.js'
import { performance, sleep } from '../timers.js'
import { runOf } from './reading-among-writes.js'
import { decodeTag } from './verb-options.js'

/** How often a missing file is looked up again, under the name that its row has by then. */
export const FILE_TRIES = 4

/** The shortest wait of a FanoutCache before it leaves a shard out of a listing, figures or settings. Milliseconds. */
const FANOUT_PATIENCE = 1000

/** Size of a number inside the database, as SQLite holds it. */
const NUMBER_BYTES = 8

/** How long a verb over all shards waits for one that is locked for reading. Milliseconds. */
export function patienceOf({ kind, options }: Pick<CacheHandle, 'kind' | 'options'>): number {
  return kind === 'FanoutCache' ? Math.max(options.timeout, FANOUT_PATIENCE) : options.timeout
}

/** Runs a read, and retries it while a log is under recovery or a rollback journal blocks readers. */
export async function readPatiently<T>(
  shard: Shard,
  wait: number,
  read: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + wait
  for (let failures = 0; ; failures++) {
    const attemptedAt = performance.now()
    try {
      if (!shard.current) await shard.reopened()
      shard.memory?.looked()
      return await read()
    } catch (error) {
      if (!isBusy(error)) {
        if (failures < 3 && shard.recover(error)) continue
        throw shard.translate(error)
      }
      if (attemptedAt >= deadline) throw new TimeoutError(shard.directory, 0, { cause: error })
      await sleep(Math.min(backoff(failures), deadline - attemptedAt))
      // Checked here only, since no single wait is longer than a few milliseconds.
      signal?.throwIfAborted()
    }
  }
}

/** Reads the live value of a key. Returns a promise when the value is a file. */
export function readValue(shard: Shard, key: EncodedKey): unknown {
  const session = sessionOf(shard)
  const { statistics, evictionPolicy } = session.settings
  const marks = statistics || EVICTION_POLICIES[evictionPolicy].marks !== undefined
  const statement = session.statements.prepare(marks ? 'value' : 'bareValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as ValueRow | undefined
  if (!row) return miss(shard, session, key)
  const [mode, filename, value, rowid, accessTime] = row
  if (filename !== null || isLarge(value)) return readEntryValue(shard, key)
  noteFound(shard, session, key, rowid, accessTime)
  return shard.disk.decode(mode, value)
}

/** Whether a key has a live entry. */
export function isThere(shard: Shard, { data, raw }: EncodedKey): boolean {
  return sessionOf(shard).statements.get('has', data, raw ? 1 : 0, shard.disk.now()) !== undefined
}

/** Reads the live entry of a key with its value. */
export async function readItem<T>(shard: Shard, key: EncodedKey): Promise<Item<T> | undefined> {
  const found = await readEntry(shard, key, toInfo)
  return found && itemOf<T>(found.known, found.value)
}

/** Reads the `Info` of a live entry. */
export function readInfo(shard: Shard, key: EncodedKey): Info | undefined {
  const session = sessionOf(shard)
  const values = [key.data, key.raw ? 1 : 0, shard.disk.now()] as const
  return withItsTags(session, () => {
    const row = readRow(session, 'info', ...values)
    return row && toInfo(session, row)
  })
}

/** Reads a row and what is known of its entry, of which further tags lie in another table. */
export function withItsTags<T>(session: Session, read: () => T): T {
  return session.entryTags ? session.atOneMoment(read) : read()
}

/** Builds the `Info` of a row, which is complete or has the size of an inline value computed by SQL. */
export function toInfo(session: Session, row: EntryRow, tags?: readonly string[]): Info {
  const [rowid, key, raw, storeTime, expireTime, accessTime, accessCount, tag, size, , filename, value] = row
  const expiresAt = toExpiry(expireTime)
  // One property after the other: V8 makes a shape of its own for every object that goes on after a spread.
  const info = { key: session.disk.decodeKey(key, raw !== 0) } as { -readonly [Name in keyof Info]: Info[Name] }
  if (expiresAt !== undefined) info.expiresAt = expiresAt
  if (tag !== null) info.tag = decodeTag(tag)
  info.tags = tags ?? tagsOf(session, rowid)
  info.storedAt = toMilliseconds(storeTime)
  info.accessedAt = toMilliseconds(accessTime)
  info.accessCount = accessCount
  info.size = filename === null ? inlineSize(row, size) : size
  if (filename !== null) info.path = session.disk.pathPrefix + slashed(filename)
  if (filename !== null && typeof value === 'string') info.meta = parseMeta(value)
  info.version = versionOf(rowid, storeTime, expireTime)
  return info
}

/** Makes an item of the `Info` of an entry, of which nobody else may have hold. */
export function itemOf<T>(info: Info, value: unknown): Item<T> {
  const item = info as { value?: T }
  item.value = value as T
  return item as Item<T>
}

/** Reads an entry with its decoded value. A missing file is looked up again, since the entry may have been replaced. */
async function readEntry<Known>(
  shard: Shard,
  key: EncodedKey,
  describe: (session: Session, row: EntryRow) => Known,
): Promise<{ readonly known: Known; readonly value: unknown } | undefined> {
  let previous: string | undefined
  const run = runOf(sessionOf(shard))
  for (let attempt = 0; attempt < FILE_TRIES; attempt++) {
    const session = sessionOf(shard)
    const found = withItsTags(session, () => {
      const row = entryOf(session, key)
      return row && isLive(row[4], shard.disk.now()) ? { row, known: describe(session, row) } : undefined
    })
    if (!found) return miss(shard, session, key)
    const { row, known } = found
    const [rowid, , , , , accessTime, , , size, mode, filename, data] = row
    if (filename === null) {
      noteFound(shard, session, key, rowid, accessTime)
      return { known, value: shard.disk.decode(mode, data) }
    }
    // Among writes the file is opened at once, since the next write may replace it.
    const bytes = await shard.disk.files.read(filename, size, { openNow: session.isWriting })
    if (bytes) {
      if (!run.inVain) noteFound(shard, session, key, rowid, accessTime)
      return { known, value: shard.disk.decode(mode, bytes) }
    }
    if (previous === filename) shard.noteDamaged(rowid, filename)
    if (previous === filename) break
    previous = filename
  }
  return run.inVain ? undefined : miss(shard, sessionOf(shard), key)
}

/** Reads the entry of a row with its value, for listings. */
export async function readEntryRow(
  shard: Shard,
  rowid: number,
  now: number,
): Promise<{ row: EntryRow; value: unknown } | undefined> {
  const row = readRow(sessionOf(shard), 'entryById', rowid)
  if (!row || !isLive(row[4], now)) return undefined
  const [, , , , , , , , size, mode, filename, data] = row
  if (filename === null) return { row, value: shard.disk.decode(mode, data) }
  const bytes = await shard.disk.files.read(filename, size)
  return bytes && { row, value: shard.disk.decode(mode, bytes) }
}

/** Counts a miss in the database. A read among writes counts it when they are committed. */
export function miss(shard: Shard, session: Session, key: EncodedKey): undefined {
  if (session.amongWrites) {
    session.afterCommit(() => miss(shard, session, key))
    return undefined
  }
  shard.watch.miss(key, 'database')
  return noteMiss(shard, session)
}

/** Counts a hit in the database and, with the last two arguments, notes the access. Among writes as `miss` does. */
export function noteFound(
  shard: Shard,
  session: Session,
  key: EncodedKey,
  rowid: number | undefined,
  accessTime: number | undefined,
): void {
  if (session.amongWrites) {
    session.afterCommit(() => noteFound(shard, session, key, rowid, accessTime))
    return
  }
  shard.watch.hit(key, 'database')
  if (rowid !== undefined && accessTime !== undefined) noteHit(shard, session, rowid, accessTime)
}

export function noteMiss(shard: Shard, session: Session): undefined {
  if (session.settings.statistics && !shard.options.readonly) shard.marks.misses++
  return undefined
}

export function noteHit(shard: Shard, session: Session, rowid: number, accessTime: number): void {
  if (shard.options.readonly) return
  if (session.settings.statistics) shard.marks.hits++
  noteUse(shard, session, rowid, accessTime)
}

/** Notes an access, in the form that the eviction policy needs. */
export function noteUse(shard: Shard, session: Session, rowid: number, accessTime: number): void {
  if (shard.options.readonly) return
  const { marks } = EVICTION_POLICIES[session.settings.evictionPolicy]
  if (marks === 'access_time') shard.marks.accessed(rowid, shard.disk.now(), accessTime)
  else if (marks === 'access_count') shard.marks.counted(rowid)
}

/** Reads a value that needs all columns of its row: a file, or a number beyond 2^53. */
export async function readEntryValue(shard: Shard, key: EncodedKey): Promise<unknown> {
  return (await readEntry(shard, key, () => undefined))?.value
}

/** The open session. While the database is being reopened it throws the error that `readPatiently` retries. */
export function sessionOf(shard: Shard): Session {
  const session = shard.current
  shard.memory?.looked()
  if (!session) throw Object.assign(new Error('the database is being opened again'), { code: 'SQLITE_BUSY' })
  return session
}

function inlineSize(row: EntryRow, size: number): number {
  const value = row[11]
  if (size > 0 || value === null) return size
  if (typeof value === 'string') return Buffer.byteLength(value)
  return Buffer.isBuffer(value) ? value.byteLength : NUMBER_BYTES
}

function parseMeta(text: string): PlainData | undefined {
  try {
    return JSON.parse(text) as PlainData
  } catch (error) {
    // A tampered row has no valid metadata.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The result of `tryOnce` when the read failed. */
export const FAILED: unique symbol = Symbol('failed')

/** Runs a read once. On failure the caller uses the patient read, which retries or reports the error. */
export function tryOnce(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return FAILED
  }
}
