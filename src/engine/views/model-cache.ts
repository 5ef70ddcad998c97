import type { DiskCache, Transaction } from '../contract.js'
import type { EngineAccess } from '../handle-of.js'
import { kindOf } from '../option-names.js'
import type { ComputeContext, Item, Key, Listing, Tag, Waiting } from '../options.js'
import { whenStored } from '../verbs/compute-context.js'
import { checkIterable } from '../verbs/verb-options.js'
import { envelopeOf, type Opened, open, openCurrent, seal } from './envelope.js'
import type { ResolvedModel } from './model.js'
import { describeMisfit, InvalidEvents, type ModelEvents } from './model-events.js'
import { type ModelCounters, type ModelStats, newCounters } from './model-stats.js'
import { ModelStore } from './model-store.js'
import {
  checkModelOptions,
  checkPair,
  computed,
  loneContext,
  type ModelFactory,
  type Putting,
  type PuttingComputed,
  sealed,
  sealedAll,
  withoutWaiting,
} from './model-values.js'
import { Renewals } from './renewals.js'

type Found = Exclude<Opened, { readonly is: 'misfit' }>
type Misfitting = Extract<Opened, { readonly is: 'misfit' }>

/** How often a misfit is removed and computed again, before the value is computed without storing it. */
const TRIES = 3
const forgotten = new FinalizationRegistry<() => void>(stop => stop())

/**
 * The cache of the values of one model. Values are stored as they were put. The schema, with its defaults and
 * transformations, is applied when a value is read.
 *
 * A value of another version, or one that violates the schema, is migrated and replaced if possible. Otherwise it is a
 * miss: it is removed, and the event `invalid` is emitted.
 */
export class ModelCache<Input, Output> {
  /** The absolute path of the directory of the cache that holds the values. */
  readonly directory: string
  readonly #model: ResolvedModel
  readonly #store: ModelStore
  readonly #renewals: Renewals | undefined
  readonly #events = new InvalidEvents()
  readonly #counters: ModelCounters = newCounters()

  /** Use `cache.model(model)` instead. */
  constructor(model: object, cache: DiskCache, access: object) {
    this.directory = cache.directory
    this.#model = model as ResolvedModel
    this.#store = new ModelStore(cache, access as EngineAccess)
    this.#renewals = this.#model.sliding ? new Renewals(this.#model, this.#store) : undefined
    const counters = this.#counters
    const note = (): void => void counters.evictions++
    cache.on('evict', note)
    // The cache of a model is never closed. When it is no longer used, its listener must not keep it alive.
    forgotten.register(this, () => cache.off('evict', note))
  }

  /** Reads the value of a key. Resolves to `undefined` when there is none that fits. */
  async get(key: Key, options?: Waiting): Promise<Output | undefined> {
    const { stored, fromMemory } = await this.#store.read(key, options)
    return this.#answer(stored === undefined ? undefined : await this.#fitting(key, stored), { fromMemory })
  }

  /**
   * Stores a value. Resolves to `false` when a FanoutCache refuses it.
   *
   * @throws InvalidValueError that names the wrong field and what was expected there
   */
  async put(key: Key, value: Input, options: Putting = {}): Promise<boolean> {
    checkModelOptions(options, 'put', 'storing')
    const sealing = sealed(this.#model, value, { ttl: options.ttl, keep: this.#store.copyOf })
    const envelope = sealing instanceof Promise ? await sealing : sealing
    const isStored = await this.#store.put(key, envelope, this.#storing(options))
    if (isStored) this.#counters.puts++
    return isStored
  }

  /**
   * Reads the values that exist and fit. Resolves to a map by the given keys: all of a `putMany` or nothing of it, where
   * they lie in one database. It changes nothing: no access is noted, nothing is renewed, removed or stored.
   */
  async getMany(keys: Iterable<Key>, options: Waiting = {}): Promise<Map<Key, Output>> {
    checkIterable(keys, 'getMany')
    checkModelOptions(options, 'getMany', 'waiting')
    const all = Array.from(keys)
    const items = await this.#store.peekAll(all, options)
    const values = await Promise.all(items.map((item, at) => this.#seen(all[at] as Key, item)))
    const found = new Map<Key, Output>()
    for (const [at, value] of values.entries()) if (value !== undefined) found.set(all[at] as Key, value)
    const hits = values.filter(value => value !== undefined).length
    this.#counters.gets += all.length
    this.#counters.hits += hits
    this.#counters.misses += all.length - hits
    return found
  }

  /**
   * Stores all values in one transaction, or none. Resolves to `false` when a FanoutCache refuses them.
   *
   * @throws InvalidValueError for the first that does not fit
   */
  async putMany(entries: Iterable<readonly [key: Key, value: Input]>, options: Putting = {}): Promise<boolean> {
    checkModelOptions(options, 'putMany', 'storing')
    checkIterable(entries, 'putMany')
    const pairs = Array.from(entries, checkPair)
    const sealing = sealedAll(this.#model, pairs, { ttl: options.ttl, keep: this.#store.copyOf })
    const envelopes = sealing instanceof Promise ? await sealing : sealing
    if (pairs.length === 0) return true
    const storing = this.#storing(withoutWaiting(options))
    const put = (tx: Transaction): boolean => {
      for (const [at, [key]] of pairs.entries()) tx.set(key, envelopes[at], storing)
      return true
    }
    const keys = pairs.map(([key]) => key)
    if (!(await this.#store.transact(put, keys, options))) return false
    this.#counters.puts += pairs.length
    return true
  }

  /** Removes all keys in one transaction, or none. Resolves to whether each existed, in the order of the keys. */
  async deleteMany(keys: Iterable<Key>, options: Waiting = {}): Promise<boolean[]> {
    checkIterable(keys, 'deleteMany')
    checkModelOptions(options, 'deleteMany', 'waiting')
    const all = Array.from(keys)
    if (all.length === 0) return []
    const removed = await this.#store.transact(tx => tx.deleteMany(all), all, options)
    this.#counters.deletes += all.length
    return removed ?? all.map(() => false)
  }

  /** Removes a value. Resolves to `false` when there was none. */
  async delete(key: Key, options?: Waiting): Promise<boolean> {
    const removed = await this.#store.cache.delete(key, options)
    this.#counters.deletes++
    return removed
  }

  /** Tells whether `get` would find a value. It changes nothing. */
  async has(key: Key): Promise<boolean> {
    return (await this.#seen(key, await this.#store.peek(key))) !== undefined
  }

  /**
   * Reads the value of a key, or computes, checks and stores it when there is none that fits. Over all processes one
   * caller computes: see `getOrSet` of `DiskCache`.
   *
   * @throws InvalidValueError when the computed value does not fit
   */
  getOrSet(key: Key, factory: ModelFactory<Input, Output>, options?: PuttingComputed): Promise<Output>
  getOrSet(
    key: Key,
    factory: ModelFactory<Input | undefined, Output>,
    options?: PuttingComputed,
  ): Promise<Output | undefined>
  async getOrSet(
    key: Key,
    factory: ModelFactory<Input | undefined, Output>,
    options: PuttingComputed = {},
  ): Promise<Output | undefined> {
    checkModelOptions(options, 'getOrSet', 'computing')
    if (typeof factory !== 'function') {
      throw new TypeError(`getOrSet: the second argument must be a function that computes, got ${kindOf(factory)}`)
    }
    const slides = options.staleFor === undefined && options.beta === undefined
    for (let attempt = 0; attempt < TRIES; attempt++) {
      let isNew = false
      const compute = (context: ComputeContext<unknown>): Promise<unknown> => {
        isNew = true
        whenStored(context, () => this.#counters.puts++)
        return computed(this.#model, factory, context, options.ttl)
      }
      const stored = await this.#store.getOrSet(key, compute, this.#storing(options))
      if (stored === undefined) return this.#answer(undefined)
      const found = await this.#fitting(key, stored, { slides: slides && !isNew })
      if (found) return this.#answer(found, { isNew })
    }
    // The misfit cannot be removed, or another version of the model keeps storing it.
    const alone = await computed(this.#model, factory, loneContext(), options.ttl)
    const opened = alone === undefined ? undefined : await open(this.#model, alone)
    return this.#answer(opened?.is === 'value' ? opened : undefined, { isNew: true })
  }

  /** Lists the keys of all entries, including those that do not fit. */
  keys(options?: Listing): AsyncIterable<Key> {
    return this.#store.cache.keys(options)
  }

  /** Lists the entries that fit. It changes nothing. */
  async *entries(options?: Listing): AsyncGenerator<[Key, Output]> {
    for await (const [key, stored] of this.#store.cache.entries(options)) {
      const opened = await open(this.#model, stored)
      if (opened.is !== 'misfit') yield [key, opened.value as Output]
    }
  }

  /** Counts the entries, including those that do not fit and expired ones that were not removed yet. */
  count(): Promise<number> {
    return this.#store.cache.count()
  }

  /** Removes all entries of the model that exist at the time of the call. Resolves to how many. */
  clear(options?: Waiting): Promise<number> {
    return this.#store.cache.clear(options)
  }

  /** Removes the entries of the model that have a tag. Resolves to how many. */
  evict(tag: Tag, options?: Waiting): Promise<number> {
    return this.#store.cache.evict(tag, options)
  }

  /** Returns the figures of this model: what was read and put through this object, and its entries on disk. */
  async stats(): Promise<ModelStats> {
    const { memoryHits, evictions, ...counted } = this.#counters
    const { count, volume, memory } = await this.#store.cache.stats()
    const disk = { hits: counted.hits - memoryHits, evictions, items: count, bytes: volume }
    if (!memory) return { ...counted, disk }
    const tier = { hits: memoryHits, evictions: memory.evictions, items: memory.count, bytes: memory.bytes }
    return { ...counted, disk, memory: tier }
  }

  /** Adds a listener. @throws TypeError for an unknown event */
  on<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.on(listener as never)
    else this.#store.cache.on(event, listener as never)
    return this
  }

  /** Adds a listener for the next event only. @throws TypeError for an unknown event */
  once<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.once(listener as never)
    else this.#store.cache.once(event, listener as never)
    return this
  }

  /** Removes a listener. @throws TypeError for an unknown event */
  off<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.off(listener as never)
    else this.#store.cache.off(event, listener as never)
    return this
  }

  #answer(
    found: Found | undefined,
    { fromMemory = false, isNew = false }: { readonly fromMemory?: boolean; readonly isNew?: boolean } = {},
  ): Output | undefined {
    this.#counters.gets++
    if (found === undefined || isNew) this.#counters.misses++
    else this.#counters.hits++
    if (found !== undefined && fromMemory) this.#counters.memoryHits++
    return found?.value as Output | undefined
  }

  /** Opens a stored value that fits or can be migrated. Any other is removed. */
  async #fitting(key: Key, stored: unknown, { slides } = { slides: true }): Promise<Found | undefined> {
    const opening = openCurrent(this.#model, stored)
    const opened = opening instanceof Promise ? await opening : opening
    if (opened?.is !== 'value') return this.#settle(key)
    if (slides) await this.#renewals?.read(key, envelopeOf(stored).ttl)
    return opened
  }

  /** Reads an entry that does not fit again, with its version, so that only this one is removed or replaced. */
  async #settle(key: Key): Promise<Found | undefined> {
    const item = await this.#store.peek(key)
    if (item === undefined) return undefined
    const opened = await open(this.#model, item.value)
    if (opened.is === 'misfit') {
      this.#tell(key, item, opened, { removed: await this.#store.remove(key, item) })
      return undefined
    }
    if (opened.is === 'migrated') {
      this.#counters.migrated++
      await this.#store.replace(key, item, seal(this.#model, opened.input, envelopeOf(item.value).ttl))
    }
    return opened
  }

  /** Opens the value of an entry and changes nothing. */
  async #seen(key: Key, item: Item<unknown> | undefined): Promise<Output | undefined> {
    if (item === undefined) return undefined
    const opened = await open(this.#model, item.value)
    if (opened.is !== 'misfit') return opened.value as Output
    this.#tell(key, item, opened, { removed: false })
    return undefined
  }

  #tell(key: Key, { value }: Item<unknown>, misfit: Misfitting, { removed }: { removed: boolean }): void {
    this.#counters.invalid++
    this.#events.emit(describeMisfit({ key, fromVersion: envelopeOf(value).version, removed }, misfit))
  }

  #storing<O extends Putting>(options: O): O {
    const { ttl } = this.#model
    return options.ttl === undefined && ttl !== undefined ? { ...options, ttl } : options
  }
}
