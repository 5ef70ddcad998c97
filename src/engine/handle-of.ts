import type { CacheHandle } from './cache-handle.js'
import { type CacheVerbs, opaqueHandleOf } from './cache-verbs.js'

/** The handle of a cache, for the classes of this package. */
export function handleOf(cache: CacheVerbs): CacheHandle {
  return opaqueHandleOf(cache) as CacheHandle
}
