import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { Lock } from './lock.js'
import { cacheOf } from './targets.js'
import { type AsyncCall, checkFunction, dressAs, nameOf, type OwnCall } from './wrapping.js'

const RECIPE = 'barrier'
const USAGE = 'barrier(cache, fn, { lock, name, key })'
const OPTIONS = new Set(['lock', 'name', 'key'])

/** The part of a lease that `barrier` uses. */
export interface Releasable {
  /** Releases the lock. */
  release(): Promise<unknown>
}

/** The part of a lock that `barrier` uses. `Lock`, `RLock` and `BoundedSemaphore` implement it. */
export interface LockLike {
  /** Waits for the lock. */
  acquire(): Promise<Releasable>
  /** Runs a function while the lock is held. Used instead of `acquire` when it exists. */
  run?<T>(body: () => T | Promise<T>): Promise<T>
}

/** A class of locks, or a function that creates one. */
export type LockFactory = (new (cache: CacheLike, key: Key) => LockLike) | ((cache: CacheLike, key: Key) => LockLike)

/** Options of `barrier`. */
export interface BarrierOptions<This, Args extends readonly unknown[]> {
  /** The kind of lock, or one lock for all calls, which has a key of its own. @default Lock */
  readonly lock?: LockFactory | LockLike | undefined
  /** Key of the lock. Python's `barrier` of the same name uses it too. @default `barrier:` and `fn.name` */
  readonly name?: string | undefined
  /** Returns the key of a call. Each key then has a lock of its own, so that calls of other keys do not wait. */
  readonly key?: ((this: This, ...args: Args) => Key) | undefined
}

/**
 * Wraps a function so that its calls run one at a time, over all processes. The lock is released when a call settles,
 * and ends by itself some time after its process has died.
 *
 * @example
 * const rebuild = barrier(cache, async index => build(index), { name: 'rebuild', key: index => index })
 *
 * @throws TypeError for a wrong cache, function or option; when the function has no name and none is given; and when
 *   another function of the same name is wrapped on this cache
 */
export function barrier<
  This,
  Args extends readonly unknown[],
  Result,
  KeyArgs extends Args = Args,
  F extends (this: This, ...args: Args) => Result = (this: This, ...args: Args) => Result,
>(
  cache: CacheLike,
  fn: F & ((this: This, ...args: Args) => Result),
  options: BarrierOptions<This, KeyArgs> = {},
): OwnCall<F, This, Args, Result> & AsyncCall<This, Args, Result> {
  const target = cacheOf(cache, USAGE)
  checkFunction(fn, USAGE)
  checkOptionsObject(options, USAGE)
  checkOptionNames(options, OPTIONS, RECIPE)
  const { key, lock = Lock } = options as BarrierOptions<This, Args>
  if (key !== undefined && typeof key !== 'function') {
    throw new TypeError(`key must be a function that makes a key, got ${kindOf(key)}`)
  }
  const naming = { recipe: RECIPE, prefix: 'barrier:' }
  const lockOf = isLock(lock)
    ? onlyLock(lock, options)
    : locksOf(lockMaker(lock, cache), nameOf(target, fn, options.name, naming), key)
  const guarded = async function (this: This, ...args: Args): Promise<Awaited<Result>> {
    return await holding(lockOf(this, args), async () => await Reflect.apply(fn, this, args))
  }
  return dressAs(guarded, fn) as OwnCall<F, This, Args, Result> & AsyncCall<This, Args, Result>
}

/** The lock of a call. */
type LockOf<This, Args> = (self: This, args: Args) => LockLike

function isLock(lock: LockFactory | LockLike): lock is LockLike {
  return typeof lock === 'object' && lock !== null && typeof lock.acquire === 'function'
}

/** @throws TypeError for options that say which lock to make */
function onlyLock(lock: LockLike, { key, name }: { key?: unknown; name?: unknown }): () => LockLike {
  if (key === undefined && name === undefined) return () => lock
  throw new TypeError(`${RECIPE}: name and key mean nothing beside a lock that is made: give its class, or a function`)
}

/** One lock for all calls, or one for each key. */
function locksOf<This, Args extends readonly unknown[]>(
  makeLock: (key: Key) => LockLike,
  name: string,
  key: ((this: This, ...args: Args) => Key) | undefined,
): LockOf<This, Args> {
  if (key) return (self, args) => makeLock([name, Reflect.apply(key, self, args)])
  const common = makeLock(name)
  return () => common
}

function lockMaker(lock: LockFactory, cache: CacheLike): (key: Key) => LockLike {
  if (typeof lock !== 'function')
    throw new TypeError(`lock must be a class or function that makes locks, or a lock, got ${kindOf(lock)}`)
  const make = isClass(lock) ? (key: Key): LockLike => new lock(cache, key) : (key: Key): LockLike => lock(cache, key)
  return key => {
    const made: unknown = make(key)
    if (typeof (made as Partial<LockLike> | undefined)?.acquire === 'function') return made as LockLike
    throw new TypeError(`${RECIPE}: lock must make something with a method acquire, got ${kindOf(made)}`)
  }
}

function isClass(lock: LockFactory): lock is new (cache: CacheLike, key: Key) => LockLike {
  return typeof (lock.prototype as Partial<LockLike> | undefined)?.acquire === 'function'
}

async function holding<T>(lock: LockLike, body: () => Promise<T>): Promise<T> {
  // An RLock recognises its holder by the async context that its run() creates.
  if (typeof lock.run === 'function') return lock.run(body)
  const lease = await lock.acquire()
  const [outcome] = await Promise.allSettled([body()])
  const [release] = await Promise.allSettled([(async () => lease.release())()])
  // The error of the function comes first. A lock that could not be released ends by itself.
  if (outcome.status === 'rejected') throw outcome.reason
  if (release.status === 'rejected') throw release.reason
  return outcome.value
}
