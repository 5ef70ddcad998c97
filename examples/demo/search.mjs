import { responseCache } from 'fanout-cache/express'
import { SearchThread } from './search-thread-client.mjs'

const LONGEST_QUERY = 60
const MINUTE = 60_000
/** How long an answer is fresh, and how long after that it may be shown while a new one is made. */
export const FRESH = 10 * MINUTE
export const STALE = 10 * MINUTE
/** Whatever the demo is called, and on whatever port it is the next time, these are the same answers. */
export const AUTHORITY = 'http://places.example'

/** How a question is asked, so that `  Paris ` and `paris` are one entry. */
export function normalise(text) {
  return text.normalize('NFC').trim().replace(/\s+/g, ' ').toLowerCase().slice(0, LONGEST_QUERY)
}

/** Where the answer to a question is. */
export function searchPath(query) {
  return `/api/search?q=${encodeURIComponent(query)}`
}

/**
 * The cache in front of the search: all of what caching it takes.
 *
 * @param {import('fanout-cache').FanoutCache} cache
 */
export function searchCache(cache) {
  return responseCache(cache, {
    ttl: FRESH,
    staleWhileRevalidate: STALE,
    keepStale: STALE,
    // The search looks at no cookies, and other programs on localhost set some.
    ignoreCookies: true,
    authority: AUTHORITY,
  })
}

/** Finds places in a thread. It knows nothing of the cache, but names the countries of its answer as tags. */
export class PlaceSearch {
  #thread = new SearchThread()

  /**
   * @param {import('express').Request} request
   * @param {import('express').Response} response
   */
  handle = async (request, response) => {
    const query = normalise(String(request.query.q ?? ''))
    if (!query) return response.status(400).json({ error: 'ask with ?q=…' })
    const begun = performance.now()
    const found = await this.#thread.search(query)
    const computed = { ms: Math.round((performance.now() - begun) * 10) / 10, at: Date.now(), pid: process.pid }
    const countries = new Set(found.cities.map(city => `country:${city.country}`))
    response.set('Cache-Tag', ['search', ...countries].join(', '))
    response.json({ query, ...found, computed })
  }

  async close() {
    await this.#thread.close()
  }
}
