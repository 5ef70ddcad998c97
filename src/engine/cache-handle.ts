import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ResolvedOptions } from './cache-options.js'
import { Job, type Work } from './database/job.js'
import type { EncodedKey } from './disk/codec.js'
import { hashKey } from './disk/key-hash.js'
import { type KeyIdentity, keyIdentity } from './disk/keys.js'
import { ClosedError, DiskCacheError, ReadonlyError, TimeoutError } from './errors.js'
import { Events } from './events.js'
import { nextTurn, turnIsLong } from './fairness.js'
import type { MemoryTier } from './memory/memory-tier.js'
import { channels } from './observe/channels.js'
import { type Counters, countersOf } from './observe/counters.js'
import type { Key, Waiting } from './options.js'
import { acquireEngine, type Engine, findEngine, joinEngine, releaseEngine } from './shards/engine.js'
import { absoluteDirectory, canonicalDirectory } from './shards/layout.js'
import type { Shard } from './shards/shard.js'
import { translateError } from './translate-error.js'
import { readPatiently } from './verbs/reading.js'
import { type ResolvedWaiting, resolveWaiting } from './verbs/verb-options.js'

export type Kind = 'Cache' | 'FanoutCache'

/** How one call of a writing verb waits, and what it answers when it is refused. */
export interface Call<T> {
  readonly key?: Key
  readonly options?: Waiting | undefined
  /** What a FanoutCache answers instead of an error. */
  readonly refused: T
  /** Whether a FanoutCache waits without a bound unless told otherwise. */
  readonly retry?: boolean
}

/**
 * What stands between the verbs of a cache and its shards: it opens the engine, finds the shard of a key, and knows
 * whether giving up is an error, as in a `Cache`, or an answer, as in a `FanoutCache`.
 */
export class CacheHandle {
  readonly kind: Kind
  readonly directory: string
  readonly options: ResolvedOptions
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

  constructor(kind: Kind, directory: string | undefined, options: ResolvedOptions) {
    this.kind = kind
    this.options = options
    this.#temporary = directory === undefined
    this.directory = directory === undefined ? temporaryDirectory() : absoluteDirectory(directory)
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
      return Promise.reject(error)
    }
  }

  /** The same for a verb that takes in keys and values: they are encoded before anything is waited for. */
  start<T, Input>(prepare: () => Input, verb: (input: Input) => Promise<T>): Promise<T> {
    try {
      const input = prepare()
      return this.ready(() => verb(input))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  encodeKey(key: Key): EncodedKey {
    return this.options.codec.encodeKey(key)
  }

  route(key: EncodedKey): Shard {
    const { shards } = this
    return shards[shards.length === 1 ? 0 : hashKey(key) % shards.length] as Shard
  }

  /** Runs a read, after the writes of this process on its key that were called before. */
  async read<T>(
    shard: Shard,
    encoded: EncodedKey | undefined,
    options: Waiting | undefined,
    read: () => T | Promise<T>,
    key?: Key,
  ): Promise<T | undefined> {
    const { wait, signal } = resolveWaiting(options, this.options.timeout, false)
    signal?.throwIfAborted()
    const { pending } = shard.writer
    if (!pending.empty) {
      const identity = encoded && keyIdentity(encoded)
      if (identity === undefined || pending.has(identity)) {
        const inOrder = await this.#readInOrder(shard, identity, { wait, signal }, read)
        if (inOrder) return inOrder.value
      }
    }
    if (turnIsLong()) await shard.closing.track(nextTurn())
    try {
      return await readPatiently(shard, wait, read)
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      this.gaveUp(key)
      if (this.kind === 'Cache') throw error
      return undefined
    }
  }

  /** @throws ReadonlyError */
  assertWritable(): void {
    if (this.options.readonly) throw new ReadonlyError(this.directory)
  }

  /** Queues a write. */
  write<T>(shard: Shard, work: Work<T>, call: Call<T>): Promise<T> {
    if (this.options.readonly) {
      work.discard?.()
      return Promise.reject(new ReadonlyError(this.directory))
    }
    const { wait, signal } = resolveWaiting(call.options, this.options.timeout, this.#retries(call))
    return new Promise<T>((resolve, reject) => {
      const refuse = (error: unknown): void => this.#refuse(error, call, resolve, reject)
      const deadline = wait === Number.POSITIVE_INFINITY ? wait : performance.now() + wait
      shard.writer.enqueue(new Job(work, { deadline, signal }, resolve as (value: unknown) => void, refuse))
    })
  }

  /** Turns an error that refuses one write into the answer of a FanoutCache; every other error is thrown. */
  refusal<T>(error: unknown, call: Pick<Call<T>, 'key' | 'refused'>): T {
    if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
    this.tellRefused(error, call.key)
    if (this.kind === 'Cache') throw error
    return call.refused
  }

  /** Counts and tells that a write was turned down. */
  tellRefused(error: DiskCacheError, key: Key | undefined): void {
    if (error.refusal === undefined) return
    if (error.refusal === 'timeout') this.gaveUp(key)
    const payload = { ...(key === undefined ? undefined : { key }), reason: error.refusal, error }
    const { directory, refusals } = this.counters
    refusals[error.refusal]++
    if (channels.refused.hasSubscribers) channels.refused.publish({ directory, ...payload })
    this.events.emit('refused', payload)
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

  /**
   * Reads in its place among the writes that wait, so that it sees those which were called before it and none that was
   * called later. `undefined` when they take too long: then the committed row is the answer.
   */
  async #readInOrder<T>(
    shard: Shard,
    identity: KeyIdentity | undefined,
    { wait, signal }: ResolvedWaiting,
    read: () => T | Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    const run = (): { readonly value: T | Promise<T> } => {
      const value = read()
      // A run that is repeated leaves its promise to nobody.
      if (value instanceof Promise) value.catch(() => undefined)
      return { value }
    }
    const order = identity === undefined ? { barrier: true } : { identity }
    const deadline = performance.now() + Math.min(wait, this.options.timeout)
    try {
      const { value } = await shard.write({ run, ...order }, { deadline, signal })
      return { value: await value }
    } catch (error) {
      if (error instanceof DiskCacheError && error.refusal !== undefined) return undefined
      throw shard.translate(error)
    }
  }

  /** Another handle of this process may have the directory open: then calls over both keep their order. */
  #join(): boolean {
    if (this.#opening || this.#closing || this.#removed) return false
    this.#engine = joinEngine(this.kind, this.directory, this.options, this.events)
    this.memory = this.#engine?.memoryOf(this.events)
    return this.#engine !== undefined
  }

  #closedMeanwhile(): DiskCacheError {
    return new DiskCacheError(`the cache in ${this.directory} was closed meanwhile`)
  }

  async #acquire(): Promise<void> {
    await this.#closing
    try {
      this.#engine = await acquireEngine(this.kind, this.directory, this.options, this.events)
      this.memory = this.#engine.memoryOf(this.events)
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

/** A directory that is made when the cache is opened, and whose name nobody can guess. */
function temporaryDirectory(): string {
  return join(tmpdir(), `fanout-cache-${randomBytes(12).toString('hex')}`)
}
