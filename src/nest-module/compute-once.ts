import type { ComputeContext, Computing, DiskCache } from '../engine/index.js'
import { decodeStored, encodeStored } from './stored-value.js'

/** How long an answer waits for its own storing. */
const STORING_MILLISECONDS = 25
/** How long the lock of the database is waited for before something is computed without protection. */
const LOCK_MILLISECONDS = 250

/** One call that computes where there is no value. */
export interface Computation<T> {
  readonly cache: DiskCache
  /** The key in the engine. */
  readonly key: string
  readonly compute: (context: Pick<ComputeContext<T>, 'ttl'>) => Promise<Made<T>>
  readonly options?: Computing
  /** How long somebody else's computation is waited for, in milliseconds. @default as long as it takes */
  readonly patience?: number
  /** Is told of errors of the cache, which reach nobody else. */
  readonly report: (error: unknown) => void
}

/** What was computed. */
export interface Made<T> {
  readonly value: T
  /** Otherwise it is for this call alone, and others compute for themselves. */
  readonly keep: boolean
}

export interface Computed<T> {
  readonly value: T
  /** This call has computed it. */
  readonly own: boolean
}

/** Goes to those who waited for something that is not for them. */
const NOT_KEPT: unique symbol = Symbol('not kept')

/** What `compute` threw, on its way through the cache. */
class ComputeError extends Error {
  override name = 'ComputeError'
}

/**
 * `getOrSet` for those who must go on whatever happens to the cache: where it fails, they compute for themselves. Errors
 * of `compute` reach whoever waits for it in this process, as they are.
 */
export async function computeOnce<T>(computation: Computation<T>): Promise<Computed<T>> {
  const { cache, key, compute, options, report } = computation
  const attempt = new Attempt(computation)
  try {
    const waiting = { timeout: LOCK_MILLISECONDS, ...options, ...(attempt.signal && { signal: attempt.signal }) }
    const stored = cache.getOrSet<unknown>(key, context => attempt.run(context), waiting)
    // Where the answer did not wait for it, this is all that hears of it.
    stored.catch(error => {
      if (!(error instanceof ComputeError) && !attempt.gaveUp) report(error)
    })
    const value = await Promise.race([stored, attempt.isMade])
    if (!attempt.own && value !== NOT_KEPT) return { value: decodeStored(value) as T, own: false }
  } catch (error) {
    if (!attempt.own && error instanceof ComputeError) throw error.cause
  } finally {
    attempt.settle()
  }
  const { value } = await (attempt.own ?? compute(ALONE))
  return { value, own: true }
}

/** For what is computed past the cache. */
const ALONE: Pick<ComputeContext<never>, 'ttl'> = { ttl: () => {} }

class Attempt<T> {
  /** What this call computes; `undefined` while somebody else does. */
  own: Promise<Made<T>> | undefined
  /** Fulfilled when the value is there and storing it takes long. */
  readonly isMade: Promise<typeof NOT_KEPT>
  readonly #computation: Computation<T>
  readonly #patience: AbortController | undefined
  #goOn: (nothing: typeof NOT_KEPT) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #isSettled = false

  constructor(computation: Computation<T>) {
    const { patience } = computation
    this.#computation = computation
    this.isMade = new Promise(resolve => {
      this.#goOn = resolve
    })
    if (patience === undefined) return
    const controller = new AbortController()
    this.#patience = controller
    this.#timer = setTimeout(() => controller.abort(), patience)
  }

  get signal(): AbortSignal | undefined {
    return this.#patience?.signal
  }

  get gaveUp(): boolean {
    return this.#patience?.signal.aborted ?? false
  }

  async run(context: ComputeContext<unknown>): Promise<unknown> {
    clearTimeout(this.#timer)
    this.own = this.#computation.compute(context)
    try {
      const { value, keep } = await this.own
      if (!keep) {
        context.skip()
        return NOT_KEPT
      }
      if (!this.#isSettled) this.#timer = setTimeout(() => this.#goOn(NOT_KEPT), STORING_MILLISECONDS)
      return value === undefined ? undefined : encodeStored(value, this.#computation.cache)
    } catch (error) {
      throw new ComputeError('a value could not be computed', { cause: error })
    }
  }

  settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timer)
  }
}
