import { Cache } from '../cache.js'
import type { CacheHandle } from '../cache-handle.js'
import { ownHandleOf } from '../handle-of.js'
import { isTraced, traced } from '../observe/verbs.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { CacheOptions, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { checkVerbOptions } from '../verbs/verb-options.js'
import type { CollectionOptions } from './contract.js'

const CACHE_OPTIONS = ['timeout', 'codec', 'readonly', 'onCorrupt', 'clock', 'maxPending', 'disk', 'sqlite']

/** The cache of a collection, and whether the collection made it and so has to close it. */
export interface CollectionCache {
  readonly cache: Cache
  readonly own: boolean
}

/**
 * Makes the cache of a collection, which neither evicts nor expires, or checks the given one.
 *
 * @param own options of the collection itself
 * @throws TypeError for unknown options, and for a cache of another class
 */
export function collectionCache(
  place: string,
  given: unknown,
  options: CollectionOptions & object,
  own: readonly string[],
): CollectionCache {
  checkOptionsObject(options, place)
  if (isCache(given)) {
    checkOptionNames(options, new Set(own), `${place}.from`)
    return { cache: given, own: false }
  }
  if (typeof given === 'object' && given !== null && !(given instanceof URL)) {
    throw new TypeError(`${place} lies in a directory, or by ${place}.from in a Cache, got ${kindOf(given)}`)
  }
  checkOptionNames(options, new Set([...own, ...CACHE_OPTIONS]), place)
  const forCache = Object.fromEntries(Object.entries(options).filter(([name]) => !own.includes(name)))
  const settings: CacheOptions = { ...forCache, evictionPolicy: 'none' }
  return { cache: new Cache(given as string | URL | undefined, settings), own: true }
}

/** True also for a Cache of the other build of this package, ESM or CommonJS. */
function isCache(cache: unknown): cache is Cache {
  return cache instanceof Cache || ownHandleOf(cache)?.kind === 'Cache'
}

/** @throws TypeError if it is not a Cache */
export function checkCache(cache: unknown, place: string): Cache {
  if (isCache(cache)) return cache
  throw new TypeError(`${place} needs a Cache, got ${kindOf(cache)}; a FanoutCache has deque(name) and index(name)`)
}

/** Makes verbs of a collection wait until the lock is free, as DiskCache's do, unless a `timeout` is given. */
export function patient<Options extends Waiting>(
  handle: CacheHandle,
  options: Options | undefined,
): Waiting & Partial<Options> {
  const retry = options?.retry ?? !handle.options.given.has('timeout')
  return { ...options, retry } as Waiting & Partial<Options>
}

/** Starts a verb at once, and reports it to those who trace. Errors that it throws become rejections. */
export function startVerb<R>(
  handle: CacheHandle,
  verb: string,
  options: Waiting | undefined,
  begin: (handle: CacheHandle) => Promise<R>,
): Promise<R> {
  if (!isTraced()) return begun(handle, verb, options, begin)
  return traced(handle, verb, undefined, () => begun(handle, verb, options, begin))
}

function begun<R>(
  handle: CacheHandle,
  verb: string,
  options: Waiting | undefined,
  begin: (handle: CacheHandle) => Promise<R>,
): Promise<R> {
  try {
    checkVerbOptions(options, verb, 'waiting')
    return begin(handle)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** The one database of a `Cache`. */
export function shardOf(handle: CacheHandle): Shard {
  return handle.shards[0] as Shard
}
