import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Kind } from './cache-options.js'
import { CacheVerbs } from './cache-verbs.js'
import type { DiskCache } from './contract.js'
import { DATABASE_FILE } from './database/opening.js'
import { namesInSchema } from './database/schema-check.js'
import type { Codec } from './disk/codec.js'
import { decodeKey, keyIdentity } from './disk/keys.js'
import { MODE_BINARY, MODE_TEXT } from './disk/modes.js'
import { isMissing } from './file-errors.js'
import { handleOf } from './handle-of.js'
import { connectQuietly } from './maintenance/examine.js'
import { entryOf, isLive } from './operations/entries.js'
import type { Info, Key, Listing, Settings, SettingsChange } from './options.js'
import { absoluteDirectory, countShards, isShardName, MOST_SHARDS } from './shards/layout.js'
import * as stored from './stored-codec.js'
import { configure } from './verbs/configuring.js'
import { listInfos } from './verbs/listing.js'
import { readPatiently, sessionOf } from './verbs/reading.js'

/*
 * Functions of the engine for the command line.
 */

export { CODECS } from './disk/codecs.js'
export { VIEWS } from './disk/structured-clone.js'
export { hintFor, kindOf, nearest } from './option-names.js'
export { LONGEST_TIMER, milliseconds, systemClock } from './time.js'
export { lostNumber, lostNumberText } from './transfer/lost-digits.js'

/** The kind of cache at a path. */
export interface Place {
  /** The absolute path. */
  readonly directory: string
  readonly kind: 'missing' | 'file' | 'empty' | 'strange' | Kind
  /** The directory of the FanoutCache, when this one is a shard of it. */
  readonly shardOf?: string
}

/**
 * Finds out what lies in a directory, without changing it.
 *
 * @throws the error of the file system when the directory may not be read
 */
export function placeAt(path: string): Place {
  const directory = absoluteDirectory(path)
  const stat = statIfThere(directory)
  if (!stat) return { directory, kind: 'missing' }
  if (!stat.isDirectory()) return { directory, kind: 'file' }
  const entries = readdirSync(directory)
  if (entries.includes(DATABASE_FILE)) return { directory, kind: 'Cache', ...shardOf(directory) }
  if (hasShards(directory)) return { directory, kind: 'FanoutCache' }
  return { directory, kind: isAsGoodAsEmpty(directory, entries) ? 'empty' : 'strange' }
}

/** Whether a directory holds nothing, or what is left when the making of a FanoutCache fails before its databases. */
function isAsGoodAsEmpty(directory: string, entries: readonly string[]): boolean {
  // Larger numbers are years.
  return entries.every(name => Number(name) < MOST_SHARDS && isEmptyShard(directory, name))
}

function isEmptyShard(directory: string, name: string): boolean {
  const path = join(directory, name)
  return isShardName(name) && statIfThere(path)?.isDirectory() === true && readdirSync(path).length === 0
}

/** Whether a directory has shards. Numeric names alone prove nothing: a directory of years has them as well. */
function hasShards(directory: string): boolean {
  const count = countShards(directory)
  if (count === undefined || count > MOST_SHARDS) return false
  return readdirSync(directory).some(name => isShardName(name) && statIfThere(join(directory, name, DATABASE_FILE)))
}

function shardOf(directory: string): Pick<Place, 'shardOf'> {
  const parent = dirname(directory)
  if (!isShardName(basename(directory)) || statIfThere(join(parent, DATABASE_FILE))) return {}
  const first = directory === join(parent, '000') ? '001' : '000'
  return statIfThere(join(parent, first, DATABASE_FILE)) ? { shardOf: parent } : {}
}

/**
 * What the databases of a cache hold: tables of a cache, those of another program, or nothing yet. One that cannot be
 * looked into counts as a cache, because opening it tells why.
 */
export function contentAt({ directory, kind }: Place): 'cache' | 'strange' | 'nothing' {
  const shards = kind === 'Cache' ? [''] : readdirSync(directory).filter(isShardName)
  let content: 'strange' | 'nothing' = 'nothing'
  for (const shard of shards) {
    const names = tablesIn(join(directory, shard))
    if (names === undefined || names.has('Cache') || names.has('Settings')) return 'cache'
    if (names.size > 0) content = 'strange'
  }
  return content
}

function tablesIn(directory: string): ReadonlySet<string> | undefined {
  try {
    if (!statIfThere(join(directory, DATABASE_FILE))) return new Set()
    const db = connectQuietly(directory, 0)
    try {
      return namesInSchema(db)
    } finally {
      db.close()
    }
  } catch {
    return undefined
  }
}

function statIfThere(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    // A part of the path is a file.
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Lists the `Info` of each entry, in stored order. */
export function infos(cache: DiskCache, listing: Listing): AsyncIterable<Info> {
  return listInfos(handleOf(verbsOf(cache)), listing)
}

/** Runs `configure` with a deadline, also in a FanoutCache. @throws TimeoutError */
export function configureWithin(
  cache: DiskCache,
  change: SettingsChange,
  { timeout, signal }: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<Settings> {
  const handle = handleOf(verbsOf(cache))
  return handle.ready(() => configure(handle, change, { wait: timeout, signal }))
}

/** The codec of an open directory of Python's JSONDisk. `undefined` when the directory does not look like one. */
export function jsonDiskCodec(cache: DiskCache): Promise<Codec | undefined> {
  return stored.jsonDiskCodec(handleOf(verbsOf(cache)))
}

/** Counts the entries that have expired and were not removed yet. */
export async function countExpired(cache: DiskCache): Promise<number> {
  const handle = handleOf(verbsOf(await cache.open()))
  const counts = handle.shards.map(shard =>
    readPatiently(shard, handle.options.timeout, () => {
      const { db } = sessionOf(shard)
      const sql = 'SELECT COUNT(*) FROM Cache WHERE expire_time IS NOT NULL AND expire_time <= ?'
      return db.prepare<[number], number>(sql).pluck().get(shard.disk.now()) ?? 0
    }),
  )
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** Whether `read` can stream the value of a key unchanged, which holds for bytes and text in a file. */
export function isStreamable(cache: DiskCache, key: Key): Promise<boolean> {
  const handle = handleOf(verbsOf(cache))
  return handle.ready(async () => {
    const encoded = handle.encodeKey(key)
    const shard = handle.route(encoded)
    const look = (): boolean => {
      const row = entryOf(sessionOf(shard), encoded)
      if (!row || !isLive(row[4], shard.disk.now()) || row[10] === null) return false
      return (row[9] === MODE_BINARY || row[9] === MODE_TEXT) && shard.disk.isVerbatim(row[9])
    }
    return (await handle.read(shard, encoded, undefined, look, key)) ?? false
  })
}

/** The bytes of a key that is stored as a pickle. `undefined` for a key that is stored natively. */
export function storedKey(cache: DiskCache, key: Key): Buffer | undefined {
  const { data, raw } = handleOf(verbsOf(cache)).encodeKey(key)
  return !raw && Buffer.isBuffer(data) ? data : undefined
}

/** Decodes the bytes of a stored key. The result finds their row, whatever the bytes are. */
export function decodeStoredKey(pickle: Buffer): Key {
  return decodeKey(pickle, false)
}

/** Whether two keys identify the same row. @throws TypeError when `other` is no key */
export function isStoredAs(cache: DiskCache, key: Key, other: Key): boolean {
  const handle = handleOf(verbsOf(cache))
  return keyIdentity(handle.encodeKey(key)) === keyIdentity(handle.encodeKey(other))
}

function verbsOf(cache: DiskCache): CacheVerbs {
  if (cache instanceof CacheVerbs) return cache
  throw new TypeError('this cache is not of this build of the package')
}
