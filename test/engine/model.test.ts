import type { DiskCache, Transaction } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheSubject, fanoutSubject, type Subject } from '../contract/subjects.js'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { valueFiles } from '../helpers/value-files.js'
import { type Answer, CacheModel, type Call, perform, type Step, steps } from './cache-model.js'

/** Sequences of the first implementation; MODEL_RUNS asks for a longer search. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 40)
const MIN_FILE_SIZE = 32_768

type Settled = { readonly value: unknown } | { readonly error: unknown }

async function settle(call: () => unknown): Promise<Settled> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}

function compare(settled: Settled, answer: Answer, label: string): void {
  if ('error' in answer) {
    expect('error' in settled && settled.error, label).toBeInstanceOf(answer.error)
  } else if ('error' in settled) {
    throw settled.error
  } else if ('is' in answer) {
    expect(settled.value, label).toEqual(answer.is)
  } else {
    expect(settled.value, label).toBeGreaterThanOrEqual(answer.least)
    expect(settled.value, label).toBeLessThanOrEqual(answer.most)
  }
}

/** Calls two handles of one directory in turn, and a model; what is not awaited at once is compared later. */
class Run {
  readonly #caches: readonly DiskCache[]
  readonly #clock: ManualClock
  readonly #pending: Promise<void>[] = []
  #model: CacheModel
  #turn = 0

  constructor(subject: Subject) {
    const clock = new ManualClock()
    const first = subject.make({ clock, cullLimit: 0 })
    this.#caches = [first, subject.make({ clock, cullLimit: 0 }, first.directory)]
    this.#clock = clock
    this.#model = new CacheModel(() => clock.now())
  }

  async open(): Promise<void> {
    for (const cache of this.#caches) await cache.open()
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'advance') {
      // What is under way was called before the clock moved.
      await this.#drain()
      this.#clock.advance(step.milliseconds)
      return
    }
    const compared = step.do === 'call' ? this.#call(step.call) : this.#transact(step.calls, step.throws)
    if (step.awaited) return compared
    this.#pending.push(compared)
    // It is awaited later: meanwhile it is not unhandled.
    compared.catch(() => undefined)
  }

  async finish(): Promise<void> {
    await this.#drain()
    const [cache] = this.#caches as [DiskCache]
    const live = this.#model.live()
    expect(new Map((await collect(cache.entries<unknown>())) as [string, unknown][])).toEqual(live)
    const files = [...live.values()].filter(value => typeof value === 'string' && value.length >= MIN_FILE_SIZE)
    await cache.expire()
    expect(await cache.count()).toBe(live.size)
    await expect.poll(() => valueFiles(cache.directory).length, { interval: 5 }).toBe(files.length)
    expect(await cache.check()).toEqual([])
    for (const handle of this.#caches) await handle.close()
  }

  #cache(): DiskCache {
    this.#turn += 1
    return this.#caches[this.#turn % 2] as DiskCache
  }

  async #call(call: Call): Promise<void> {
    const answer = this.#model.apply(call)
    compare(await settle(() => perform(this.#cache(), call)), answer, JSON.stringify(call).slice(0, 80))
  }

  async #transact(calls: readonly Call[], throws: boolean): Promise<void> {
    const model = this.#model.copy()
    const answers = calls.map(call => model.apply(call))
    if (!throws) this.#model = model
    const body = (tx: Transaction): Settled[] => {
      const settled = calls.map(call => settleNow(() => perform(tx, call)))
      for (const [index, answer] of answers.entries()) {
        compare(settled[index] as Settled, answer, `in transact: ${JSON.stringify(calls[index]).slice(0, 80)}`)
      }
      if (throws) throw new Error('undo')
      return settled
    }
    const result = await settle(() => this.#cache().transact(body))
    if (throws) expect('error' in result && result.error).toHaveProperty('message', 'undo')
    else if ('error' in result) throw result.error
  }

  async #drain(): Promise<void> {
    await Promise.all(this.#pending.splice(0))
  }
}

function settleNow(call: () => unknown): Settled {
  try {
    return { value: call() }
  } catch (error) {
    return { error }
  }
}

/** @param runs fewer where another codec does the same, to see that it does */
function modelTest(subject: Subject, runs = RUNS): void {
  it(`${subject.name} behaves as a Map with expiry and tags does, awaited or not`, {
    timeout: 300_000 + runs * 1000,
  }, async () => {
    const property = fc.asyncProperty(steps, async sequence => {
      const run = new Run(subject)
      await run.open()
      for (const step of sequence) await run.step(step)
      await run.finish()
    })
    await fc.assert(property, { numRuns: runs, endOnFailure: false })
  })
}

describe('model', () => {
  modelTest(cacheSubject('structured'))
  modelTest(fanoutSubject('structured'), Math.ceil(RUNS / 2))
  modelTest(cacheSubject('json'), Math.ceil(RUNS / 4))
  modelTest(cacheSubject('pickle'), Math.ceil(RUNS / 4))
})
