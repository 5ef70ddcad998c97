import { kindOf } from '../../engine/for-adapters.js'
import type { DiskCache } from '../../engine/index.js'
import { readEnvelope, storeValue, textOf, unmarked } from '../keyv/stored-values.js'
import { Door, Namespaced, type NewEntry } from '../namespaced.js'
import { type CacheSource, type DoorOptions, isDiskCache, openCache } from '../open-cache.js'
import { hostTtl, timeLeft } from '../ttl.js'
import { Glob } from './glob.js'

/** Options of cache-manager, and of the cache: `directory`, `sizeLimit`, `shards`, … Others pass. */
export interface DiskStoreOptions extends DoorOptions {
  /** Time to live of values stored without one: milliseconds or `'5m'`; 0: never expires. @default never */
  readonly ttl?: number | string
  /** Entries of another namespace are neither seen nor cleared. @default none: an own place beside all namespaces */
  readonly namespace?: string
  /** Which values are stored. @default all but undefined */
  readonly isCacheable?: (value: unknown) => boolean
  /** Milliseconds before its expiry from which cache-manager refreshes a value in the background. */
  readonly refreshThreshold?: number
}

/**
 * A store of cache-manager 5 on disk, shared by all processes that open the directory. A miss is `undefined`; what
 * cannot be done rejects, and cache-manager tells by its event `error`.
 */
export class DiskStore {
  readonly name = 'disk'
  readonly isCacheable: (value: unknown) => boolean
  readonly #door: Door
  readonly #space: Namespaced
  readonly #ttl: number | null | undefined

  /** @throws TypeError for misspelt options, RangeError as the constructors of caches do */
  constructor(source: CacheSource | DiskStoreOptions) {
    const options = (isDiskCache(source) || typeof source === 'string' ? {} : source) as DiskStoreOptions
    this.isCacheable = options?.isCacheable ?? (value => value !== undefined)
    this.#door = new Door(openCache(source, 'diskStore'))
    this.#space = new Namespaced(this.#door, options.namespace)
    this.#ttl = hostTtl(options.ttl)
  }

  /** The cache that holds the entries. */
  get cache(): DiskCache {
    return this.#door.cache
  }

  /** The key that an entry has in the cache. */
  keyOf(key: string): string {
    return this.#space.keyOf(key)
  }

  async get<T>(key: string): Promise<T | undefined> {
    const found = await this.#space.get(key)
    return found && valueFrom<T>(found.value)
  }

  async mget(...keys: string[]): Promise<unknown[]> {
    const found = await this.#space.getMany(keys)
    return found.map(one => one && valueFrom(one.value))
  }

  /** @param ttl milliseconds or `'5m'`; 0, NaN and Infinity never expire, what is negative has expired */
  async set<T>(key: string, value: T, ttl?: number | string): Promise<void> {
    await this.#space.set(this.#entry(key, value, ttl))
  }

  /** Stores all of them, those of one shard in one commit. */
  async mset(entries: [string, unknown][], ttl?: number | string): Promise<void> {
    const stored = await this.#space.setMany(entries.map(([key, value]) => this.#entry(key, value, ttl)))
    if (stored.includes(false)) throw this.#door.refusal()
  }

  async del(key: string): Promise<void> {
    await this.#space.delete(key)
  }

  async mdel(...keys: string[]): Promise<void> {
    await this.#space.deleteMany(keys)
  }

  /** Removes the entries of this namespace, in pages, and no others. */
  async reset(): Promise<void> {
    await this.#space.clear()
  }

  /** @param pattern `*` is any text, `?` one character. @default all keys */
  async keys(pattern = '*'): Promise<string[]> {
    const glob = new Glob(pattern)
    const keys: string[] = []
    for await (const key of this.#space.keys()) if (glob.matches(key)) keys.push(key)
    return keys
  }

  /** Milliseconds until the entry expires; -1: it never does; -2: there is none. */
  async ttl(key: string): Promise<number> {
    const found = await this.#space.get(key)
    return found ? (timeLeft(found.expiresAt) ?? -1) : -2
  }

  /** Ends the use of the engine; the last one on a directory closes it. A cache that was given stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #entry(key: string, value: unknown, ttl: number | string | undefined): NewEntry {
    if (!this.isCacheable(value)) throw new TypeError(`${kindOf(value)} is not a cacheable value`)
    const given = ttl === undefined || ttl === null ? this.#ttl : hostTtl(ttl)
    return { key, value: storeValue(value, this.#door.boxes), ttl: given }
  }
}

/** The value of what is stored, also of what a plain Keyv has stored under this key. */
export function valueFrom<T>(stored: unknown): T | undefined {
  const text = textOf(stored)
  return (text === undefined ? unmarked(stored) : readEnvelope(text)?.value) as T | undefined
}
