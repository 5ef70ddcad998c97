import { accessOf, type EngineAccess } from '../handle-of.js'
import { kindOf } from '../option-names.js'
import type { Shard } from '../shards/shard.js'
import type { CacheLike } from './cache-like.js'

/** The access to the engine of a cache or a view. @throws TypeError when it is neither, or not of this package */
export function accessEngine(cache: CacheLike, user: string): EngineAccess {
  const access = accessOf(cache) ?? accessOf((cache as { cache?: unknown } | undefined)?.cache)
  if (access) return access
  throw new TypeError(`${user} needs a Cache or FanoutCache, got ${kindOf(cache)}`)
}

/**
 * Refuses a shard that may evict entries: what coordinates processes must not vanish because the cache is full.
 *
 * @throws RangeError
 */
export function refuseEviction(shard: Shard, allowed: boolean, user: string): void {
  const { evictionPolicy } = shard.settings
  if (allowed || evictionPolicy === 'none') return
  throw new RangeError(
    `${user} needs a cache that never evicts, and evictionPolicy is '${evictionPolicy}': open one with ` +
      "{ evictionPolicy: 'none' }, or insist with { allowEviction: true }",
  )
}
