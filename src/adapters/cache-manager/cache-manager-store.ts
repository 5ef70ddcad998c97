import { keepsObjects, kindOf } from '../../engine/for-adapters.js'
import type { DiskCache } from '../../engine/index.js'
import { readEnvelope, storeValue, textOf, unmarked } from '../keyv/stored-values.js'
import { Door, Namespaced, type NewEntry } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, optionsOf } from '../open-cache.js'
import { hostTtl, timeLeft } from '../ttl.js'
import { Glob } from './glob.js'

/**
 * Options of `diskStore`: those of cache-manager and those of the cache, such as `directory`, `sizeLimit`, `shards`.
 */
export interface DiskStoreOptions extends DoorOptions {
  /** Time to live of values stored without one: milliseconds or a string. 0: never expires. @default never */
  readonly ttl?: number | string | undefined
  /**
   * Namespace of the keys. Entries of others are neither read nor cleared.
   *
   * @default none, separate from all namespaces
   */
  readonly namespace?: string | undefined
  /** Decides which values are stored. @default all but undefined */
  readonly isCacheable?: ((value: unknown) => boolean) | undefined
  /** How long before its expiry cache-manager refreshes a value in the background. Milliseconds. @default no refresh */
  readonly refreshThreshold?: number | undefined
}

/**
 * A store of cache-manager 5 on disk, shared by all processes that open the directory. A miss is `undefined`. Failures
 * reject, and cache-manager emits `error`.
 */
export class DiskStore {
  /** The name of the store. */
  readonly name = 'disk'
  /** Whether a value is stored: the option `isCacheable`. */
  readonly isCacheable: (value: unknown) => boolean
  readonly #door: Door
  readonly #space: Namespaced
  readonly #ttl: number | null | undefined

  /** @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range */
  constructor(source: CacheSource | DiskStoreOptions, options: DiskStoreOptions = {}) {
    const all = optionsOf(source, options, 'diskStore')
    this.isCacheable = all.isCacheable ?? (value => value !== undefined)
    this.#door = new Door(openCache(all, 'diskStore'))
    this.#space = new Namespaced(this.#door, all.namespace)
    this.#ttl = hostTtl(all.ttl)
  }

  /** The cache that holds the entries. */
  get cache(): DiskCache {
    return this.#door.cache
  }

  /** Translates a key of cache-manager into the key of the cache. */
  keyOf(key: string): string {
    return this.#space.keyOf(key)
  }

  /** Reads the value of a key. */
  async get<T>(key: string): Promise<T | undefined> {
    const read = this.#space.get(key)
    const found = read instanceof Promise ? await read : read
    return found && valueFrom<T>(found.value)
  }

  /** Reads several values, in the order of the keys. */
  async mget(...keys: string[]): Promise<unknown[]> {
    const found = await this.#space.getMany(keys)
    return found.map(one => one && valueFrom(one.value))
  }

  /**
   * Stores a value.
   *
   * @param ttl milliseconds or a string; 0, NaN and Infinity never expire, a negative one has expired
   */
  async set<T>(key: string, value: T, ttl?: number | string): Promise<void> {
    await this.#space.set(this.#entry(key, value, ttl))
  }

  /** Stores several values, those of one shard in one commit. */
  async mset(entries: [string, unknown][], ttl?: number | string): Promise<void> {
    const stored = await this.#space.setMany(entries.map(([key, value]) => this.#entry(key, value, ttl)))
    if (stored.includes(false)) throw this.#door.refusal()
  }

  /** Removes a key. */
  async del(key: string): Promise<void> {
    await this.#space.delete(key)
  }

  /** Removes several keys. */
  async mdel(...keys: string[]): Promise<void> {
    await this.#space.deleteMany(keys)
  }

  /** Removes the entries of this namespace, in pages. */
  async reset(): Promise<void> {
    await this.#space.clear()
  }

  /** Lists keys. @param pattern `*` matches any text, `?` one character. Default: all keys */
  async keys(pattern = '*'): Promise<string[]> {
    const glob = new Glob(pattern)
    const keys: string[] = []
    for await (const key of this.#space.keys()) if (glob.matches(key)) keys.push(key)
    return keys
  }

  /** Milliseconds until an entry expires. -1: never; -2: there is none. */
  async ttl(key: string): Promise<number> {
    const found = await this.#space.get(key)
    return found ? (timeLeft(found.expiresAt) ?? -1) : -2
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #entry(key: string, value: unknown, ttl: number | string | undefined): NewEntry {
    if (!this.isCacheable(value)) throw new TypeError(`${kindOf(value)} is not a cacheable value`)
    const given = ttl === undefined || ttl === null ? this.#ttl : hostTtl(ttl)
    return { key, value: storeValue(value, this.#door.boxes), ttl: given }
  }
}

/** Encodes a value for a cache in which stores of cache-manager find it. */
export function valueFor(cache: DiskCache, value: unknown): unknown {
  return storeValue(value, keepsObjects(cache))
}

/** Decodes a stored value, also one that a plain Keyv has stored. */
export function valueFrom<T>(stored: unknown): T | undefined {
  const text = textOf(stored)
  return (text === undefined ? unmarked(stored) : readEnvelope(text)?.value) as T | undefined
}
