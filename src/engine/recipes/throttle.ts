import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import { type Duration, milliseconds } from '../time.js'
import type { CacheLike } from './cache-like.js'
import { accessEngine } from './engine-access.js'
import { cacheOf } from './targets.js'
import { TokenBucket } from './token-bucket.js'
import { type AsyncCall, checkFunction, dressAs, nameOf, type OwnCall } from './wrapping.js'

const RECIPE = 'throttle'
const USAGE = 'throttle(cache, fn, { count, per, … })'
const OPTIONS = new Set(['count', 'per', 'name', 'ttl', 'allowEviction'])

/** How often a function may be called. */
export interface ThrottleOptions {
  /** Calls in the time `per`; so many may also come at once after a pause. At least 1. */
  readonly count: number
  readonly per: Duration
  /** Key of the entry that holds the state; Python's `throttle` of this name shares it. @default `throttle:` and `fn.name` */
  readonly name?: string
  /** How long the state of a throttle that nobody calls is kept; at least `per`. @default for ever */
  readonly ttl?: Duration | null
  /** Use a cache that may evict the state, and so begin anew, when it is full. @default false */
  readonly allowEviction?: boolean
}

/**
 * A function that is called at most `count` times in the time `per` by all processes together, and waits when it is
 * called more often: a token bucket, full at first, in an entry of the cache. Calls of one process go in their order.
 *
 * A call uses its token also when it fails. The entry may be deleted: the bucket is full then.
 *
 * @example
 * const ask = throttle(cache, async url => fetch(url), { name: 'api.example.org', count: 10, per: '1s' })
 *
 * @throws TypeError when the function has no name and none is given, and when another one has its name on this cache;
 *   RangeError for what is out of range. Calls reject with RangeError on a cache whose `evictionPolicy` is not 'none'
 */
export function throttle<
  This,
  Args extends readonly unknown[],
  Result,
  F extends (this: This, ...args: Args) => Result = (this: This, ...args: Args) => Result,
>(
  cache: CacheLike,
  fn: F & ((this: This, ...args: Args) => Result),
  options: ThrottleOptions,
): OwnCall<F, This, Args, Result> & AsyncCall<This, Args, Result> {
  const target = cacheOf(cache, USAGE)
  const { handle, encodeKey } = accessEngine(cache, USAGE)
  checkFunction(fn, USAGE)
  checkOptionsObject(options, USAGE)
  checkOptionNames(options, OPTIONS, RECIPE)
  const { allowEviction = false } = options
  if (typeof allowEviction !== 'boolean') {
    throw new TypeError(`allowEviction must be true or false, got ${kindOf(allowEviction)}`)
  }
  const per = resolvePer(options.per)
  const rates = { count: resolveCount(options.count), per, ttl: resolveTtl(options.ttl, per) }
  const name = nameOf(target, fn, options.name, { recipe: RECIPE, prefix: 'throttle:' })
  const key = encodeKey(name)
  const bucket = new TokenBucket(handle, { ...rates, key, allowEviction, label: `${RECIPE} '${name}'` })
  const throttled = async function (this: This, ...args: Args): Promise<Awaited<Result>> {
    await bucket.take()
    return await Reflect.apply(fn, this, args)
  }
  return dressAs(throttled, fn) as OwnCall<F, This, Args, Result> & AsyncCall<This, Args, Result>
}

function resolveCount(count: unknown): number {
  if (typeof count !== 'number') throw new TypeError(`count must be a number, got ${kindOf(count)}`)
  if (count >= 1 && count < Number.POSITIVE_INFINITY) return count
  throw new RangeError(`count must be a finite number of 1 or more, got ${count}`)
}

function resolvePer(per: unknown): number {
  const time = milliseconds(per, 'per')
  if (time > 0 && time < Number.POSITIVE_INFINITY) return time
  throw new RangeError(`per must be above 0 and finite, got ${time}`)
}

/** Milliseconds; `null` for ever. */
function resolveTtl(ttl: unknown, per: number): number | null {
  if (ttl === undefined || ttl === null) return null
  const time = milliseconds(ttl, 'ttl')
  if (time < per)
    throw new RangeError(`ttl must be at least per: the bucket is full when its state is gone, got ${time}`)
  return time === Number.POSITIVE_INFINITY ? null : time
}
