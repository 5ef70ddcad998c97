import { AsyncResource } from 'node:async_hooks'
import { nowOf } from '../../engine/for-adapters.js'
import type { Cache, FanoutCache } from '../../engine/index.js'

/** No entry lives longer, so that tags can be forgotten a day later. Milliseconds. */
const LONGEST = 30 * 24 * 3_600_000
const TAG_TTL = LONGEST + 24 * 3_600_000
const LATEST = 'latest revalidation'
/** A read of tags must not give up before a lock is free again: an answer without them might be an old one. */
const PATIENT = { timeout: '5s' } as const

/** What a revalidation makes of the entries that it reaches. */
export interface Durations {
  /** They may be served once more for so long while they are computed anew. Seconds. @default not served any more */
  readonly expire?: number | undefined
}

/** What is known of a tag: numbers of revalidations, and when what is stale counts as expired, in epoch milliseconds. */
interface Mark {
  readonly expired: number
  readonly stale: number
  readonly due: number
}

/** What the tags of an entry make of it. */
export type State = 'fresh' | 'stale' | 'expired'

/** The last revalidation of all, and how entries with the tags that were asked for stand to theirs. */
export interface Marks {
  readonly latest: number
  /** @param revalidation the last one that there was when the computation of the entry began */
  judge(revalidation: number): State
}

/**
 * What was revalidated, for all processes of a cache.
 *
 * Each revalidation has a number, greater than all before it. An entry remembers the last one that there was when its
 * computation began, and a tag the last one that it was in. Comparing the two needs no clock that processes agree on,
 * and finds what was still being computed meanwhile.
 */
export class Revalidations {
  readonly cache: FanoutCache
  /** Apart from the entries: a tag that was evicted, or lost with the power, would bring back what it was about. */
  readonly #tags: Cache
  readonly #outside = new AsyncResource('fanout-cache')

  constructor(cache: FanoutCache) {
    this.cache = cache
    this.#tags = cache.cache('tags', { evictionPolicy: 'none', sqlite: { synchronous: 2 } })
  }

  /**
   * Runs a function outside of the request. Next.js 16 ends a prerender where the time is asked for in it, and a cache
   * asks for it all the time.
   */
  outside<T>(work: () => T): T {
    return this.#outside.runInAsyncScope(work)
  }

  async read(names: Iterable<string> = []): Promise<Marks> {
    const keys = [...new Set(names)].map(keyOf)
    const [latest, ...marks] = await this.#tags.getMany([LATEST, ...keys], PATIENT)
    const known = marks.filter(mark => mark !== undefined) as Mark[]
    return { latest: Number(latest ?? 0), judge: revalidation => stateOf(known, revalidation, nowOf(this.cache)) }
  }

  /** Takes effect for all processes, when it resolves. */
  async revalidate(names: readonly string[], durations?: Durations): Promise<void> {
    const now = nowOf(this.cache)
    await this.#tags.transact(tx => {
      // Not below the time, so that numbers also grow when the directory was removed meanwhile.
      const number = Math.max(Number(tx.get(LATEST) ?? 0) + 1, now)
      tx.set(LATEST, number)
      for (const name of names) {
        const mark = markOf(number, now, tx.get<Mark>(keyOf(name)), durations)
        tx.set(keyOf(name), mark, { ttl: TAG_TTL })
      }
    })
  }
}

/** How long an entry is kept. Milliseconds. @param expire seconds */
export function lifetime(expire: number = Number.POSITIVE_INFINITY): number {
  return Math.min(expire * 1000, LONGEST)
}

function stateOf(marks: readonly Mark[], revalidation: number, now: number): State {
  const later = marks.filter(({ stale }) => stale > revalidation)
  if (later.some(({ expired, due }) => expired > revalidation || due <= now)) return 'expired'
  return later.length > 0 ? 'stale' : 'fresh'
}

function markOf(number: number, now: number, was: Mark | undefined, durations: Durations | undefined): Mark {
  if (!durations) return { expired: number, stale: number, due: Number.POSITIVE_INFINITY }
  const due = now + (durations.expire ?? Number.POSITIVE_INFINITY) * 1000
  if (was === undefined) return { expired: 0, stale: number, due }
  // What had expired by now does not become merely stale.
  return { expired: was.due <= now ? was.stale : was.expired, stale: number, due }
}

function keyOf(name: string): string {
  return `tag:${name}`
}
