import type { Codec } from './disk/codec.js'
import type { Clock, Duration } from './time.js'

/** A label by which entries are evicted and listed. */
export type Tag = string | number | bigint | Uint8Array

/** What an entry is found by. Arrays and objects are compared by value, whatever the order of properties. */
export type Key =
  | string
  | number
  | bigint
  | Uint8Array
  | null
  | boolean
  | readonly Key[]
  | { readonly [k: string]: Key }

/** What JSON can say. */
export type PlainData = string | number | boolean | null | readonly PlainData[] | { readonly [k: string]: PlainData }

/** How long a verb waits for a database that others have locked. */
export interface Waiting {
  /**
   * Wait until the lock is free. Without it the verb gives up after the cache's `timeout`.
   *
   * @default true for add, set, touch, pop, popItem, delete, incr, decr, setMany, deleteMany of a FanoutCache, else false
   */
  readonly retry?: boolean
  /** Give up after this time, also with `retry`. @default the cache's `timeout`, without bound when `retry` is set */
  readonly timeout?: Duration
  /** Stop waiting when this is aborted; the verb rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** How an entry is stored. */
export interface Storing extends Waiting {
  /** Time to live. `null` or `Infinity`: never expires; 0: expired at once. @default the cache's `defaultTtl` */
  readonly ttl?: Duration | null
  /** DiskCache's tag of the entry. */
  readonly tag?: Tag
  /** Further tags; `evict(tag)` and listings match them as they match `tag`. */
  readonly tags?: readonly string[]
  /** Keep the value in a file of its own, however small it is. */
  readonly file?: true
  /** Plain data of at most 16 KiB kept beside the value, readable without it; implies `file`. */
  readonly meta?: PlainData
}

/** What `touch` changes; what is not given stays. */
export interface Touching extends Waiting {
  readonly ttl?: Duration | null
  /** New metadata of an entry that is a file. */
  readonly meta?: PlainData
  /** Touch only if the entry still has this `Info.version`. */
  readonly ifVersion?: string
}

/** How a counter is changed. */
export interface Counting extends Storing {
  /** What a missing counter starts from; `null`: leave it missing. @default 0 */
  readonly default?: number | bigint | null
}

/** How a value is computed that is not there, and stored: the options of `getOrSet`. */
export interface Computing extends Storing {
  /**
   * How long after its `ttl` an old value is still answered, at once, while a new one is computed for later calls; the
   * event `error` tells when that fails. To all other verbs the entry is there until `ttl` and `staleFor` are over.
   */
  readonly staleFor?: Duration
  /**
   * Computes a new value before the old one expires, the earlier the longer it takes and the greater `beta` is; 1 is a
   * good value. The old one is answered meanwhile. Source: Vattani, Chierichetti, Lowenstein, Optimal Probabilistic
   * Cache Stampede Prevention, VLDB 2015. @default none
   */
  readonly beta?: number
  /** How long after its last sign of life a process that computes is taken for dead, and another takes over. @default 10_000 */
  readonly lease?: Duration
}

/** What the function that computes a value is given. */
export interface ComputeContext<T> {
  /** Sets the time to live of what is computed, over the option `ttl`. */
  ttl(ttl: Duration | null): void
  /** Sets the tag, over the option `tag`. */
  tag(tag: Tag): void
  /** The value goes to those who wait for it, and is not stored. */
  skip(): void
  /** Aborts when all who waited for the value have given up. The lease then ends, also if the function goes on. */
  readonly signal: AbortSignal
  /** The value that is replaced: present when a stale one, or one that expires soon, is computed anew. */
  readonly previous?: T
}

/** What is known of an entry. Instants are epoch milliseconds, sizes bytes. */
export interface Info {
  readonly key: Key
  /** Absent: never expires. */
  readonly expiresAt?: number
  readonly tag?: Tag
  readonly tags: readonly string[]
  readonly storedAt: number
  readonly accessedAt: number
  readonly accessCount: number
  /** Bytes of the value as stored. */
  readonly size: number
  /** The value file, relative to `directory`; absent when the value lies in the database. */
  readonly path?: string
  readonly meta?: PlainData
  /** Changes with every change of the entry. */
  readonly version: string
}

/** An entry with its value. */
export interface Item<T> extends Info {
  readonly value: T
}

/** Which entries are listed, in the order in which their keys were first stored. */
export interface Listing {
  /** Only string keys that begin so. */
  readonly prefix?: string
  /** Only entries with this tag. */
  readonly tag?: Tag
  /** Last stored first. @default false */
  readonly reverse?: boolean
  /** Also those which have expired and were not yet removed. @default false */
  readonly includeExpired?: boolean
}

/** How a value is put into the queue. */
export interface Pushing extends Storing {
  /** Which queue: each prefix is one. @default the queue of integer keys */
  readonly prefix?: string
  /** @default 'back' */
  readonly side?: 'back' | 'front'
}

/** Which value is taken from a queue. */
export interface Pulling extends Waiting {
  readonly prefix?: string
  /** @default 'front' */
  readonly side?: 'front' | 'back'
}

export type EvictionPolicy = 'least-recently-stored' | 'least-recently-used' | 'least-frequently-used' | 'none'

export interface DiskOptions {
  /** Values of this size and above go to files; bytes (characters for strings). @default 32768 */
  readonly minFileSize?: number
  /** Mode of new directories. @default 0o700 */
  readonly directoryMode?: number
  /** Mode of new files. @default 0o600 */
  readonly fileMode?: number
  /** How long a replaced or removed value file stays readable by its name. @default 0 */
  readonly unlinkGrace?: Duration
}

/** Pragmas of every connection, as DiskCache stores them. */
export interface SqliteOptions {
  /** Pages of the page cache, of all shards together. @default 8192 */
  readonly cacheSize?: number
  /** Bytes mapped into memory by each connection. @default 67108864 */
  readonly mmapSize?: number
  /** @default 'wal' */
  readonly journalMode?: string
  /** 0 off, 1 normal, 2 full, 3 extra. @default 1 */
  readonly synchronous?: number
  /** 0 none, 1 full, 2 incremental; effective for a new database. @default 1 */
  readonly autoVacuum?: number
}

/** What is stored in the directory and is in force for all its processes. */
export interface Settings {
  readonly statistics: boolean
  readonly tagIndex: boolean
  readonly evictionPolicy: EvictionPolicy
  /** Bytes of database pages and value files, of all shards together. */
  readonly sizeLimit: number
  /** Entries of all shards together; `null`: not limited. */
  readonly maxItems: number | null
  /** Rows that one write removes at most because they have expired; 0: writes neither expire nor evict. */
  readonly cullLimit: number
  readonly disk: { readonly minFileSize: number; readonly unlinkGrace: number }
  readonly sqlite: Required<SqliteOptions>
}

/** What `configure` changes: any part of the settings. */
export interface SettingsChange {
  readonly statistics?: boolean
  readonly tagIndex?: boolean
  readonly evictionPolicy?: EvictionPolicy
  readonly sizeLimit?: number
  readonly maxItems?: number | null
  readonly cullLimit?: number
  readonly disk?: { readonly minFileSize?: number; readonly unlinkGrace?: Duration }
  readonly sqlite?: SqliteOptions
}

/**
 * Values in front of the database, in the memory of this process. They are as true as those of the database, whoever
 * writes, but for what others commit during one turn of the event loop: docs/memory.md.
 */
export interface MemoryOptions {
  /** Entries. @default not limited */
  readonly maxItems?: number
  /** Bytes, at least 65,536. An entry may take a sixteenth of it: larger values are read from disk. @default 2 ** 25 */
  readonly maxBytes?: number
  /** How long a value stays in memory after it was read, on top of its own time to live. @default not limited */
  readonly ttl?: Duration
  /** `ttl` counts from the last read on, not from when the value came into memory. @default false */
  readonly sliding?: boolean
  /**
   * `'copy'`: each reader gets a value of its own. `'frozen'`: readers share one, if it is plain data, and it is
   * deep-frozen; all else is copied. @default 'copy'
   */
  readonly mode?: 'copy' | 'frozen'
}

export interface CacheOptions {
  /** How long a verb waits for a lock. @default 60_000 for Cache, 10 for FanoutCache */
  readonly timeout?: Duration
  /** Time to live of entries stored without one. @default none: they never expire */
  readonly defaultTtl?: Duration | null
  /** How objects become bytes. @default structuredCodec */
  readonly codec?: Codec
  /** Never write: no rows, no statistics, no repairs. @default false */
  readonly readonly?: boolean
  /** What to do with a damaged database. @default 'throw' for Cache, 'quarantine' for FanoutCache */
  readonly onCorrupt?: 'throw' | 'quarantine'
  /** The wall clock. @default the system's */
  readonly clock?: Clock
  /** Bytes of database pages and value files, of all shards together. @default 2 ** 30 */
  readonly sizeLimit?: number
  /** Entries of all shards together. @default not limited */
  readonly maxItems?: number | null
  /** Rows that one write removes at most because they have expired; 0: writes neither expire nor evict. @default 10 */
  readonly cullLimit?: number
  /** Count hits and misses. @default false */
  readonly statistics?: boolean
  /** Keep an index of tags, so that evict(tag) need not look at every row. @default false */
  readonly tagIndex?: boolean
  /** Bounds of the writes that wait, per shard. @default 250,000 writes of 256 MiB */
  readonly maxPending?: { readonly count?: number; readonly bytes?: number }
  /** @default 'least-recently-stored' */
  readonly evictionPolicy?: EvictionPolicy
  readonly disk?: DiskOptions
  readonly sqlite?: SqliteOptions
  /** Keep values that are read in memory, too; `{}` does it with the defaults. @default off */
  readonly memory?: MemoryOptions
}

export interface FanoutCacheOptions extends CacheOptions {
  /** Databases over which keys are spread. @default what the directory has, 8 for a new one */
  readonly shards?: number
}

/** A thing that `check` found. */
export interface Finding {
  readonly kind:
    | 'integrity'
    | 'missing-file'
    | 'wrong-size'
    | 'unknown-file'
    | 'empty-directory'
    | 'count'
    | 'size'
    | 'tampered'
    | 'locked' // a shard of a FanoutCache that others had locked until the deadline: not all of it was looked at
  readonly message: string
  readonly path?: string
  readonly fixed: boolean
}

/** Figures of a cache. `hits` and `misses` are counted while `statistics` is on, by all processes. */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  /** Entries that were evicted to stay under the limits: by all processes while `statistics` is on, else by this one. */
  readonly evictions: number
  /** Verbs of this process that gave up waiting. */
  readonly timeouts: number
  readonly count: number
  readonly volume: number
  /** Figures of the memory in front of the database, where the option `memory` is given. */
  readonly memory?: MemoryStats
}

/** What the memory of this process did for all handles on the directory, and holds now. */
export interface MemoryStats {
  /** Reads that it answered, of missing keys as well. */
  readonly hits: number
  /** Reads that went to the database. */
  readonly misses: number
  /** Entries that made room for others. */
  readonly evictions: number
  readonly count: number
  /** As counted against `maxBytes`. */
  readonly bytes: number
}
