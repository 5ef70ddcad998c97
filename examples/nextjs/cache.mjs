// @ts-check
/**
 * What the two handlers share: one cache for all processes, and what of it was revalidated.
 *
 * Each revalidation has a number, greater than all before it. An entry remembers the last one that there was when its computation began, and a tag the last one
 * that it was in: comparing the two needs no clock that processes agree on, and finds what was still being computed meanwhile.
 */
import { AsyncResource } from 'node:async_hooks'
import { FanoutCache } from 'fanout-cache'

/** No entry lives longer, in seconds, so that tags can be forgotten a day later. */
const LONGEST = 30 * 24 * 3600
const LATEST = 'latest revalidation'

export const cache = new FanoutCache(process.env.NEXT_CACHE_DIRECTORY ?? '.next/cache/fanout-cache', {
  sizeLimit: 2 * 1024 ** 3,
  evictionPolicy: 'least-recently-used',
})
// Apart from the entries: a tag that was evicted, or lost with the power, would bring back all that it had revalidated.
const tags = cache.cache('tags', { evictionPolicy: 'none', sqlite: { synchronous: 2 } })

const resource = new AsyncResource('cache')

/**
 * Runs a function outside of the request. Next.js 16 ends a prerender where the time is asked for in it, and the cache asks for it all the time.
 * @template T @param {() => T} work @returns {T}
 */
export function outside(work) {
  return resource.runInAsyncScope(work)
}

/**
 * @typedef {object} Mark Of a tag: numbers of revalidations, and when what is stale counts as expired, in milliseconds.
 * @property {number} expired
 * @property {number} stale
 * @property {number} due
 */

/**
 * The last revalidation of all, and what is known of some tags.
 * @param {Iterable<string>} names
 */
export async function readMarks(names = []) {
  const keys = [...new Set(names)].map(keyOf)
  const [latest, ...marks] = await tags.getMany([LATEST, ...keys], { timeout: '5s' })
  return { latest: Number(latest ?? 0), marks: /** @type {Mark[]} */ (marks.filter(mark => mark !== undefined)) }
}

/**
 * What the tags of an entry make of it.
 * @param {readonly Mark[]} marks @param {number} revalidation the last one before its computation
 */
export function judge(marks, revalidation) {
  const now = Date.now()
  const later = marks.filter(({ stale }) => stale > revalidation)
  if (later.some(({ expired, due }) => expired > revalidation || due <= now)) return 'expired'
  return later.length > 0 ? 'stale' : 'fresh'
}

/**
 * For all processes, when it resolves.
 * @param {readonly string[]} names
 * @param {{ expire?: number }} [durations] with them, entries are stale at once and expired after `expire` seconds
 */
export async function revalidate(names, durations) {
  const now = Date.now()
  await tags.transact(tx => {
    // Not below the time, so that numbers also grow when the directory was removed meanwhile.
    const number = Math.max(Number(tx.get(LATEST) ?? 0) + 1, now)
    tx.set(LATEST, number)
    for (const name of names) {
      const was = /** @type {Mark | undefined} */ (tx.get(keyOf(name)))
      tx.set(keyOf(name), marked(number, now, was, durations), { ttl: (LONGEST + 24 * 3600) * 1000 })
    }
  })
}

/** How long an entry is kept, in milliseconds. @param {number | undefined} expire in seconds */
export function lifetime(expire = LONGEST) {
  return Math.min(expire, LONGEST) * 1000
}

/** @param {number} number @param {number} now @param {Mark} [was] @param {{ expire?: number }} [durations] @returns {Mark} */
function marked(number, now, was, durations) {
  if (!durations) return { expired: number, stale: number, due: Number.POSITIVE_INFINITY }
  // What had expired by now does not become merely stale.
  const expired = was === undefined ? 0 : was.due <= now ? was.stale : was.expired
  return { expired, stale: number, due: now + (durations.expire ?? Number.POSITIVE_INFINITY) * 1000 }
}

/** @param {string} name */
function keyOf(name) {
  return `tag:${name}`
}
