import { kindOf } from '../option-names.js'
import { type Duration, milliseconds } from '../time.js'
import type { CacheLike } from './cache-like.js'
import {
  asMemoized,
  callKeys,
  MEMOIZE_OPTIONS,
  type Memoized,
  type MemoizeOptions,
  resolveMemoizing,
} from './memoizing.js'
import { cacheOf } from './targets.js'
import { checkFunction, type OwnCall } from './wrapping.js'

const RECIPE = 'memoizeStampede'
const USAGE = 'memoizeStampede(cache, fn, { ttl, … })'
const OPTIONS = new Set([...MEMOIZE_OPTIONS, 'beta'])

/** Options of `memoizeStampede`. */
export interface MemoizeStampedeOptions<This, Args extends readonly unknown[]> extends MemoizeOptions<This, Args> {
  /** Time to live of results: milliseconds or a string, more than 0 and finite. Required. */
  readonly ttl: Duration
  /** How early results are renewed before they expire: 0 not at all, above 1 earlier. @default 1 */
  readonly beta?: number | undefined
}

/**
 * Wraps a function as `memoize` does, and renews results before they expire. One caller computes the new result, the
 * earlier the longer that takes, and all callers get the old one meanwhile. When that computation fails, the cache
 * emits `error` and the old result stays until it expires.
 *
 * Source: Vattani, Chierichetti, Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015.
 *
 * @example
 * const frontPage = memoizeStampede(cache, async () => render(), { name: 'frontPage', ttl: '1m' })
 *
 * @throws TypeError without `ttl`, and in the cases of `memoize`; RangeError when `ttl` or `beta` is out of range
 */
export function memoizeStampede<
  This,
  Args extends readonly unknown[],
  Result,
  KeyArgs extends Args = Args,
  F extends (this: This, ...args: Args) => Result = (this: This, ...args: Args) => Result,
>(
  cache: CacheLike,
  fn: F & ((this: This, ...args: Args) => Result),
  options: MemoizeStampedeOptions<This, KeyArgs>,
): OwnCall<F, This, Args, Result> & Memoized<This, Args, Result> {
  const target = cacheOf(cache, USAGE)
  checkFunction(fn, USAGE)
  if (options?.ttl === undefined || options.ttl === null) {
    throw new TypeError(`${USAGE}: ttl is required, a result that never expires is never renewed`)
  }
  const computing = { ...resolveMemoizing(options, RECIPE, OPTIONS), beta: resolveBeta(options.beta) }
  checkTtl(options.ttl)
  const keys = callKeys(target, fn, options as MemoizeOptions<This, Args>, RECIPE)
  const memoized = async function (this: This, ...args: Args): Promise<Awaited<Result>> {
    try {
      const kept = keys.kept(args)
      const compute = (): Result => Reflect.apply(fn, this, kept)
      return await target.getOrSet(keys.of(this, kept), compute as () => Awaited<Result>, computing)
    } catch (error) {
      if (error instanceof TypeError) keys.check(args)
      throw error
    }
  }
  return asMemoized(memoized, fn, keys) as OwnCall<F, This, Args, Result> & Memoized<This, Args, Result>
}

function checkTtl(ttl: Duration): void {
  const life = milliseconds(ttl, 'ttl')
  if (life === 0 || life === Number.POSITIVE_INFINITY) {
    throw new RangeError(`${RECIPE}: ttl must be above 0 and finite, got ${life}`)
  }
}

function resolveBeta(beta: unknown = 1): number {
  if (typeof beta !== 'number') throw new TypeError(`beta must be a number, got ${kindOf(beta)}`)
  if (!(beta >= 0) || beta === Number.POSITIVE_INFINITY) {
    throw new RangeError(`beta must be a finite number of 0 or more, got ${beta}`)
  }
  return beta
}
