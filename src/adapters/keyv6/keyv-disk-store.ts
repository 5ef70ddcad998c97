import { EventEmitter } from 'node:events'
import type { DiskCache } from '../../engine/index.js'
import { type Answer, type Answers, answers, toAnswer, toStored } from '../keyv/value-space.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, optionsOf } from '../open-cache.js'
import { hostTtl, ttlUntil } from '../ttl.js'

/** One entry of `setMany`. `expires` is in epoch milliseconds. */
export interface KeyvStorageEntry {
  readonly key: string
  readonly value: unknown
  readonly expires?: number | undefined
}

/**
 * A store for Keyv 6 on disk. Its entries are shared by all processes that open the directory, and expire in the cache.
 * Each Keyv needs a store of its own; stores on one directory share one engine.
 *
 * @example
 * const keyv = new Keyv({ store: new KeyvDiskStore('/var/cache/app'), namespace: 'users' })
 */
export class KeyvDiskStore extends EventEmitter {
  /** Whether Keyv serializes values to strings. */
  protected readonly plain: boolean = true
  readonly #door: Door
  readonly #ttl: number | null | undefined
  #namespace: string | undefined
  #space: Namespaced
  /** Number of Keyvs that listen for errors, which each does when it is created. */
  #keyvs = 0
  #named = 0

  /**
   * @param source a directory, options with `directory` and those of a FanoutCache, or a cache, which stays open
   * @param options the same options, behind a directory
   * @throws TypeError for misspelt options; RangeError for values out of range, and for options that differ from those
   *   of an open cache of this process on the directory
   */
  constructor(source: CacheSource, options: DoorOptions = {}) {
    super()
    this.setMaxListeners(0)
    const all: DoorOptions & Named = optionsOf(source, options, this.door)
    this.#door = new Door(openCache(all, this.door))
    const { namespace, ttl } = all
    this.#ttl = hostTtl(ttl)
    this.#namespace = namespace
    this.#space = new Namespaced(this.#door, namespace)
  }

  /** The beginning of messages about wrong options. */
  protected get door(): string {
    return 'KeyvDiskStore'
  }

  /** The cache that holds the entries. */
  get cache(): DiskCache {
    return this.#door.cache
  }

  /** Translates a key of Keyv into the key of the cache. */
  keyOf(key: string): string {
    return this.#space.keyOf(key)
  }

  /** Tells Keyv 6 that the store takes expiry as an instant and enforces it. */
  get capabilities(): KeyvCapabilities {
    return CAPABILITIES
  }

  /** Throws for Keyv 5, which reads this property. */
  get opts(): never {
    throw new TypeError('this KeyvDiskStore is for Keyv 6: with Keyv 5, import it from fanout-cache/keyv')
  }

  /** The namespace of the Keyv that uses this store. Keyv sets it. */
  get namespace(): string | undefined {
    return this.#namespace
  }

  /** @throws TypeError when a second Keyv has another namespace, since the store cannot distinguish their calls */
  set namespace(namespace: string | undefined) {
    if (this.#named > 0 && this.#keyvs > this.#named && namespace !== this.#namespace) {
      throw new TypeError(
        `this KeyvDiskStore belongs to a Keyv of the namespace '${this.#namespace ?? ''}', and cannot serve ` +
          `'${namespace ?? ''}' too: make a new KeyvDiskStore for each Keyv; those on one directory share its engine`,
      )
    }
    this.#space = new Namespaced(this.#door, namespace)
    this.#namespace = namespace
    this.#named = this.#keyvs
  }

  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'error') this.#keyvs++
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  /** Has the type of Keyv 6, to which Node's `Function[]` is not assignable. */
  override listeners(event: string | symbol): Listener[] {
    return super.listeners(event) as Listener[]
  }

  override rawListeners(event: string | symbol): Listener[] {
    return super.rawListeners(event) as Listener[]
  }

  async get<Value = unknown>(key: string): Promise<Answer<Value>> {
    const found = this.#space.get(key)
    // An await takes a twentieth of a read through Keyv.
    return toAnswer(found instanceof Promise ? await found : found, { plain: this.plain })
  }

  async getMany<Value = unknown>(keys: readonly string[]): Promise<Answer<Value>[]> {
    const found = await this.#space.getMany(keys)
    return found.map(one => toAnswer<Value>(one, { plain: this.plain }))
  }

  async has(key: string): Promise<boolean> {
    return this.#space.has(key)
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return Promise.all(keys.map(key => this.#space.has(key)))
  }

  /** Stores a value. @param expires epoch milliseconds; an expired value only removes the present one */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.#space.set({ key, value: toStored(value, this.#door), ttl: this.#ttlOf(expires) })
    return true
  }

  /** Stores several entries, those of one shard in one commit. */
  async setMany(entries: readonly KeyvStorageEntry[]): Promise<boolean[]> {
    return this.#space.setMany(
      entries.map(({ key, value, expires }) => ({
        key,
        value: toStored(value, this.#door),
        ttl: this.#ttlOf(expires),
      })),
    )
  }

  async delete(key: string): Promise<boolean> {
    return this.#space.delete(key)
  }

  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return this.#space.deleteMany(keys)
  }

  /** Removes the entries of the namespace, in pages. */
  async clear(): Promise<void> {
    await this.#space.clear()
  }

  /** Lists entries, with keys without their namespace. */
  iterator<Value = unknown>(): Answers<Value> {
    return answers(this.#space, { plain: this.plain })
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #ttlOf(expires: unknown): number | null | undefined {
    return expires === undefined || expires === null ? this.#ttl : ttlUntil(expires)
  }
}

/** The store of `createKeyv`, which gets values without serialization. */
export class KeyvValueStore extends KeyvDiskStore {
  protected override readonly plain: boolean = false

  protected override get door(): string {
    return 'createKeyv'
  }
}

type Listener = (...args: unknown[]) => void

interface Named {
  readonly namespace?: string
  readonly ttl?: unknown
}

/** How an adapter of Keyv 6 describes itself. */
export interface KeyvCapabilities {
  readonly compatible: true
  readonly store: 'keyvStorage'
  readonly expires: true
  readonly methods: KeyvMethods
}

type StorageMethod =
  | ('get' | 'getMany' | 'has' | 'hasMany' | 'set' | 'setMany')
  | ('delete' | 'deleteMany' | 'clear' | 'disconnect' | 'iterator')

export type KeyvMethods = Readonly<Record<StorageMethod, { readonly exists: true; readonly methodType: 'async' }>>

const METHOD = { exists: true, methodType: 'async' } as const

const CAPABILITIES: KeyvCapabilities = {
  compatible: true,
  store: 'keyvStorage',
  expires: true,
  methods: {
    ...{ get: METHOD, getMany: METHOD, has: METHOD, hasMany: METHOD, set: METHOD, setMany: METHOD },
    ...{ delete: METHOD, deleteMany: METHOD, clear: METHOD, disconnect: METHOD, iterator: METHOD },
  },
}
