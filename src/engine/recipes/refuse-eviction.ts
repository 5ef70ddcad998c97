import type { Shard } from '../shards/shard.js'

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
