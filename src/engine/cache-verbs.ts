import type { CacheHandle } from './cache-handle.js'
import type { DiskCache, Entry, StoredFile, Transaction } from './contract.js'
import type { Session } from './database/session.js'
import type { EncodedKey } from './disk/codec.js'
import { keyIdentity } from './disk/keys.js'
import type { CacheEvents } from './events.js'
import { knownCaches } from './known-caches.js'
import { isTraced, traced } from './observe/verbs.js'
import { incr } from './operations/counters.js'
import { remove, take, touch } from './operations/items.js'
import { kindOf } from './option-names.js'
import type {
  CacheStats,
  Checking,
  Computing,
  Counting,
  Expiring,
  Factory,
  Finding,
  Info,
  Item,
  Key,
  Listing,
  Settings,
  SettingsChange,
  StatsOptions,
  Storing,
  Tag,
  Touching,
  Transacting,
  Waiting,
} from './options.js'
import type { Shard } from './shards/shard.js'
import { encodeEntries, removeKeys, storeEntries } from './verbs/bulk.js'
import { CacheTransaction } from './verbs/cache-transaction.js'
import { check } from './verbs/checking.js'
import { getOrSet } from './verbs/computing.js'
import { configure, settings } from './verbs/configuring.js'
import * as figures from './verbs/figures.js'
import { getValue, hasKey } from './verbs/getting.js'
import { getValues } from './verbs/getting-many.js'
import { listEntries, listKeys } from './verbs/listing.js'
import { readInfo, readItem } from './verbs/reading.js'
import * as removing from './verbs/removing.js'
import { openStoredFile } from './verbs/stored-file.js'
import { ADD, SET, storeValue } from './verbs/storing.js'
import { takeOut, toItem } from './verbs/taking.js'
import { transactOver } from './verbs/transacting.js'
import { checkDelta, checkVerbOptions, resolveChangeOf, resolveInitial, resolveStoring } from './verbs/verb-options.js'

type Run<T> = (session: Session) => T
/** A write of one key, for `Call`. */
type KeyCall<T> = { readonly key: Key; readonly options: Waiting | undefined; readonly refused: T }

/** The handle of a cache. It is typed `object` to keep internals out of the declarations of the package. */
export let opaqueHandleOf: (cache: CacheVerbs) => object

/** The verbs of a cache over any number of shards. They are documented in `DiskCache`. */
export abstract class CacheVerbs implements DiskCache {
  readonly directory: string
  readonly #handle: CacheHandle

  static {
    opaqueHandleOf = cache => cache.#handle
  }

  /** @param handle a CacheHandle */
  protected constructor(handle: object) {
    this.#handle = handle as CacheHandle
    this.directory = this.#handle.directory
    knownCaches().handles.set(this, handle)
  }

  async open(): Promise<this> {
    await this.#handle.open()
    return this
  }

  get<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined> {
    // The most frequent verb avoids a closure when nobody traces.
    if (!isTraced()) return getValue(this.#handle, key, options)
    return traced(this.#handle, 'get', key, () => getValue(this.#handle, key, options))
  }

  getItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined> {
    return this.#read('getItem', key, options, (shard, encoded) => readItem<T>(shard, encoded))
  }

  info(key: Key, options?: Waiting): Promise<Info | undefined> {
    return this.#read('info', key, options, readInfo)
  }

  read(key: Key, options?: Waiting): Promise<StoredFile | undefined> {
    return this.#read('read', key, options, openStoredFile)
  }

  has(key: Key): Promise<boolean> {
    return traced(this.#handle, 'has', key, () => hasKey(this.#handle, key))
  }

  getMany<T = unknown>(keys: Iterable<Key>, options?: Waiting): Promise<(T | undefined)[]> {
    return traced(this.#handle, 'getMany', undefined, () => getValues(this.#handle, keys, options))
  }

  set(key: Key, value: unknown, options?: Storing): Promise<boolean> {
    return traced(this.#handle, 'set', key, () => storeValue(this.#handle, key, value, options, SET))
  }

  add(key: Key, value: unknown, options?: Storing): Promise<boolean> {
    return traced(this.#handle, 'add', key, () => storeValue(this.#handle, key, value, options, ADD))
  }

  // `Old` keeps TypeScript from inferring `T` from the parameter of the factory instead of from its result.
  getOrSet<T, Old extends T = T>(key: Key, factory: Factory<T, Old>, options?: Computing): Promise<T> {
    return traced(this.#handle, 'getOrSet', key, () => getOrSet(this.#handle, key, factory as Factory<T>, options))
  }

  setMany(entries: Iterable<Entry>, options?: Waiting): Promise<boolean[]> {
    const handle = this.#handle
    return traced(handle, 'setMany', undefined, () =>
      handle.start(
        () => encodeEntries(handle, entries, options),
        encoded => storeEntries(handle, encoded, options),
      ),
    )
  }

  touch(key: Key, options: Touching): Promise<boolean> {
    return this.#verb('touch', key, () => {
      checkVerbOptions(options, 'touch', 'touching')
      const { shard, encoded, now } = this.#locate(key)
      const change = resolveChangeOf(options ?? {}, now)
      const run: Run<boolean> = session => touch(session, encoded, change, now)
      return this.#write(shard, encoded, run, { key, options, refused: false })
    })
  }

  delete(key: Key, options?: Waiting): Promise<boolean> {
    return this.#verb('delete', key, () => {
      checkVerbOptions(options, 'delete', 'waiting')
      const { shard, encoded, now } = this.#locate(key)
      const run: Run<boolean> = session => remove(session, encoded, now)
      return this.#write(shard, encoded, run, { key, options, refused: false })
    })
  }

  deleteMany(keys: Iterable<Key>, options?: Waiting): Promise<boolean[]> {
    return this.#verb('deleteMany', undefined, () => removeKeys(this.#handle, keys, options))
  }

  pop<T = unknown>(key: Key, options?: Waiting): Promise<T | undefined> {
    return this.#verb('pop', key, async () => (await this.#take<T>('pop', key, options))?.value)
  }

  popItem<T = unknown>(key: Key, options?: Waiting): Promise<Item<T> | undefined> {
    return this.#verb('popItem', key, () => this.#take<T>('popItem', key, options))
  }

  incr(key: Key, delta?: number, options?: Counting): Promise<number>
  incr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  incr(key: Key, delta: number | bigint = 1, options: Counting = {}): Promise<number> | Promise<bigint> {
    return this.#verb('incr', key, () => this.#count('incr', key, checkDelta(delta), options)) as Promise<number>
  }

  decr(key: Key, delta?: number, options?: Counting): Promise<number>
  decr(key: Key, delta: bigint, options?: Counting): Promise<bigint>
  decr(key: Key, delta: number | bigint = 1, options: Counting = {}): Promise<number> | Promise<bigint> {
    return this.#verb('decr', key, () => this.#count('decr', key, -checkDelta(delta), options)) as Promise<number>
  }

  keys(options?: Listing): AsyncIterable<Key> {
    return listKeys(this.#handle, options, 'keys')
  }

  entries<T = unknown>(options?: Listing): AsyncIterable<[Key, T]> {
    return listEntries<T>(this.#handle, options)
  }

  count(): Promise<number> {
    return this.#verb('count', undefined, () => figures.count(this.#handle))
  }

  volume(): Promise<number> {
    return this.#verb('volume', undefined, () => figures.volume(this.#handle))
  }

  expire(options?: Expiring): Promise<number> {
    return this.#verb('expire', undefined, () => removing.expire(this.#handle, options))
  }

  evict(tag: Tag, options?: Waiting): Promise<number> {
    return this.#verb('evict', undefined, () => removing.evict(this.#handle, tag, options))
  }

  cull(options?: Waiting): Promise<number> {
    return this.#verb('cull', undefined, () => removing.cull(this.#handle, options))
  }

  clear(options?: Waiting): Promise<number> {
    return this.#verb('clear', undefined, () => removing.clear(this.#handle, options))
  }

  check(options?: Checking): Promise<Finding[]> {
    return this.#verb('check', undefined, () => check(this.#handle, options))
  }

  stats(options?: StatsOptions): Promise<CacheStats> {
    return this.#verb('stats', undefined, () => figures.stats(this.#handle, options))
  }

  async createTagIndex(): Promise<void> {
    await this.configure({ tagIndex: true })
  }

  async dropTagIndex(): Promise<void> {
    await this.configure({ tagIndex: false })
  }

  settings(): Promise<Settings> {
    return this.#verb('settings', undefined, () => settings(this.#handle))
  }

  configure(settings: SettingsChange): Promise<Settings> {
    return this.#verb('configure', undefined, () => configure(this.#handle, settings))
  }

  transact<T>(body: (tx: Transaction) => T, options?: Transacting): Promise<T> {
    return this.#verb('transact', undefined, () =>
      transactOver<T, CacheTransaction>(this.#handle, body, options, scope => new CacheTransaction(scope)),
    )
  }

  on<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#handle.events.on(event, listener)
    return this
  }

  once<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#handle.events.once(event, listener)
    return this
  }

  off<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#handle.events.off(event, listener)
    return this
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** Does what `close` does, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #verb<T>(verb: string, key: Key | undefined, run: () => Promise<T>): Promise<T> {
    return traced(this.#handle, verb, key, () => this.#handle.ready(run))
  }

  async #take<T>(verb: string, key: Key, options: Waiting | undefined): Promise<Item<T> | undefined> {
    checkVerbOptions(options, verb, 'waiting')
    const { shard, encoded, now } = this.#locate(key)
    const run: Run<ReturnType<typeof takeOut>> = session => takeOut(shard, session, take(session, encoded, now))
    return toItem<T>(await this.#write(shard, encoded, run, { key, options, refused: undefined }))
  }

  #count(verb: string, key: Key, delta: number | bigint, options: Counting): Promise<number | bigint | undefined> {
    checkVerbOptions(options, verb, 'counting')
    const { shard, encoded, now } = this.#locate(key)
    const { expireTime, tag, tags } = resolveStoring(options, now, this.#handle.options.defaultTtl)
    const initial = resolveInitial(options.default)
    const count = { key: encoded, delta, initial, now, expireTime, tag, tags, verb, name: kindOf(key) }
    return this.#write(shard, encoded, session => incr(session, count), { key, options, refused: undefined })
  }

  #locate(key: Key): { readonly shard: Shard; readonly encoded: EncodedKey; readonly now: number } {
    const encoded = this.#handle.encodeKey(key)
    const shard = this.#handle.route(encoded)
    return { shard, encoded, now: shard.disk.now() }
  }

  #write<T>(shard: Shard, encoded: EncodedKey, run: Run<T>, call: KeyCall<T>): Promise<T> {
    const { key, options, refused } = call
    return this.#handle.write(shard, { run, identity: keyIdentity(encoded) }, { key, options, refused, retry: true })
  }

  #read<T>(
    verb: string,
    key: Key,
    options: Waiting | undefined,
    read: (shard: Shard, encoded: EncodedKey) => T | Promise<T>,
  ): Promise<T | undefined> {
    return this.#verb(verb, key, () => {
      checkVerbOptions(options, verb, 'waiting')
      const { shard, encoded } = this.#locate(key)
      return this.#handle.read(shard, encoded, options, () => read(shard, encoded), key)
    })
  }
}
