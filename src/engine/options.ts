import type { Duration } from './time.js'

export type {
  CacheOptions,
  DiskOptions,
  DiskSettings,
  EvictionPolicy,
  FanoutCacheOptions,
  MemoryOptions,
  PendingLimits,
  Settings,
  SettingsChange,
  SqliteOptions,
} from './configuration.js'

/** A label by which entries are evicted and listed. */
export type Tag = string | number | bigint | Uint8Array

/**
 * What identifies an entry. Arrays and objects are compared by value, whatever the order of their properties. NaN,
 * `undefined` and strings with lone surrogates are refused with `TypeError`.
 */
export type Key =
  | string
  | number
  | bigint
  | Uint8Array
  | null
  | boolean
  | readonly Key[]
  | { readonly [k: string]: Key }

/** Data that survives a round trip through JSON. */
export type PlainData = string | number | boolean | null | readonly PlainData[] | { readonly [k: string]: PlainData }

/** How long a verb waits for a database that is locked by others. */
export interface Waiting {
  /**
   * Waits until the lock is free instead of giving up after the cache's `timeout`. Reads give up in any case.
   *
   * @default true for add, set, touch, pop, popItem, delete, incr, decr, setMany, deleteMany of a FanoutCache, else
   *   false
   */
  readonly retry?: boolean | undefined
  /** The longest wait, also with `retry`. @default the cache's `timeout`; no limit with `retry` */
  readonly timeout?: Duration | undefined
  /** Ends the wait when it is aborted. The verb then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/** How an entry is stored. */
export interface Storing extends Waiting {
  /**
   * Time to live: milliseconds or a string such as `'5m'`. `null` and `Infinity`: never expires; 0: expired at once.
   *
   * @default the cache's `defaultTtl`
   */
  readonly ttl?: Duration | null | undefined
  /** The tag of the entry. Python's DiskCache knows this one tag only. */
  readonly tag?: Tag | undefined
  /** Further tags. `evict(tag)` and listings match them as they match `tag`. */
  readonly tags?: readonly string[] | undefined
  /** Stores the value as a file, whatever its size. @default only from `disk.minFileSize` on */
  readonly file?: true | undefined
  /** Plain data that is stored beside the value and can be read without it. At most 16 KiB as JSON; implies `file`. */
  readonly meta?: PlainData | undefined
}

/** What `touch` changes. What is absent stays as it is. */
export interface Touching extends Waiting {
  /** New time to live, from now on. `null` and `Infinity`: never expires. */
  readonly ttl?: Duration | null | undefined
  /**
   * New metadata. The entry must have been stored with `meta`, or be bytes or text in a file; for others `touch`
   * rejects with `TypeError`.
   */
  readonly meta?: PlainData | undefined
  /** Changes the entry only if its `Info.version` is still this one. */
  readonly ifVersion?: string | undefined
}

/** How a counter is changed. */
export interface Counting extends Storing {
  /** The number that a missing counter starts from. `null`: it is not created. @default 0 */
  readonly default?: number | bigint | null | undefined
}

/** How `getOrSet` computes and stores a missing value. */
export interface Computing extends Storing {
  /**
   * How long after its `ttl` an old value is still returned, at once, while a new one is computed for later calls. The
   * event `error` tells when that fails. For all other verbs the entry exists until `ttl` and `staleFor` are over.
   *
   * @default 0
   */
  readonly staleFor?: Duration | undefined
  /**
   * Computes a new value before the old one expires; the old one is returned meanwhile. The computation begins the
   * earlier the longer it takes and the greater `beta` is; 1 is a good value. Source: Vattani, Chierichetti,
   * Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015.
   *
   * @default no early computation
   */
  readonly beta?: number | undefined
  /**
   * How long a computing process may give no sign of life before another takes over. At least 20 milliseconds.
   *
   * @default 10_000
   */
  readonly lease?: Duration | undefined
}

/** What the `factory` of `getOrSet` is given. */
export interface ComputeContext<T> {
  /** Sets the time to live of the computed value. Overrides the option `ttl`. */
  ttl(ttl: Duration | null): void
  /** Sets the tag of the computed value. Overrides the option `tag`. Further calls add strings to its `tags`. */
  tag(tag: Tag): void
  /** Returns the computed value to the callers without storing it. */
  skip(): void
  /** Aborts when all callers have given up. The lease then ends, even if the function goes on. */
  readonly signal: AbortSignal
  /** The value to be replaced. Present when it is stale or expires soon, absent when there is none. */
  readonly previous?: T
}

/** Computes the value of a key for `getOrSet`. `Old` is the type of the value to be replaced. */
export type Factory<T, Old = T> = (context: ComputeContext<Old>) => T | Promise<T>

/** What is known of an entry. Instants are epoch milliseconds, sizes bytes. */
export interface Info {
  /** The key of the entry. */
  readonly key: Key
  /** When the entry expires. Absent: never. */
  readonly expiresAt?: number
  /** The tag of the entry. */
  readonly tag?: Tag
  /** The further tags of the entry. */
  readonly tags: readonly string[]
  /** When the entry was stored. */
  readonly storedAt: number
  /** When the entry was last read, as far as the eviction policy keeps track of it. */
  readonly accessedAt: number
  /** How often the entry was read, as far as the eviction policy keeps track of it. */
  readonly accessCount: number
  /** Bytes of the value as stored. */
  readonly size: number
  /** Path of the value file, relative to `directory`. Absent when the value lies in the database. */
  readonly path?: string
  /** The metadata of the entry. */
  readonly meta?: PlainData
  /** Identifies the state of the entry. Every change of the entry changes it; reads do not. */
  readonly version: string
}

/** An entry with its value. */
export interface Item<T> extends Info {
  /** The value of the entry. */
  readonly value: T
}

/** Which entries are listed. They come in the order in which their keys were first stored. */
export interface Listing {
  /** Lists only string keys that begin with this text. */
  readonly prefix?: string | undefined
  /** Lists only entries with this tag. */
  readonly tag?: Tag | undefined
  /** Lists the last entry first. @default false */
  readonly reverse?: boolean | undefined
  /** Also lists entries that have expired and were not removed yet. @default false */
  readonly includeExpired?: boolean | undefined
}

/** Which entry of the stored order is read. */
export interface Peeking extends Waiting {
  /** Reads the last entry; with `false` the first one. @default true */
  readonly last?: boolean | undefined
}

/** Which bytes of a `StoredFile` are read, both ends included. */
export interface FileRange {
  /** The first byte, counted from 0. @default 0 */
  readonly start?: number | undefined
  /** The last byte. @default the last one of the file */
  readonly end?: number | undefined
  /** Leaves the file open for further ranges; the caller then calls `close()`. @default false */
  readonly keepOpen?: boolean | undefined
}

/** Which entries `expire` removes. */
export interface Expiring extends Waiting {
  /** The instant to judge by, in epoch milliseconds. @default the current time */
  readonly now?: number | undefined
}

/** What `check` does with the damage it finds. */
export interface Checking extends Waiting {
  /** Repairs the damage. @default false */
  readonly fix?: boolean | undefined
}

/** How `stats` reads the figures. */
export interface StatsOptions {
  /** Lets the counters start from 0 afterwards. @default false */
  readonly reset?: boolean | undefined
}

/** What `transact` locks. */
export interface Transacting extends Waiting {
  /** The keys that the body uses: a FanoutCache then locks the shards of these only. @default all shards */
  readonly keys?: readonly Key[] | undefined
}

/** How a value is put into a queue. */
export interface Pushing extends Storing {
  /** The name of the queue. @default the queue without a name, whose keys are integers */
  readonly prefix?: string | undefined
  /** The end at which the value is added. @default 'back' */
  readonly side?: 'back' | 'front' | undefined
}

/** Which value of a queue is taken. */
export interface Pulling extends Waiting {
  /** The name of the queue. @default the queue without a name, whose keys are integers */
  readonly prefix?: string | undefined
  /** The end from which the value is taken. @default 'front' */
  readonly side?: 'front' | 'back' | undefined
}

/** Damage that `check` found. */
export interface Finding {
  /**
   * - `'integrity'`: SQLite finds the database damaged.
   * - `'missing-file'`: an entry whose value file is gone.
   * - `'wrong-size'`: an entry whose value file has another length than was stored.
   * - `'unknown-file'`: a file that belongs to no entry.
   * - `'empty-directory'`: a directory without files.
   * - `'count'`, `'size'`: a total that differs from the entries.
   * - `'tampered'`: content that no cache writes.
   * - `'locked'`: a shard of a FanoutCache that stayed locked until the deadline, so that not all of it was checked.
   */
  readonly kind:
    | 'integrity'
    | 'missing-file'
    | 'wrong-size'
    | 'unknown-file'
    | 'empty-directory'
    | 'count'
    | 'size'
    | 'tampered'
    | 'locked'
  /** What is wrong, as a sentence. */
  readonly message: string
  /** The file or shard concerned, relative to `directory`. */
  readonly path?: string
  /** Whether the damage was repaired. */
  readonly fixed: boolean
}

/** Figures of a cache. */
export interface CacheStats {
  /** Reads that found a value, by all processes, while `statistics` is on. */
  readonly hits: number
  /** Reads that found none, by all processes, while `statistics` is on. */
  readonly misses: number
  /** Entries evicted to stay under the limits: by all processes while `statistics` is on, otherwise by this one. */
  readonly evictions: number
  /** Verbs of this process that gave up waiting for a lock. */
  readonly timeouts: number
  /** Entries, including expired ones that were not removed yet. */
  readonly count: number
  /** Bytes of used database pages and of value files. */
  readonly volume: number
  /** Figures of the memory in front of the database. Present with the option `memory`. */
  readonly memory?: MemoryStats
}

/** Figures of the memory of this process, for all handles on the directory. */
export interface MemoryStats {
  /** Reads served from memory, including reads of keys known to be missing. */
  readonly hits: number
  /** Reads that went to the database. */
  readonly misses: number
  /** Entries removed to make room for others. */
  readonly evictions: number
  /** Entries in memory. */
  readonly count: number
  /** Bytes in memory, as counted against `maxBytes`. */
  readonly bytes: number
}
