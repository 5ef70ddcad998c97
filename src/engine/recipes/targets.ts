import type { DiskCache } from '../contract.js'
import { kindOf } from '../option-names.js'
import type { CacheLike } from './cache-like.js'

/**
 * The cache, of whatever class, since only its verbs are used.
 *
 * @throws TypeError that shows how the recipe is called
 */
export function cacheOf(target: CacheLike, usage: string): DiskCache {
  if (isCache(target)) return target
  const { cache } = (target ?? {}) as { readonly cache?: unknown }
  if (isCache(cache)) return cache
  throw new TypeError(`${usage}: the first argument must be a cache, got ${kindOf(target)}`)
}

function isCache(target: unknown): target is DiskCache {
  return typeof target === 'object' && target !== null && typeof (target as Partial<DiskCache>).getOrSet === 'function'
}
