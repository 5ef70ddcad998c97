import { LeaseLostError } from '../errors.js'
import { keepShape } from '../kept-shapes.js'
import { isTraced } from '../observe/verbs.js'
import { type Duration, LONGEST_TIMER, milliseconds } from '../time.js'
import { clearTimeout, performance, setTimeout } from '../timers.js'

/** A held lock. `await using` releases it at the end of its block. */
export interface Lease extends AsyncDisposable {
  /** Identifies this acquisition of the lock. Digits: those of later acquisitions are greater, as `fence` is. */
  readonly token: string
  /**
   * A number that grows with every acquisition, over all processes. A lease can end while its holder is paused, so the
   * guarded resource should remember the greatest fence it has seen and refuse smaller ones.
   */
  readonly fence: number
  /** Aborts with `LeaseLostError` when the lease is known to be lost. */
  readonly signal: AbortSignal
  /**
   * Makes the lease last for `ttl` from now. A heartbeat extends it by itself while the event loop runs; ask for more
   * before work that blocks the loop. Resolves to `false` when the lease was lost.
   *
   * @param ttl milliseconds or a string. Default: the `ttl` of the lock
   * @throws RangeError for a ttl below 20 milliseconds or infinite; DiskCacheError when the cache is closed
   */
  extend(ttl?: Duration): Promise<boolean>
  /**
   * Releases the lock. Resolves to `false` when it was not held any more, which includes that the database could not be
   * written before the lease had ended by itself.
   */
  release(): Promise<boolean>
}

/** How a lease is stored and extended. */
export interface LeaseKeeper {
  /** The name of the lock in messages. */
  readonly label: string
  /** Milliseconds. */
  readonly ttl: number
  /** @param deadline when to give up, on the clock of `performance.now()` */
  extend(token: string, ttl: number, deadline: number): Promise<boolean>
  /** @param lasts the duration that was asked for last. Milliseconds */
  release(token: string, lasts: number): Promise<boolean>
  /** Runs a verb of the lease and reports it to those who trace. */
  traced<T>(verb: string, run: () => Promise<T>): Promise<T>
}

const LEAST_TTL = 20
const LEAST_PAUSE = 5

/** Milliseconds of a lease. @throws TypeError when it is no duration; RangeError when it is too short or infinite */
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
  /** Number of extensions under way. The heartbeat pauses meanwhile. */
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

  /** Created on first use: most leases are released soon and nobody listens. */
  get signal(): AbortSignal {
    this.#lost ??= new AbortController()
    if (this.#isLost) this.#lost.abort(new LeaseLostError(this.#keeper.label))
    return this.#lost.signal
  }

  async extend(ttl?: Duration): Promise<boolean> {
    const time = ttl === undefined ? this.#keeper.ttl : checkTtl(ttl)
    return !this.#ended && this.#keeper.traced('extend', () => this.#extend(time))
  }

  async release(): Promise<boolean> {
    if (this.#ended) return false
    this.#end()
    const { token } = this
    const released = await (isTraced()
      ? this.#keeper.traced('release', () => this.#keeper.release(token, this.#lasts))
      : this.#keeper.release(token, this.#lasts))
    if (!released) this.#tellLost()
    return released
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /**
   * Extends the lease from its timer. Nobody who traces hears of it, since nobody waits. Failures show in the lease
   * itself: the next beat tries again, or the lease is lost.
   */
  beat(): void {
    if (!this.#ended) this.#extend(this.#keeper.ttl).catch(() => undefined)
  }

  async #extend(time: number): Promise<boolean> {
    clearTimeout(this.#timer)
    this.#extending++
    try {
      const askedAt = performance.now()
      const held = await this.#keeper.extend(this.token, time, this.#due)
      if (held) [this.#due, this.#lasts] = [askedAt + time, time]
      else this.#lose()
      return held
    } catch (error) {
      // The database could not be written. The lease stays valid until its end; after that others may have the lock.
      if (performance.now() >= this.#due) this.#lose()
      throw error
    } finally {
      if (--this.#extending === 0 && !this.#ended) this.#arm(this.#due - performance.now())
    }
  }

  /** Starts the timer of the next heartbeat, a third of the ttl from now. A longer extension is not cut short. */
  #arm(left: number): void {
    const { ttl } = this.#keeper
    const pause = left > ttl ? left - (ttl * 2) / 3 : left / 3
    // Holding a lock does not keep a process alive.
    this.#timer = setTimeout(beat, Math.min(Math.max(pause, LEAST_PAUSE), LONGEST_TIMER), this).unref()
  }

  #lose(): void {
    if (this.#ended) return
    this.#end()
    this.#tellLost()
  }

  #tellLost(): void {
    this.#isLost = true
    this.#lost?.abort(new LeaseLostError(this.#keeper.label))
  }

  #end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }
}

const NO_KEEPER: LeaseKeeper = {
  label: '',
  ttl: LONGEST_TIMER,
  extend: async () => false,
  release: async () => false,
  traced: (_verb, run) => run(),
}
const exemplar = new KeptLease(NO_KEEPER, '', 0, 0.5)
void exemplar.release()
keepShape(exemplar)

function beat(lease: KeptLease): void {
  lease.beat()
}
