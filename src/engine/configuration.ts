import type { Codec } from './disk/codec.js'
import type { Clock, Duration } from './time.js'

/**
 * Which entries are evicted first when a limit is exceeded.
 *
 * - `'least-recently-stored'`: those stored longest ago.
 * - `'least-recently-used'`: those read or stored longest ago.
 * - `'least-frequently-used'`: those read least often.
 * - `'none'`: nothing is evicted, whatever the limits say.
 */
export type EvictionPolicy = 'least-recently-stored' | 'least-recently-used' | 'least-frequently-used' | 'none'

/** How value files are stored. */
export interface DiskOptions {
  /** Values of at least this size become files. Bytes; characters for strings. @default 32768 */
  readonly minFileSize?: number | undefined
  /** Mode of the directories that the cache creates. @default that of a cache which is there for others too, else 0o700 */
  readonly directoryMode?: number | undefined
  /** Mode of the files that the cache creates. @default that of a database which is there for others too, else 0o600 */
  readonly fileMode?: number | undefined
  /** How long a replaced or removed value file stays readable at its path. Milliseconds or a string. @default 0 */
  readonly unlinkGrace?: Duration | undefined
}

/** Pragmas that every connection sets. They are stored in the directory as DiskCache stores them. */
export interface SqliteOptions {
  /** Pages of 4 KiB of the page cache, of all shards together; negative: KiB. @default 8192 */
  readonly cacheSize?: number | undefined
  /**
   * Bytes of the database that each connection maps into memory. 67108864 (64 MiB) is stored by default but not used:
   * memory is mapped only when the option is given.
   *
   * @default no memory is mapped
   */
  readonly mmapSize?: number | undefined
  /** How transactions are logged: `'wal'`, `'delete'`, `'truncate'` or `'persist'`. @default 'wal' */
  readonly journalMode?: string | undefined
  /** How often SQLite flushes to the disk: 0 off, 1 normal, 2 full, 3 extra. @default 1 */
  readonly synchronous?: number | undefined
  /** How free pages are returned: 0 none, 1 full, 2 incremental. Takes effect in a new database only. @default 1 */
  readonly autoVacuum?: number | undefined
}

/** How value files are stored, as the settings of a directory say. */
export interface DiskSettings {
  /** Values of at least this size become files. Bytes; characters for strings. */
  readonly minFileSize: number
  /** How long a replaced or removed value file stays readable at its path. Milliseconds. */
  readonly unlinkGrace: number
}

/** The settings that are stored in a directory and apply to all its processes. */
export interface Settings {
  /** Whether hits, misses and evictions are counted. */
  readonly statistics: boolean
  /** Whether there is an index of tags. */
  readonly tagIndex: boolean
  /** Which entries are evicted first. */
  readonly evictionPolicy: EvictionPolicy
  /** Limit of database pages and value files, in bytes, of all shards together. */
  readonly sizeLimit: number
  /** Limit of entries, of all shards together. `null`: no limit. */
  readonly maxItems: number | null
  /** How many expired rows one write removes at most. 0: writes neither expire nor evict. */
  readonly cullLimit: number
  /** How value files are stored. */
  readonly disk: DiskSettings
  /** The pragmas of every connection. */
  readonly sqlite: Required<SqliteOptions>
}

/** The settings that `configure` changes. What is absent stays as it is. */
export interface SettingsChange {
  /** Whether hits, misses and evictions are counted. */
  readonly statistics?: boolean | undefined
  /** Whether there is an index of tags. */
  readonly tagIndex?: boolean | undefined
  /** Which entries are evicted first. */
  readonly evictionPolicy?: EvictionPolicy | undefined
  /** Limit of database pages and value files, in bytes, of all shards together; at least 65,536 for each shard. */
  readonly sizeLimit?: number | undefined
  /** Limit of entries, of all shards together. `null`: no limit. */
  readonly maxItems?: number | null | undefined
  /** How many expired rows one write removes at most. 0: writes neither expire nor evict. */
  readonly cullLimit?: number | undefined
  /** How value files are stored. */
  readonly disk?: Pick<DiskOptions, 'minFileSize' | 'unlinkGrace'> | undefined
  /** The pragmas of every connection. */
  readonly sqlite?: SqliteOptions | undefined
}

/**
 * Keeps values that were read in the memory of this process, in front of the database. They are as current as those of
 * the database, whoever writes; only commits of other processes within one turn of the event loop may be seen late.
 * See docs/memory.md.
 */
export interface MemoryOptions {
  /** Limit of entries. @default no limit */
  readonly maxItems?: number | undefined
  /**
   * Limit in bytes, at least 65,536. One entry may take a sixteenth of it; larger values are always read from disk.
   *
   * @default 33554432
   */
  readonly maxBytes?: number | undefined
  /**
   * How long a value stays in memory after it was read. Its own time to live applies as well. More than 0.
   *
   * @default no limit
   */
  readonly ttl?: Duration | undefined
  /** Whether `ttl` starts anew with every read. Needs a finite `ttl`. @default false */
  readonly sliding?: boolean | undefined
  /**
   * How readers share a value.
   *
   * - `'copy'`: each reader gets a copy of its own.
   * - `'frozen'`: readers share plain data, which is frozen deeply; all other values are copied.
   *
   * @default 'copy'
   */
  readonly mode?: 'copy' | 'frozen' | undefined
}

/** Limits of the writes that wait for the database, for each shard. */
export interface PendingLimits {
  /** How many writes may wait. @default 250_000 */
  readonly count?: number | undefined
  /** Bytes of their values. @default 268435456 */
  readonly bytes?: number | undefined
}

/** Options of a `Cache`. Those that `Settings` has are stored in the directory and apply to all its processes. */
export interface CacheOptions {
  /** How long a verb waits for a lock. @default 60_000 for Cache, 10 for FanoutCache */
  readonly timeout?: Duration | undefined
  /** Time to live of entries that are stored without one. `null`: they never expire. @default null */
  readonly defaultTtl?: Duration | null | undefined
  /** How keys and values are encoded. @default structuredCodec */
  readonly codec?: Codec | undefined
  /** Never writes: no rows, no statistics, no repairs. Verbs that write reject with `ReadonlyError`. @default false */
  readonly readonly?: boolean | undefined
  /**
   * What is done with a damaged database.
   *
   * - `'throw'`: verbs reject with `CorruptError`.
   * - `'quarantine'`: it is moved aside with its files, a new one is created, and the event `quarantine` is emitted.
   *
   * @default 'throw' for Cache, 'quarantine' for FanoutCache
   */
  readonly onCorrupt?: 'throw' | 'quarantine' | undefined
  /** The wall clock. @default the clock of the system */
  readonly clock?: Clock | undefined
  /**
   * Limit of database pages and value files, in bytes, of all shards together; at least 65,536 for each shard.
   *
   * @default 1073741824
   */
  readonly sizeLimit?: number | undefined
  /** Limit of entries, of all shards together. `null`: no limit. @default null */
  readonly maxItems?: number | null | undefined
  /** How many expired rows one write removes at most. 0: writes neither expire nor evict. @default 10 */
  readonly cullLimit?: number | undefined
  /** Counts hits, misses and evictions. @default false */
  readonly statistics?: boolean | undefined
  /** Keeps an index of tags, so that `evict(tag)` does not scan all rows. @default false */
  readonly tagIndex?: boolean | undefined
  /** Limits of the writes that wait for the database. Further writes are refused with `PendingLimitError`. */
  readonly maxPending?: PendingLimits | undefined
  /** Which entries are evicted first. @default 'least-recently-stored' */
  readonly evictionPolicy?: EvictionPolicy | undefined
  /** How value files are stored. */
  readonly disk?: DiskOptions | undefined
  /** The pragmas of every connection. */
  readonly sqlite?: SqliteOptions | undefined
  /** Keeps values that were read in memory too. `{}` switches it on with its defaults. @default off */
  readonly memory?: MemoryOptions | undefined
}

/** Options of a `FanoutCache`. */
export interface FanoutCacheOptions extends CacheOptions {
  /**
   * How many databases the keys are spread over, 1 to 1,000. A directory keeps the number it was created with.
   *
   * @default the number of the directory, 8 for a new one
   */
  readonly shards?: number | undefined
}
