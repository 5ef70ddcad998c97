import { createHash } from 'node:crypto'
import { performance } from '../../engine/timers.js'
import { type Durations, lifetime, type Revalidations } from './revalidations.js'

/** What Next.js stores of a `use cache` value besides its bytes. */
export interface UseCacheFields {
  /** Its tags. */
  readonly tags: readonly string[]
  /** How long a browser may use it without asking. Seconds. */
  readonly stale: number
  /** When its computation began, by the clock of the process: `performance.timeOrigin + performance.now()`. */
  readonly timestamp: number
  /** How long it may be served. Seconds. */
  readonly expire: number
  /** How long it is fresh. Seconds; below 0: answered now, and computed anew behind the answer. */
  readonly revalidate: number
}

/** A value of `use cache`, as Next.js hands it over and is answered. */
export interface UseCacheEntry extends UseCacheFields {
  /** Its bytes. They are read once. */
  readonly value: ReadableStream<Uint8Array>
}

/** One of the `cacheHandlers` of Next.js 16. */
export interface NextUseCacheHandler {
  /** Reads a value. `undefined`: it is to be computed, also where the cache cannot be read. */
  get(key: string, softTags: readonly string[]): Promise<UseCacheEntry | undefined>
  /** Stores a value when it is whole. One that breaks off is not stored. */
  set(key: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>
  /** Looks what was revalidated. Next.js calls it before the first read of a request, and so before what it computes. */
  refreshTags(): Promise<void>
  /** Resolves to Infinity: `get` looks at the tags of a path itself. */
  getExpiration(tags: readonly string[]): Promise<number>
  /** Revalidates tags for all processes, when it resolves. @throws when the cache cannot be written */
  updateTags(tags: readonly string[], durations?: Durations): Promise<void>
}

interface Entry {
  readonly fields: UseCacheFields
  readonly bytes: Uint8Array
  readonly revalidation: number
}

/** Of so many revalidations a process remembers when it saw them. */
const MOST_SEEN = 1000

/** Makes a handler for `use cache`. @param onError told why a read was answered with a miss, or a value not stored */
export function useCacheHandlerOf(
  revalidations: Revalidations,
  onError: (error: unknown) => void,
): NextUseCacheHandler {
  const values = new UseCacheValues(revalidations)
  /** What is being stored, by key: readers of this process wait for it. */
  const pending = new Map<string, Promise<void>>()
  const outside = revalidations.outside.bind(revalidations)
  return {
    async get(key, softTags) {
      try {
        await pending.get(key)
        return await outside(() => values.read(key, softTags))
      } catch (error) {
        // Next.js would answer with an error, where it can compute.
        onError(error)
        return undefined
      }
    },
    async set(key, pendingEntry) {
      const storing = outside(() => values.store(key, pendingEntry)).catch(onError)
      pending.set(key, storing)
      try {
        await storing
      } finally {
        if (pending.get(key) === storing) pending.delete(key)
      }
    },
    async refreshTags() {
      try {
        await outside(() => values.look())
      } catch (error) {
        onError(error)
      }
    },
    getExpiration: async () => Number.POSITIVE_INFINITY,
    updateTags: (tags, durations) => outside(() => revalidations.revalidate(tags, durations)),
  }
}

class UseCacheValues {
  readonly #revalidations: Revalidations
  /** When this process first saw each revalidation, by the clock of `timestamp`. */
  readonly #seen: { readonly revalidation: number; readonly at: number }[] = []

  constructor(revalidations: Revalidations) {
    this.#revalidations = revalidations
  }

  async read(key: string, softTags: readonly string[]): Promise<UseCacheEntry | undefined> {
    const entry = await this.#revalidations.cache.get<Entry>(nameOf(key))
    const { latest, judge } = await this.#revalidations.read([...(entry?.fields.tags ?? []), ...softTags])
    this.#notice(latest)
    if (!entry) return undefined
    const state = judge(entry.revalidation)
    if (state === 'expired') return undefined
    const value = new Blob([entry.bytes as Uint8Array<ArrayBuffer>]).stream() as UseCacheEntry['value']
    return { ...entry.fields, value, ...(state === 'stale' && { revalidate: -1 }) }
  }

  async store(key: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    const { value, ...fields } = await pendingEntry
    // Half a value is none: this rejects.
    const bytes = new Uint8Array(await new Response(value).arrayBuffer())
    // What is computed for each request.
    if (fields.expire <= 0) return
    const revalidation = this.#seen.findLast(({ at }) => at <= fields.timestamp)?.revalidation ?? 0
    const entry: Entry = { fields, bytes, revalidation }
    await this.#revalidations.cache.set(nameOf(key), entry, { ttl: lifetime(fields.expire), tags: fields.tags })
  }

  async look(): Promise<void> {
    this.#notice((await this.#revalidations.read()).latest)
  }

  #notice(revalidation: number): void {
    const last = this.#seen.at(-1)
    if (last && revalidation <= last.revalidation) return
    this.#seen.push({ revalidation, at: performance.timeOrigin + performance.now() })
    if (this.#seen.length > MOST_SEEN) this.#seen.shift()
  }
}

/** Keys hold the arguments of the function, of any length. */
function nameOf(key: string): string {
  return `use-cache:${createHash('sha256').update(key).digest('hex')}`
}
