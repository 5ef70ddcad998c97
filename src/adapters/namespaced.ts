import {
  getExpiring,
  getManyExpiring,
  keepsObjects,
  kindOf,
  removePrefix,
  type Valued,
} from '../engine/for-adapters.js'
import type { DiskCache, Entry } from '../engine/index.js'
import { expectedWrite } from './expected-writes.js'
import type { OpenedCache } from './open-cache.js'

/** One entry of `setMany`. `ttl` has the form of the engine. */
export interface NewEntry {
  readonly key: string
  readonly value: unknown
  readonly ttl: number | null | undefined
}

/**
 * The entries of one namespace of a cache, as the doors show them. Their keys are `encodeURIComponent(namespace):key`:
 * the first colon ends the namespace, so that namespaces never overlap. Without a namespace the keys begin with the
 * colon.
 */
export class Namespaced {
  readonly cache: DiskCache
  readonly prefix: string
  readonly #door: Door

  /** @throws TypeError when `namespace` cannot be a namespace */
  constructor(door: Door, namespace: string | undefined) {
    this.#door = door
    this.cache = door.cache
    this.prefix = prefixOf(namespace)
  }

  /** Whether its cache preserves a Map: see keyv/stored-values.ts. */
  get boxes(): boolean {
    return this.#door.boxes
  }

  /** Reads a value with its expiry. Returns no promise when it can be read at once. @throws what verbs reject with */
  get<T = unknown>(key: string): Valued<T> | undefined | Promise<Valued<T> | undefined> {
    return getExpiring<T>(this.cache, this.keyOf(key))
  }

  async getMany<T = unknown>(keys: readonly string[]): Promise<(Valued<T> | undefined)[]> {
    return getManyExpiring<T>(
      this.cache,
      keys.map(key => this.keyOf(key)),
    )
  }

  has(key: string): Promise<boolean> {
    return this.cache.has(this.keyOf(key))
  }

  /** Stores a value. @throws the error with which the cache refused it */
  async set({ key, value, ttl }: NewEntry): Promise<void> {
    const full = this.keyOf(key)
    const expected = expectedWrite(this.cache, full, value)
    if (expected) return expected.store?.({ value, ttl })
    this.#door.listen()
    // An expired value is not stored, but it replaces the present one.
    if (ttl === 0) await this.cache.delete(full)
    else if (!(await this.cache.set(full, value, ttl === undefined ? undefined : { ttl })))
      throw this.#door.refusal(full)
  }

  /**
   * Stores several entries, those of one shard in one commit.
   *
   * @throws the error with which the cache refused all of them
   */
  async setMany(entries: readonly NewEntry[]): Promise<boolean[]> {
    if (entries.length === 0) return []
    const elapsed = entries.filter(({ ttl }) => ttl === 0).map(({ key }) => this.keyOf(key))
    const rows: Entry[] = entries
      .filter(({ ttl }) => ttl !== 0)
      .map(({ key, value, ttl }) => [this.keyOf(key), value, ttl === undefined ? {} : { ttl }])
    this.#door.listen()
    // Both calls are made now, so that later calls take effect after them.
    const removing = elapsed.length > 0 && this.cache.deleteMany(elapsed)
    const [stored] = await Promise.all([this.cache.setMany(rows), removing])
    if (rows.length > 0 && !stored.some(Boolean)) throw this.#door.refusal()
    let at = 0
    return entries.map(({ ttl }) => (ttl === 0 ? true : (stored[at++] ?? false)))
  }

  /** Removes an entry. Resolves to whether it existed. @throws the error with which the cache refused */
  async delete(key: string): Promise<boolean> {
    return this.#door.delete(this.keyOf(key))
  }

  /** Removes entries. Resolves to whether each existed. @throws the error with which the cache refused one */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return this.#door.deleteMany(keys.map(key => this.keyOf(key)))
  }

  /** Removes the entries of this namespace, in pages. */
  async clear(): Promise<void> {
    await removePrefix(this.cache, this.prefix)
  }

  /** Lists keys without their namespace. @param below a prefix of the keys */
  async *keys(below: string = ''): AsyncGenerator<string> {
    for await (const key of this.cache.keys({ prefix: this.prefix + below })) yield this.#ownKey(key)
  }

  async *entries<T = unknown>(): AsyncGenerator<[key: string, value: T]> {
    for await (const [key, value] of this.cache.entries<T>({ prefix: this.prefix })) yield [this.#ownKey(key), value]
  }

  /** The key in the cache. @throws TypeError when it is no string */
  keyOf(key: unknown): string {
    if (typeof key === 'string') return this.prefix + key
    if (typeof key === 'number') return this.prefix + String(key)
    throw new TypeError(`a key must be a string, got ${kindOf(key)}`)
  }

  #ownKey(key: unknown): string {
    return (key as string).slice(this.prefix.length)
  }
}

/** The prefix of the keys of a namespace. @throws TypeError when it cannot be a namespace */
export function prefixOf(namespace: unknown): string {
  if (namespace === undefined || namespace === null || namespace === '') return ':'
  if (typeof namespace === 'string' && namespace.isWellFormed()) return `${encodeURIComponent(namespace)}:`
  throw new TypeError(`namespace must be a well-formed string, got ${kindOf(namespace)}`)
}

/** The errors of writes that a cache refused lately. */
interface Refusals {
  readonly byKey: Map<unknown, { readonly error: Error; readonly at: number }>
  last: Error | undefined
  count: number
}

/** Limit of remembered refusals. Many may occur in one turn, before the first waiting call is told. */
const MOST_REFUSALS = 1000

/** The refusals by cache, with one listener for all doors, since an app may create a door for every request. */
const refusals = new WeakMap<DiskCache, Refusals>()

/** A cache opened by a door. It remembers why writes were refused, because hosts expect an error. */
export class Door {
  /** Whether the cache preserves a Map: see keyv/stored-values.ts. */
  readonly boxes: boolean
  readonly #opened: OpenedCache

  constructor(opened: OpenedCache) {
    this.#opened = opened
    this.boxes = keepsObjects(opened.cache)
  }

  get cache(): DiskCache {
    return this.#opened.cache
  }

  /**
   * Removes a key of the cache.
   *
   * @throws the error with which the cache refused, which is not the same as a missing key
   */
  delete(key: string): Promise<boolean> {
    return this.heeding(key, () => this.cache.delete(key))
  }

  /** Removes keys of the cache. @throws the error with which the cache refused one */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    const { count } = this.listen()
    const removed = await this.cache.deleteMany(keys)
    for (const [at, key] of keys.entries()) if (!removed[at]) this.#throwRefusal(key, count)
    return removed
  }

  /** Makes a write whose result is the same for a refusal and for a missing key. @throws the error of the refusal */
  async heeding<T>(key: string, write: () => Promise<T>): Promise<T> {
    const { count } = this.listen()
    const answer = await write()
    if (!answer) this.#throwRefusal(key, count)
    return answer
  }

  /** Starts to listen for refusals. Call it before a write. */
  listen(): Refusals {
    const known = refusals.get(this.cache)
    if (known) return known
    const heard: Refusals = { byKey: new Map(), last: undefined, count: 0 }
    refusals.set(this.cache, heard)
    this.cache.on('refused', ({ key, error }) => {
      heard.last = error
      heard.count++
      if (key === undefined) return
      heard.byKey.set(key, { error, at: heard.count })
      if (heard.byKey.size > MOST_REFUSALS) heard.byKey.delete(heard.byKey.keys().next().value)
    })
    return heard
  }

  /** The error of the last refused write of a key, or of several keys. */
  refusal(key?: string): Error {
    const heard = refusals.get(this.cache)
    const error = key === undefined ? heard?.last : heard?.byKey.get(key)?.error
    return error ?? new Error('the cache refused to store the value')
  }

  /** @throws the error of a write of a key that was refused after `before` other refusals */
  #throwRefusal(key: string, before: number): void {
    const heard = refusals.get(this.cache)?.byKey.get(key)
    if (heard && heard.at > before) throw heard.error
  }

  async close(): Promise<void> {
    await this.#opened.close()
  }
}
