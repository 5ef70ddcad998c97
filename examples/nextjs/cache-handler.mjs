// @ts-check
/**
 * The `cacheHandler` of Next.js 15 and 16: pages, route handlers, `fetch`, `unstable_cache` and, with `images.customCacheHandler`, images.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, judge, lifetime, outside, readMarks, revalidate } from './cache.mjs'

/**
 * @typedef {{ kind: string, headers?: Record<string, unknown>, revalidate?: number }} Value and more, which is stored as it is
 * @typedef {{ revalidate?: number | false, expire?: number }} CacheControl
 * @typedef {{ value: Value | null, tags: string[], revalidation: number, storedAt: number, cacheControl?: CacheControl }} Entry
 * @typedef {{ kind?: string, tags?: string[], softTags?: string[], revalidate?: number | false }} GetContext
 * @typedef {{ fetchCache?: boolean, tags?: string[], cacheControl?: CacheControl }} SetContext
 */

export default class CacheHandler {
  #build
  /** @type {Map<string, number>} The last revalidation before what is computed now; Next.js makes a handler for each request. */
  #revalidations = new Map()

  /** @param {{ serverDistDir?: string }} context */
  constructor({ serverDistDir }) {
    this.#build = buildIn(serverDistDir)
  }

  /** @param {string} key @param {GetContext} context */
  async get(key, context) {
    try {
      const name = this.#nameOf(key, context.kind)
      return name === undefined ? null : await outside(() => this.#read(name, context))
    } catch (error) {
      // Next.js would answer with an error, where it can compute.
      console.error('The cache cannot be read:', error)
      return null
    }
  }

  /** @param {string} key @param {Value | null} value @param {SetContext} context */
  async set(key, value, context) {
    const name = this.#nameOf(key, context.fetchCache ? 'FETCH' : value?.kind)
    if (name !== undefined) await outside(() => this.#store(name, value, context))
  }

  /** @param {string | string[]} tags @param {{ expire?: number }} [durations] */
  async revalidateTag(tags, durations) {
    await outside(() => revalidate([tags].flat(), durations))
  }

  resetRequestCache() {}

  /** @param {string} name @param {Value | null} value @param {SetContext} context */
  async #store(name, value, { tags = tagsOf(value), cacheControl }) {
    const revalidation = this.#revalidations.get(name) ?? (await readMarks()).latest
    /** @type {Entry} */
    const entry = { value, tags, revalidation, storedAt: Date.now(), ...(cacheControl && { cacheControl }) }
    await cache.set(name, entry, { ttl: lifetime(cacheControl?.expire), tags })
  }

  /** @param {string} name @param {GetContext} context */
  async #read(name, { kind, tags = [], softTags = [], revalidate: seconds }) {
    const entry = /** @type {Entry | undefined} */ (await cache.get(name))
    const { latest, marks } = await readMarks([...(entry?.tags ?? []), ...tags, ...softTags])
    // One handler serves all images, for ever; they have no tags.
    if (kind !== 'IMAGE') this.#revalidations.set(name, latest)
    if (!entry) return null
    const state = judge(marks, entry.revalidation)
    if (state === 'expired') return null
    const { value, cacheControl } = entry
    const lastModified = lastModifiedOf(entry, state === 'stale', seconds || value?.revalidate)
    return { value, lastModified, ...(cacheControl && { cacheControl }) }
  }

  /**
   * The name of an entry in the cache. Pages belong to a build, whose scripts they load; what was fetched does not.
   * @param {string} key @param {string | undefined} kind
   */
  #nameOf(key, kind) {
    if (kind === 'FETCH' || kind === 'IMAGE') return `${kind.toLowerCase()}:${key}`
    return this.#build === undefined ? undefined : `page:${this.#build}:${key}`
  }
}

/**
 * Next.js tells by this time how old an entry is. A page says for how long it is fresh: a process that has not rendered it may know nothing of that.
 * @param {Entry} entry @param {boolean} stale @param {number | undefined} seconds for which the value is fresh, where it is no page
 */
function lastModifiedOf({ storedAt, cacheControl }, stale, seconds) {
  const now = Date.now()
  const fresh = cacheControl?.revalidate ?? seconds
  // -1: rendered before it is answered, since what never grows old cannot be answered as old.
  if (stale) return typeof fresh === 'number' ? Math.min(storedAt, now - (fresh + 1) * 1000) : -1
  if (cacheControl === undefined || (typeof fresh === 'number' && now > storedAt + fresh * 1000)) return storedAt
  return now
}

/** The tags of a page, those of its path too. @param {Value | null} value */
function tagsOf(value) {
  const field = value?.headers?.['x-next-cache-tags']
  return typeof field === 'string' ? field.split(',') : []
}

/** @type {Map<string, string | undefined>} */
const builds = new Map()

/** What tells a build from others; undefined while it is being made, and in development. @param {string} [serverDistDir] */
function buildIn(serverDistDir) {
  if (serverDistDir === undefined || process.env.NEXT_PHASE === 'phase-production-build') return undefined
  if (!builds.has(serverDistDir)) builds.set(serverDistDir, readBuild(join(serverDistDir, '..', 'BUILD_ID')))
  return builds.get(serverDistDir)
}

/** @param {string} file */
function readBuild(file) {
  try {
    return [readFileSync(/* turbopackIgnore: true */ file, 'utf8').trim(), process.env.NEXT_DEPLOYMENT_ID]
      .filter(Boolean)
      .join('+')
  } catch {
    return undefined
  }
}
