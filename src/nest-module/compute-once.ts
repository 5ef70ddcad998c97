import { valueFor, valueFrom } from '../adapters/cache-manager/cache-manager-store.js'
import { isOwnComputation } from '../adapters/own-computation.js'
import { isStanding } from '../engine/for-adapters.js'
import type { ComputeContext, Computing, DiskCache } from '../engine/index.js'
import { withResolvers } from '../engine/newer-node.js'
import { kindOf } from '../engine/option-names.js'
import { clearTimeout, setTimeout } from '../engine/timers.js'

/** How long an answer waits until it is stored. */
const STORING_MILLISECONDS = 25
/** How long to wait for the lock of the database before computing without a lease. */
const LOCK_MILLISECONDS = 250

/** One call that computes a missing value. */
export interface Computation {
  readonly cache: DiskCache
  /** The key in the cache. */
  readonly key: string
  readonly compute: (context: ComputationContext) => Promise<Made>
  readonly options?: Computing
  /** How long to wait for the computation of another caller. Milliseconds. @default no limit */
  readonly patience?: number
  /** Called with errors of the cache, which no caller gets. */
  readonly report: (error: unknown) => void
}

/** What a computation can say of its value, and ask. */
export interface ComputationContext extends Pick<ComputeContext<unknown>, 'ttl'> {
  /** Whether the value may still be stored, because nothing of it was removed since the computation began. */
  isStanding(): boolean
}

/** A computed value. */
export interface Made {
  readonly value: unknown
  /** Whether others may have it. Otherwise it is for this call only, and others compute for themselves. */
  readonly keep: boolean
}

/** The result of callers that waited for a value that they may not have. */
const NOT_KEPT: unique symbol = Symbol('not kept')

/** Carries an error of `compute` through the cache. */
class ComputeError extends Error {
  override name = 'ComputeError'
}

/**
 * Runs `getOrSet` so that the caller gets a value whatever happens to the cache: when it fails, the caller computes for
 * itself. Errors of `compute` are passed unchanged to all waiting callers of this process.
 */
export async function computeOnce(computation: Computation): Promise<unknown> {
  const { cache, key, compute, options, report } = computation
  if (isOwnComputation(cache, key)) return (await compute(ALONE)).value
  const attempt = new Attempt(computation)
  try {
    const waiting = { timeout: LOCK_MILLISECONDS, ...options, ...(attempt.signal && { signal: attempt.signal }) }
    const stored = cache.getOrSet<unknown>(key, context => attempt.run(context), waiting)
    // The answer may not have waited for the store, so its error is handled here.
    stored.catch(error => {
      if (!(error instanceof ComputeError) && !attempt.gaveUp) report(error)
    })
    const value = await Promise.race([stored, attempt.isMade])
    if (!attempt.own && value !== NOT_KEPT) return valueFrom(value)
  } catch (error) {
    if (error instanceof ComputeError) throw error.cause
  } finally {
    attempt.settle()
  }
  return (await (attempt.own ?? compute(ALONE))).value
}

/** Tells an error of `compute` from those of the cache. One in the background ends in the log, which has the message only. */
function rethrow(error: unknown): never {
  const reason = error instanceof Error ? error.message : kindOf(error)
  throw new ComputeError(`a value could not be computed: ${reason}`, { cause: error })
}

/** The context of a computation without the cache. */
const ALONE: ComputationContext = { ttl: () => {}, isStanding: () => false }

class Attempt {
  /** The computation of this call. `undefined` while another caller computes. */
  own: Promise<Made> | undefined
  /** Resolves when the value is computed but storing it takes long. */
  readonly isMade: Promise<typeof NOT_KEPT>
  readonly #computation: Computation
  readonly #patience: AbortController | undefined
  readonly #making = withResolvers<typeof NOT_KEPT>()
  #timer: NodeJS.Timeout | undefined
  #isSettled = false

  constructor(computation: Computation) {
    const { patience } = computation
    this.#computation = computation
    this.isMade = this.#making.promise
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
    this.own = this.#computation.compute({ ttl: context.ttl, isStanding: () => isStanding(context) })
    const { value, keep } = await this.own.catch(rethrow)
    if (!keep) {
      context.skip()
      return NOT_KEPT
    }
    if (!this.#isSettled) this.#timer = setTimeout(() => this.#making.resolve(NOT_KEPT), STORING_MILLISECONDS)
    return value === undefined ? undefined : valueFor(this.#computation.cache, value)
  }

  settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timer)
  }
}
