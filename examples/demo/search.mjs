import { SearchThread } from './search-thread-client.mjs'

const TTL = '10m'
const LONGEST_QUERY = 60

/** How a question is asked, so that `  Paris ` and `paris` are one entry. */
export function normalise(text) {
  return text.normalize('NFC').trim().replace(/\s+/g, ' ').toLowerCase().slice(0, LONGEST_QUERY)
}

/** Answers from the cache; what is not there is computed in a thread and stored with the countries it names as tags. */
export class CitySearch {
  #cache
  #thread = new SearchThread()
  #flights = new Map()

  /** @param {import('fanout-cache').FanoutCache} cache */
  constructor(cache) {
    this.#cache = cache
  }

  /**
   * @param {string} query normalised
   * @returns the answer, how the cache stood to it, and the milliseconds until it was here
   */
  async find(query) {
    const begun = performance.now()
    const outcome = await this.#lookUp(query)
    return { ...outcome, ms: performance.now() - begun }
  }

  async #lookUp(query) {
    const key = `search:${query}`
    const item = await this.#cache.getItem(key)
    if (item) return { hit: true, answer: item.value, expiresAt: item.expiresAt }
    const flight = this.#flights.get(key)
    if (flight) return { ...(await flight), collapsed: true }
    const own = this.#compute(key, query).finally(() => this.#flights.delete(key))
    this.#flights.set(key, own)
    return await own
  }

  async #compute(key, query) {
    const begun = performance.now()
    const found = await this.#thread.search(query)
    const computed = { ms: Math.round((performance.now() - begun) * 10) / 10, at: Date.now(), pid: process.pid }
    const answer = { query, ...found, computed }
    const countries = [...new Set(found.cities.map(city => `country:${city.country}`))]
    const stored = await this.#cache.set(key, answer, { ttl: TTL, tag: 'search', tags: countries })
    return { hit: false, answer, stored }
  }

  async close() {
    await this.#thread.close()
  }
}
