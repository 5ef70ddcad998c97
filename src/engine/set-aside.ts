import { Cache } from './cache.js'
import { CorruptError } from './errors.js'
import { FanoutCache } from './fanout-cache.js'
import { handleOf } from './handle-of.js'
import type { CachePlace } from './shards/places.js'

/**
 * Moves unreadable databases aside, each with its value files, and creates empty ones in their places, as a cache with
 * `onCorrupt: 'quarantine'` does when it meets the damage. A database that proves sound stays.
 *
 * @param damaged databases of one directory and of the caches below it
 * @param timeout milliseconds
 * @returns the directories they were moved to
 */
export async function setAside(
  root: string,
  damaged: readonly CachePlace[],
  timeout: number,
): Promise<readonly { readonly place: CachePlace; readonly path: string }[]> {
  const moved: { place: CachePlace; path: string }[] = []
  const isMoved = (place: CachePlace): boolean => moved.some(each => each.place === place)
  for (const place of damaged) {
    if (isMoved(place)) continue
    const options = { onCorrupt: 'quarantine', timeout } as const
    const cache = place.role === 'shard' ? new FanoutCache(root, options) : new Cache(place.directory, options)
    cache.on('quarantine', ({ directory, path }) => {
      // Opening may meet the damage of other shards, too.
      const found = damaged.find(each => each.directory === directory)
      if (found) moved.push({ place: found, path })
    })
    try {
      // Opening finds a database whose first page is damaged.
      await cache.open()
      const shard = handleOf(cache).shards.find(({ directory }) => directory === place.directory)
      if (!shard || isMoved(place)) continue
      shard.reopen(new CorruptError(place.directory, 'it was found damaged by a check'))
      await shard.open()
    } finally {
      await cache.close()
    }
  }
  return moved.sort((a, b) => damaged.indexOf(a.place) - damaged.indexOf(b.place))
}
