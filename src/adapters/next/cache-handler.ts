import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nowOf } from '../../engine/for-adapters.js'
import { type Durations, lifetime, type Revalidations, type State } from './revalidations.js'

/** What Next.js stores, as it is: a page, a route handler's answer, a `fetch`, an image, a redirect. */
export interface CacheValue {
  /** 'APP_PAGE', 'PAGES', 'APP_ROUTE', 'FETCH', 'IMAGE', 'REDIRECT' and others. */
  readonly kind: string
  /** Those of a page name its tags. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** How long a `fetch` is fresh. Seconds; `false`: for ever. */
  readonly revalidate?: number | false
}

/** How long a page is fresh, and how long it may be served. */
export interface CacheControl {
  /** How long it is fresh. Seconds; `false`: for ever. */
  readonly revalidate?: number | false | undefined
  /** How long it may be served. Seconds. */
  readonly expire?: number | undefined
}

/** What Next.js tells of a read. */
export interface GetContext {
  /** The kind of value that is wanted. */
  readonly kind?: string
  /** The tags of a `fetch`. */
  readonly tags?: readonly string[]
  /** The tags of the path that is rendered. */
  readonly softTags?: readonly string[]
  /** How long a `fetch` is fresh for this reader. Seconds. */
  readonly revalidate?: number | false
}

/** What Next.js tells of a value that it stores. */
export interface SetContext {
  /** Whether it is a `fetch`. */
  readonly fetchCache?: boolean
  /** The tags of a `fetch`. */
  readonly tags?: readonly string[]
  /** How long a page is fresh, and how long it may be served. */
  readonly cacheControl?: CacheControl
}

/** What Next.js is answered. */
export interface FoundValue {
  /** As it was stored. `null`: a page that is known not to be there. */
  readonly value: CacheValue | null
  /** When it was stored, for those who are to judge its age. Epoch milliseconds; -1: to be computed before it is answered. */
  readonly lastModified: number
  /** As it was stored. */
  readonly cacheControl?: CacheControl
}

/** What Next.js tells a handler that it makes. */
export interface HandlerContext {
  /** The folder of the code of the server. The one above it names the build. */
  readonly serverDistDir?: string
}

/** A `cacheHandler` of Next.js. It makes one for each request. */
export interface NextCacheHandler {
  /** Reads a value. `null`: it is to be computed, also where the cache cannot be read. */
  get(key: string, context: GetContext): Promise<FoundValue | null>
  /** Stores a value; `null`: a page that is known not to be there. */
  set(key: string, value: CacheValue | null, context: SetContext): Promise<void>
  /** Revalidates tags for all processes, when it resolves. @throws when the cache cannot be written */
  revalidateTag(tags: string | readonly string[], durations?: Durations): Promise<void>
  /** Does nothing: each read looks. */
  resetRequestCache(): void
}

/** What Next.js makes its `cacheHandler` of. */
export type NextCacheHandlerClass = new (context: HandlerContext) => NextCacheHandler

interface Entry {
  readonly value: CacheValue | null
  readonly tags: readonly string[]
  readonly revalidation: number
  readonly storedAt: number
  readonly cacheControl?: CacheControl
}

/** Makes the class of a `cacheHandler`. @param onError told why a read was answered with a miss */
export function cacheHandlerOf(revalidations: Revalidations, onError: (error: unknown) => void): NextCacheHandlerClass {
  return class CacheHandler implements NextCacheHandler {
    readonly #entries: PageEntries

    constructor({ serverDistDir }: HandlerContext) {
      this.#entries = new PageEntries(revalidations, buildIn(serverDistDir))
    }

    async get(key: string, context: GetContext): Promise<FoundValue | null> {
      try {
        return await revalidations.outside(() => this.#entries.read(key, context))
      } catch (error) {
        // Next.js would answer with an error, where it can compute.
        onError(error)
        return null
      }
    }

    async set(key: string, value: CacheValue | null, context: SetContext): Promise<void> {
      await revalidations.outside(() => this.#entries.store(key, value, context))
    }

    async revalidateTag(tags: string | readonly string[], durations?: Durations): Promise<void> {
      await revalidations.outside(() => revalidations.revalidate([tags].flat(), durations))
    }

    resetRequestCache(): void {}
  }
}

/** The entries of one build, as one request sees them. */
class PageEntries {
  readonly #revalidations: Revalidations
  readonly #build: string | undefined
  /** The last revalidation before what is computed now, by name. */
  readonly #before = new Map<string, number>()

  constructor(revalidations: Revalidations, build: string | undefined) {
    this.#revalidations = revalidations
    this.#build = build
  }

  async read(key: string, { kind, tags = [], softTags = [], revalidate }: GetContext): Promise<FoundValue | null> {
    const name = this.#nameOf(key, kind)
    if (name === undefined) return null
    const { cache } = this.#revalidations
    const entry = await cache.get<Entry>(name)
    const { latest, judge } = await this.#revalidations.read([...(entry?.tags ?? []), ...tags, ...softTags])
    // One handler serves all images, for ever; they have no tags.
    if (kind !== 'IMAGE') this.#before.set(name, latest)
    if (!entry) return null
    const state = judge(entry.revalidation)
    if (state === 'expired') return null
    const { value, cacheControl } = entry
    const lastModified = lastModifiedOf(entry, state, revalidate || value?.revalidate, nowOf(cache))
    return { value, lastModified, ...(cacheControl && { cacheControl }) }
  }

  async store(key: string, value: CacheValue | null, context: SetContext): Promise<void> {
    const name = this.#nameOf(key, context.fetchCache ? 'FETCH' : value?.kind)
    if (name === undefined) return
    const { tags = tagsOf(value), cacheControl } = context
    const { cache } = this.#revalidations
    const revalidation = this.#before.get(name) ?? (await this.#revalidations.read()).latest
    const storedAt = nowOf(cache)
    const entry: Entry = { value, tags, revalidation, storedAt, ...(cacheControl && { cacheControl }) }
    await cache.set(name, entry, { ttl: lifetime(cacheControl?.expire), tags })
  }

  /** Pages belong to a build, whose scripts they load; what was fetched does not. */
  #nameOf(key: string, kind: string | undefined): string | undefined {
    if (kind === 'FETCH' || kind === 'IMAGE') return `${kind.toLowerCase()}:${key}`
    return this.#build === undefined ? undefined : `page:${this.#build}:${key}`
  }
}

/**
 * Next.js tells by this time how old an entry is. A page says for how long it is fresh: a process that has not rendered
 * it may know nothing of that.
 *
 * @param seconds for which the value is fresh, where it is no page
 */
function lastModifiedOf(
  { storedAt, cacheControl }: Entry,
  state: State,
  seconds: number | false | undefined,
  now: number,
): number {
  const fresh = cacheControl?.revalidate ?? seconds
  // -1: rendered before it is answered, since what never grows old cannot be answered as old.
  if (state === 'stale') return typeof fresh === 'number' ? Math.min(storedAt, now - (fresh + 1) * 1000) : -1
  if (cacheControl === undefined || (typeof fresh === 'number' && now > storedAt + fresh * 1000)) return storedAt
  return now
}

/** The tags of a page, those of its path too. */
function tagsOf(value: CacheValue | null): string[] {
  const field = value?.headers?.['x-next-cache-tags']
  return typeof field === 'string' ? field.split(',') : []
}

const builds = new Map<string, string | undefined>()

/** What tells a build from others. `undefined`: it is being made, or there is none, as in development. */
function buildIn(serverDistDir: string | undefined): string | undefined {
  if (serverDistDir === undefined || process.env['NEXT_PHASE'] === 'phase-production-build') return undefined
  if (!builds.has(serverDistDir)) builds.set(serverDistDir, readBuild(join(serverDistDir, '..', 'BUILD_ID')))
  return builds.get(serverDistDir)
}

function readBuild(file: string): string | undefined {
  try {
    // A configuration with a `deploymentId` has one BUILD_ID for all its builds.
    const parts = [readFileSync(file, 'utf8').trim(), process.env['NEXT_DEPLOYMENT_ID']]
    return parts.filter(Boolean).join('+')
  } catch {
    return undefined
  }
}
