import { LeaseLostError } from '../errors.js'
import { type Duration, milliseconds } from '../time.js'

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
  /**
   * Makes the lease last for `ttl` from now, as long as that of the lock when none is given. It is also done by itself,
   * while the process lives: ask for more before work that holds the loop. False when the lease was lost.
   *
   * @throws RangeError for a ttl that is no ttl of a lock
   */
  extend(ttl?: Duration): Promise<boolean>
  /**
   * Gives the lock back. False when it was not held any more, also because the database could not be written until the
   * lease had ended by itself.
   */
  release(): Promise<boolean>
}

/** How a lease is kept. */
export interface LeaseKeeper {
  /** For messages. */
  readonly label: string
  /** Milliseconds. */
  readonly ttl: number
  /** @param deadline when to give up, on the clock of `performance.now()` */
  extend(token: string, ttl: number, deadline: number): Promise<boolean>
  /** @param lasts for how long it was asked for last. Milliseconds */
  release(token: string, lasts: number): Promise<boolean>
}

/** What setTimeout can count to. Milliseconds. */
export const LONGEST_TIMER: number = 2 ** 31 - 1
const LEAST_TTL = 20
const LEAST_PAUSE = 5

/** Milliseconds of a lease. @throws TypeError or RangeError when it is no duration, too short or endless */
export function checkTtl(ttl: unknown): number {
  const time = milliseconds(ttl, 'ttl')
  if (time >= LEAST_TTL && time < Number.POSITIVE_INFINITY) return time
  throw new RangeError(`ttl must be at least ${LEAST_TTL} milliseconds and finite, got ${time}`)
}

/** A lease that extends itself until it is released or lost. */
export class KeptLease implements Lease {
  readonly token: string
  readonly fence: number
  readonly #keeper: LeaseKeeper
  #lost: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  #due: number
  #lasts: number
  /** Extensions that are under way: the heartbeat keeps out of their way. */
  #extending = 0
  #ended = false
  #isLost = false

  /** @param due when it ends, on the clock of `performance.now()` */
  constructor(keeper: LeaseKeeper, token: string, fence: number, due: number) {
    this.token = token
    this.fence = fence
    this.#keeper = keeper
    this.#due = due
    this.#lasts = keeper.ttl
    this.#arm(keeper.ttl)
  }

  /** Made when it is asked for: most leases are released soon, and nobody listens. */
  get signal(): AbortSignal {
    this.#lost ??= new AbortController()
    if (this.#isLost) this.#lost.abort(new LeaseLostError(this.#keeper.label))
    return this.#lost.signal
  }

  async extend(ttl?: Duration): Promise<boolean> {
    const time = ttl === undefined ? this.#keeper.ttl : checkTtl(ttl)
    if (this.#ended) return false
    clearTimeout(this.#timer)
    this.#extending++
    try {
      const askedAt = performance.now()
      const held = await this.#keeper.extend(this.token, time, this.#due)
      if (held) [this.#due, this.#lasts] = [askedAt + time, time]
      else this.#lose()
      return held
    } catch (error) {
      // The database could not be written: the lease goes on until its end, and nobody knows what comes then.
      if (performance.now() >= this.#due) this.#lose()
      throw error
    } finally {
      if (--this.#extending === 0 && !this.#ended) this.#arm(this.#due - performance.now())
    }
  }

  async release(): Promise<boolean> {
    if (this.#ended) return false
    this.#end()
    return this.#keeper.release(this.token, this.#lasts)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** The next heartbeat comes when a third of the ttl is over; a longer time that was asked for is not cut. */
  #arm(left: number): void {
    const { ttl } = this.#keeper
    const pause = left > ttl ? left - (ttl * 2) / 3 : left / 3
    // Holding a lock does not keep a process alive.
    this.#timer = setTimeout(beat, Math.min(Math.max(pause, LEAST_PAUSE), LONGEST_TIMER), this).unref()
  }

  #lose(): void {
    if (this.#ended) return
    this.#end()
    this.#isLost = true
    this.#lost?.abort(new LeaseLostError(this.#keeper.label))
  }

  #end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }
}

/** What went wrong shows in the lease: it is tried again, or lost. */
function beat(lease: KeptLease): void {
  lease.extend().catch(() => undefined)
}
