// @ts-check
/**
 * One of the `cacheHandlers` of Next.js 16: for `use cache` and `use cache: remote`.
 */
import { createHash } from 'node:crypto'
import { cache, judge, lifetime, outside, readMarks, revalidate } from './cache.mjs'

/**
 * @typedef {{ tags: string[], stale: number, timestamp: number, expire: number, revalidate: number }} Fields
 * @typedef {Fields & { value: ReadableStream<Uint8Array> }} CacheEntry
 * @typedef {{ fields: Fields, bytes: Uint8Array, revalidation: number }} Entry
 */

/** @type {Map<string, Promise<void>>} What is being stored. */
const pending = new Map()
/** @type {{ revalidation: number, at: number }[]} When this process first saw each revalidation, by the clock of `timestamp`. */
const seen = []
const MOST_SEEN = 1000

export default {
  /** @param {string} key @param {string[]} softTags @returns {Promise<CacheEntry | undefined>} */
  async get(key, softTags) {
    try {
      await pending.get(key)
      return await outside(() => read(key, softTags))
    } catch (error) {
      // Next.js would answer with an error, where it can compute.
      console.error('The cache cannot be read:', error)
      return undefined
    }
  },

  /** @param {string} key @param {Promise<CacheEntry>} pendingEntry */
  async set(key, pendingEntry) {
    const storing = outside(() => store(key, pendingEntry)).catch(error => console.error('Not stored:', error))
    pending.set(key, storing)
    await storing
    if (pending.get(key) === storing) pending.delete(key)
  },

  /** Called before the first read of a request, and so before what it computes. */
  async refreshTags() {
    try {
      notice((await outside(() => readMarks())).latest)
    } catch (error) {
      console.error('The cache cannot be read:', error)
    }
  },

  /** `get` looks at the tags of a path itself. */
  async getExpiration() {
    return Number.POSITIVE_INFINITY
  },

  /** @param {string[]} tags @param {{ expire?: number }} [durations] */
  async updateTags(tags, durations) {
    await outside(() => revalidate(tags, durations))
  },
}

/** @param {string} key @param {string[]} softTags */
async function read(key, softTags) {
  const entry = /** @type {Entry | undefined} */ (await cache.get(nameOf(key)))
  const { latest, marks } = await readMarks([...(entry?.fields.tags ?? []), ...softTags])
  notice(latest)
  if (!entry) return undefined
  const state = judge(marks, entry.revalidation)
  if (state === 'expired') return undefined
  const value = new Blob([entry.bytes]).stream()
  // Below 0: answered now, and computed anew behind the answer.
  return { ...entry.fields, value, ...(state === 'stale' && { revalidate: -1 }) }
}

/** @param {string} key @param {Promise<CacheEntry>} pendingEntry */
async function store(key, pendingEntry) {
  const { value, ...fields } = await pendingEntry
  // Half a value is none: this rejects.
  const bytes = new Uint8Array(await new Response(value).arrayBuffer())
  // What is computed for each request.
  if (fields.expire <= 0) return
  const revalidation = seen.findLast(({ at }) => at <= fields.timestamp)?.revalidation ?? 0
  await cache.set(nameOf(key), { fields, bytes, revalidation }, { ttl: lifetime(fields.expire), tags: fields.tags })
}

/** @param {number} revalidation */
function notice(revalidation) {
  if (seen.length > 0 && revalidation <= (seen.at(-1)?.revalidation ?? 0)) return
  seen.push({ revalidation, at: performance.timeOrigin + performance.now() })
  if (seen.length > MOST_SEEN) seen.shift()
}

/** Keys hold the arguments of the function, of any length. @param {string} key */
function nameOf(key) {
  return `use-cache:${createHash('sha256').update(key).digest('hex')}`
}
