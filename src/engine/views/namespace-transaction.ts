import type { Entry, Transaction } from '../contract.js'
import type { Counting, Expiring, Info, Item, Key, Listing, Storing, Tag, Touching } from '../options.js'
import { checkEntry } from '../verbs/bulk.js'
import type { CacheTransaction } from '../verbs/cache-transaction.js'
import { clearIn, evictIn, expireIn } from '../verbs/transaction-removal.js'
import { checkIterable } from '../verbs/verb-options.js'
import type { NamespaceKeys } from './namespace-keys.js'

/** Adds the defaults of the namespace to options. */
export type WithDefaults = <O extends Storing | undefined>(options: O) => O

/** A transaction restricted to the keys of a namespace. */
export class NamespaceTransaction implements Transaction {
  readonly #tx: CacheTransaction
  readonly #keys: NamespaceKeys
  readonly #storing: WithDefaults

  constructor(tx: CacheTransaction, keys: NamespaceKeys, storing: WithDefaults) {
    this.#tx = tx
    this.#keys = keys
    this.#storing = storing
  }

  get<T = unknown>(key: Key): T | undefined {
    return this.#tx.get<T>(this.#keys.encode(key))
  }

  getItem<T = unknown>(key: Key): Item<T> | undefined {
    return renamed(this.#keys, this.#tx.getItem<T>(this.#keys.encode(key)))
  }

  info(key: Key): Info | undefined {
    return renamed(this.#keys, this.#tx.info(this.#keys.encode(key)))
  }

  getMany<T = unknown>(keys: Iterable<Key>): (T | undefined)[] {
    checkIterable(keys, 'getMany')
    return this.#tx.getMany<T>(this.#keys.encodeAll(keys))
  }

  has(key: Key): boolean {
    return this.#tx.has(this.#keys.encode(key))
  }

  set(key: Key, value: unknown, options?: Storing): boolean {
    return this.#tx.set(this.#keys.encode(key), value, this.#storing(options))
  }

  setMany(entries: Iterable<Entry>): boolean[] {
    return this.#tx.setMany(renamedEntries(this.#keys, entries, this.#storing))
  }

  add(key: Key, value: unknown, options?: Storing): boolean {
    return this.#tx.add(this.#keys.encode(key), value, this.#storing(options))
  }

  touch(key: Key, options: Touching): boolean {
    return this.#tx.touch(this.#keys.encode(key), options)
  }

  delete(key: Key): boolean {
    return this.#tx.delete(this.#keys.encode(key))
  }

  deleteMany(keys: Iterable<Key>): boolean[] {
    checkIterable(keys, 'deleteMany')
    return this.#tx.deleteMany(this.#keys.encodeAll(keys))
  }

  pop<T = unknown>(key: Key): T | undefined {
    return this.#tx.pop<T>(this.#keys.encode(key))
  }

  popItem<T = unknown>(key: Key): Item<T> | undefined {
    return renamed(this.#keys, this.#tx.popItem<T>(this.#keys.encode(key)))
  }

  incr(key: Key, delta?: number, options?: Counting): number
  incr(key: Key, delta: bigint, options?: Counting): bigint
  incr(key: Key, delta?: number | bigint, options?: Counting): number | bigint {
    return this.#tx.incr(this.#keys.encode(key), delta as number, this.#storing(options))
  }

  decr(key: Key, delta?: number, options?: Counting): number
  decr(key: Key, delta: bigint, options?: Counting): bigint
  decr(key: Key, delta?: number | bigint, options?: Counting): number | bigint {
    return this.#tx.decr(this.#keys.encode(key), delta as number, this.#storing(options))
  }

  *keys(options?: Listing): Generator<Key> {
    const { listing, isListed } = hostListing(this.#keys, options)
    for (const hostKey of this.#tx.keys(listing)) {
      const key = this.#keys.decode(hostKey)
      if (isListed(key)) yield key
    }
  }

  *entries<T = unknown>(options?: Listing): Generator<[Key, T]> {
    const { listing, isListed } = hostListing(this.#keys, options)
    for (const [hostKey, value] of this.#tx.entries<T>(listing)) {
      const key = this.#keys.decode(hostKey)
      if (isListed(key)) yield [key, value]
    }
  }

  count(): number {
    return Array.from(this.keys({ includeExpired: true })).length
  }

  expire(options?: Pick<Expiring, 'now'>): number {
    return expireIn(this.#tx.sessions(), options, this.#keys.prefix)
  }

  evict(tag: Tag): number {
    return evictIn(this.#tx.sessions(), tag, this.#keys.prefix)
  }

  clear(): number {
    return clearIn(this.#tx.sessions(), this.#keys.prefix)
  }

  transact<T>(body: (tx: Transaction) => T): T {
    return this.#tx.transact(tx => body(this.viewOf(tx)))
  }

  /** The view of a savepoint in this transaction. */
  protected viewOf(tx: Transaction): Transaction {
    return new NamespaceTransaction(tx as CacheTransaction, this.#keys, this.#storing)
  }
}

/** Replaces the key of the host cache in an `Info` with the key of the namespace. */
export function renamed<I extends Info>(keys: NamespaceKeys, info: I | undefined): I | undefined {
  return info && { ...info, key: keys.decode(info.key) }
}

export function renamedEntries(keys: NamespaceKeys, entries: Iterable<Entry>, storing: WithDefaults): Entry[] {
  checkIterable(entries, 'setMany')
  return Array.from(entries, entry => {
    checkEntry(entry)
    const [key, value, options] = entry
    return [keys.encode(key), value, storing(options)]
  })
}

/** Translates a listing of a namespace into one of the host cache, with a filter for the keys of the namespace. */
export function hostListing(
  keys: NamespaceKeys,
  options: Listing | undefined,
): { readonly listing: Listing; readonly isListed: (key: Key) => boolean } {
  const isObject = typeof options === 'object' && options !== null
  // The host cache refuses options that are no object.
  if (options !== undefined && !isObject) return { listing: options, isListed: () => true }
  const { prefix } = options ?? {}
  if (prefix === undefined) return { listing: { ...options, prefix: keys.prefix }, isListed: () => true }
  if (typeof prefix !== 'string') return { listing: options as Listing, isListed: () => true }
  return {
    listing: { ...options, prefix: keys.encodePrefix(prefix) },
    isListed: key => typeof key === 'string' && key.startsWith(prefix),
  }
}
