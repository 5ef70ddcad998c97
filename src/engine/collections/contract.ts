import type { CacheOptions, Item, Key, Peeking, Pulling, Waiting } from '../options.js'
import type { Duration } from '../time.js'

/**
 * Options of the cache that a collection creates for itself. A collection never evicts and its items never expire, so
 * there are no options for limits and times to live.
 *
 * `timeout` is the longest wait for a lock. Without it the verbs wait until the lock is free.
 */
export type CollectionOptions = Pick<
  CacheOptions,
  'timeout' | 'codec' | 'readonly' | 'onCorrupt' | 'clock' | 'maxPending' | 'disk' | 'sqlite'
>

/** Options of a `Deque`. */
export interface DequeOptions extends CollectionOptions {
  /**
   * Limit of items. Adding an item beyond it removes one at the other end. It applies to this object and is not stored
   * in the directory.
   *
   * @default Infinity
   */
  readonly maxLength?: number | undefined
}

/** How `take` takes an item. */
export interface Taking extends Waiting {
  /**
   * How long the item stays taken after the last sign of life of this process. Finite and more than 0.
   *
   * @default '30s'
   */
  readonly lease?: Duration | undefined
  /** The end from which the item is taken. @default 'front' */
  readonly side?: 'front' | 'back' | undefined
}

/**
 * An item that was taken from a `Deque`. It returns to the deque unless `done()` is called. A heartbeat extends its
 * lease while the process lives.
 */
export interface TakenItem<T> extends AsyncDisposable {
  /** The item. */
  readonly value: T
  /** Aborts when the item is lost: its lease ended and somebody else may have it, or the deque was cleared. */
  readonly signal: AbortSignal
  /** Removes the item for good. Resolves to `false` when it was lost; somebody else then does the work again. */
  done(options?: Waiting): Promise<boolean>
  /**
   * Puts the item back at its end. Resolves to `false` when it was lost. `await using` does this unless it is done. When it
   * rejects, the item comes back at the end of its lease.
   */
  release(options?: Waiting): Promise<boolean>
}

/** In which direction items or entries are listed. */
export interface Walking {
  /** Lists the last one first. @default false */
  readonly reverse?: boolean | undefined
}

/**
 * The synchronous verbs inside `Deque.transact`. Each does what the verb of the same name in `Deque` does, and affects
 * all items at once, however many there are.
 */
export interface DequeTransaction<T = unknown> {
  /** Adds a value at the right end. */
  append(value: T): void
  /** Adds a value at the left end. */
  appendLeft(value: T): void
  /** Adds values at the right end, in their order. */
  extend(items: Iterable<T>): void
  /** Adds values at the left end one after the other, so that the last of them becomes the first item. */
  extendLeft(items: Iterable<T>): void
  /** Removes the last item and returns it. */
  pop(): T | undefined
  /** Removes the first item and returns it. */
  popLeft(): T | undefined
  /** Reads the last item. */
  peek(): T | undefined
  /** Reads the first item. */
  peekLeft(): T | undefined
  /** Counts the items, without those that are taken. */
  length(): number
  /** Reads the item at an index. Negative indexes count from the right end. */
  at(index: number): T | undefined
  /** Replaces the item at an index. @throws RangeError when there is none */
  setAt(index: number, value: T): void
  /** Removes the item at an index. @throws RangeError when there is none */
  deleteAt(index: number): void
  /** Removes the first item that equals the value. Returns `false` when there is none. */
  remove(value: T): boolean
  /** Counts the items that equal the value. */
  count(value: T): number
  /** Reverses the order of the items. */
  reverse(): void
  /** Moves the last item to the left end, `steps` times (default 1). Negative steps go the other way. */
  rotate(steps?: number): void
  /** Removes all items, including taken ones, and returns how many. */
  clear(): number
  /** Lists the items. */
  values(options?: Walking): Iterable<T>
  /** Runs `body` in a savepoint: when it throws, its writes are undone and the transaction goes on. */
  transact<R>(body: (tx: DequeTransaction<T>) => R): R
}

/** The synchronous verbs inside `Index.transact`. Each does what the verb of the same name in `Index` does. */
export interface IndexTransaction<V = unknown> {
  /** Reads the value of a key. */
  get(key: Key): V | undefined
  /** Reads several values, in the order of the keys. */
  getMany(keys: Iterable<Key>): (V | undefined)[]
  /** Tells whether the key has an entry. */
  has(key: Key): boolean
  /** Stores a value. An existing key keeps its place in the order. */
  set(key: Key, value: V): boolean
  /** Stores several entries. */
  setMany(entries: Iterable<readonly [key: Key, value: V]>): boolean[]
  /** Returns the value of a key. When there is none, stores `value` first. */
  setDefault(key: Key, value: V): V
  /** Removes an entry. Returns `false` when there was none. */
  delete(key: Key): boolean
  /** Removes an entry and returns its value. */
  pop(key: Key): V | undefined
  /** Removes the last entry in stored order, or with `last: false` the first, and returns it. */
  popItem(options?: Pick<Peeking, 'last'>): Item<V> | undefined
  /** Reads the last entry in stored order, or with `last: false` the first. */
  peekItem(options?: Pick<Peeking, 'last'>): Item<V> | undefined
  /** Puts a value at the end of a queue in the key space and returns its key. */
  push(value: V, options?: Pick<Pulling, 'prefix' | 'side'>): Key
  /** Removes the first value of a queue in the key space and returns it. */
  pull(options?: Pick<Pulling, 'prefix' | 'side'>): Item<V> | undefined
  /** Lists keys in stored order. */
  keys(options?: Walking): Iterable<Key>
  /** Lists values in stored order. */
  values(options?: Walking): Iterable<V>
  /** Lists keys with their values in stored order. */
  entries(options?: Walking): Iterable<[Key, V]>
  /** Counts the entries. */
  size(): number
  /** Removes all entries and returns how many. */
  clear(): number
  /** Runs `body` in a savepoint: when it throws, its writes are undone and the transaction goes on. */
  transact<R>(body: (tx: IndexTransaction<V>) => R): R
}
