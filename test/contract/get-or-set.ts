import type { ComputeContext } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { Gate } from '../helpers/gate.js'
import { valueFiles } from '../helpers/value-files.js'
import { LARGE, noise, type Subject, withClock } from './subjects.js'

/** getOrSet: what it answers, and what the function may choose. */
export function getOrSetSuite(subject: Subject): void {
  describe('getOrSet()', () => {
    computing(subject)
    sharing(subject)
    failing(subject)
    describing(subject)
  })
}

function computing(subject: Subject): void {
  it('computes and stores what is missing, and computes nothing where a value is', async () => {
    const cache = subject.make()
    const factory = vi.fn(async () => ({ made: 1 }))
    expect(await cache.getOrSet('key', factory)).toEqual({ made: 1 })
    expect(await cache.get('key')).toEqual({ made: 1 })
    expect(await cache.getOrSet('key', factory)).toEqual({ made: 1 })
    expect(factory).toHaveBeenCalledTimes(1)
  })

  it('answers what set() has stored', async () => {
    const cache = subject.make()
    await cache.set('key', 'stored')
    expect(await cache.getOrSet('key', () => expect.unreachable())).toBe('stored')
  })

  it('computes again once the value has expired or is deleted', async () => {
    const { cache, clock } = withClock(subject)
    let made = 0
    const next = () => cache.getOrSet('key', () => ++made, { ttl: 1000 })
    expect(await next()).toBe(1)
    clock.advance(999)
    expect(await next()).toBe(1)
    clock.advance(1)
    expect(await next()).toBe(2)
    await cache.delete('key')
    expect(await next()).toBe(3)
  })

  it('takes functions that are not asynchronous', async () => {
    const cache = subject.make()
    expect(await cache.getOrSet('key', () => 7)).toBe(7)
    expect(await cache.get('key')).toBe(7)
  })

  it('keeps null, false, 0 and the empty text as values', async () => {
    const cache = subject.make()
    for (const value of [null, false, 0, '']) {
      const key = `key ${value}`
      expect(await cache.getOrSet<unknown>(key, () => value)).toBe(value)
      expect(await cache.has(key)).toBe(true)
      expect(await cache.getOrSet<unknown>(key, () => expect.unreachable())).toBe(value)
    }
  })

  it('answers undefined and does not store it', async () => {
    const cache = subject.make()
    const factory = vi.fn(() => undefined)
    expect(await cache.getOrSet('key', factory)).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    await cache.getOrSet('key', factory)
    expect(factory).toHaveBeenCalledTimes(2)
  })

  it('finds keys by value', async () => {
    const cache = subject.make()
    expect(await cache.getOrSet(['user', 7], () => 'a')).toBe('a')
    expect(await cache.getOrSet(['user', 7], () => 'b')).toBe('a')
    expect(await cache.getOrSet(['user', '7'], () => 'c')).toBe('c')
  })

  it('is a read behind the writes that were called before', async () => {
    const cache = subject.make()
    void cache.set('key', LARGE)
    expect(await cache.getOrSet('key', () => 'computed')).toBe(LARGE)
    void cache.delete('key')
    expect(await cache.getOrSet('key', () => 'computed')).toBe('computed')
  })

  it('counts one hit or one miss', async () => {
    const cache = subject.make({ statistics: true })
    await cache.getOrSet('inline', () => 1)
    await cache.getOrSet('file', () => LARGE)
    await cache.getOrSet('inline', () => 1)
    await cache.getOrSet('file', () => LARGE)
    expect(await cache.stats()).toMatchObject({ hits: 2, misses: 2 })
  })
}

function sharing(subject: Subject): void {
  it('lets callers of one key at one time share one computation', async () => {
    const cache = subject.make()
    const gate = new Gate()
    const factory = vi.fn(async () => {
      await gate.opened
      return { made: 1 }
    })
    const calls = Array.from({ length: 50 }, () => cache.getOrSet('key', factory))
    const other = await cache.getOrSet('other', () => 'not held up')
    expect(other).toBe('not held up')
    gate.open()
    const answers = await Promise.all(calls)
    expect(answers).toEqual(answers.map(() => ({ made: 1 })))
    expect(factory).toHaveBeenCalledTimes(1)
  })

  it('shares it over all caches of one directory', async () => {
    const first = subject.make()
    const second = subject.make({}, first.directory)
    const gate = new Gate<string>()
    const mine = first.getOrSet('key', () => gate.opened)
    const theirs = second.getOrSet('key', () => 'another')
    gate.open('one')
    expect(await Promise.all([mine, theirs])).toEqual(['one', 'one'])
  })
}

function failing(subject: Subject): void {
  it.each(['rejects', 'throws'])(
    'tells all who wait when the function %s, and computes again at the next call',
    async how => {
      const { cache } = withClock(subject)
      const error = new Error('no source')
      const factory = vi.fn(() => {
        if (how === 'throws') throw error
        return Promise.reject(error)
      })
      const answers = await Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('key', factory)))
      expect(answers).toEqual(answers.map(() => ({ status: 'rejected', reason: error })))
      expect(factory).toHaveBeenCalledTimes(1)
      expect(await cache.has('key')).toBe(false)
      // The clock stands still: a lease that is not given back would be held for ever.
      expect(await cache.getOrSet('key', () => 'made')).toBe('made')
    },
  )

  it('passes on what is thrown, whatever it is', async () => {
    const { cache } = withClock(subject)
    for (const reason of ['text', undefined, null, 7]) {
      const answer = cache.getOrSet('key', () => Promise.reject(reason))
      expect(
        await answer.then(
          () => 'fulfilled',
          (thrown: unknown) => [thrown],
        ),
      ).toEqual([reason])
    }
  })

  it('rejects what no cache can hold, and is free for the next call', async () => {
    const { cache } = withClock(subject)
    const unstorable: readonly unknown[] = [() => 1, Symbol('value'), { inside: () => 1 }]
    for (const value of unstorable) {
      await expect(cache.getOrSet<unknown>('key', () => value)).rejects.toThrow(TypeError)
    }
    expect(await cache.getOrSet('key', () => 'made')).toBe('made')
  })
}

function describing(subject: Subject): void {
  it('stores with ttl, tag, tags, file and metadata', async () => {
    const { cache, clock } = withClock(subject)
    const options = { ttl: '1m', tag: 'red', tags: ['b', 'a'], file: true, meta: { type: 'text/css' } } as const
    await cache.getOrSet('key', () => 'value', options)
    expect(await cache.getItem('key')).toMatchObject({
      value: 'value',
      expiresAt: clock.now() + 60_000,
      tag: 'red',
      tags: ['b', 'a'],
      meta: { type: 'text/css' },
      path: expect.any(String),
    })
    expect(await cache.getOrSet('key', () => 'again', options)).toBe('value')
    expect(await cache.evict('a')).toBe(1)
    expect(await cache.check()).toEqual([])
  })

  it('reads and replaces values that are files', async () => {
    const { cache, clock } = withClock(subject)
    const other = noise(50_000)
    expect(await cache.getOrSet('key', () => LARGE, { ttl: 1000 })).toBe(LARGE)
    expect(await cache.getOrSet('key', () => other, { ttl: 1000 })).toBe(LARGE)
    clock.advance(1000)
    expect(await cache.getOrSet('key', () => other, { ttl: 1000 })).toBe(other)
    expect(await cache.get('key')).toBe(other)
    expect(valueFiles(cache.directory)).toHaveLength(1)
    expect(await cache.check()).toEqual([])
  })

  it('goes by the defaultTtl of the cache, unless told otherwise', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1m' })
    await cache.getOrSet('default', () => 1)
    await cache.getOrSet('own', () => 1, { ttl: '1h' })
    await cache.getOrSet('never', () => 1, { ttl: null })
    expect((await cache.info('default'))?.expiresAt).toBe(clock.now() + 60_000)
    expect((await cache.info('own'))?.expiresAt).toBe(clock.now() + 3_600_000)
    expect(await cache.info('never')).not.toHaveProperty('expiresAt')
  })

  it('lets the function choose time to live and tag, over the options', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1h' })
    const options = { ttl: '1d', tag: 'given' } as const
    const chosen = ({ ttl, tag }: ComputeContext<string>): string => {
      ttl('5s')
      tag('chosen')
      return 'value'
    }
    await cache.getOrSet('key', chosen, options)
    expect(await cache.info('key')).toMatchObject({ expiresAt: clock.now() + 5000, tag: 'chosen' })
    await cache.getOrSet('for ever', context => {
      context.ttl(null)
      return 1
    })
    expect(await cache.info('for ever')).not.toHaveProperty('expiresAt')
  })

  it('lets the function add tags', async () => {
    const { cache } = withClock(subject)
    const tagging = ({ tag }: ComputeContext<string>): string => {
      for (const each of [7, 'second', 'third', 'second']) tag(each)
      return 'value'
    }
    await cache.getOrSet('key', tagging, { tag: 'given', tags: ['also given'] })
    expect(await cache.info('key')).toMatchObject({ tag: 7, tags: ['also given', 'second', 'third'] })
    expect(await cache.evict('third')).toBe(1)
    const numbers = ({ tag }: ComputeContext<string>): string => {
      tag('first')
      tag(8)
      return 'value'
    }
    await expect(cache.getOrSet('key', numbers)).rejects.toThrow('a second one must be a string')
  })

  it('gives the value to all who wait and stores nothing after skip(), or with ttl 0', async () => {
    const { cache } = withClock(subject)
    const skipping = vi.fn((context: ComputeContext<string>) => {
      context.skip()
      return 'skipped'
    })
    expect(await Promise.all([1, 2].map(() => cache.getOrSet('key', skipping)))).toEqual(['skipped', 'skipped'])
    expect(skipping).toHaveBeenCalledTimes(1)
    expect(await cache.getOrSet('key', () => 'option', { ttl: 0 })).toBe('option')
    const short = (context: ComputeContext<string>): string => {
      context.ttl(0)
      return 'context'
    }
    expect(await cache.getOrSet('key', short, { ttl: '1h' })).toBe('context')
    expect(await cache.count()).toBe(0)
  })

  it('gives the function a context without a previous value where there is none', async () => {
    const cache = subject.make()
    let seen: ComputeContext<number> | undefined
    await cache.getOrSet<number>('key', context => {
      seen = context
      return 1
    })
    expect(seen).not.toHaveProperty('previous')
    expect(seen?.signal.aborted).toBe(false)
  })
}
