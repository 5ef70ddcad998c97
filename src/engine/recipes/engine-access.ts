import type { CacheHandle } from '../cache-handle.js'
import { CacheVerbs } from '../cache-verbs.js'
import { handleOf } from '../handle-of.js'
import { kindOf } from '../option-names.js'
import type { Shard } from '../shards/shard.js'
import type { CacheLike } from './cache-like.js'

/** @throws TypeError when it is no cache of this package */
export function accessEngine(cache: CacheLike, user: string): CacheHandle {
  const inner: unknown = cache instanceof CacheVerbs ? cache : (cache as { cache?: unknown } | undefined)?.cache
  if (inner instanceof CacheVerbs) return handleOf(inner)
  throw new TypeError(`${user} needs a Cache or FanoutCache, got ${kindOf(cache)}`)
}

/**
 * @throws RangeError when entries of the shard may be evicted: what coordinates processes must not vanish because the
 *   cache is full
 */
export function refuseEviction(shard: Shard, allowed: boolean, user: string): void {
  const { evictionPolicy } = shard.settings
  if (allowed || evictionPolicy === 'none') return
  throw new RangeError(
    `${user} needs a cache that never evicts, and evictionPolicy is '${evictionPolicy}': open one with ` +
      "{ evictionPolicy: 'none' }, or insist with { allowEviction: true }",
  )
}
