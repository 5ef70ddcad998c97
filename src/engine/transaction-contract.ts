import type { Entry } from './contract.js'
import type {
  Counting,
  Expiring,
  Info,
  Item,
  Key,
  Listing,
  Peeking,
  Pulling,
  Pushing,
  Storing,
  Tag,
  Touching,
} from './options.js'

/**
 * The synchronous verbs inside `transact`. Each does what the verb of the same name in `DiskCache` does, and sees what
 * the transaction has written so far. The waiting options have no effect: the lock is held already.
 *
 * A verb that throws leaves nothing behind, and the transaction goes on unless the error leaves `body`. Errors are
 * those of `DiskCache`. A stream as value is a `TypeError`, and so is a verb that is called after `body` has returned.
 */
export interface Transaction {
  /** Reads the value of a key. */
  get<T = unknown>(key: Key): T | undefined
  /** Reads the value of a key together with its `Info`. */
  getItem<T = unknown>(key: Key): Item<T> | undefined
  /** Reads what is known of an entry, without its value. */
  info(key: Key): Info | undefined
  /** Reads several values, in the order of the keys. */
  getMany<T = unknown>(keys: Iterable<Key>): (T | undefined)[]
  /** Tells whether the key has an entry that has not expired. */
  has(key: Key): boolean
  /** Stores a value. */
  set(key: Key, value: unknown, options?: Storing): boolean
  /** Stores several entries. */
  setMany(entries: Iterable<Entry>): boolean[]
  /** Stores a value only if the key has none. */
  add(key: Key, value: unknown, options?: Storing): boolean
  /** Changes the expiry or the metadata of an entry. Returns `false` when there is none that has not expired. */
  touch(key: Key, options: Touching): boolean
  /** Removes an entry. Returns `false` when there was none. */
  delete(key: Key): boolean
  /** Removes several entries. */
  deleteMany(keys: Iterable<Key>): boolean[]
  /** Removes an entry and returns its value. */
  pop<T = unknown>(key: Key): T | undefined
  /** Removes an entry and returns its value and its `Info`. */
  popItem<T = unknown>(key: Key): Item<T> | undefined
  /** Adds `delta` (default 1) to a counter and returns its new value. */
  incr(key: Key, delta?: number, options?: Counting): number
  incr(key: Key, delta: bigint, options?: Counting): bigint
  /** Subtracts `delta` (default 1) from a counter and returns its new value. */
  decr(key: Key, delta?: number, options?: Counting): number
  decr(key: Key, delta: bigint, options?: Counting): bigint
  /** Lists keys in stored order. */
  keys(options?: Listing): Iterable<Key>
  /** Lists keys with their values, in stored order. */
  entries<T = unknown>(options?: Listing): Iterable<[Key, T]>
  /** Counts the entries, including expired ones that were not removed yet. */
  count(): number
  /** Removes the entries that expired by `now` (epoch milliseconds), and returns how many. */
  expire(options?: Pick<Expiring, 'now'>): number
  /** Removes the entries with a tag and returns how many. */
  evict(tag: Tag): number
  /** Removes all entries and returns how many. */
  clear(): number
  /** Runs `body` in a savepoint: when it throws, its writes are undone and the transaction goes on. */
  transact<T>(body: (tx: Transaction) => T): T
}

/** The verbs inside `Cache.transact`: those of every transaction, and the queue. */
export interface QueueTransaction extends Transaction {
  /** Puts a value at the end of a queue and returns its key. */
  push(value: unknown, options?: Pushing): Key
  /** Removes the first value of a queue and returns it. */
  pull<T = unknown>(options?: Pulling): Item<T> | undefined
  /** Reads the value that `pull` would take. */
  peek<T = unknown>(options?: Pulling): Item<T> | undefined
  /** Reads the last entry in stored order, or with `last: false` the first. */
  peekItem<T = unknown>(options?: Pick<Peeking, 'last'>): Item<T> | undefined
}
