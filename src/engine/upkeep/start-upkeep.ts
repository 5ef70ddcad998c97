import { EventEmitter } from 'node:events'
import type { CacheHandle } from '../cache-handle.js'
import { emitSafely } from '../events.js'
import { accessEngine, accessOfModel } from '../handle-of.js'
import { checkEventName } from '../option-names.js'
import type { CacheLike } from '../recipes/cache-like.js'
import { clearTimeout, setTimeout } from '../timers.js'
import type { ModelCache } from '../views/model-cache.js'
import type { UpkeepRound } from './messages.js'
import { type RunnerUser, type UpkeepRunner, upkeepOf } from './runner.js'
import { type ResolvedUpkeep, resolveUpkeep, type UpkeepOptions } from './upkeep-options.js'

/** The events of `Upkeep` and their payloads. */
export interface UpkeepEvents {
  /** This process has completed a round. */
  readonly round: UpkeepRound
  /** This process has become the one that does the upkeep (`true`), or is it no more (`false`). */
  readonly lead: boolean
}

/** The upkeep of a directory in the background, as started by `startUpkeep`. `await using` stops it. */
export interface Upkeep extends AsyncDisposable {
  /** Whether this process does the upkeep. Of all processes that have started it on the directory, one does. */
  readonly isLeader: boolean
  /**
   * Runs a round now, including a search for orphans, if this process has the lease or the lease is free. Resolves to
   * its result, or to `undefined` when another process does the upkeep, when it was stopped, or when the round failed,
   * which the cache reports by its event `error`.
   */
  run(): Promise<UpkeepRound | undefined>
  /** Adds a listener. @throws TypeError for an unknown event */
  on<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this
  /** Adds a listener for the next event only. @throws TypeError for an unknown event */
  once<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this
  /** Removes a listener. @throws TypeError for an unknown event */
  off<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this
  /** Stops after the work under way and lets another process take over. Closing the cache does this too. */
  stop(): Promise<void>
}

/**
 * Does the upkeep of the directory of a cache in a thread: removes expired entries, evicts to a little below the
 * limits, copies the write-ahead log and removes files left by crashes. One process at a time works: the one with the
 * lease. Writes of all processes leave these tasks to it, and do them again when no process works. It keeps no process
 * alive.
 *
 * The cache is opened. It reports errors by its event `error`. Caches and collections below the directory of a
 * FanoutCache, and models with limits of their own, have directories of their own: each is kept up by a call for it.
 *
 * @param cache a cache, a namespace, a model or a collection; its whole directory is kept up
 * @throws TypeError or RangeError that names the option, also when it differs from that of another upkeep of this
 *   process on the directory; ReadonlyError when the cache is read-only
 * @example
 * const upkeep = startUpkeep(cache, { every: '5s' })
 * console.log(await upkeep.run())
 */
export function startUpkeep(cache: CacheLike | ModelCache<never, unknown>, options?: UpkeepOptions): Upkeep {
  const resolved = resolveUpkeep(options)
  const { handle } = accessOfModel(cache) ?? accessEngine(cache as CacheLike, 'startUpkeep')
  handle.assertWritable()
  return new StartedUpkeep(handle, resolved)
}

/** Starts upkeep by the option `upkeep` of a door. @throws as startUpkeep does */
export function startUpkeepOf(cache: CacheLike, choice: boolean | UpkeepOptions | undefined): Upkeep | undefined {
  if (choice === undefined || choice === false) return undefined
  return startUpkeep(cache, choice === true ? {} : choice)
}

const EVENTS: ReadonlySet<string> = new Set<keyof UpkeepEvents>(['round', 'lead'])
const RETRY_MILLISECONDS = 1000

class StartedUpkeep implements Upkeep, RunnerUser {
  readonly #handle: CacheHandle
  readonly #options: ResolvedUpkeep
  readonly #emitter = new EventEmitter()
  readonly #forget: () => void
  #runner: UpkeepRunner | undefined
  #starting: Promise<void>
  #leads = false
  #retry: NodeJS.Timeout | undefined
  #stopping: Promise<void> | undefined

  constructor(handle: CacheHandle, options: ResolvedUpkeep) {
    this.#handle = handle
    this.#options = options
    if (handle.isOpen) this.#join()
    this.#forget = handle.endWith(() => this.stop())
    this.#starting = this.#start()
  }

  get isLeader(): boolean {
    return this.#runner?.isLeader ?? false
  }

  async run(): Promise<UpkeepRound | undefined> {
    await this.#starting
    return this.#runner?.run()
  }

  on<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this {
    checkEventName(event, EVENTS)
    this.#emitter.on(event, listener)
    return this
  }

  once<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this {
    checkEventName(event, EVENTS)
    this.#emitter.once(event, listener)
    return this
  }

  off<E extends keyof UpkeepEvents>(event: E, listener: (payload: UpkeepEvents[E]) => void): this {
    checkEventName(event, EVENTS)
    this.#emitter.off(event, listener)
    return this
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  worked(round: UpkeepRound): void {
    emitSafely(this.#emitter, 'round', round)
  }

  leads(leader: boolean): void {
    if (leader === this.#leads) return
    this.#leads = leader
    emitSafely(this.#emitter, 'lead', leader)
  }

  async #start(): Promise<void> {
    try {
      await this.#handle.open()
      if (!this.#stopping && !this.#runner) this.#join()
    } catch (error) {
      if (this.#stopping) return
      this.#handle.failed(error as Error)
      // The options differ from those of another upkeep, which goes on.
      if (error instanceof RangeError) return
      this.#retry = setTimeout(
        () => {
          this.#starting = this.#start()
        },
        Math.max(RETRY_MILLISECONDS, this.#options.every),
      ).unref()
    }
  }

  /** Joins the upkeep of the engine. @throws RangeError when the options differ from those of another upkeep */
  #join(): void {
    this.#runner = upkeepOf(this.#handle, this.#options)
    this.#runner.join(this)
  }

  async #end(): Promise<void> {
    this.#forget()
    clearTimeout(this.#retry)
    const runner = this.#runner
    this.#runner = undefined
    await runner?.leave(this)
    this.leads(false)
  }
}
