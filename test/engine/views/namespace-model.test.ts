import type { Cache, FanoutCache, Namespace, Transaction } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheSubject, fanoutSubject, type Subject } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { type Answer, CacheModel, type Call, perform, type Step, steps } from '../cache-model.js'

/** Sequences per implementation; MODEL_RUNS asks for a longer search. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 8)
const SPACES = 5

type Settled = { readonly value: unknown } | { readonly error: unknown }

/** Namespaces that are prefixes of each other, versions and an inner one, each with its own model. */
class Run {
  readonly #spaces: readonly Namespace[]
  readonly #models: CacheModel[]
  readonly #clock = new ManualClock()
  readonly #pending: Promise<void>[] = []

  constructor(subject: Subject<Cache | FanoutCache>) {
    const cache = subject.make({ clock: this.#clock, cullLimit: 0 })
    const outer = cache.namespace('a:1')
    this.#spaces = [
      cache.namespace('a'),
      cache.namespace('a', { version: 11 }),
      cache.namespace('a_'),
      outer.namespace('a'),
      outer.namespace('b'),
    ]
    this.#models = this.#spaces.map(() => new CacheModel(() => this.#clock.now()))
  }

  async step(step: Step, space: number): Promise<void> {
    if (step.do === 'advance') {
      await Promise.all(this.#pending.splice(0))
      this.#clock.advance(step.milliseconds)
      return
    }
    const compared = step.do === 'call' ? this.#call(step.call, space) : this.#transact(step, space)
    if (step.awaited) return compared
    this.#pending.push(compared)
    compared.catch(() => undefined)
  }

  async finish(): Promise<void> {
    await Promise.all(this.#pending.splice(0))
    for (const [at, space] of this.#spaces.entries()) {
      const live = this.#models[at]?.live()
      expect(new Map((await collect(space.entries())) as [string, unknown][])).toEqual(live)
      await space.expire()
      expect(await space.count()).toBe(live?.size)
    }
  }

  async #call(call: Call, at: number): Promise<void> {
    const answer = this.#model(at).apply(call)
    let settled: Settled
    try {
      settled = { value: await perform(this.#space(at), call) }
    } catch (error) {
      settled = { error }
    }
    compare(settled, answer)
  }

  async #transact({ calls, throws }: Extract<Step, { do: 'transact' }>, at: number): Promise<void> {
    const model = this.#model(at).copy()
    const answers = calls.map(call => model.apply(call))
    if (!throws) this.#models[at] = model
    const body = (tx: Transaction): void => {
      for (const [index, call] of calls.entries()) compare(settle(tx, call), answers[index] as Answer)
      if (throws) throw new Error('undo')
    }
    const outcome = this.#space(at).transact(body)
    if (throws) await expect(outcome).rejects.toThrow('undo')
    else await outcome
  }

  #space(at: number): Namespace {
    return this.#spaces[at] as Namespace
  }

  #model(at: number): CacheModel {
    return this.#models[at] as CacheModel
  }
}

function settle(tx: Transaction, call: Call): Settled {
  try {
    return { value: perform(tx, call) }
  } catch (error) {
    return { error }
  }
}

function compare(settled: Settled, answer: Answer): void {
  if ('error' in answer) {
    expect('error' in settled && settled.error).toBeInstanceOf(answer.error)
  } else if ('error' in settled) {
    throw settled.error
  } else if ('is' in answer) {
    expect(settled.value).toEqual(answer.is)
  } else {
    expect(settled.value).toBeGreaterThanOrEqual(answer.least)
    expect(settled.value).toBeLessThanOrEqual(answer.most)
  }
}

describe('namespaces of one cache', () => {
  const subjects: Subject<Cache | FanoutCache>[] = [
    cacheSubject('structured'),
    fanoutSubject('structured'),
    cacheSubject('json'),
  ]
  it.each(subjects)('behave as a Map each: $name', { timeout: 300_000 + RUNS * 1000 }, async subject => {
    const places = fc.array(fc.nat(SPACES - 1), { minLength: 60, maxLength: 60 })
    const property = fc.asyncProperty(steps, places, async (sequence, spaces) => {
      const run = new Run(subject)
      for (const [at, step] of sequence.entries()) await run.step(step, spaces[at] ?? 0)
      await run.finish()
    })
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true })
  })
})
