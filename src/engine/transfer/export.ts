import type { CacheHandle } from '../cache-handle.js'
import type { Connection } from '../database/connection.js'
import type { Session } from '../database/session.js'
import type { Codec, EncodedKey, SqlValue } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { isLive, tagsOf } from '../operations/entries.js'
import { lastRow } from '../operations/listing.js'
import type { Settings, Tag } from '../options.js'
import { compressionOf } from '../shards/compress-level.js'
import type { Shard } from '../shards/shard.js'
import { toExpiry, toMilliseconds } from '../time.js'
import { turn } from '../timers.js'
import { hidesPrefixes } from '../verbs/listing-options.js'
import { readPatiently, sessionOf } from '../verbs/reading.js'
import { encodeTag } from '../verbs/verb-options.js'
import { keyToJson, modeName, sqlToJson, valueToJson } from './exact-json.js'
import { fileLines, type OpenFile } from './file-lines.js'
import { type EntryLine, FORMAT, FORMAT_VERSION, type Header } from './format.js'

/** Which entries are exported, and how. */
export interface ExportOptions {
  /** Only string keys that begin with this text. */
  readonly prefix?: string | undefined
  /** Only entries with this tag, be it their tag or a further tag. */
  readonly tag?: Tag | undefined
  readonly includeExpired?: boolean | undefined
  /** Called after every entry; with its name when it was left out because its file is missing or too short. */
  readonly told?: (damaged: string | undefined) => void
}

/** Length of a chunk. Lines are joined, because a write for each would cost more than building it. */
const PART_LENGTH = 2 ** 16
const FILE_TRIES = 4
/** Limits of one step. */
const PAGE_ROWS = 100
const PAGE_BYTES = 2 ** 20

/** A row with whole numbers as bigint, which distinguishes them from floats. */
type ExactRow = readonly [
  rowid: bigint,
  key: SqlValue,
  raw: bigint,
  storeTime: number,
  expireTime: number | null,
  accessTime: number,
  accessCount: bigint,
  tag: SqlValue,
  size: bigint,
  mode: bigint,
  filename: string | null,
  value: SqlValue,
]

const COLUMNS = 'rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value'
const NEXT = `SELECT ${COLUMNS} FROM Cache WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT 1`
const AGAIN = `SELECT ${COLUMNS} FROM Cache WHERE rowid = ?`

/**
 * Exports the entries of an open cache as chunks of a stream, each of several lines. Every entry is consistent, as of
 * some instant of the export. Entries that exist from its beginning to its end occur exactly once; those added
 * meanwhile do not. One entry, or one piece of a file, is in memory at a time.
 */
export async function* exportParts(
  handle: CacheHandle,
  settings: Settings,
  options: ExportOptions,
): AsyncGenerator<string> {
  const counts = { entries: 0, files: 0, bytes: 0 }
  let part = `${JSON.stringify(headerOf(handle, settings))}\n`
  for (const shard of handle.shards) {
    for await (const { line, file } of entriesOf(shard, handle, options)) {
      counts.entries++
      part += `${JSON.stringify(line)}\n`
      if (file) {
        counts.files++
        counts.bytes += file.size
        for await (const text of fileLines(file, shard.directory)) {
          part += text
          if (part.length < PART_LENGTH) continue
          yield part
          part = ''
        }
      }
      options.told?.(undefined)
      if (part.length < PART_LENGTH) continue
      yield part
      part = ''
      // Signals are heard between turns only.
      await turn()
    }
  }
  yield `${part}${JSON.stringify({ end: counts })}\n`
}

function headerOf({ kind, shards, options: { codec, clock } }: CacheHandle, settings: Settings): Header {
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    kind,
    ...(kind === 'FanoutCache' && { shards: shards.length }),
    codec: codec.name,
    ...compressionOf(codec),
    exportedAt: clock.now(),
    settings,
  }
}

async function* entriesOf(
  shard: Shard,
  { options: { codec, timeout } }: CacheHandle,
  options: ExportOptions,
): AsyncGenerator<{ readonly line: EntryLine; readonly file?: OpenFile }> {
  const reader = new RowReader(shard, timeout)
  const tag = options.tag === undefined ? undefined : encodeTag(options.tag)
  const last = await readPatiently(shard, timeout, () => lastRow(sessionOf(shard)))
  for (let at = 0; ; ) {
    const page = await reader.page(at, last)
    if (page.length === 0) return
    for (const found of page) {
      at = Number(found.row[0])
      if (!isWanted(found, { ...options, tag }, shard)) continue
      const opened = found.row[10] === null ? { found } : await openFile(shard, reader, found)
      if (opened === 'damaged') options.told?.(JSON.stringify(keyToJson(keyOf(found.row), codec)))
      if (typeof opened === 'string') continue
      const { file } = opened
      try {
        yield { line: lineOf(opened.found, codec), ...(file && { file }) }
      } finally {
        await file?.handle.close()
      }
    }
  }
}

/** A row with its side tables, read at one instant. */
interface Found {
  readonly row: ExactRow
  readonly tags: readonly string[]
  readonly computed: readonly [due: number | null, seconds: number] | undefined
}

interface RowStatement {
  get(...values: number[]): ExactRow | undefined
}
type RowStatements = readonly [next: RowStatement, again: RowStatement]

/** Reads rows with statements of its own, which return whole numbers exactly. */
class RowReader {
  readonly #shard: Shard
  readonly #timeout: number
  #db: Connection | undefined
  #statements: RowStatements | undefined

  constructor(shard: Shard, timeout: number) {
    this.#shard = shard
    this.#timeout = timeout
  }

  /** Reads the next rows, limited by number and by bytes. */
  page(after: number, last: number): Promise<Found[]> {
    return readPatiently(this.#shard, this.#timeout, () => {
      const session = sessionOf(this.#shard)
      const [next] = this.#prepared(session)
      const page: Found[] = []
      for (let bytes = 0, at = after; page.length < PAGE_ROWS && bytes < PAGE_BYTES; ) {
        const row = next.get(at, last)
        if (!row) break
        at = Number(row[0])
        if (typeof row[11] === 'string' || Buffer.isBuffer(row[11])) bytes += row[11].length
        page.push(foundOf(session, row))
      }
      return page
    })
  }

  again(rowid: number): Promise<Found | undefined> {
    return readPatiently(this.#shard, this.#timeout, () => {
      const session = sessionOf(this.#shard)
      const row = this.#prepared(session)[1].get(rowid)
      return row && foundOf(session, row)
    })
  }

  #prepared({ db }: Session): RowStatements {
    if (this.#db !== db || !this.#statements) {
      this.#db = db
      this.#statements = [rowStatement(db, NEXT), rowStatement(db, AGAIN)]
    }
    return this.#statements
  }
}

function rowStatement(db: Connection, sql: string): RowStatement {
  return db.prepare<number[], ExactRow>(sql).raw().safeIntegers()
}

function foundOf(session: Session, row: ExactRow): Found {
  return { row, tags: tagsOf(session, Number(row[0])), computed: computationOf(session, row) }
}

function computationOf(session: Session, row: ExactRow): Found['computed'] {
  if (!session.has('freshness')) return undefined
  return session.statements.get('freshnessOf', Number(row[0]), row[3], row[4])
}

interface Wanted extends Omit<ExportOptions, 'tag'> {
  readonly tag: SqlValue | undefined
}

function isWanted({ row, tags }: Found, options: Wanted, shard: Shard): boolean {
  const { prefix, tag, includeExpired = false } = options
  if (row[1] === null || (!includeExpired && !isLive(row[4], shard.disk.now()))) return false
  if (prefix !== undefined && !hasPrefix(row, prefix, shard)) return false
  if (tag === undefined) return true
  return isSameTag(row[7], tag) || (typeof tag === 'string' && tags.includes(tag))
}

/** Compares as SQLite does, to which 5 and 5.0 are one tag. */
function isSameTag(stored: SqlValue, tag: SqlValue): boolean {
  if (Buffer.isBuffer(stored)) return Buffer.isBuffer(tag) && stored.equals(tag)
  if (!isNumeric(stored) || !isNumeric(tag)) return stored === tag
  return stored <= tag && stored >= tag
}

function isNumeric(value: SqlValue): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function hasPrefix([, data, raw]: ExactRow, prefix: string, shard: Shard): boolean {
  if (!hidesPrefixes(shard)) return raw !== 0n && typeof data === 'string' && data.startsWith(prefix)
  const key = shard.disk.decodeKey(data, raw !== 0n)
  return typeof key === 'string' && key.startsWith(prefix)
}

function keyOf(row: ExactRow): EncodedKey {
  return { data: row[1], raw: row[2] !== 0n }
}

function lineOf(found: Found, codec: Codec): EntryLine {
  const { row } = found
  const [, , , , , , , , , mode, filename, value] = row
  const key = keyToJson(keyOf(row), codec)
  if (filename === null)
    return { key, value: valueToJson({ mode: Number(mode), data: value }, codec), ...knownOf(found) }
  const meta = typeof value === 'string' ? metaOf(value) : undefined
  const file = { mode: modeName(Number(mode)), size: Number(row[8]) }
  return { key, file, ...(meta !== undefined && { meta }), ...knownOf(found) }
}

/** Reads metadata. The column may contain something else, which Python ignores as well. */
function metaOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function knownOf({ row, tags, computed }: Found): Omit<EntryLine, 'key'> {
  const [, , , storeTime, expireTime, accessTime, accessCount, tag] = row
  const expiresAt = toExpiry(expireTime)
  return {
    ...(expiresAt !== undefined && { expiresAt }),
    ...(tag !== null && { tag: sqlToJson(tag) }),
    ...(tags.length > 0 && { tags }),
    ...(Number.isFinite(storeTime) && { storedAt: Math.floor(storeTime * 1000) }),
    ...(Number.isFinite(accessTime) && { accessedAt: Math.floor(accessTime * 1000) }),
    ...(accessCount > 0n && { accessCount: Number(accessCount) }),
    ...(computed && {
      computed: { took: computed[1] * 1000, ...(computed[0] !== null && { staleAt: toMilliseconds(computed[0]) }) },
    }),
  }
}

/** Opens the file of a row, or of the row that has replaced it meanwhile. A value in the database has none. */
async function openFile(
  shard: Shard,
  reader: RowReader,
  first: Found,
): Promise<'gone' | 'damaged' | { readonly found: Found; readonly file?: OpenFile }> {
  let found: Found | undefined = first
  let previous: string | undefined
  for (let attempt = 0; attempt < FILE_TRIES; attempt++) {
    const filename = found.row[10]
    if (filename === null) return { found }
    if (filename === previous) return 'damaged'
    const size = Number(found.row[8])
    const handle = await shard.disk.files.open(filename, size)
    if (handle) return { found, file: { handle, size } }
    previous = filename
    found = await reader.again(Number(first.row[0]))
    // The rowid of a removed row may belong to a new entry, which was added meanwhile.
    if (!found || keyIdentity(keyOf(found.row)) !== keyIdentity(keyOf(first.row))) return 'gone'
  }
  return 'gone'
}
