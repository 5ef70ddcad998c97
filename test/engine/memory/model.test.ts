import type { DiskCache, MemoryOptions } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheSubject } from '../../contract/subjects.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { nextTurn, Stranger } from './support.js'

/** Sequences per kind of memory; MODEL_RUNS asks for a longer search. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 20)
const KEYS = ['a', 'b', 'c', 'd']
const READS = ['get', 'getMany', 'has', 'getItem'] as const
const WRITES = ['set', 'add', 'incr', 'delete', 'pop', 'transact', 'thrown', 'clear'] as const

type Value = number | { readonly n: number } | undefined

interface Step {
  readonly do: (typeof READS)[number] | (typeof WRITES)[number] | 'foreign set' | 'foreign delete' | 'turn' | 'advance'
  /** The handle with memory, or the one without. */
  readonly remembers: boolean
  readonly key: string
  readonly n: number
}

/** What is stored, and what a reader may still see who was not asked since somebody else wrote. */
class Model {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>()
  readonly #earlier = new Map<string, Value[]>()
  readonly #clock: ManualClock

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  get(key: string): Value {
    const entry = this.#entries.get(key)
    return entry && entry.until > this.#clock.now() ? entry.value : undefined
  }

  set(key: string, value: Value, ttl?: number): void {
    if (value === undefined) this.#entries.delete(key)
    else
      this.#entries.set(key, { value, until: ttl === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() + ttl })
  }

  clear(): void {
    this.#entries.clear()
  }

  foreign(key: string, value: Value): void {
    this.#earlier.set(key, [...(this.#earlier.get(key) ?? []), this.get(key)])
    const until = this.#entries.get(key)?.until ?? Number.POSITIVE_INFINITY
    if (value === undefined) this.#entries.delete(key)
    else this.#entries.set(key, { value, until })
  }

  /** The loop has turned: everything must be seen now. */
  turn(): void {
    this.#earlier.clear()
  }

  /** Whether somebody may see this value of a key. Who has seen the present one sees no earlier one any more. */
  admits(key: string, isSeen: (value: Value) => boolean): boolean {
    if (!isSeen(this.get(key))) return this.#earlier.get(key)?.some(isSeen) ?? false
    if (!this.#earlier.get(key)?.some(isSeen)) this.#earlier.delete(key)
    return true
  }
}

class Run {
  readonly #clock = new ManualClock()
  readonly #model = new Model(this.#clock)
  readonly #cache: DiskCache
  readonly #plain: DiskCache
  readonly #stranger: Stranger

  constructor(memory: MemoryOptions, directory: string) {
    const subject = cacheSubject('structured')
    this.#cache = subject.make({ memory, clock: this.#clock, cullLimit: 0 }, directory)
    this.#plain = subject.make({}, directory)
    this.#stranger = new Stranger(directory)
  }

  async step({ do: verb, remembers, key, n }: Step): Promise<void> {
    const cache = remembers ? this.#cache : this.#plain
    if (verb === 'turn') {
      await nextTurn()
      this.#model.turn()
    } else if (verb === 'advance') {
      this.#clock.advance(n)
    } else if (verb === 'foreign set' || verb === 'foreign delete') {
      this.#foreign(verb, key, n)
    } else if (READS.some(read => read === verb)) {
      await this.#read(cache, verb, key)
    } else {
      await this.#write(cache, verb, key, n)
    }
  }

  async close(): Promise<void> {
    await this.#cache.close()
    await this.#plain.close()
  }

  async #read(cache: DiskCache, verb: Step['do'], key: string): Promise<void> {
    const seen = await READERS[verb]?.(cache, key)
    const isSeen = (value: Value): boolean => {
      return verb === 'has' ? seen === (value !== undefined) : JSON.stringify(seen) === JSON.stringify(value)
    }
    expect(this.#model.admits(key, isSeen), `${verb}(${key}) saw ${JSON.stringify(seen)}`).toBe(true)
  }

  async #write(cache: DiskCache, verb: Step['do'], key: string, n: number): Promise<void> {
    const model = this.#model
    const before = model.get(key)
    const ttl = n % 3 === 0 ? n : undefined
    if (verb === 'clear') {
      await cache.clear()
      model.clear()
    } else if (verb === 'set' || (verb === 'add' && before === undefined)) {
      await cache[verb](key, { n }, ttl === undefined ? {} : { ttl })
      model.set(key, { n }, ttl)
    } else if (verb === 'incr' && before === undefined) {
      expect(await cache.incr(key, n)).toBe(n)
      model.set(key, n)
    } else if (verb === 'delete' || verb === 'pop') {
      const answer = await cache[verb](key)
      expect(answer).toEqual(verb === 'pop' ? before : before !== undefined)
      model.set(key, undefined)
    } else if (verb === 'transact') {
      expect(await cache.transact(tx => [tx.get(key), tx.set(key, n)][0])).toEqual(before)
      model.set(key, n)
    } else if (verb === 'thrown') {
      const undone = cache.transact(tx => [tx.set(key, n), Reflect.apply(Error.prototype.toString, undefined, [])])
      await expect(undone).rejects.toThrow(TypeError)
    } else {
      // Nothing is called for an entry that is there already, so that the loop need not turn.
      return
    }
    model.turn()
  }

  #foreign(verb: 'foreign set' | 'foreign delete', key: string, n: number): void {
    if (verb === 'foreign delete') this.#stranger.delete(key)
    else this.#stranger.put(key, n)
    this.#model.foreign(key, verb === 'foreign delete' ? undefined : n)
  }
}

const READERS: Readonly<Partial<Record<Step['do'], (cache: DiskCache, key: string) => Promise<unknown>>>> = {
  get: (cache, key) => cache.get(key),
  getMany: async (cache, key) => (await cache.getMany([key, ...KEYS]))[0],
  has: (cache, key) => cache.has(key),
  getItem: async (cache, key) => (await cache.getItem(key))?.value,
}

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...READS) },
    { weight: 5, arbitrary: fc.constantFrom(...WRITES) },
    { weight: 3, arbitrary: fc.constantFrom('foreign set' as const, 'foreign delete' as const) },
    { weight: 3, arbitrary: fc.constantFrom('turn' as const, 'advance' as const) },
  ),
  remembers: fc.boolean(),
  key: fc.constantFrom(...KEYS),
  n: fc.integer({ min: 1, max: 60 }),
})

describe('memory beside a handle without it and a stranger who writes', () => {
  const kinds: readonly MemoryOptions[] = [{}, { mode: 'frozen' }, { maxItems: 2 }, { ttl: 20 }]

  it.each(kinds)(
    'shows with %j what a Map with expiry would, but for one turn of the loop',
    async memory => {
      const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80, size: 'max' }), async steps => {
        const run = new Run(memory, temporaryDirectory())
        await run.step({ do: 'set', remembers: true, key: 'a', n: 1 })
        for (const one of steps) await run.step(one)
        await run.close()
      })
      await fc.assert(property, { numRuns: RUNS, endOnFailure: true })
    },
    60_000,
  )
})
