import type { DiskCache, Transaction } from 'fanout-cache'
import fc from 'fast-check'
import { LARGE } from '../contract/subjects.js'

/** One call on a cache. */
export type Call =
  | {
      readonly verb: 'set' | 'add'
      readonly key: string
      readonly value: unknown
      readonly ttl?: number
      readonly tag?: string
    }
  | { readonly verb: 'incr'; readonly key: string; readonly delta: number }
  | { readonly verb: 'touch'; readonly key: string; readonly ttl: number | null }
  | { readonly verb: 'delete' | 'pop' | 'get' | 'has'; readonly key: string }
  | { readonly verb: 'evict'; readonly tag: string }
  | { readonly verb: 'expire' | 'clear' }

/** Values that go to files are written short in a sequence of steps, so that a failure can be read. */
function expand(value: unknown): unknown {
  const isLarge = typeof value === 'object' && value !== null && 'large' in value
  return isLarge ? `${value.large}${LARGE}` : value
}

/** What a test does next. */
export type Step =
  | { readonly do: 'call'; readonly call: Call; readonly awaited: boolean }
  | { readonly do: 'transact'; readonly calls: readonly Call[]; readonly throws: boolean; readonly awaited: boolean }
  | { readonly do: 'advance'; readonly milliseconds: number }

/** What a call must answer. Bulk removals may or may not count rows that had expired before. */
export type Answer =
  | { readonly is: unknown }
  | { readonly error: typeof TypeError }
  | { readonly least: number; readonly most: number }

interface Entry {
  readonly value: unknown
  readonly tag: string | undefined
  readonly expiresAt: number
}

/** What a cache must behave like: a Map with expiry and tags. */
export class CacheModel {
  readonly #entries: Map<string, Entry>
  readonly #now: () => number

  constructor(now: () => number, entries: Iterable<readonly [string, Entry]> = []) {
    this.#now = now
    this.#entries = new Map(entries)
  }

  copy(): CacheModel {
    return new CacheModel(this.#now, this.#entries)
  }

  live(): Map<string, unknown> {
    return new Map(
      [...this.#entries].filter(([, entry]) => this.#isLive(entry)).map(([key, { value }]) => [key, value]),
    )
  }

  apply(call: Call): Answer {
    switch (call.verb) {
      case 'evict':
        return this.#remove(({ tag }) => tag === call.tag)
      case 'expire':
        return this.#remove(entry => !this.#isLive(entry))
      case 'clear':
        return this.#remove(() => true)
      default:
        return this.#applyToKey(call)
    }
  }

  #applyToKey(call: Exclude<Call, { verb: 'evict' | 'expire' | 'clear' }>): Answer {
    const stored = this.#entries.get(call.key)
    const entry = stored && this.#isLive(stored) ? stored : undefined
    switch (call.verb) {
      case 'set':
      case 'add':
        if (call.verb === 'add' && entry) return { is: false }
        this.#entries.set(call.key, {
          value: expand(call.value),
          tag: call.tag,
          expiresAt: this.#now() + (call.ttl ?? Number.POSITIVE_INFINITY),
        })
        return { is: true }
      case 'incr':
        return this.#incr(call.key, call.delta, entry)
      case 'touch':
        if (entry)
          this.#entries.set(call.key, { ...entry, expiresAt: this.#now() + (call.ttl ?? Number.POSITIVE_INFINITY) })
        return { is: entry !== undefined }
      case 'get':
        return { is: entry?.value }
      case 'has':
        return { is: entry !== undefined }
      default:
        if (entry) this.#entries.delete(call.key)
        return { is: call.verb === 'pop' ? entry?.value : entry !== undefined }
    }
  }

  #incr(key: string, delta: number, entry: Entry | undefined): Answer {
    if (entry && typeof entry.value !== 'number') return { error: TypeError }
    const value = entry ? (entry.value as number) + delta : delta
    const { tag, expiresAt } = entry ?? { tag: undefined, expiresAt: Number.POSITIVE_INFINITY }
    this.#entries.set(key, { value, tag, expiresAt })
    return { is: value }
  }

  #remove(matches: (entry: Entry) => boolean): Answer {
    const removed = [...this.#entries].filter(([, entry]) => matches(entry))
    for (const [key] of removed) this.#entries.delete(key)
    return { least: removed.filter(([, entry]) => this.#isLive(entry)).length, most: removed.length }
  }

  #isLive(entry: Entry): boolean {
    return entry.expiresAt > this.#now()
  }
}

/** Makes a call on a cache, or inside a transaction. */
export function perform<C extends DiskCache | Transaction>(cache: C, call: Call): unknown {
  switch (call.verb) {
    case 'set':
    case 'add': {
      const { ttl, tag } = call
      const options = { ...(ttl === undefined ? {} : { ttl }), ...(tag === undefined ? {} : { tag }) }
      return cache[call.verb](call.key, expand(call.value), options)
    }
    case 'incr':
      return cache.incr(call.key, call.delta)
    case 'touch':
      return cache.touch(call.key, { ttl: call.ttl })
    case 'evict':
      return cache.evict(call.tag)
    case 'expire':
    case 'clear':
      return cache[call.verb]()
    default:
      return cache[call.verb](call.key)
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const tag = fc.constantFrom('red', 'green')
const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -1000, max: 1000 }) },
  { weight: 2, arbitrary: fc.string({ maxLength: 8 }) },
  { weight: 1, arbitrary: fc.record({ list: fc.array(fc.integer(), { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 9 }).map(number => ({ large: number })) },
)
const ttl = fc.integer({ min: 0, max: 3000 })

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      { verb: fc.constantFrom('set' as const, 'add' as const), key, value, ttl, tag },
      { requiredKeys: ['verb', 'key', 'value'] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({ verb: fc.constant('incr' as const), key, delta: fc.integer({ min: -5, max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('touch' as const), key, ttl: fc.option(ttl) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      verb: fc.constantFrom('delete' as const, 'pop' as const, 'get' as const, 'has' as const),
      key,
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('evict' as const), tag }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('expire' as const, 'clear' as const) }) },
)

/** Random sequences of steps. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ do: fc.constant('call' as const), call, awaited: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('transact' as const),
        calls: fc.array(call, { maxLength: 6 }),
        throws: fc.boolean(),
        awaited: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('advance' as const), milliseconds: fc.integer({ min: 1, max: 2000 }) }),
    },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
)
