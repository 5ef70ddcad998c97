import { getExpiring, keepsObjects, kindOf, removePrefix, type Valued } from '../engine/for-adapters.js'
import type { DiskCache, Entry, Waiting } from '../engine/index.js'
import type { OpenedCache } from './open-cache.js'

/** Hosts have no word for a write that was refused since a lock was held: many keys wait for it as one key does. */
export const PATIENT: Waiting = { retry: true }

/** One entry of `setMany`. `ttl` as the engine has it. */
export interface NewEntry {
  readonly key: string
  readonly value: unknown
  readonly ttl: number | null | undefined
}

/**
 * The entries of one namespace of a cache, which is what the doors show. Their keys are
 * `encodeURIComponent(namespace):key`: the first colon ends the namespace, whatever either holds, so that no two of
 * them touch. Without a namespace the keys begin with the colon.
 */
export class Namespaced {
  readonly cache: DiskCache
  readonly prefix: string
  readonly #door: Door

  /** @throws TypeError when it cannot be a namespace */
  constructor(door: Door, namespace: string | undefined) {
    this.#door = door
    this.cache = door.cache
    this.prefix = prefixOf(namespace)
  }

  /** Whether its cache keeps a Map: see keyv/stored-values.ts. */
  get boxes(): boolean {
    return this.#door.boxes
  }

  get<T = unknown>(key: string): Promise<Valued<T> | undefined> {
    return getExpiring<T>(this.cache, this.keyOf(key))
  }

  getMany<T = unknown>(keys: readonly string[]): Promise<(Valued<T> | undefined)[]> {
    return Promise.all(keys.map(key => this.get<T>(key)))
  }

  has(key: string): Promise<boolean> {
    return this.cache.has(this.keyOf(key))
  }

  /** Stores a value. @throws the error for which the cache refused it */
  async set({ key, value, ttl }: NewEntry): Promise<void> {
    const full = this.keyOf(key)
    if (wasExpected(this.cache, full, value)) return
    this.#door.listen()
    // What has expired already is not stored, but it replaces what was there.
    if (ttl === 0) await this.cache.delete(full)
    else if (!(await this.cache.set(full, value, ttl === undefined ? undefined : { ttl })))
      throw this.#door.refusal(full)
  }

  /**
   * Stores many, those of one shard in one commit. @throws the error for which the cache refused all of them
   */
  async setMany(entries: readonly NewEntry[]): Promise<boolean[]> {
    if (entries.length === 0) return []
    const elapsed = entries.filter(({ ttl }) => ttl === 0).map(({ key }) => this.keyOf(key))
    const rows: Entry[] = entries
      .filter(({ ttl }) => ttl !== 0)
      .map(({ key, value, ttl }) => [this.keyOf(key), value, ttl === undefined ? {} : { ttl }])
    this.#door.listen()
    // Both now: what is called after this must come after all of it.
    const removing = elapsed.length > 0 && this.cache.deleteMany(elapsed, PATIENT)
    const [stored] = await Promise.all([this.cache.setMany(rows, PATIENT), removing])
    if (rows.length > 0 && !stored.some(Boolean)) throw this.#door.refusal()
    let at = 0
    return entries.map(({ ttl }) => (ttl === 0 ? true : (stored[at++] ?? false)))
  }

  /** Whether it was there. @throws the error for which the cache refused to remove it */
  async delete(key: string): Promise<boolean> {
    return this.#door.delete(this.keyOf(key))
  }

  /** Which of them were there. @throws the error for which the cache refused to remove one */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return this.#door.deleteMany(keys.map(key => this.keyOf(key)))
  }

  /** Removes the entries of this namespace, in pages, and no others. */
  async clear(): Promise<void> {
    await removePrefix(this.cache, this.prefix)
  }

  /** Keys without their namespace. @param below how they begin */
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

/** @throws TypeError when it cannot be a namespace */
export function prefixOf(namespace: unknown): string {
  if (namespace === undefined || namespace === null || namespace === '') return ':'
  if (typeof namespace === 'string' && namespace.isWellFormed()) return `${encodeURIComponent(namespace)}:`
  throw new TypeError(`namespace must be a well-formed string, got ${kindOf(namespace)}`)
}

/** Values which the cache has already, and which a host will store once more: see cache-manager/single-flight.ts. */
const expected = new WeakMap<DiskCache, Map<string, unknown>>()
let expecting = 0

/** The next `set` of a key with this value has nothing to do. */
export function expectWrite(cache: DiskCache, key: string, value: unknown): void {
  const writes = expected.get(cache) ?? new Map<string, unknown>()
  expected.set(cache, writes)
  if (!writes.has(key)) expecting++
  writes.set(key, value)
}

export function forgetWrite(cache: DiskCache, key: string): void {
  if (expecting > 0 && expected.get(cache)?.delete(key)) expecting--
}

function wasExpected(cache: DiskCache, key: string, value: unknown): boolean {
  if (expecting === 0) return false
  const writes = expected.get(cache)
  if (!writes?.has(key) || !Object.is(writes.get(key), value)) return false
  forgetWrite(cache, key)
  return true
}

/** Why writes of a cache were refused lately. */
interface Refusals {
  readonly byKey: Map<unknown, { readonly error: Error; readonly at: number }>
  last: Error | undefined
  count: number
}

/** Many may be refused in one turn, before the first of those who wait is told. */
const MOST_REFUSALS = 1000

/** One listener on each cache for all doors: a door may be made for every request. */
const refusals = new WeakMap<DiskCache, Refusals>()

/** A cache as a door has opened it. Of refused writes it knows why: hosts expect an error, not an answer. */
export class Door {
  /** Whether the cache keeps a Map: see keyv/stored-values.ts. */
  readonly boxes: boolean
  readonly #opened: OpenedCache

  constructor(opened: OpenedCache) {
    this.#opened = opened
    this.boxes = keepsObjects(opened.cache)
  }

  get cache(): DiskCache {
    return this.#opened.cache
  }

  /** Removes a key of the cache: to hosts, one that stays is not one that was missing. @throws why the cache refused to */
  delete(key: string): Promise<boolean> {
    return this.heeding(key, () => this.cache.delete(key))
  }

  /** Removes keys of the cache. @throws why the cache refused to remove one */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    const { count } = this.listen()
    const removed = await this.cache.deleteMany(keys, PATIENT)
    for (const [at, key] of keys.entries()) if (!removed[at]) this.#throwRefusal(key, count)
    return removed
  }

  /** Makes a write whose answer for one that was refused is also that for a key which is not there. @throws why it was refused */
  async heeding<T>(key: string, write: () => Promise<T>): Promise<T> {
    const { count } = this.listen()
    const answer = await write()
    if (!answer) this.#throwRefusal(key, count)
    return answer
  }

  /** Before a write: begins to notice refusals. */
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

  /** Why the last write of a key, or of many, was refused. */
  refusal(key?: string): Error {
    const heard = refusals.get(this.cache)
    const error = key === undefined ? heard?.last : heard?.byKey.get(key)?.error
    return error ?? new Error('the cache refused to store the value')
  }

  /** @throws why a write of a key was refused after so many others had been */
  #throwRefusal(key: string, before: number): void {
    const heard = refusals.get(this.cache)?.byKey.get(key)
    if (heard && heard.at > before) throw heard.error
  }

  async close(): Promise<void> {
    await this.#opened.close()
  }
}
