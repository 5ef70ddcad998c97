import type { DiskCache, Transaction } from '../contract.js'
import type { EngineAccess } from '../handle-of.js'
import { kindOf } from '../option-names.js'
import type { ComputeContext, Item, Key, Listing, Waiting } from '../options.js'
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
  waitingOf,
  withoutWaiting,
} from './model-values.js'
import { Renewals } from './renewals.js'

type Found = Exclude<Opened, { readonly is: 'misfit' }>
type Misfitting = Extract<Opened, { readonly is: 'misfit' }>

/** How often a value that does not fit is removed and computed again, before it is computed without being stored. */
const TRIES = 3
const forgotten = new FinalizationRegistry<() => void>(stop => stop())

/**
 * A cache of the values of one model. What is stored is what was put; what is answered is what the schema makes of it:
 * defaults and transformations are applied when a value is read.
 *
 * A value of another version, or one that does not fit the schema, is a miss: it is removed, or migrated and stored in
 * its place. It tells so with the event `invalid`.
 */
export class ModelCache<Input, Output> {
  readonly #model: ResolvedModel
  readonly #store: ModelStore
  readonly #renewals: Renewals | undefined
  readonly #events = new InvalidEvents()
  readonly #counters: ModelCounters = newCounters()

  /** Made by `cache.model(model)`. */
  constructor(model: object, cache: DiskCache, access: object) {
    this.#model = model as ResolvedModel
    this.#store = new ModelStore(cache, access as EngineAccess)
    this.#renewals = this.#model.sliding ? new Renewals(this.#model, this.#store) : undefined
    const counters = this.#counters
    const note = (): void => {
      counters.evictions++
    }
    cache.on('evict', note)
    // Nobody closes the cache of a model: one that is no longer used must not be kept by the cache that it is on.
    forgotten.register(this, () => cache.off('evict', note))
  }

  /** The value of a key; `undefined` when there is none that fits. */
  async get(key: Key, options?: Waiting): Promise<Output | undefined> {
    this.#counters.gets++
    const { stored, fromMemory } = await this.#store.read(key, options)
    return this.#answer(stored === undefined ? undefined : await this.#fitting(key, stored), { fromMemory })
  }

  /**
   * Stores a value. Answers false when a FanoutCache refused it.
   *
   * @throws InvalidValueError, which says which field is wrong and what was expected
   */
  async put(key: Key, value: Input, options: Putting = {}): Promise<boolean> {
    checkModelOptions(options, 'put', 'storing')
    const sealing = sealed(this.#model, value, options.ttl)
    const envelope = sealing instanceof Promise ? await sealing : sealing
    const isStored = await this.#store.cache.set(key, envelope, this.#storing(options))
    if (isStored) this.#counters.puts++
    return isStored
  }

  /**
   * The values that are there and fit, by the keys as they were given: all of a `putMany`, or nothing of it, where they lie
   * in one database. It leaves no trace: no access is noted, nothing is renewed, removed or stored.
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
   * Stores all values in one transaction, or none. Answers false when a FanoutCache refused them.
   *
   * @throws InvalidValueError for the first that does not fit
   */
  async putMany(entries: Iterable<readonly [key: Key, value: Input]>, options: Putting = {}): Promise<boolean> {
    checkModelOptions(options, 'putMany', 'storing')
    checkIterable(entries, 'putMany')
    const pairs = Array.from(entries, checkPair)
    const sealing = sealedAll(this.#model, pairs, options.ttl)
    const envelopes = sealing instanceof Promise ? await sealing : sealing
    if (pairs.length === 0) return true
    const storing = this.#storing(withoutWaiting(options))
    const put = (tx: Transaction): boolean => {
      for (const [at, [key]] of pairs.entries()) tx.set(key, envelopes[at], storing)
      return true
    }
    const keys = pairs.map(([key]) => key)
    if (!(await this.#transact(put, keys, options))) return false
    this.#counters.puts += pairs.length
    return true
  }

  /** Removes all keys in one transaction, or none. Answers, in the order of the keys, which were there. */
  async deleteMany(keys: Iterable<Key>, options: Waiting = {}): Promise<boolean[]> {
    checkIterable(keys, 'deleteMany')
    checkModelOptions(options, 'deleteMany', 'waiting')
    const all = Array.from(keys)
    if (all.length === 0) return []
    const removed = await this.#transact(tx => tx.deleteMany(all), all, options)
    this.#counters.deletes += all.length
    return removed ?? all.map(() => false)
  }

  /** Removes a value; false when there was none. */
  async delete(key: Key, options?: Waiting): Promise<boolean> {
    const removed = await this.#store.cache.delete(key, options)
    this.#counters.deletes++
    return removed
  }

  /** Whether `get` would find a value. It leaves no trace. */
  async has(key: Key): Promise<boolean> {
    return (await this.#seen(key, await this.#store.peek(key))) !== undefined
  }

  /**
   * The value of a key; when there is none that fits it is computed, checked, stored and answered. Over all processes
   * one caller computes: see `getOrSet` of a cache.
   *
   * @throws InvalidValueError when what was computed does not fit
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
    this.#counters.gets++
    const slides = options.staleFor === undefined && options.beta === undefined
    for (let attempt = 0; attempt < TRIES; attempt++) {
      let isNew = false
      const compute = (context: ComputeContext<unknown>): Promise<unknown> => {
        isNew = true
        return computed(this.#model, factory, context, options.ttl)
      }
      const stored = await this.#store.cache.getOrSet(key, compute, this.#storing(options))
      if (stored === undefined) return this.#answer(undefined)
      const found = await this.#fitting(key, stored, slides && !isNew)
      if (isNew && found) this.#counters.puts++
      if (found) return this.#answer(found, { isNew })
    }
    // It cannot be removed, or another version of the model stores here again and again.
    const alone = await computed(this.#model, factory, loneContext(), options.ttl)
    const opened = alone === undefined ? undefined : await open(this.#model, alone)
    return this.#answer(opened?.is === 'value' ? opened : undefined, { isNew: true })
  }

  /** Keys of all its entries, also of those which do not fit. */
  keys(options?: Listing): AsyncIterable<Key> {
    return this.#store.cache.keys(options)
  }

  /** The entries that fit. It leaves no trace. */
  async *entries(options?: Listing): AsyncGenerator<[Key, Output]> {
    for await (const [key, stored] of this.#store.cache.entries(options)) {
      const opened = await open(this.#model, stored)
      if (opened.is !== 'misfit') yield [key, opened.value as Output]
    }
  }

  /** Entries, also those which do not fit, or have expired and were not yet removed. */
  count(): Promise<number> {
    return this.#store.cache.count()
  }

  /** Removes all its entries that there are when it is called. */
  clear(options?: Waiting): Promise<number> {
    return this.#store.cache.clear(options)
  }

  async stats(): Promise<ModelStats> {
    const { memoryHits, evictions, ...counted } = this.#counters
    const { count, volume, memory } = await this.#store.cache.stats()
    const disk = { hits: counted.hits - memoryHits, evictions, items: count, bytes: volume }
    if (!memory) return { ...counted, disk }
    const tier = { hits: memoryHits, evictions: memory.evictions, items: memory.count, bytes: memory.bytes }
    return { ...counted, disk, memory: tier }
  }

  on<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.on(listener as never)
    else this.#store.cache.on(event, listener as never)
    return this
  }

  once<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.once(listener as never)
    else this.#store.cache.once(event, listener as never)
    return this
  }

  off<E extends keyof ModelEvents>(event: E, listener: (payload: ModelEvents[E]) => void): this {
    if (event === 'invalid') this.#events.off(listener as never)
    else this.#store.cache.off(event, listener as never)
    return this
  }

  #answer(
    found: Found | undefined,
    { fromMemory = false, isNew = false }: { readonly fromMemory?: boolean; readonly isNew?: boolean } = {},
  ): Output | undefined {
    if (found === undefined || isNew) this.#counters.misses++
    else this.#counters.hits++
    if (found !== undefined && fromMemory) this.#counters.memoryHits++
    return found?.value as Output | undefined
  }

  /** What a stored value says, if it fits or can be migrated. What does neither is removed. */
  async #fitting(key: Key, stored: unknown, slides = true): Promise<Found | undefined> {
    const opening = openCurrent(this.#model, stored)
    const opened = opening instanceof Promise ? await opening : opening
    if (opened?.is !== 'value') return this.#settle(key)
    if (slides) await this.#renewals?.read(key, envelopeOf(stored).ttl)
    return opened
  }

  /** Looks again at an entry that does not fit, now with its version, so that nothing else is removed or replaced. */
  async #settle(key: Key): Promise<Found | undefined> {
    const item = await this.#store.peek(key)
    if (item === undefined) return undefined
    const opened = await open(this.#model, item.value)
    if (opened.is === 'misfit') {
      this.#tell(key, item, opened, await this.#store.remove(key, item))
      return undefined
    }
    if (opened.is === 'migrated') {
      this.#counters.migrated++
      await this.#store.replace(key, item, seal(this.#model, opened.input, envelopeOf(item.value).ttl))
    }
    return opened
  }

  /** What an entry says, which stays as it is. */
  async #seen(key: Key, item: Item<unknown> | undefined): Promise<Output | undefined> {
    if (item === undefined) return undefined
    const opened = await open(this.#model, item.value)
    if (opened.is !== 'misfit') return opened.value as Output
    this.#tell(key, item, opened, false)
    return undefined
  }

  #tell(key: Key, { value }: Item<unknown>, misfit: Misfitting, removed: boolean): void {
    this.#counters.invalid++
    this.#events.emit(describeMisfit(key, envelopeOf(value).version, misfit, removed))
  }

  #storing<O extends Putting>(options: O): O {
    const { ttl } = this.#model
    return options.ttl === undefined && ttl !== undefined ? { ...options, ttl } : options
  }

  /** As `set` does, a FanoutCache waits for the locks unless it is told otherwise. `undefined`: it refused. */
  #transact<T>(body: (tx: Transaction) => T, keys: readonly Key[], options: Waiting): Promise<T | undefined> {
    const retry = this.#store.access.handle.kind === 'FanoutCache'
    return this.#store.cache.transact(body, { keys, ...(retry && { retry }), ...waitingOf(options) })
  }
}
