import type { Kind, ResolvedOptions } from './cache-options.js'
import type { Call } from './call.js'
import { Job, turnDown, type Work } from './database/job.js'
import type { EncodedKey } from './disk/codec.js'
import { DirectoryKeys } from './disk/directory-keys.js'
import { placeOf } from './disk/key-hash.js'
import { keyIdentity } from './disk/keys.js'
import { ClosedError, DiskCacheError, ReadonlyError, TimeoutError } from './errors.js'
import { Events } from './events.js'
import { answerInTurn, nextTurn, rejectInTurn, turnIsLong } from './fairness.js'
import type { MemoryTier } from './memory/memory-tier.js'
import { channels } from './observe/channels.js'
import { type Counters, countersOf } from './observe/counters.js'
import type { Key, Waiting } from './options.js'
import { acquireEngine, type Engine, findEngine, joinEngine, releaseEngine, removeTemporary } from './shards/engine.js'
import { absoluteDirectory, canonicalDirectory, temporaryDirectory } from './shards/layout.js'
import type { Shard } from './shards/shard.js'
import { performance } from './timers.js'
import { translateError } from './translate-error.js'
import { readPatiently } from './verbs/reading.js'
import { readInOrder } from './verbs/reading-among-writes.js'
import { type ResolvedWaiting, resolveReading, resolveWaiting } from './verbs/verb-options.js'

/**
 * Connects the verbs of a cache with its shards: it opens the engine, routes keys to shards, and turns a refused call
 * into an error, as in a `Cache`, or into a result, as in a `FanoutCache`.
 */
export class CacheHandle {
  readonly kind: Kind
  readonly directory: string
  /** The checked options. Once open, the codec is that of the engine. */
  options: ResolvedOptions
  readonly events: Events = new Events()
  /** Counters of this process for the directory, shared by all caches on it. */
  readonly counters: Counters
  /** The memory tier in front of the shards. Present while the cache is open with the option `memory`. */
  memory: MemoryTier | undefined
  /** The handle of the cache in whose directory this one lies. */
  host: CacheHandle | undefined
  readonly #temporary: boolean
  #engine: Engine | undefined
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #removed = false
  readonly #parts = new Set<() => Promise<void>>()
  readonly #keys = new DirectoryKeys()

  constructor(kind: Kind, directory: string | URL | undefined, options: ResolvedOptions) {
    this.kind = kind
    this.#temporary = directory === undefined
    this.directory = directory === undefined ? temporaryDirectory() : absoluteDirectory(directory)
    this.options = options
    findEngine(this.directory)?.checkOptions(kind, options)
    this.counters = countersOf(canonicalDirectory(this.directory))
  }

  get isOpen(): boolean {
    return this.#engine !== undefined
  }

  /** Whether it was temporary, or in a temporary directory, which was removed when it was closed. */
  get isGone(): boolean {
    return this.#removed || this.host?.isGone === true
  }

  /** The shards of the open engine. */
  get shards(): readonly Shard[] {
    if (!this.#engine) throw this.#closedMeanwhile()
    return this.#engine.shards
  }

  /** @throws DiskCacheError when a shard does not belong to the open engine, because the cache was closed meanwhile */
  assertOpen(shard: Shard): void {
    if (!this.shards.includes(shard)) throw this.#closedMeanwhile()
  }

  /** Number of verbs that gave up waiting for a lock, of all handles on the directory. */
  get timeouts(): number {
    return this.#engine?.timeouts ?? 0
  }

  set timeouts(count: number) {
    if (this.#engine) this.#engine.timeouts = count
  }

  async open(): Promise<void> {
    if (this.#engine) return
    if (this.isGone) throw new ClosedError(this.directory)
    this.#opening ??= this.#acquire().finally(() => {
      this.#opening = undefined
    })
    await this.#opening
  }

  async close(): Promise<void> {
    // Verbs that were called during the first open must run before closing.
    if (this.#opening) await this.#opening.catch(() => undefined)
    this.#closing ??= this.#release().finally(() => {
      this.#closing = undefined
    })
    await this.#closing
  }

  /**
   * Registers a function that `close()` calls before it releases the engine. Returns a function that unregisters it.
   */
  endWith(end: () => Promise<void>): () => void {
    this.#parts.add(end)
    return () => this.#parts.delete(end)
  }

  /** Runs a verb at once when the cache is open, otherwise after opening. Errors that it throws become rejections. */
  ready<T>(verb: () => Promise<T>): Promise<T> {
    try {
      if (!this.#engine && !this.#join()) return this.open().then(verb)
      return verb()
    } catch (error) {
      return rejectInTurn(error)
    }
  }

  /** Like `ready`, for a verb with keys and values: `prepare` encodes them before anything is awaited. */
  start<T, Input>(prepare: () => Input, verb: (input: Input) => Promise<T>): Promise<T> {
    try {
      // Another handle may have opened the directory with a codec that this one was not given.
      if (!this.#engine && !this.#opening)
        this.options = findEngine(this.directory)?.adopted(this.options) ?? this.options
      const input = prepare()
      return this.ready(() => verb(input))
    } catch (error) {
      return rejectInTurn(error)
    }
  }

  encodeKey(key: Key): EncodedKey {
    const encoded = this.options.codec.encodeKey(key)
    return encoded.raw ? encoded : this.#keys.form(encoded, this.#engine?.pickleProtocol)
  }

  route(key: EncodedKey): Shard {
    return placeOf(key, this.shards)
  }

  /** Runs a read after the earlier writes of this process on the same key. */
  async read<T>(
    shard: Shard,
    encoded: EncodedKey | undefined,
    options: Waiting | undefined,
    read: () => T | Promise<T>,
    key?: Key,
  ): Promise<T | undefined> {
    const { wait, signal } = resolveReading(options, Math.min(this.options.timeout, shard.options.timeout))
    signal?.throwIfAborted()
    const { pending } = shard.writer
    if (!pending.empty) {
      const identity = encoded && keyIdentity(encoded)
      if (identity === undefined || pending.has(identity)) {
        const inOrder = await readInOrder(shard, identity, { wait, signal }, read)
        if (inOrder) return inOrder.value
      }
    }
    const late = turnIsLong()
    try {
      const found = await readPatiently(shard, wait, read, signal)
      // Only what was read gives way to the loop: a write that is called after this must not come before it.
      if (late) await nextTurn()
      return found
    } catch (error) {
      this.unread(error, key)
      return undefined
    }
  }

  /**
   * Counts and reports a read that gave up waiting for a lock. Throws its error in a Cache, and any other error in both
   * kinds; a FanoutCache then returns nothing.
   */
  unread(error: unknown, key?: Key): void {
    if (!(error instanceof TimeoutError)) throw error
    this.gaveUp(key)
    if (this.kind === 'Cache') throw error
  }

  /** @throws ReadonlyError */
  assertWritable(): void {
    if (this.options.readonly) throw new ReadonlyError(this.directory)
  }

  /** Queues a write. */
  write<T>(shard: Shard, work: Work<T>, call: Call<T>): Promise<T> {
    if (this.options.readonly) return turnDown(work, new ReadonlyError(this.directory))
    let waiting: ResolvedWaiting
    try {
      waiting = resolveWaiting(call.options, this.options.timeout, this.#defaultWait(call))
    } catch (error) {
      return turnDown(work, error)
    }
    const { wait, signal } = waiting
    return new Promise<T>((resolve, reject) => {
      const refuse = (error: unknown): void => answerInTurn(() => this.#refuse(error, call, resolve, reject))
      const deadline = wait === Number.POSITIVE_INFINITY ? wait : performance.now() + wait
      shard.writer.enqueue(new Job(work, { deadline, signal }, resolve as (value: unknown) => void, refuse))
    })
  }

  /** Turns the error of a refused write into the result of a FanoutCache. Any other error is thrown. */
  refusal<T>(error: unknown, call: Pick<Call<T>, 'key' | 'keys' | 'refused'>): T {
    if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
    this.tellRefused(error, call.keys ?? [call.key])
    if (this.kind === 'Cache') throw error
    return call.refused
  }

  /** Counts refused writes and emits `refused`. */
  tellRefused(error: DiskCacheError, keys: readonly (Key | undefined)[]): void {
    const { refusal: reason } = error
    if (reason === undefined) return
    if (reason === 'timeout') this.gaveUp(keys.length === 1 ? keys[0] : undefined)
    const { directory, refusals } = this.counters
    for (const key of keys) {
      const payload = { ...(key === undefined ? undefined : { key }), reason, error }
      refusals[reason]++
      if (channels.refused.hasSubscribers) channels.refused.publish({ directory, ...payload })
      this.events.emit('refused', payload)
    }
  }

  /** Counts a verb that gave up waiting for a lock and emits `timeout`. */
  gaveUp(key?: Key): void {
    this.timeouts++
    this.counters.timeouts++
    const about = key === undefined ? undefined : { key }
    if (channels.timeout.hasSubscribers) channels.timeout.publish({ directory: this.counters.directory, ...about })
    this.events.emit('timeout', { ...about, directory: this.directory })
  }

  /** Counts a failure outside of any verb and emits `error`. */
  failed(error: Error): void {
    this.counters.errors++
    this.events.emit('error', error)
  }

  #refuse<T>(error: unknown, call: Call<T>, resolve: (value: T) => void, reject: (error: unknown) => void): void {
    try {
      resolve(this.refusal(error, call))
    } catch (thrown) {
      reject(thrown)
    }
  }

  #defaultWait({ retry }: Call<unknown>): number {
    return this.kind === 'FanoutCache' && retry === true ? Number.POSITIVE_INFINITY : this.options.timeout
  }

  /** Joins the engine of another handle of this process, if it is open, so that calls over both keep their order. */
  #join(): boolean {
    if (this.#opening || this.#closing || this.isGone) return false
    const engine = joinEngine(this.kind, this.directory, this.options, this.events)
    if (engine) this.#use(engine)
    return engine !== undefined
  }

  #use(engine: Engine): void {
    this.#engine = engine
    this.options = engine.adopted(this.options)
    this.memory = engine.memoryOf(this.events)
    this.#keys.settle(engine.pickleProtocol)
  }

  #closedMeanwhile(): DiskCacheError {
    return new DiskCacheError(`the cache in ${this.directory} was closed meanwhile`)
  }

  async #acquire(): Promise<void> {
    // Whoever has closed it was told of a failure.
    await this.#closing?.catch(() => undefined)
    try {
      this.#use(await acquireEngine(this.kind, this.directory, this.options, this.events))
    } catch (error) {
      throw translateError(error, this.directory)
    }
  }

  async #release(): Promise<void> {
    const engine = this.#engine
    if (this.#temporary) this.#removed = true
    // Verbs called from now on open the cache again after this release.
    this.#engine = undefined
    this.memory = undefined
    try {
      if (this.#parts.size > 0) await Promise.all([...this.#parts].map(end => end()))
    } finally {
      if (engine) await releaseEngine(engine, this.events)
      if (this.#temporary) removeTemporary(this.directory)
    }
  }
}
