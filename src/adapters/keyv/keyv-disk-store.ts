import { EventEmitter } from 'node:events'
import type { DiskCache } from '../../engine/index.js'
import { groupBy } from '../../engine/newer-node.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, optionsOf } from '../open-cache.js'
import { hostTtl } from '../ttl.js'
import { type Owner, Owners } from './owners.js'
import { type Answered, type Answers, answers, toAnswer, toStored } from './value-space.js'

/** The namespace and the key in it for a key of Keyv 5, which a plain Keyv prefixes with its namespace and a colon. */
interface Place {
  readonly space: Namespaced
  readonly key: string
}

/**
 * A store for Keyv 5 on disk. Its entries are shared by all processes that open the directory, and expire in the cache.
 * Each Keyv needs a store of its own; stores on one directory share one engine.
 *
 * @example
 * const keyv = new Keyv({ store: new KeyvDiskStore('/var/cache/app'), namespace: 'users' })
 */
export class KeyvDiskStore extends EventEmitter {
  /** @internal Whether Keyv serializes values to strings and prefixes keys with the namespace. */
  protected readonly plain: boolean = true
  /** Read by Keyv, which offers `iterator()` only for known dialects. */
  opts: Record<string, unknown> = { dialect: 'sqlite', url: '' }
  readonly #door: Door
  readonly #owners: Owners
  /** The entries of the last Keyv. */
  #current: Namespaced
  readonly #spaces = new Map<string | undefined, Namespaced>()
  readonly #ttl: number | null | undefined
  /** Whether there were keys without a namespace, as with `useKeyPrefix: false`. */
  #unprefixed = false

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
    this.#owners = new Owners(namespace)
    this.#current = this.#spaceOf(namespace)
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
    return this.#spaceOf(this.namespace).keyOf(key)
  }

  /** The namespace of the Keyv that uses this store. Keyv sets it. */
  get namespace(): string | undefined {
    return this.#owners.last.namespace
  }

  set namespace(namespace: string | undefined) {
    const space = this.#spaceOf(namespace)
    this.#owners.adopt(namespace, others => refuseOverlap(namespace, others))
    this.#current = space
  }

  /** Throws for Keyv 6, which reads this property first and passes keys and expiry in other forms. */
  get capabilities(): never {
    throw new TypeError('this KeyvDiskStore is for Keyv 5: with Keyv 6, import it from fanout-cache/keyv6')
  }

  /** Adds a listener, as every EventEmitter does. Keyv adds one for `error`. */
  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    if (event === 'error') this.#owners.announce()
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  /** Reads the value of a key. `undefined`: there is none. */
  async get<Value = unknown>(key: string): Promise<Stored<Value>> {
    try {
      const { plain } = this
      const { space, key: own } = this.#place(key)
      const found = space.get(own)
      // An await takes a twentieth of a read through Keyv.
      return toAnswer(found instanceof Promise ? await found : found, { plain }) as Stored<Value>
    } catch (error) {
      // Keyv returns undefined and swallows the error, so it is emitted here.
      if (this.listenerCount('error') > 0) this.emit('error', error)
      throw error
    }
  }

  /** Reads several values, in the order of the keys. */
  async getMany<Value = unknown>(keys: readonly string[]): Promise<Stored<Value>[]> {
    const { plain } = this
    const places = keys.map(key => this.#place(key))
    const { space } = places[0] ?? {}
    // Keyv asks for keys of one namespace.
    const found = places.every(place => place.space === space)
      ? await space?.getMany(places.map(({ key }) => key))
      : await Promise.all(places.map(async place => place.space.get(place.key)))
    return (found ?? []).map(one => toAnswer(one, { plain }) as Stored<Value>)
  }

  /** Tells whether the key has a value that has not expired. */
  async has(key: string): Promise<boolean> {
    const { space, key: own } = this.#place(key)
    return space.has(own)
  }

  /** Tells for several keys what `has` tells for one, in their order. */
  hasMany(keys: readonly string[]): Promise<boolean[]> {
    return Promise.all(keys.map(key => this.has(key)))
  }

  /** Stores a value. @param ttl milliseconds; 0, NaN and Infinity never expire, a negative one has expired */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const { space, key: own } = this.#place(key)
    await space.set({ key: own, value: toStored(value, this.#door), ttl: this.#ttlOf(ttl) })
    return true
  }

  /**
   * Stores several entries, those of one shard in one commit. Keyv's type demands void, but Keyv returns the result.
   */
  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[] & void> {
    const rows = entries.map(({ key, value, ttl }, at) => ({
      ...this.#place(key),
      at,
      value: toStored(value, this.#door),
      ttl: this.#ttlOf(ttl),
    }))
    const answers: boolean[] = []
    // All namespaces are called now, so that later calls take effect after them.
    const storing = Array.from(
      groupBy(rows, ({ space }) => space),
      async ([space, own]) => {
        const stored = await space.setMany(own)
        for (const [index, { at }] of own.entries()) answers[at] = stored[index] ?? false
      },
    )
    await Promise.all(storing)
    return answers as boolean[] & void
  }

  /** Removes a key. Resolves to `false` when there was none. */
  async delete(key: string): Promise<boolean> {
    const { space, key: own } = this.#place(key)
    return space.delete(own)
  }

  /** Removes several keys. Resolves to whether any of them existed. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    const places = keys.map(key => this.#place(key))
    const removed = await this.#door.deleteMany(places.map(({ space, key }) => space.keyOf(key)))
    return removed.some(Boolean)
  }

  /** Removes the entries of the namespace, in pages. */
  async clear(): Promise<void> {
    const { all, last } = this.#owners
    if (all.length > 1) throw shared(all)
    await this.#spaceOf(last.namespace).clear()
  }

  /** Returns an iterator function. Keyv reads it in its constructor, which binds it to the namespace of that Keyv. */
  get iterator(): <Value = unknown>() => Answers<Value> {
    const owner = this.#owners.last
    return () => this.#iterate(owner)
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  async *#iterate<Value>({ namespace }: Owner): Answers<Value> {
    // A plain Keyv removes everything up to the first colon, even if it has added no prefix.
    const before = !this.plain || this.#unprefixed ? '' : `${namespace ?? ''}:`
    for await (const [key, answer] of answers<Value>(this.#spaceOf(namespace), { plain: this.plain })) {
      yield [before + key, answer]
    }
  }

  #place(key: string): Place {
    const { last, all } = this.#owners
    if (!this.plain || typeof key !== 'string') return { space: this.#current, key }
    const owner = isOf(key, last) || all.length === 1 ? last : (all.find(one => isOf(key, one)) ?? last)
    const space = this.#spaceOf(owner.namespace)
    if (!owner.namespace) return { space, key }
    if (isOf(key, owner)) return { space, key: key.slice(owner.namespace.length + 1) }
    this.#unprefixed = true
    return { space, key }
  }

  #spaceOf(namespace: string | undefined): Namespaced {
    const known = this.#spaces.get(namespace)
    if (known) return known
    const made = new Namespaced(this.#door, namespace)
    this.#spaces.set(namespace, made)
    return made
  }

  #ttlOf(ttl: unknown): number | null | undefined {
    return ttl === undefined || ttl === null ? this.#ttl : hostTtl(ttl)
  }
}

/** The store of `createKeyv`, which gets values without serialization and keys without a namespace. */
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

/** The stored data of Keyv 5: the string of its serializer, which its types declare as the value, or an envelope. */
export type Stored<Value = unknown> = Value | Answered<Value> | undefined

/** One entry of `setMany`. */
export interface KeyvEntry {
  /** The key, with the prefix of Keyv. */
  readonly key: string
  /** The value: the string of Keyv's serializer, or any value where Keyv has none. */
  readonly value: unknown
  /** Time to live. Milliseconds; 0, NaN and Infinity: never expires. @default the option `ttl` of the store */
  readonly ttl?: number | undefined
}

function isOf(key: string, { namespace }: Owner): boolean {
  return namespace !== undefined && key.startsWith(namespace) && key[namespace.length] === ':'
}

/** Refuses namespaces such as `a` and `a:b` in one store, since the key `a:b:c` could belong to either. */
function refuseOverlap(namespace: string | undefined, others: readonly Owner[]): void {
  const prefix = `${namespace ?? ''}:`
  const clash = others.some(other => {
    const theirs = `${other.namespace ?? ''}:`
    return !namespace || !other.namespace || theirs.startsWith(prefix) || prefix.startsWith(theirs)
  })
  if (clash && !others.some(other => other.namespace === namespace)) throw shared([...others, { namespace }])
}

function shared(owners: readonly Owner[]): TypeError {
  const names = owners.map(({ namespace }) => (namespace ? `'${namespace}'` : 'none')).join(' and ')
  return new TypeError(
    `this KeyvDiskStore was given to Keyvs of the namespaces ${names}, and it cannot tell which of them asks: ` +
      'make a new KeyvDiskStore for each Keyv; those on one directory share its engine',
  )
}
