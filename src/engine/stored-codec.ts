import type { CacheHandle } from './cache-handle.js'
import type { SqlValue } from './disk/codec.js'
import { isZlib, readCompressedJson } from './disk/compressed-json.js'
import { type JsonCodec, jsonCodec } from './disk/json-codec.js'
import { DecodeError, DiskCacheError } from './errors.js'
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
    const keys: SampledKey[] = []
    for (const shard of handle.shards) {
      const { level, sample } = await sampleOf(shard)
      if (level !== undefined) return jsonCodec.level(level)
      keys.push(...sample)
    }
    return keys.length > 0 && keys.every(isJsonKey) ? jsonCodec : undefined
  })
}

interface Sample {
  readonly level?: number | undefined
  readonly sample: readonly SampledKey[]
}

async function sampleOf(shard: Shard): Promise<Sample> {
  try {
    return await readPatiently(shard, 0, () => {
      const { db, settings } = sessionOf(shard)
      return { level: settings.compressLevel, sample: db.prepare<[], SampledKey>(SAMPLE).raw().all() }
    })
  } catch (error) {
    if (error instanceof DiskCacheError) return { sample: [] }
    throw error
  }
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
