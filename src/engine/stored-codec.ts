import type { CacheHandle } from './cache-handle.js'
import type { Connection } from './database/connection.js'
import { readSettings } from './database/settings.js'
import { sqliteCode } from './database/sqlite-errors.js'
import type { SqlValue } from './disk/codec.js'
import { isZlib, readCompressedJson } from './disk/compressed-json.js'
import { type JsonCodec, jsonCodec } from './disk/json-codec.js'
import { DecodeError, DiskCacheError } from './errors.js'
import { connectQuietly } from './maintenance/examine.js'
import type { Shard } from './shards/shard.js'
import { readPatiently, sessionOf } from './verbs/reading.js'

/** The keys of a shard that are examined. */
const SAMPLE = `SELECT key, raw FROM Cache LIMIT 5`

type SampledKey = readonly [key: SqlValue, raw: number]

/**
 * The codec of Python's JSONDisk at the compression level of the directory, when the directory has keys of that kind or
 * has stored a level. Locked and damaged shards are skipped: a later read of them reports the problem.
 */
export function jsonDiskCodec(handle: CacheHandle): Promise<JsonCodec | undefined> {
  return handle.ready(async () => {
    const samples: Sample[] = []
    for (const shard of handle.shards) samples.push(await sampleOf(shard))
    return codecOf(samples)
  })
}

/** The same for databases that are not open, without a change to their directories. */
export function jsonDiskCodecIn(directories: readonly string[]): JsonCodec | undefined {
  return codecOf(directories.map(quietSampleOf))
}

interface Sample {
  readonly level?: number | undefined
  readonly keys: readonly SampledKey[]
}

const NOTHING: Sample = { keys: [] }

function codecOf(samples: readonly Sample[]): JsonCodec | undefined {
  const level = samples.find(sample => sample.level !== undefined)?.level
  if (level !== undefined) return jsonCodec.level(level)
  const keys = samples.flatMap(sample => sample.keys)
  return keys.length > 0 && keys.every(isJsonKey) ? jsonCodec : undefined
}

async function sampleOf(shard: Shard): Promise<Sample> {
  try {
    return await readPatiently(shard, 0, () => {
      const { db, settings } = sessionOf(shard)
      return { level: settings.compressLevel, keys: keysIn(db) }
    })
  } catch (error) {
    if (error instanceof DiskCacheError) return NOTHING
    throw error
  }
}

function quietSampleOf(directory: string): Sample {
  try {
    const db = connectQuietly(directory, 0)
    try {
      return { level: readSettings(db).settings.compressLevel, keys: keysIn(db) }
    } finally {
      db.close()
    }
  } catch (error) {
    if (error instanceof DiskCacheError || sqliteCode(error) !== undefined) return NOTHING
    throw error
  }
}

function keysIn(db: Connection): SampledKey[] {
  return db.prepare<[], SampledKey>(SAMPLE).raw().all()
}

function isJsonKey([key, raw]: SampledKey): boolean {
  if (!raw || !Buffer.isBuffer(key) || !isZlib(key)) return false
  try {
    readCompressedJson(key)
    return true
  } catch (error) {
    if (error instanceof DecodeError) return false
    throw error
  }
}
