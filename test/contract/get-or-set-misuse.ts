import { Readable } from 'node:stream'
import type { ComputeContext } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { misuse } from '../engine/misuse.js'
import { nextTurn } from '../helpers/gate.js'
import { type Subject, withClock } from './subjects.js'

/** getOrSet: what it is given and what the function answers that cannot be. */
export function getOrSetMisuseSuite(subject: Subject): void {
  describe('misuse of getOrSet()', () => {
    misusing(subject)
    answering(subject)
  })
}

function misusing(subject: Subject): void {
  const types: readonly (readonly [RegExp, object])[] = [
    [/zzzz/, { zzzz: 1 }],
    [/staleFr.*staleFor/, { staleFr: 1 }],
    [/ttl/, { ttl: {} }],
    [/tag/, { tag: {} }],
    [/tags/, { tags: 'red' }],
    [/file/, { file: 'yes' }],
    [/meta/, { meta: () => 1 }],
    [/signal/, { signal: {} }],
    [/timeout/, { timeout: null }],
    [/retry/, { retry: 1 }],
    [/staleFor/, { staleFor: null }],
    [/beta/, { beta: '1' }],
    [/beta/, { beta: null }],
    [/lease/, { lease: {} }],
    [/options/, []],
  ]
  const ranges: readonly (readonly [RegExp, object])[] = [
    [/ttl/, { ttl: -1 }],
    [/ttl/, { ttl: 'soon' }],
    [/staleFor/, { staleFor: -1 }],
    [/staleFor/, { staleFor: Number.NaN }],
    [/beta/, { beta: -0.1 }],
    [/beta/, { beta: Number.NaN }],
    [/beta/, { beta: Number.POSITIVE_INFINITY }],
    [/lease/, { lease: 0 }],
    [/lease must be at least 20/, { lease: 19 }],
    [/lease/, { lease: Number.POSITIVE_INFINITY }],
    [/lease/, { lease: 'long' }],
  ]

  it('takes a lease of 20 milliseconds', async () => {
    expect(await subject.make().getOrSet('key', () => 1, { lease: 20 })).toBe(1)
  })

  it('rejects bad options with an error that names them, where the value is and where it is not', async () => {
    const cache = subject.make()
    await cache.set('stored', 1)
    const factory = vi.fn(() => 2)
    const accepted: unknown[] = []
    for (const [type, wrong] of [
      [TypeError, types],
      [RangeError, ranges],
    ] as const) {
      for (const [names, options] of wrong) {
        for (const key of ['stored', 'missing']) {
          const error = await misuse(() => cache.getOrSet(key, factory, options))
          if (!(error instanceof type && names.test(error.message))) accepted.push([key, options, error])
        }
      }
    }
    expect(accepted).toEqual([])
    expect(factory).not.toHaveBeenCalled()
    expect(await cache.count()).toBe(1)
  })

  it('rejects what is no function, and what is no key', async () => {
    const cache = subject.make()
    await cache.set('stored', 1)
    for (const factory of [undefined, null, 'value', {}, Promise.resolve(1)]) {
      await expect(cache.getOrSet('stored', factory as never)).rejects.toThrow(/function/)
      await expect(cache.getOrSet('stored', factory as never)).rejects.toThrow(TypeError)
    }
    const factory = vi.fn(() => 2)
    for (const key of [undefined, Symbol('key'), Number.NaN, () => 1]) {
      await expect(cache.getOrSet(key as never, factory)).rejects.toThrow(TypeError)
    }
    expect(factory).not.toHaveBeenCalled()
  })

  it('tells the function when it chooses what is no time and no tag', async () => {
    const { cache } = withClock(subject)
    await expect(cache.getOrSet('key', ({ ttl }) => ttl('soon'))).rejects.toThrow(RangeError)
    await expect(cache.getOrSet('key', ({ ttl }) => ttl({} as never))).rejects.toThrow(TypeError)
    const caught = vi.fn()
    await cache.getOrSet('other', ({ tag }) => {
      try {
        tag({} as never)
      } catch (error) {
        caught(error)
      }
      return 1
    })
    expect(caught).toHaveBeenCalledWith(expect.any(TypeError))
    expect(await cache.getOrSet('key', () => 'made')).toBe('made')
  })

  it('takes a lease of any length', async () => {
    const cache = subject.make()
    const warnings: Error[] = []
    const listener = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listener)
    expect(await cache.getOrSet('short', () => 1, { lease: 100 })).toBe(1)
    expect(await cache.getOrSet('long', () => 1, { lease: '520w' })).toBe(1)
    await nextTurn()
    process.off('warning', listener)
    expect(warnings).toEqual([])
  })
}

function answering(subject: Subject): void {
  it('rejects what fetch answers, which would come back as an empty object', async () => {
    const cache = subject.make()
    await expect(cache.getOrSet('key', () => new Response('{}'))).rejects.toThrow(/not a Response: read it first/)
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getOrSet('key', () => new Response('{"a":1}').json())).toEqual({ a: 1 })
  })

  it('rejects a stream, of which only one caller could have the bytes', async () => {
    const { cache } = withClock(subject)
    const streams: readonly (() => unknown)[] = [
      () => Readable.from(['text']),
      () => new Blob(['text']).stream(),
      () => new Blob(['text']),
      // It fails after it was turned down: nobody may be hurt.
      () =>
        new Readable({
          read() {
            this.destroy(new Error('unread'))
          },
        }),
      () => new Readable({ construct: callback => setImmediate(callback, new Error('not opened')) }),
    ]
    for (const make of streams) {
      await expect(cache.getOrSet('key', make)).rejects.toThrow(/stream/)
      const skipping = (context: ComputeContext<unknown>): unknown => {
        context.skip()
        return make()
      }
      await expect(cache.getOrSet('key', skipping)).rejects.toThrow(/stream/)
      await nextTurn()
      await nextTurn()
    }
    expect(await cache.getOrSet('key', () => 'made')).toBe('made')
  })
}
