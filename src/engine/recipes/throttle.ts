import { accessEngine } from '../handle-of.js'
import { isTraced, traced } from '../observe/verbs.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import { type Duration, milliseconds } from '../time.js'
import type { CacheLike } from './cache-like.js'
import { cacheOf } from './targets.js'
import { TokenBucket } from './token-bucket.js'
import { type AsyncCall, checkFunction, dressAs, nameOf, type OwnCall } from './wrapping.js'

const RECIPE = 'throttle'
const USAGE = 'throttle(cache, fn, { count, per, … })'
const OPTIONS = new Set(['count', 'per', 'name', 'ttl', 'allowEviction'])

/** Options of `throttle`. */
export interface ThrottleOptions {
  /** How many calls are allowed in the time `per`, and at once after a pause. At least 1. */
  readonly count: number
  /** The time for `count` calls: milliseconds or a string, more than 0 and finite. */
  readonly per: Duration
  /** Key of the stored state. Python's `throttle` of the same name shares it. @default `throttle:` and `fn.name` */
  readonly name?: string | undefined
  /** How long the state is kept when nobody calls. At least `per`. `null`: for ever. @default null */
  readonly ttl?: Duration | null | undefined
  /** Allows a cache that may evict the state when it is full, after which the throttle starts anew. @default false */
  readonly allowEviction?: boolean | undefined
}

/**
 * Wraps a function so that all processes together call it at most `count` times in the time `per`. Further calls wait.
 * It is a token bucket in an entry of the cache, full at first. Calls of one process keep their order.
 *
 * A call that fails uses its token as well. Deleting the entry fills the bucket.
 *
 * @example
 * const ask = throttle(cache, async url => fetch(url), { name: 'api.example.org', count: 10, per: '1s' })
 *
 * @throws TypeError for a wrong cache, function or option, when the function has no name and none is given, and when
 *   another function of the same name is wrapped on this cache; RangeError for an option out of range. Calls reject
 *   with RangeError on a cache whose `evictionPolicy` is not 'none', unless `allowEviction` is set
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
  const { handle, encodeKey, hostKey } = accessEngine(cache, USAGE)
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
    await (isTraced() ? traced(handle, RECIPE, hostKey(name), () => bucket.take()) : bucket.take())
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

/** Checks the option `ttl`. Milliseconds; `null`: for ever. */
function resolveTtl(ttl: unknown, per: number): number | null {
  if (ttl === undefined || ttl === null) return null
  const time = milliseconds(ttl, 'ttl')
  if (time < per)
    throw new RangeError(`ttl must be at least per: the bucket is full when its state is gone, got ${time}`)
  return time === Number.POSITIVE_INFINITY ? null : time
}
