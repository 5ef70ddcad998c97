import { getEventListeners } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ComputeContext } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { collect } from '../helpers/collect.js'
import { Gate, nextTurn } from '../helpers/gate.js'
import { type Subject, withClock } from './subjects.js'

/** getOrSet: giving up and closing, and what others see of a computation. */
export function getOrSetFlightsSuite(subject: Subject): void {
  describe('getOrSet() while it computes', () => {
    givingUp(subject)
    givingUpTogether(subject)
    closing(subject)
    hiding(subject)
  })
}

/** A computation that goes on until the test ends it, and what it was given. */
class Computation {
  readonly begun: Gate<ComputeContext<string>> = new Gate()
  readonly result: Gate<string> = new Gate()
  calls = 0

  readonly factory = (context: ComputeContext<string>): Promise<string> => {
    this.calls++
    this.begun.open(context)
    return this.result.opened
  }

  /** The same for a function that heeds its signal. */
  readonly heeding = async (context: ComputeContext<string>): Promise<string> => {
    const aborted = new Promise<never>((_, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason))
    })
    return Promise.race([this.factory(context), aborted])
  }
}

function givingUp(subject: Subject): void {
  it('rejects one caller with the reason of its signal, and computes for the others', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const abort = new AbortController()
    const patient = cache.getOrSet('key', computation.factory)
    const impatient = cache.getOrSet('key', computation.factory, { signal: abort.signal })
    const { signal } = await computation.begun.opened
    await nextTurn()
    abort.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    expect(signal.aborted).toBe(false)
    computation.result.open('made')
    expect(await patient).toBe('made')
    expect(await cache.get('key')).toBe('made')
    expect(computation.calls).toBe(1)
  })

  it('listens once to a signal that many calls share, and no longer than they last', async () => {
    const cache = subject.make()
    const abort = new AbortController()
    const computation = new Computation()
    const one = cache.getOrSet('one', computation.factory, { signal: abort.signal })
    const others = Array.from({ length: 20 }, (_, key) =>
      cache.getOrSet(key, () => computation.result.opened, { signal: abort.signal }),
    )
    await computation.begun.opened
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1)
    computation.result.open('made')
    expect(new Set(await Promise.all([one, ...others]))).toEqual(new Set(['made']))
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
  })

  it('has the call compute that came first, with a signal or without, also in a long turn', async () => {
    const cache = subject.make()
    await cache.open()
    const { signal } = new AbortController()
    const calls: Promise<string[]>[] = []
    for (let key = 0; key < 32; key++) {
      const first = cache.getOrSet(key, () => 'first', key % 2 === 0 ? { signal } : undefined)
      const until = performance.now() + (key === 8 ? 3 : 0)
      while (performance.now() < until);
      calls.push(Promise.all([first, cache.getOrSet(key, () => 'second')]))
    }
    for (const answers of await Promise.all(calls)) expect(answers).toEqual(['first', 'first'])
  })

  it('rejects at once when the signal is aborted already, also where the value is', async () => {
    const cache = subject.make()
    await cache.set('stored', 1)
    const factory = vi.fn(() => 2)
    const signal = AbortSignal.abort(new Error('enough'))
    for (const key of ['stored', 'missing']) {
      await expect(cache.getOrSet(key, factory, { signal })).rejects.toThrow('enough')
    }
    await nextTurn()
    expect(factory).not.toHaveBeenCalled()
    expect(await cache.getOrSet('missing', factory)).toBe(2)
  })

  it('answers with a signal that is not aborted as without', async () => {
    const cache = subject.make()
    const { signal } = new AbortController()
    expect(await cache.getOrSet('key', () => 1, { signal })).toBe(1)
    expect(await cache.getOrSet('key', () => 2, { signal })).toBe(1)
  })
}

function givingUpTogether(subject: Subject): void {
  async function abandoned(how: 'factory' | 'heeding') {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const aborts = [new AbortController(), new AbortController()]
    const calls = aborts.map(({ signal }) => cache.getOrSet('key', computation[how], { signal }))
    const { signal } = await computation.begun.opened
    await nextTurn()
    for (const [at, abort] of aborts.entries()) {
      expect(signal.aborted).toBe(false)
      abort.abort(new Error(`enough ${at}`))
    }
    const answers = await Promise.allSettled(calls)
    expect(answers.map(answer => answer.status === 'rejected' && String(answer.reason))).toEqual([
      'Error: enough 0',
      'Error: enough 1',
    ])
    expect(signal.aborted).toBe(true)
    return { cache, computation }
  }

  it('aborts the computation when all callers have given up, and computes at the next call', async () => {
    const { cache } = await abandoned('heeding')
    expect(await cache.getOrSet('key', () => 'made')).toBe('made')
  })

  it('does not let a new caller inherit the abort of others', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const abort = new AbortController()
    const first = cache.getOrSet('key', computation.heeding, { signal: abort.signal })
    await computation.begun.opened
    abort.abort(new Error('enough'))
    const second = cache.getOrSet('key', () => 'made')
    await expect(first).rejects.toThrow('enough')
    expect(await second).toBe('made')
  })

  it('stores what a computation makes all the same, for the next caller', async () => {
    const { cache, computation } = await abandoned('factory')
    const next = cache.getOrSet('key', () => 'another')
    await nextTurn()
    computation.result.open('made')
    expect(await next).toBe('made')
    expect(await cache.get('key')).toBe('made')
  })
}

function closing(subject: Subject): void {
  /** A write-ahead log that is left tells of a connection that is left. */
  function logs(directory: string): string[] {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('-wal'))
  }

  it('answers the value of a computation during which the cache was closed, and does not store it', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const answer = cache.getOrSet('key', computation.factory)
    await computation.begun.opened
    await cache.close()
    computation.result.open('made')
    expect(await answer).toBe('made')
    await nextTurn()
    expect(logs(cache.directory)).toEqual([])
    expect(await cache.get('key')).toBeUndefined()
  })

  it('leaves the key free for others when it is closed during a computation', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const answer = cache.getOrSet('key', computation.factory)
    await computation.begun.opened
    await cache.close()
    // The clock stands still: a lease that is not given back would be held for ever.
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    computation.result.open('old')
    expect(await answer).toBe('old')
    await nextTurn()
    expect(await cache.get('key')).toBe('new')
    await cache.close()
    expect(logs(cache.directory)).toEqual([])
  })

  it('goes on for another cache of the directory', async () => {
    const { cache, clock } = withClock(subject)
    const other = subject.make({ clock }, cache.directory)
    await other.open()
    const computation = new Computation()
    const mine = cache.getOrSet('key', computation.factory)
    await computation.begun.opened
    const theirs = other.getOrSet('key', () => 'another')
    await nextTurn()
    await cache.close()
    computation.result.open('made')
    expect(await Promise.all([mine, theirs])).toEqual(['made', 'made'])
    const value = await other.getOrSet('key', () => 'next')
    expect(['made', 'next']).toContain(value)
    await other.close()
    expect(existsSync(join(cache.directory, 'cache.db-wal'))).toBe(false)
    expect(logs(cache.directory)).toEqual([])
  })

  it('computes nothing for an old value when the cache is closed at once', async () => {
    const { cache, clock } = withClock(subject)
    const options = { ttl: 1000, staleFor: 5000 }
    await cache.getOrSet('key', () => 'old', options)
    clock.advance(1000)
    const factory = vi.fn(() => 'new')
    expect(await cache.getOrSet('key', factory, options)).toBe('old')
    await cache.close()
    await nextTurn()
    expect(factory).not.toHaveBeenCalled()
    expect(await cache.get('key')).toBe('old')
  })
}

function hiding(subject: Subject): void {
  it('is not seen by what counts, lists, clears, checks and culls', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const answer = cache.getOrSet('key', computation.factory, { staleFor: '1m', ttl: '1m' })
    await computation.begun.opened
    expect(await cache.count()).toBe(0)
    expect(await collect(cache.keys({ includeExpired: true }))).toEqual([])
    expect(await cache.check()).toEqual([])
    expect(await cache.stats()).toMatchObject({ count: 0, evictions: 0 })
    expect(await cache.cull()).toBe(0)
    expect(await cache.expire()).toBe(0)
    expect(await cache.clear()).toBe(0)
    computation.result.open('made')
    expect(await answer).toBe('made')
    expect(await cache.get('key')).toBe('made')
    expect(await cache.count()).toBe(1)
    expect(await cache.check()).toEqual([])
    expect(await cache.clear()).toBe(1)
    expect(await cache.check()).toEqual([])
  })

  it('leaves reads of the key alone', async () => {
    const { cache } = withClock(subject)
    const computation = new Computation()
    const answer = cache.getOrSet('key', computation.factory)
    await computation.begun.opened
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    await cache.set('key', 'set')
    expect(await cache.getOrSet('key', () => expect.unreachable())).toBe('set')
    computation.result.open('made')
    expect(await answer).toBe('made')
    expect(await cache.get('key')).toBe('set')
  })
}
