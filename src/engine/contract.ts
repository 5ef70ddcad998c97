import type { Readable } from 'node:stream'
import type { CacheEvents } from './events.js'
import type {
  CacheStats,
  Checking,
  Computing,
  Counting,
  Expiring,
  Factory,
  FileRange,
  Finding,
  Info,
  Item,
  Key,
  Listing,
  Peeking,
  Pulling,
  Pushing,
  Settings,
  SettingsChange,
  StatsOptions,
  Storing,
  Tag,
  Touching,
  Transacting,
  Waiting,
} from './options.js'
import type { Transaction } from './transaction-contract.js'

export type { QueueTransaction, Transaction } from './transaction-contract.js'

/**
 * The value of an entry as an open file. Overwriting or removing the entry does not change what it reads. `path` is
 * present only when the file at that path holds the same bytes as the value.
 */
export interface StoredFile extends Info, AsyncDisposable {
  /**
   * Reads bytes `start` to `end`, both included, as in an HTTP range. The file closes itself at the end of the stream.
   * With `keepOpen` it stays open for further ranges, and the caller calls `close()`.
   *
   * @throws RangeError when a bound is no whole number of 0 or more, or `end` lies before `start`
   * @throws TypeError when the file was read before without `keepOpen`
   */
  stream(range?: FileRange): Readable
  /** Reads all bytes and closes the file. @throws TypeError when the file was read before without `keepOpen` */
  bytes(): Promise<Buffer>
  /** Closes the file. Needed only when neither `bytes()` nor a whole `stream()` was read. */
  close(): Promise<void>
}

/** One entry of `setMany`, with options of its own. How long is waited for a lock, only the options of the call say. */
export type Entry = readonly [key: Key, value: unknown, options?: Storing]

/**
 * A cache on disk, shared by all processes that open its directory.
 *
 * - A miss is `undefined`. Durations are milliseconds or strings such as `'5m'`; instants are epoch milliseconds.
 * - Calls of one process on one key take effect in the order in which they are made, awaited or not.
 * - Verbs reject with `TypeError` for a wrong type or an unknown option and with `RangeError` for a value out of range.
 *   All other errors are a `DiskCacheError` and have a `code`.
 * - When a write cannot be made, because of a lock that is not free in time (`TimeoutError`), a full disk
 *   (`DiskFullError`), a value larger than its shard (`ValueTooLargeError`) or too many waiting writes
 *   (`PendingLimitError`), a `Cache` rejects with that error. A `FanoutCache` refuses instead: the verb resolves to
 *   `false` or `undefined`. Both emit the event `refused`.
 * - Writes to a cache that was opened with `readonly` reject with `ReadonlyError`.
 */
export interface DiskCache extends AsyncDisposable {
  /** The absolute path of the directory. */
  readonly directory: string
  /**
   * Opens the cache now. Without it the first verb does, and shows the errors of opening.
   *
   * @throws DirectoryError when the directory cannot be used; CorruptError or SchemaError when its database cannot;
   *   TimeoutError when it stays locked; DriverError when better-sqlite3 cannot run
   */
  open(): Promise<this>

  /** Reads the value of a key. Resolves to `undefined` when it has none, has expired or has lost its file. */
  get<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined>
  /** Reads the value of a key together with its `Info`. */
  getItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined>
  /** Reads what is known of an entry, without its value. */
  info(key: Key, options?: Waiting): Promise<Info | undefined>
  /**
   * Reads several values, in the order of the keys. Each is read for itself, and others may write in between: `getMany`
   * inside `transact` reads all of them at one moment.
   */
  getMany<T = unknown>(keys: Iterable<Key>, options?: Waiting): Promise<(T | undefined)[]>
  /** Tells whether the key has an entry that has not expired. */
  has(key: Key): Promise<boolean>
  /** Opens the value of a key as a file. A value inside the database is served from memory in the same form. */
  read(key: Key, options?: Waiting): Promise<StoredFile | undefined>

  /**
   * Stores a value. A Readable, a web stream or a Blob is stored as a file, and replaces the old value when it has
   * ended. Resolves to `false` only when a FanoutCache refuses the write.
   */
  set(key: Key, value: unknown, options?: Storing): Promise<boolean>
  /** Stores several entries, those of one shard in one commit. Resolves to the result of each, in the same order. */
  setMany(entries: Iterable<Entry>, options?: Waiting): Promise<boolean[]>
  /** Stores a value only if the key has none. Of all callers in all processes one gets `true`. */
  add(key: Key, value: unknown, options?: Storing): Promise<boolean>
  /**
   * Reads the value of a key, or computes and stores it when there is none. Over all processes one caller computes and
   * the others wait for its value; when its process dies, another takes over. Waiters in the process that computes
   * get the same object, not a copy.
   *
   * An error of `factory` rejects for all waiters of the process and is not stored. Nor is `undefined`: other
   * processes then compute for themselves. `factory` must not call `getOrSet` for its own key.
   *
   * The value is returned but not stored when the key was deleted or stored meanwhile, when the cache was closed, and
   * when the cache cannot store it: the lock is not free within `timeout` (default: `lease`), the disk is full, or the
   * value is too large. The event `refused` tells of the latter.
   *
   * @throws ReadonlyError when there is no value and the cache is `readonly`
   */
  getOrSet<T, Old extends T = T>(key: Key, factory: Factory<T, Old>, options?: Computing): Promise<T>
  /** Changes the expiry or the metadata of an entry. Resolves to `false` when there is none that has not expired. */
  touch(key: Key, options: Touching): Promise<boolean>
  /** Removes an entry. Resolves to `false` when there was none. */
  delete(key: Key, options?: Waiting): Promise<boolean>
  /** Removes several entries. Resolves to the result of each, in the same order. */
  deleteMany(keys: Iterable<Key>, options?: Waiting): Promise<boolean[]>
  /** Removes an entry and resolves to its value. Of all callers in all processes one gets it. */
  pop<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined>
  /** Removes an entry and resolves to its value and its `Info`. Of all callers in all processes one gets it. */
  popItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined>
  /**
   * Adds `delta` to a counter and resolves to its new value. A counter that is missing or expired starts from
   * `default`, with the given `ttl`, `tag` and `tags`; a live one keeps its own. Resolves to `undefined` only with
   * `default: null`, when there was no counter, or when a FanoutCache refuses: with `retry: false`, on a full disk, or
   * with more writes waiting than `maxPending` allows.
   *
   * @param delta a bigint gives a bigint result. Default 1
   * @throws TypeError when the value is not a number, or is a file; RangeError when the sum does not fit into 64 bits, or into a
   *   number where `delta` is one
   */
  incr(key: Key, delta?: number, options?: Counting): Promise<number>
  incr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  /** Subtracts `delta` from a counter; in all else it is `incr`. */
  decr(key: Key, delta?: number, options?: Counting): Promise<number>
  decr(key: Key, delta: bigint, options?: Counting): Promise<bigint>

  /** Lists keys in stored order. Keys added after the first step are not seen; keys removed meanwhile are left out. */
  keys(options?: Listing): AsyncIterable<Key>
  /** Lists keys with their values, in the order and with the limits of `keys`. */
  entries<T = unknown>(options?: Listing): AsyncIterable<[Key, T]>
  /** Counts the entries, including expired ones that were not removed yet. */
  count(): Promise<number>
  /** Adds up the bytes of used database pages and of value files. */
  volume(): Promise<number>

  /**
   * Removes the expired entries and resolves to how many it removed. `now` is the instant to judge by, in epoch
   * milliseconds, the current time by default.
   *
   * @throws TimeoutError (Cache) whose `removed` counts what was removed before the deadline
   */
  expire(options?: Expiring): Promise<number>
  /** Removes the entries with a tag and resolves to how many it removed. @throws TimeoutError as `expire` does */
  evict(tag: Tag, options?: Waiting): Promise<number>
  /**
   * Removes the expired entries, then evicts others until the limits hold. Resolves to how many it removed.
   *
   * @throws TimeoutError as `expire` does
   */
  cull(options?: Waiting): Promise<number>
  /**
   * Removes all entries that exist at the time of the call. Resolves to how many it removed.
   *
   * @throws TimeoutError as `expire` does
   */
  clear(options?: Waiting): Promise<number>

  /**
   * Looks for damage in a worker thread; with `fix` (default false) repairs it. Resolves to what it found. Without
   * `timeout` a FanoutCache waits for a lock for a minute, or longer where its `timeout` is.
   *
   * @throws TimeoutError (Cache) when a lock is held longer than that
   */
  check(options?: Checking): Promise<Finding[]>
  /**
   * Collects the figures of the cache; with `reset` (default false) its counters then start from 0, for which a
   * FanoutCache waits as `configure` does.
   */
  stats(options?: StatsOptions): Promise<CacheStats>
  /** Creates the index of tags, as `configure({ tagIndex: true })` does. */
  createTagIndex(): Promise<void>
  /** Removes the index of tags, as `configure({ tagIndex: false })` does. */
  dropTagIndex(): Promise<void>
  /** Reads the settings in force from the directory. */
  settings(): Promise<Settings>
  /**
   * Changes settings for all processes that use the directory now or later, and resolves to the settings in force.
   * A FanoutCache waits for the locks of its shards without limit, a Cache for its `timeout`.
   *
   * @throws TypeError when `sqlite.autoVacuum` would change: it takes effect only in a new directory
   */
  configure(settings: SettingsChange): Promise<Settings>

  /**
   * Runs `body` in a transaction: all of its writes take effect, or none. `body` is synchronous and runs once. An error
   * it throws rolls back and rejects. Resolves to what `body` returns.
   *
   * A FanoutCache locks all shards, or with `keys` only the shards of those keys.
   *
   * @throws TypeError when `body` returns a promise; RangeError when it uses a key outside of the locked shards
   */
  transact<T>(body: (tx: Transaction) => T, options?: Transacting): Promise<T>

  /** Adds a listener. @throws TypeError for an unknown event */
  on<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this
  /** Adds a listener for the next event only. @throws TypeError for an unknown event */
  once<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this
  /** Removes a listener. @throws TypeError for an unknown event */
  off<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this

  /** Waits for the writes under way, then closes. A later verb opens the cache again. */
  close(): Promise<void>
}

/** The verbs of a queue in the key space of a cache. They need a single database, so only a `Cache` has them. */
export interface Queueing {
  /** Puts a value at the end of a queue and resolves to its key. */
  push(value: unknown, options?: Pushing): Promise<Key>
  /** Removes the first value of a queue and resolves to it. Of all callers in all processes one gets it. */
  pull<T = unknown>(options?: Pulling): Promise<Item<T> | undefined>
  /** Reads the value that `pull` would take. */
  peek<T = unknown>(options?: Pulling): Promise<Item<T> | undefined>
  /** Reads the last entry in stored order, or with `last: false` the first. */
  peekItem<T = unknown>(options?: Peeking): Promise<Item<T> | undefined>
  /**
   * Lists keys in SQLite's order: numbers, strings, bytes. Composite keys, booleans and `null` are stored as bytes and
   * sort among these.
   */
  sortedKeys(options?: Listing): AsyncIterable<Key>
}
