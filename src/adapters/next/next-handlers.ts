import { kindOf } from '../../engine/for-adapters.js'
import type { DiskCache, FanoutCache } from '../../engine/index.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { cacheHandlerOf, type NextCacheHandlerClass } from './cache-handler.js'
import { Revalidations } from './revalidations.js'
import { type NextUseCacheHandler, useCacheHandlerOf } from './use-cache-handler.js'

/** Options of `nextHandlers`. */
export interface NextHandlersOptions extends DoorOptions {
  /** Told why a read was answered with a miss, or a value of `use cache` was not stored. @default the first becomes a process warning */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** What Next.js is given. */
export interface NextHandlers {
  /** The `cacheHandler`: pages, route handlers, `fetch`, `unstable_cache`, images. */
  readonly CacheHandler: NextCacheHandlerClass
  /** One of the `cacheHandlers` of Next.js 16: `use cache` and `use cache: remote`. */
  readonly useCacheHandler: NextUseCacheHandler
  /** The cache that holds it all. */
  readonly cache: FanoutCache
  /** Ends the use of the cache. One that was passed in stays open. */
  close(): Promise<void>
}

/**
 * Makes the handlers by which all processes of a Next.js app share pages, `fetch`, `use cache` and images, and by which
 * what one process revalidates is revalidated for all.
 *
 * @throws TypeError when no directory is given, for misspelt options, and for a cache that is no FanoutCache; RangeError
 * for values out of range
 * @example
 * // cache.mjs, of which cache-handler.mjs exports CacheHandler as default
 * export const { CacheHandler, useCacheHandler } = nextHandlers('/var/cache/app', { sizeLimit: 2 * 1024 ** 3 })
 */
export function nextHandlers(source: CacheSource | NextHandlersOptions, given: NextHandlersOptions = {}): NextHandlers {
  const { onError = warnOnce(), ...options } = strictOptionsOf(source, given, 'nextHandlers', ['onError'])
  if (typeof onError !== 'function') {
    throw new TypeError(`nextHandlers: onError must be a function, got ${kindOf(onError)}`)
  }
  const { cache, close } = openCache(options, 'nextHandlers')
  if (!isFanoutCache(cache)) {
    void close()
    throw new TypeError('nextHandlers needs a FanoutCache: what was revalidated is kept in a cache inside of it')
  }
  const revalidations = new Revalidations(cache)
  return {
    CacheHandler: cacheHandlerOf(revalidations, onError),
    useCacheHandler: useCacheHandlerOf(revalidations, onError),
    cache,
    close,
  }
}

/** Also true for one of another build of this package. */
function isFanoutCache(cache: DiskCache): cache is FanoutCache {
  return typeof (cache as Partial<FanoutCache>).cache === 'function'
}

/** Warns of the first error, as a cache does that nobody listens to. */
function warnOnce(): (error: unknown) => void {
  let warned = false
  return error => {
    if (!warned) process.emitWarning(error instanceof Error ? error : String(error))
    warned = true
  }
}
