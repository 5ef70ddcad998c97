import type { ResolvedOptions } from './cache-options.js'
import type { Call, Kind } from './call.js'
import { Job, type Work } from './database/job.js'
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
import { acquireEngine, type Engine, findEngine, joinEngine, releaseEngine } from './shards/engine.js'
import { absoluteDirectory, canonicalDirectory, temporaryDirectory } from './shards/layout.js'
import type { Shard } from './shards/shard.js'
import { translateError } from './translate-error.js'
import { readPatiently } from './verbs/reading.js'
import { readInOrder } from './verbs/reading-among-writes.js'
import { resolveReading, resolveWaiting } from './verbs/verb-options.js'

/**
 * What stands between the verbs of a cache and its shards: it opens the engine, finds the shard of a key, and knows
 * whether giving up is an error, as in a `Cache`, or an answer, as in a `FanoutCache`.
 */
export class CacheHandle {
  readonly kind: Kind
  readonly directory: string
  /** With the codec of the engine, once it is open. */
  options: ResolvedOptions
  readonly events: Events = new Events()
  /** What this process does with the directory, over all caches on it. */
  readonly counters: Counters
  /** Values in front of the shards, while it is open and where it was asked for. */
  memory: MemoryTier | undefined
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

  /** The shards of the open engine. */
  get shards(): readonly Shard[] {
    if (!this.#engine) throw this.#closedMeanwhile()
    return this.#engine.shards
  }

  /** @throws DiskCacheError when a shard is none of the open engine: the cache was closed, and maybe opened again */
  assertOpen(shard: Shard): void {
    if (!this.shards.includes(shard)) throw this.#closedMeanwhile()
  }

  /** Verbs that gave up waiting for a lock, of all handles on the directory. */
  get timeouts(): number {
    return this.#engine?.timeouts ?? 0
  }

  set timeouts(count: number) {
    if (this.#engine) this.#engine.timeouts = count
  }

  async open(): Promise<void> {
    if (this.#engine) return
    if (this.#removed) throw new ClosedError(this.directory)
    this.#opening ??= this.#acquire().finally(() => {
      this.#opening = undefined
    })
    await this.#opening
  }

  async close(): Promise<void> {
    // Verbs that were called before the first open ended are still on their way.
    if (this.#opening) await this.#opening.catch(() => undefined)
    this.#closing ??= this.#release().finally(() => {
      this.#closing = undefined
    })
    await this.#closing
  }

  /** Ends something with the cache, before the engine is given back. Answers how to take that back. */
  endWith(end: () => Promise<void>): () => void {
    this.#parts.add(end)
    return () => this.#parts.delete(end)
  }

  /** Runs a verb now when the cache is open, else when it is; what it throws becomes a rejection. */
  ready<T>(verb: () => Promise<T>): Promise<T> {
    try {
      if (!this.#engine && !this.#join()) return this.open().then(verb)
      return verb()
    } catch (error) {
      return rejectInTurn(error)
    }
  }

  /** The same for a verb that takes in keys and values: they are encoded before anything is waited for. */
  start<T, Input>(prepare: () => Input, verb: (input: Input) => Promise<T>): Promise<T> {
    try {
      // Another handle may have the directory open with a codec that this one was not given.
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

  /** Runs a read, after the writes of this process on its key that were called before. */
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

  /** Makes of a read that met a lock what a FanoutCache answers: nothing, and a word of it. Every other error is thrown. */
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
    if (this.options.readonly) {
      work.discard?.()
      return rejectInTurn(new ReadonlyError(this.directory))
    }
    const { wait, signal } = resolveWaiting(call.options, this.options.timeout, this.#retries(call))
    return new Promise<T>((resolve, reject) => {
      const refuse = (error: unknown): void => answerInTurn(() => this.#refuse(error, call, resolve, reject))
      const deadline = wait === Number.POSITIVE_INFINITY ? wait : performance.now() + wait
      shard.writer.enqueue(new Job(work, { deadline, signal }, resolve as (value: unknown) => void, refuse))
    })
  }

  /** Turns an error that refuses one write into the answer of a FanoutCache; every other error is thrown. */
  refusal<T>(error: unknown, call: Pick<Call<T>, 'key' | 'keys' | 'refused'>): T {
    if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
    this.tellRefused(error, call.keys ?? [call.key])
    if (this.kind === 'Cache') throw error
    return call.refused
  }

  /** Counts and tells that writes were turned down. */
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

  /** Counts and tells that a verb gave up waiting for a lock. */
  gaveUp(key?: Key): void {
    this.timeouts++
    this.counters.timeouts++
    const about = key === undefined ? undefined : { key }
    if (channels.timeout.hasSubscribers) channels.timeout.publish({ directory: this.counters.directory, ...about })
    this.events.emit('timeout', { ...about, directory: this.directory })
  }

  /** Counts and tells what failed beside any verb. */
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

  #retries(call: Call<unknown>): boolean {
    return this.kind === 'FanoutCache' && call.retry === true
  }

  /** Another handle of this process may have the directory open: then calls over both keep their order. */
  #join(): boolean {
    if (this.#opening || this.#closing || this.#removed) return false
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
    await this.#closing
    try {
      this.#use(await acquireEngine(this.kind, this.directory, this.options, this.events))
    } catch (error) {
      throw translateError(error, this.directory)
    }
  }

  async #release(): Promise<void> {
    const engine = this.#engine
    if (this.#temporary) this.#removed = true
    // New verbs open again, after this has ended.
    this.#engine = undefined
    this.memory = undefined
    if (this.#parts.size > 0) await Promise.all([...this.#parts].map(end => end()))
    if (engine) await releaseEngine(engine, this.events, this.#temporary)
  }
}
