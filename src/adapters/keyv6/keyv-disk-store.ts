import { EventEmitter } from 'node:events'
import type { DiskCache } from '../../engine/index.js'
import { type Answer, type Answers, answers, toAnswer, toStored } from '../keyv/value-space.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, optionsOf } from '../open-cache.js'
import { hostTtl, ttlUntil } from '../ttl.js'

/** One entry of `setMany`. */
export interface KeyvStorageEntry {
  /** The key, without the namespace. */
  readonly key: string
  /** The value: the string of Keyv's serializer, or any value where Keyv has none. */
  readonly value: unknown
  /** When the entry expires, in epoch milliseconds. @default by the option `ttl` of the store */
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
  /** @internal Whether Keyv serializes values to strings. */
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

  /** @internal The beginning of messages about wrong options. */
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

  /** Adds a listener, as every EventEmitter does. Keyv adds one for `error`. */
  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'error') this.#keyvs++
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  /** Has the type of Keyv 6, to which Node's `Function[]` is not assignable. */
  override listeners(event: string | symbol): ((...args: unknown[]) => void)[] {
    return super.listeners(event) as ((...args: unknown[]) => void)[]
  }

  /** Has the type of Keyv 6 too. */
  override rawListeners(event: string | symbol): ((...args: unknown[]) => void)[] {
    return super.rawListeners(event) as ((...args: unknown[]) => void)[]
  }

  /** Reads the value of a key. `undefined`: there is none. */
  async get<Value = unknown>(key: string): Promise<Answer<Value>> {
    const found = this.#space.get(key)
    // An await takes a twentieth of a read through Keyv.
    return toAnswer(found instanceof Promise ? await found : found, { plain: this.plain })
  }

  /** Reads several values, in the order of the keys. */
  async getMany<Value = unknown>(keys: readonly string[]): Promise<Answer<Value>[]> {
    const found = await this.#space.getMany(keys)
    return found.map(one => toAnswer<Value>(one, { plain: this.plain }))
  }

  /** Tells whether the key has a value that has not expired. */
  async has(key: string): Promise<boolean> {
    return this.#space.has(key)
  }

  /** Tells for several keys what `has` tells for one, in their order. */
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

  /** Removes a key. Resolves to `false` when there was none. */
  async delete(key: string): Promise<boolean> {
    return this.#space.delete(key)
  }

  /** Removes several keys. Resolves to whether each existed, in their order. */
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

interface Named {
  readonly namespace?: string
  readonly ttl?: unknown
}

/** How an adapter of Keyv 6 describes itself. */
export interface KeyvCapabilities {
  /** Tells that Keyv need not wrap the store. */
  readonly compatible: true
  /** The kind of the store. */
  readonly store: 'keyvStorage'
  /** Tells that the store takes expiry as an instant. */
  readonly expires: true
  /** The methods that the store has. */
  readonly methods: KeyvMethods
}

/** A method of a store of Keyv 6. */
export type KeyvStorageMethod =
  | ('get' | 'getMany' | 'has' | 'hasMany' | 'set' | 'setMany')
  | ('delete' | 'deleteMany' | 'clear' | 'disconnect' | 'iterator')

/** The description of one method of a store. */
export interface KeyvMethod {
  /** Tells that the store has it. */
  readonly exists: true
  /** Tells that it returns a promise. */
  readonly methodType: 'async'
}

/** The description of the methods of a store. */
export type KeyvMethods = Readonly<Record<KeyvStorageMethod, KeyvMethod>>

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
