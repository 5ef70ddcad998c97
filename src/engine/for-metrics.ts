import { logBytes } from './database/opening.js'
import { type Counters, countersOf } from './observe/counters.js'
import { volume } from './operations/culling.js'
import { checkOptionNames, checkOptionsObject, kindOf } from './option-names.js'
import { findEngine } from './shards/engine.js'
import { canonicalDirectory } from './shards/layout.js'
import type { Shard } from './shards/shard.js'
import { wholeSize } from './shards/shares.js'

/*
 * Functions of the engine for the metrics doors. Counters and figures are found by directory, so that they also work
 * for a cache of the other build of the package, a view, or a collection.
 */

export type { CacheDiagnostics, ComputeOutcome } from './observe/channels.js'
export { channels } from './observe/channels.js'
export type { Counters } from './observe/counters.js'
export { type Around, surroundVerbs, type VerbCall } from './observe/verbs.js'
export { checkOptionNames, checkOptionsObject, kindOf }

/** Anything with a directory: a cache, a view of one, or a collection. */
export interface InDirectory {
  /** The path of the directory. */
  readonly directory: string
}

/** The state of a cache that is open in this process. Figures of the directory are the same in all processes. */
export interface Figures {
  /** Bytes of used pages and of value files, without the write-ahead logs. */
  readonly bytes: number
  readonly walBytes: number
  readonly sizeLimit: number
  readonly items: number
  /** `undefined`: no limit. */
  readonly maxItems: number | undefined
  readonly shards: number
  /** The writes of this process that wait. */
  readonly queue: { readonly length: number; readonly bytes: number }
  readonly memory: { readonly bytes: number; readonly limit: number; readonly items: number } | undefined
}

/** Counters of the memory tier of a directory in this process. */
export interface MemoryCounts {
  readonly hits: number
  readonly misses: number
  readonly evictions: number
}

/**
 * The counters of a cache. While somebody holds them, they go on counting when the cache is closed and opened again.
 *
 * @throws TypeError when `cache` is no cache
 */
export function countersIn(cache: InDirectory, user: string): Counters {
  const directory: unknown = (cache as InDirectory | null | undefined)?.directory
  if (typeof directory === 'string' && directory !== '') return countersOf(canonicalDirectory(directory))
  throw new TypeError(`${user}: the first argument must be a cache, got ${kindOf(cache)}`)
}

export function memoryCounts({ directory, pastMemory }: Counters): MemoryCounts {
  const present = findEngine(directory)?.memory?.figures
  return {
    hits: pastMemory.hits + (present?.hits ?? 0),
    misses: pastMemory.misses + (present?.misses ?? 0),
    evictions: pastMemory.evictions + (present?.evictions ?? 0),
  }
}

/**
 * The figures of an open cache, read synchronously and without opening anything. `undefined` while the cache is closed
 * or its database is locked.
 */
export function figuresOf({ directory }: Counters): Figures | undefined {
  const engine = findEngine(directory)
  if (!engine?.isOpen) return undefined
  try {
    const { shards, memory } = engine
    const sum = (of: (shard: Shard) => number): number => shards.reduce((total, shard) => total + of(shard), 0)
    const maxItems = sum(({ settings }) => settings.maxItems ?? Number.POSITIVE_INFINITY)
    return {
      bytes: sum(shard => volume(openSession(shard))),
      walBytes: sum(({ directory }) => logBytes(directory)),
      sizeLimit: wholeSize(shards.map(({ settings }) => settings)),
      items: sum(shard => openSession(shard).statements.get<number>('setting', 'count') ?? 0),
      maxItems: Number.isFinite(maxItems) ? maxItems : undefined,
      shards: shards.length,
      queue: { length: sum(({ writer }) => writer.length), bytes: sum(({ writer }) => writer.bytes) },
      memory: memory && {
        bytes: memory.figures.bytes,
        limit: memory.options.maxBytes,
        items: memory.figures.count,
      },
    }
  } catch {
    return undefined
  }
}

function openSession(shard: Shard): NonNullable<Shard['current']> {
  const session = shard.current
  if (!session) throw new Error('the database is being opened again')
  return session
}
