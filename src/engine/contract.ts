import type { Readable } from 'node:stream'
import type { CacheEvents } from './events.js'
import type {
  CacheStats,
  ComputeContext,
  Computing,
  Counting,
  Finding,
  Info,
  Item,
  Key,
  Listing,
  Pulling,
  Pushing,
  Settings,
  SettingsChange,
  Storing,
  Tag,
  Touching,
  Waiting,
} from './options.js'

/**
 * The value of an entry as a file that is already open: what happens to the entry meanwhile does not reach it. `path` is
 * there only when the file at that place has the same bytes.
 */
export interface StoredFile extends Info, AsyncDisposable {
  /**
   * Bytes `start` to `end`, both included, as in an HTTP range. Closes the file at its end, unless `keepOpen` says that
   * more of it will be read: then `close` is to be called.
   */
  stream(range?: { readonly start?: number; readonly end?: number; readonly keepOpen?: boolean }): Readable
  /** All bytes. Closes the file. */
  bytes(): Promise<Buffer>
  close(): Promise<void>
}

/** One entry of `setMany`. */
export type Entry = readonly [key: Key, value: unknown, options?: Storing]

/**
 * A cache on disk, shared by all processes that open its directory.
 *
 * A miss is `undefined`. Misuse rejects with `TypeError` or `RangeError`; every other error has a `code`. Calls of one
 * process on one key take effect in the order in which they are made, awaited or not.
 *
 * When a lock is not free in time, a `Cache` rejects with `TimeoutError`; a `FanoutCache` refuses: the verb answers
 * `false` or `undefined`, and `refused` is emitted.
 */
export interface DiskCache extends AsyncDisposable {
  /** Absolute path of the directory. */
  readonly directory: string
  /** Opens now instead of at the first verb, so that errors show here. */
  open(): Promise<this>

  /** The value of a key; `undefined` when there is none, it has expired or its file is gone. */
  get<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined>
  /** The value with all that is known of its entry. */
  getItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined>
  /** What is known of an entry, without reading its value. */
  info(key: Key, options?: Waiting): Promise<Info | undefined>
  /** Values in the order of the keys. */
  getMany<T = unknown>(keys: Iterable<Key>, options?: Waiting): Promise<(T | undefined)[]>
  /** Whether the key has an entry that has not expired. */
  has(key: Key): Promise<boolean>
  /** The value as an open file; values inside the database are answered from memory. */
  read(key: Key, options?: Waiting): Promise<StoredFile | undefined>

  /** Stores a value. A Readable, web stream or Blob is stored as a file, and takes its place when it has ended. */
  set(key: Key, value: unknown, options?: Storing): Promise<boolean>
  /** Stores all entries, those of one shard in one commit. */
  setMany(entries: Iterable<Entry>, options?: Waiting): Promise<boolean[]>
  /** Stores a value only if the key has none: over all processes one caller wins. */
  add(key: Key, value: unknown, options?: Storing): Promise<boolean>
  /**
   * The value of a key; when there is none it is computed, stored and answered. Over all processes one caller computes
   * and the others wait for it; when its process dies, another takes over. Those who wait in the process of the
   * computation get the very object. An error of `factory` reaches all who wait there, and is not stored; nor is
   * `undefined`: other processes then compute for themselves. `factory` must not ask for its own key.
   *
   * The value is answered and not stored when the key was deleted or stored meanwhile, or the cache was closed; also
   * when the cache cannot store it, which `refused` tells: the lock is not free within `timeout` (default: `lease`), the
   * disk is full, the value is too large. With `readonly` it rejects where there is no value.
   */
  getOrSet<T, Old extends T = T>(
    key: Key,
    factory: (context: ComputeContext<Old>) => T | Promise<T>,
    options?: Computing,
  ): Promise<T>
  /** Changes expiry or metadata of a live entry. */
  touch(key: Key, options: Touching): Promise<boolean>
  /** Removes an entry; false when there was none. */
  delete(key: Key, options?: Waiting): Promise<boolean>
  deleteMany(keys: Iterable<Key>, options?: Waiting): Promise<boolean[]>
  /** Removes an entry and answers its value: over all processes one caller gets it. */
  pop<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined>
  popItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined>
  /**
   * Adds to a counter and answers its new value; `ttl`, `tag` and `tags` apply to a counter that begins.
   * Answers `undefined` only with `default: null` (there was none) or when a FanoutCache is told `retry: false`.
   */
  incr(key: Key, delta?: number, options?: Counting): Promise<number>
  incr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  decr(key: Key, delta?: number, options?: Counting): Promise<number>
  decr(key: Key, delta: bigint, options?: Counting): Promise<bigint>

  /** Keys in stored order. Those added after the first step are not seen, those removed meanwhile are left out. */
  keys(options?: Listing): AsyncIterable<Key>
  entries<T = unknown>(options?: Listing): AsyncIterable<[Key, T]>
  /** Entries, expired ones that were not yet removed included. */
  count(): Promise<number>
  /** Bytes of used database pages and of value files. */
  volume(): Promise<number>

  /** Removes what has expired by `now`, epoch milliseconds. Answers how many. */
  expire(options?: { readonly now?: number } & Waiting): Promise<number>
  /** Removes the entries with a tag. */
  evict(tag: Tag, options?: Waiting): Promise<number>
  /** Removes what has expired, then evicts until the limits hold. */
  cull(options?: Waiting): Promise<number>
  /** Removes all entries that there are when it is called. */
  clear(options?: Waiting): Promise<number>

  /** Looks for damage; with `fix` repairs it. Runs beside the event loop. */
  check(options?: { readonly fix?: boolean } & Waiting): Promise<Finding[]>
  stats(options?: { readonly reset?: boolean }): Promise<CacheStats>
  createTagIndex(): Promise<void>
  dropTagIndex(): Promise<void>
  /** The settings in force, read from the directory. */
  settings(): Promise<Settings>
  /** Changes settings for all processes of the directory, and for its later opens. */
  configure(settings: SettingsChange): Promise<Settings>

  /**
   * Runs `body` in a transaction: all of it takes effect, or nothing. `body` is synchronous and runs once.
   * With `keys` a FanoutCache locks the shards of those keys alone.
   */
  transact<T>(body: (tx: Transaction) => T, options?: { readonly keys?: readonly Key[] } & Waiting): Promise<T>

  on<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this
  once<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this
  off<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this

  /** Waits for the writes that are under way and closes. A later verb opens again. */
  close(): Promise<void>
}

/**
 * The verbs inside `transact`: the same, synchronous. They see what the transaction has written. A verb that throws
 * has no effect; the transaction goes on unless the error leaves its body. Streams cannot be stored here.
 */
export interface Transaction {
  get<T = unknown>(key: Key): T | undefined
  getItem<T = unknown>(key: Key): Item<T> | undefined
  info(key: Key): Info | undefined
  getMany<T = unknown>(keys: Iterable<Key>): (T | undefined)[]
  has(key: Key): boolean
  set(key: Key, value: unknown, options?: Storing): boolean
  setMany(entries: Iterable<Entry>): boolean[]
  add(key: Key, value: unknown, options?: Storing): boolean
  touch(key: Key, options: Touching): boolean
  delete(key: Key): boolean
  deleteMany(keys: Iterable<Key>): boolean[]
  pop<T = unknown>(key: Key): T | undefined
  popItem<T = unknown>(key: Key): Item<T> | undefined
  incr(key: Key, delta?: number, options?: Counting): number
  incr(key: Key, delta: bigint, options?: Counting): bigint
  decr(key: Key, delta?: number, options?: Counting): number
  decr(key: Key, delta: bigint, options?: Counting): bigint
  keys(options?: Listing): Iterable<Key>
  entries<T = unknown>(options?: Listing): Iterable<[Key, T]>
  count(): number
  expire(options?: { readonly now?: number }): number
  evict(tag: Tag): number
  clear(): number
  /** A savepoint: what `body` did is undone when it throws, and the transaction goes on. */
  transact<T>(body: (tx: Transaction) => T): T
}

/** The verbs of a queue, which only one database can have. */
export interface Queueing {
  /** Puts a value at the end of a queue and answers its key. */
  push(value: unknown, options?: Pushing): Promise<Key>
  /** Takes the first value of a queue: over all processes one caller gets it. */
  pull<T = unknown>(options?: Pulling): Promise<Item<T> | undefined>
  /** The value that `pull` would take, left where it is. */
  peek<T = unknown>(options?: Pulling): Promise<Item<T> | undefined>
  /** The entry stored last, or first. */
  peekItem<T = unknown>(options?: { readonly last?: boolean } & Waiting): Promise<Item<T> | undefined>
  /** Keys in the order of SQLite: numbers, strings, bytes; all other keys are kept as bytes, and come with these. */
  sortedKeys(options?: Listing): AsyncIterable<Key>
}

/** The queue inside `Cache.transact`. */
export interface QueueTransaction extends Transaction {
  push(value: unknown, options?: Pushing): Key
  pull<T = unknown>(options?: Pulling): Item<T> | undefined
  peek<T = unknown>(options?: Pulling): Item<T> | undefined
  peekItem<T = unknown>(options?: { readonly last?: boolean }): Item<T> | undefined
}
