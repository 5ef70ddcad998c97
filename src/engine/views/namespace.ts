import type { CacheVerbs } from '../cache-verbs.js'
import type { DiskCache, Entry, StoredFile, Transaction } from '../contract.js'
import { accessOf, type EngineAccess, registerView } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import type {
  CacheStats,
  Computing,
  Counting,
  Expiring,
  Factory,
  Info,
  Item,
  Key,
  Listing,
  StatsOptions,
  Storing,
  Tag,
  Touching,
  Transacting,
  Waiting,
} from '../options.js'
import type { CacheTransaction } from '../verbs/cache-transaction.js'
import * as ranges from '../verbs/ranges.js'
import { checkIterable } from '../verbs/verb-options.js'
import { HostView } from './host-view.js'
import type { Model } from './model.js'
import type { ModelCache } from './model-cache.js'
import { modelCacheOf } from './models.js'
import { NamespaceKeys } from './namespace-keys.js'
import {
  defaultsOf,
  modelPart,
  type NamespaceOptions,
  type ResolvedNamespace,
  resolveNamespace,
} from './namespace-options.js'
import {
  hostListing,
  NamespaceTransaction,
  renamed,
  renamedEntries,
  type WithDefaults,
} from './namespace-transaction.js'

/** The parts of a namespace. */
export interface NamespaceParts {
  readonly host: CacheVerbs
  /** The prefix of the keys of the enclosing namespace. */
  readonly outer: string
  readonly storing: WithDefaults
  /** Makes the view of a transaction. @default one without queues */
  readonly viewOf?: ViewOf
}

/** A view of a transaction of the host, restricted to the keys of a namespace. */
export type ViewOf = (tx: Transaction, keys: NamespaceKeys, storing: WithDefaults) => Transaction

const plainView: ViewOf = (tx, keys, storing) => new NamespaceTransaction(tx as CacheTransaction, keys, storing)

/**
 * A view of a cache with its own keys and all verbs of a cache. Its entries are entries of the cache, under the limits
 * and the policy of the cache: the string key `k` is the entry `name:version:k` there.
 *
 * `cull`, `check`, `settings`, `configure` and the tag index concern the whole directory. So do the hits and misses of
 * `stats`, and events without a key.
 */
export class Namespace extends HostView implements DiskCache {
  /** The name that it was made with, without those of the namespaces around it. */
  readonly name: string
  /** The version that it was made with. */
  readonly version: number
  readonly #host: CacheVerbs
  readonly #access: EngineAccess
  readonly #family: string
  readonly #keys: NamespaceKeys
  readonly #storing: WithDefaults
  readonly #viewOf: ViewOf

  /** Use `cache.namespace(name, options)` instead. */
  constructor(parts: object, own: object) {
    const { host, outer, storing, viewOf = plainView } = parts as NamespaceParts
    const { name, version, defaultTtl, family, prefix } = own as ResolvedNamespace
    const keys = new NamespaceKeys(outer + prefix)
    super(host, keys)
    this.name = name
    this.version = version
    this.#host = host
    this.#family = outer + family
    this.#keys = keys
    this.#storing = defaultsOf(defaultTtl, storing)
    this.#viewOf = viewOf
    const { handle } = accessOf(host) as EngineAccess
    const hostKey = (key: Key): Key => this.#keys.encode(key)
    const hostPrefix = (prefix: string): string | undefined => this.#keys.exactPrefix(prefix)
    this.#access = registerView(this, { handle, hostKey, hostPrefix, storing: this.#storing })
  }

  /** Returns a namespace inside this one. `clear` of this one empties it as well. @throws as `cache.namespace` does */
  namespace(name: string, options: NamespaceOptions = {}): Namespace {
    return new Namespace(this.#parts, resolveNamespace(name, options))
  }

  /**
   * Returns the cache of the values of one model in this namespace.
   *
   * @throws TypeError when `model` is no model, or has limits, which need a directory of their own
   */
  model<Input, Output>(model: Model<Input, Output>): ModelCache<Input, Output> {
    return modelCacheOf(this, model, {
      part: name => new Namespace(this.#parts, modelPart(name)),
      own: name => {
        throw new TypeError(`the model '${name}' has limits of its own: use it on the cache, not on a namespace`)
      },
    })
  }

  async get<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined> {
    return this.#host.get<T>(this.#keys.encode(key), options)
  }

  async getItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined> {
    return renamed(this.#keys, await this.#host.getItem<T>(this.#keys.encode(key), options))
  }

  async info(key: Key, options?: Waiting): Promise<Info | undefined> {
    return renamed(this.#keys, await this.#host.info(this.#keys.encode(key), options))
  }

  async getMany<T = unknown>(keys: Iterable<Key>, options?: Waiting): Promise<(T | undefined)[]> {
    checkIterable(keys, 'getMany')
    return this.#host.getMany<T>(this.#keys.encodeAll(keys), options)
  }

  async has(key: Key): Promise<boolean> {
    return this.#host.has(this.#keys.encode(key))
  }

  async read(key: Key, options?: Waiting): Promise<StoredFile | undefined> {
    return renamed(this.#keys, await this.#host.read(this.#keys.encode(key), options))
  }

  async set(key: Key, value: unknown, options?: Storing): Promise<boolean> {
    return this.#host.set(this.#keys.encode(key), value, this.#storing(options))
  }

  async setMany(entries: Iterable<Entry>, options?: Waiting): Promise<boolean[]> {
    return this.#host.setMany(renamedEntries(this.#keys, entries, this.#storing), options)
  }

  async add(key: Key, value: unknown, options?: Storing): Promise<boolean> {
    return this.#host.add(this.#keys.encode(key), value, this.#storing(options))
  }

  async getOrSet<T, Old extends T = T>(key: Key, factory: Factory<T, Old>, options?: Computing): Promise<T> {
    return this.#host.getOrSet(this.#keys.encode(key), factory, this.#storing(options))
  }

  async touch(key: Key, options: Touching): Promise<boolean> {
    return this.#host.touch(this.#keys.encode(key), options)
  }

  async delete(key: Key, options?: Waiting): Promise<boolean> {
    return this.#host.delete(this.#keys.encode(key), options)
  }

  async deleteMany(keys: Iterable<Key>, options?: Waiting): Promise<boolean[]> {
    checkIterable(keys, 'deleteMany')
    return this.#host.deleteMany(this.#keys.encodeAll(keys), options)
  }

  async pop<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined> {
    return this.#host.pop<T>(this.#keys.encode(key), options)
  }

  async popItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined> {
    return renamed(this.#keys, await this.#host.popItem<T>(this.#keys.encode(key), options))
  }

  incr(key: Key, delta?: number, options?: Counting): Promise<number>
  incr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  async incr(key: Key, delta?: number | bigint, options?: Counting): Promise<number | bigint> {
    return this.#host.incr(this.#keys.encode(key), delta as number, this.#storing(options))
  }

  decr(key: Key, delta?: number, options?: Counting): Promise<number>
  decr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  async decr(key: Key, delta?: number | bigint, options?: Counting): Promise<number | bigint> {
    return this.#host.decr(this.#keys.encode(key), delta as number, this.#storing(options))
  }

  async *keys(options?: Listing): AsyncGenerator<Key> {
    const { listing, isListed } = hostListing(this.#keys, options)
    for await (const hostKey of this.#host.keys(listing)) {
      const key = this.#keys.decode(hostKey)
      if (isListed(key)) yield key
    }
  }

  async *entries<T = unknown>(options?: Listing): AsyncGenerator<[Key, T]> {
    const { listing, isListed } = hostListing(this.#keys, options)
    for await (const [hostKey, value] of this.#host.entries<T>(listing)) {
      const key = this.#keys.decode(hostKey)
      if (isListed(key)) yield [key, value]
    }
  }

  /** Counts the entries, including expired ones that were not removed yet. Scans the keys of the namespace in pages. */
  async count(): Promise<number> {
    return (await this.#tally('count')).count
  }

  /** Adds up the bytes of stored keys and values, without the overhead of the database. */
  async volume(): Promise<number> {
    return (await this.#tally('volume')).bytes
  }

  expire(options?: Expiring): Promise<number> {
    return ranges.expire(this.#access.handle, this.#keys.prefix, options)
  }

  evict(tag: Tag, options?: Waiting): Promise<number> {
    return ranges.evict(this.#access.handle, this.#keys.prefix, tag, options)
  }

  /** Removes the present entries of this version and of all namespaces inside this one. Resolves to how many. */
  clear(options?: Waiting): Promise<number> {
    return this.#clear(this.#keys.prefix, options)
  }

  /** Removes the entries of lower versions of this namespace. Resolves to how many. */
  clearOlderVersions(options?: Waiting): Promise<number> {
    const { handle } = this.#access
    return traced(handle, 'clearOlderVersions', undefined, async () => {
      const versions = await handle.ready(() => ranges.versionsBelow(handle, this.#family, this.version))
      let removed = 0
      for (const version of versions) removed += await this.#clear(`${this.#family}${version}:`, options)
      return removed
    })
  }

  async stats(options?: StatsOptions): Promise<CacheStats> {
    const [figures, { count, bytes }] = await Promise.all([this.#host.stats(options), this.#tally('volume')])
    return { ...figures, count, volume: bytes }
  }

  async transact<T>(body: (tx: Transaction) => T, options?: Transacting): Promise<T> {
    if (typeof body !== 'function') return this.#host.transact(body, options)
    const inside = (tx: Transaction): T => body(this.#viewOf(tx, this.#keys, this.#storing))
    const { keys } = options ?? {}
    if (!Array.isArray(keys)) return this.#host.transact(inside, options)
    return this.#host.transact(inside, { ...options, keys: this.#keys.encodeAll(keys) })
  }

  get #parts(): NamespaceParts {
    return { host: this.#host, outer: this.#keys.prefix, storing: this.#storing }
  }

  #clear(prefix: string, options: Waiting | undefined): Promise<number> {
    return ranges.clear(this.#access.handle, prefix, options)
  }

  #tally(figure: 'count' | 'volume'): Promise<{ readonly count: number; readonly bytes: number }> {
    return ranges.tally(this.#access.handle, this.#keys.prefix, figure)
  }
}
