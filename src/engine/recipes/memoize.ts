import { CacheVerbs } from '../cache-verbs.js'
import type { DiskCache } from '../contract.js'
import { accessOf } from '../handle-of.js'
import type { Computing, Key } from '../options.js'
import { milliseconds } from '../time.js'
import { computeMissing } from '../verbs/computing.js'
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

const RECIPE = 'memoize'
const USAGE = 'memoize(cache, fn, { name, ttl, … })'
const OPTIONS = new Set(MEMOIZE_OPTIONS)

/**
 * Wraps a function so that its results are kept in the cache. Over all processes one caller computes a missing result
 * and the others wait for it. Errors and `undefined` are not stored; `null` and `false` are.
 *
 * Arguments must be valid parts of a key: strings, numbers, bigints, bytes, booleans, null, and arrays and plain
 * objects of these. For other arguments give the option `key`. `this` is passed on, but is part of the key only through
 * `key`.
 *
 * @example
 * const userOf = memoize(cache, async id => fetchUser(id), { name: 'userOf', ttl: '5m' })
 * await userOf(1)
 * await cache.delete(userOf.cacheKey(1))
 *
 * @throws TypeError for a wrong cache, function or option; when the function has no name and none is given; and when
 *   another function of the same name is wrapped on this cache
 */
export function memoize<
  This,
  Args extends readonly unknown[],
  Result,
  KeyArgs extends Args = Args,
  F extends (this: This, ...args: Args) => Result = (this: This, ...args: Args) => Result,
>(
  cache: CacheLike,
  fn: F & ((this: This, ...args: Args) => Result),
  options: MemoizeOptions<This, KeyArgs> = {},
): OwnCall<F, This, Args, Result> & Memoized<This, Args, Result> {
  const target = cacheOf(cache, USAGE)
  checkFunction(fn, USAGE)
  const computing = resolveMemoizing(options, RECIPE, OPTIONS)
  const { ttl } = computing
  const stores = ttl === undefined || ttl === null || milliseconds(ttl, 'ttl') > 0
  const keys = callKeys(target, fn, options as MemoizeOptions<This, Args>, RECIPE)
  const memoized = async function (this: This, ...args: Args): Promise<Awaited<Result>> {
    let key: Key
    let kept: Args
    let found: Awaited<Result> | undefined
    try {
      kept = keys.kept(args)
      key = keys.of(this, kept)
      // A plain read costs less than getOrSet, which only a miss needs.
      found = await target.get(key)
    } catch (error) {
      keys.check(args)
      throw error
    }
    if (found !== undefined) return found
    const compute = (): Result => Reflect.apply(fn, this, kept)
    if (!stores) return await compute()
    return computeIn(target, key, compute as () => Awaited<Result>, computing)
  }
  return asMemoized(memoized, fn, keys) as OwnCall<F, This, Args, Result> & Memoized<This, Args, Result>
}

/** Runs `getOrSet` without its first read, which would count the miss a second time. */
function computeIn<T>(cache: DiskCache, key: Key, compute: () => T, computing: Computing): Promise<T> {
  const access = hasOwnWay(cache) ? undefined : accessOf(cache)
  if (!access) return cache.getOrSet(key, compute, computing)
  return computeMissing(access.handle, access.hostKey(key), compute, access.storing(computing))
}

/** Whether the cache has a `getOrSet` that is not ours, as in a subclass or a spy. */
function hasOwnWay(cache: DiskCache): boolean {
  if (cache instanceof CacheVerbs) return cache.getOrSet !== CacheVerbs.prototype.getOrSet
  return Object.hasOwn(cache, 'getOrSet')
}
