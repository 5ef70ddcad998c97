import { LeaseLostError } from '../errors.js'
import type { Duration } from '../time.js'
import { milliseconds } from '../time.js'

/** What the holder of a lock has. */
export interface Lease extends AsyncDisposable {
  /** Names this holding: another one of the same lock has another. */
  readonly token: string
  /**
   * Grows with every acquisition, over all processes. A lease can end while its holder is paused: who guards a resource
   * remembers the greatest number that it has seen, and refuses smaller ones.
   */
  readonly fence: number
  /** Aborts with `LeaseLostError` when the lease is known to be lost. */
  readonly signal: AbortSignal
  /** Makes the lease last from now; it is also done by itself, while the process lives. False when it was lost. */
  extend(ttl?: Duration): Promise<boolean>
  /** Gives the lock back. False when it was not held any more. */
  release(): Promise<boolean>
}

/** How a lease is kept; `seconds` from now. */
export interface LeaseKeeper {
  readonly name: string
  readonly ttl: number
  extend(token: string, ttl: number): Promise<boolean>
  release(token: string): Promise<boolean>
}

/** A lease that extends itself until it is released or lost. */
export class KeptLease implements Lease {
  readonly token: string
  readonly fence: number
  readonly #keeper: LeaseKeeper
  #lost: AbortController | undefined
  readonly #heartbeat: NodeJS.Timeout
  #due: number
  #ended = false
  #isLost = false

  /** @param due when it ends, on the clock of `performance.now()` */
  constructor(keeper: LeaseKeeper, token: string, fence: number, due: number) {
    this.token = token
    this.fence = fence
    this.#keeper = keeper
    this.#due = due
    // Holding a lock does not keep a process alive.
    this.#heartbeat = setInterval(() => void this.#beat(), Math.max(5, keeper.ttl / 3)).unref()
  }

  /** Made when it is asked for: most leases are released soon, and nobody listens. */
  get signal(): AbortSignal {
    this.#lost ??= new AbortController()
    if (this.#isLost) this.#lost.abort(new LeaseLostError(this.#keeper.name))
    return this.#lost.signal
  }

  async extend(ttl?: Duration): Promise<boolean> {
    const time = ttl === undefined ? this.#keeper.ttl : milliseconds(ttl, 'ttl')
    if (this.#ended) return false
    const askedAt = performance.now()
    const held = await this.#keeper.extend(this.token, time)
    if (held) this.#due = askedAt + time
    else this.#lose()
    return held
  }

  async release(): Promise<boolean> {
    if (this.#ended) return false
    this.#end()
    return this.#keeper.release(this.token)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  async #beat(): Promise<void> {
    try {
      // A longer time that was asked for is not cut.
      if (this.#due - performance.now() < this.#keeper.ttl) await this.extend()
    } catch {
      // The database could not be written: the lease goes on until it would have ended.
      if (performance.now() > this.#due) this.#lose()
    }
  }

  #lose(): void {
    if (this.#ended) return
    this.#end()
    this.#isLost = true
    this.#lost?.abort(new LeaseLostError(this.#keeper.name))
  }

  #end(): void {
    this.#ended = true
    clearInterval(this.#heartbeat)
  }
}
