import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { FanoutCache } from 'fanout-cache'

/** Always the same one, so that the next start finds what this one leaves. */
export const directory = resolve(process.env.CACHE_DIR || join(tmpdir(), 'fanout-cache-demo'))

const SIZE_LIMIT = 256 * 1024 * 1024
/** More than one looks at; a page is not the place for a million rows. */
const LISTED = 500

/** The one cache of the demo: answers of the search and media files side by side. */
export function openCache() {
  const cache = new FanoutCache(directory, {
    sizeLimit: SIZE_LIMIT,
    evictionPolicy: 'least-recently-used',
    statistics: true,
    tagIndex: true,
    // A worker that waits for its turn of a busy processor may hold a lock meanwhile.
    timeout: '1s',
  })
  cache.on('error', error => console.error(`cache: ${error.message}`))
  cache.on('refused', ({ key, reason }) => console.error(`cache: not stored: ${String(key)} (${reason})`))
  return cache
}

/**
 * What is cached now, last stored first.
 *
 * @param {import('fanout-cache').FanoutCache} cache
 * @param {import('fanout-cache').Listing} [listing]
 */
export async function listEntries(cache, listing) {
  const entries = []
  for await (const key of cache.keys({ ...listing, reverse: true })) {
    // Another process may have removed it since.
    const info = await cache.info(key)
    if (info) entries.push(info)
    if (entries.length >= LISTED) break
  }
  // Each shard has an order of its own.
  return entries.sort((a, b) => b.storedAt - a.storedAt)
}
