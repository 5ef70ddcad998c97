import type { CacheOptions, Item, Key, Pulling, Waiting } from '../options.js'
import type { Duration } from '../time.js'

/**
 * Options of the cache that a collection makes for itself. It never evicts and never expires, so that limits and times
 * to live are none of its options.
 *
 * `timeout` bounds how long the verbs wait for a lock; without it they wait until it is free.
 */
export type CollectionOptions = Pick<
  CacheOptions,
  'timeout' | 'codec' | 'readonly' | 'onCorrupt' | 'clock' | 'maxPending' | 'disk' | 'sqlite'
>

export interface DequeOptions extends CollectionOptions {
  /** Items that it holds at most: a further one pushes one out at the other end. Not stored. @default Infinity */
  readonly maxLength?: number
}

/** How an item is taken. */
export interface Taking extends Waiting {
  /** How long the item is kept for this process after the last sign of life. @default '30s' */
  readonly lease?: Duration
  /** @default 'front' */
  readonly side?: 'front' | 'back'
}

/** An item that was taken, and that comes back unless it is `done`. A heartbeat extends its lease while the process lives. */
export interface TakenItem<T> extends AsyncDisposable {
  readonly value: T
  /** Aborted when the item is lost: the lease ended and somebody else may have it, or it was cleared. */
  readonly signal: AbortSignal
  /** Removes the item for good. Answers false when it was lost: then somebody else does the work again. */
  done(options?: Waiting): Promise<boolean>
  /** Puts the item back where it came from. Answers false when it was lost. `await using` does so unless it is done. */
  release(options?: Waiting): Promise<boolean>
}

/** Which way items or entries are walked. */
export interface Walking {
  /** Last one first. @default false */
  readonly reverse?: boolean
}

/** The verbs of a `Deque` inside its `transact`: the same, synchronous. Each has its whole effect, however many items. */
export interface DequeTransaction<T = unknown> {
  append(value: T): void
  appendLeft(value: T): void
  extend(items: Iterable<T>): void
  extendLeft(items: Iterable<T>): void
  pop(): T | undefined
  popLeft(): T | undefined
  peek(): T | undefined
  peekLeft(): T | undefined
  length(): number
  at(index: number): T | undefined
  setAt(index: number, value: T): void
  deleteAt(index: number): void
  remove(value: T): boolean
  count(value: T): number
  reverse(): void
  rotate(steps?: number): void
  clear(): number
  values(options?: Walking): Iterable<T>
  /** A savepoint: what `body` did is undone when it throws, and the transaction goes on. */
  transact<R>(body: (tx: DequeTransaction<T>) => R): R
}

/** The verbs of an `Index` inside its `transact`: the same, synchronous. */
export interface IndexTransaction<V = unknown> {
  get(key: Key): V | undefined
  getMany(keys: Iterable<Key>): (V | undefined)[]
  has(key: Key): boolean
  set(key: Key, value: V): boolean
  setMany(entries: Iterable<readonly [key: Key, value: V]>): boolean[]
  setDefault(key: Key, value: V): V
  delete(key: Key): boolean
  pop(key: Key): V | undefined
  popItem(options?: { readonly last?: boolean }): Item<V> | undefined
  peekItem(options?: { readonly last?: boolean }): Item<V> | undefined
  push(value: V, options?: Pick<Pulling, 'prefix' | 'side'>): Key
  pull(options?: Pick<Pulling, 'prefix' | 'side'>): Item<V> | undefined
  keys(options?: Walking): Iterable<Key>
  values(options?: Walking): Iterable<V>
  entries(options?: Walking): Iterable<[Key, V]>
  size(): number
  clear(): number
  /** A savepoint: what `body` did is undone when it throws, and the transaction goes on. */
  transact<R>(body: (tx: IndexTransaction<V>) => R): R
}
