import { describe, expect, it } from 'vitest'
import { LARGE, type Subject, withClock } from './subjects.js'

/** incr and decr. */
export function countersSuite(subject: Subject): void {
  describe('counters', () => {
    counting(subject)
    beginning(subject)
    expiring(subject)
    bigCounters(subject)
    refusals(subject)
  })
}

function counting(subject: Subject): void {
  it('incr() counts from 0 by 1 and answers the new value', async () => {
    const cache = subject.make()
    expect(await cache.incr('key')).toBe(1)
    expect(await cache.incr('key')).toBe(2)
    expect(await cache.incr('key', 10)).toBe(12)
    expect(await cache.incr('key', -20)).toBe(-8)
    expect(await cache.get('key')).toBe(-8)
  })

  it('decr() counts down, below 0 too', async () => {
    const cache = subject.make()
    expect(await cache.decr('key')).toBe(-1)
    expect(await cache.decr('key', 9)).toBe(-10)
    expect(await cache.decr('key', -15)).toBe(5)
  })

  it('incr() changes numbers that set() stored, also fractions', async () => {
    const cache = subject.make()
    await cache.set('whole', 41)
    await cache.set('fraction', 0.5)
    expect(await cache.incr('whole')).toBe(42)
    expect(await cache.incr('fraction', 0.25)).toBe(0.75)
    expect(await cache.incr('whole', 0.5)).toBe(42.5)
  })

  it('incr() loses none of many calls that are not awaited', async () => {
    const cache = subject.make()
    const answers = await Promise.all(Array.from({ length: 200 }, () => cache.incr('key')))
    expect(answers).toEqual(Array.from({ length: 200 }, (_, call) => call + 1))
    expect(await cache.get('key')).toBe(200)
  })

  it('incr() keeps expiry, tag and tags of a counter that runs', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000, tag: 'red', tags: ['a'] })
    const expiresAt = clock.now() + 1000
    clock.advance(10)
    await cache.incr('key', 1, { ttl: '1h', tag: 'blue', tags: ['b'] })
    expect(await cache.getItem('key')).toMatchObject({ value: 2, expiresAt, tag: 'red', tags: ['a'] })
  })
}

function beginning(subject: Subject): void {
  it('incr() begins from the default', async () => {
    const cache = subject.make()
    expect(await cache.incr('key', 5, { default: 100 })).toBe(105)
    expect(await cache.incr('key', 5, { default: 100 })).toBe(110)
    expect(await cache.decr('other', 1, { default: 10 })).toBe(9)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ value: 110, tags: [] })
    for (const field of ['expiresAt', 'tag']) expect(item).not.toHaveProperty(field)
  })

  it('incr() answers undefined and stores nothing when the default is null', async () => {
    const cache = subject.make()
    expect(await cache.incr('key', 1, { default: null })).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    await cache.set('key', 1)
    expect(await cache.incr('key', 1, { default: null })).toBe(2)
  })

  it('incr() gives a counter that begins its ttl, tag and tags', async () => {
    const { cache, clock } = withClock(subject)
    await cache.incr('key', 1, { ttl: '1m', tag: 'red', tags: ['a', 'b'] })
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ value: 1, expiresAt: clock.now() + 60_000, tag: 'red', tags: ['a', 'b'] })
  })

  it('incr() gives a counter that begins the default ttl of the cache', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1m' })
    await cache.incr('key')
    clock.advance(60_000)
    expect(await cache.get('key')).toBeUndefined()
  })
}

function expiring(subject: Subject): void {
  it('incr() begins anew when the counter has expired, without its old tags', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 70, { ttl: 1000, tag: 'red', tags: ['a'] })
    clock.advance(1000)
    expect(await cache.incr('key')).toBe(1)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ value: 1, tags: [] })
    expect(item?.tag).toBeUndefined()
    expect(item?.expiresAt).toBeUndefined()
  })

  it('incr() of an expired counter answers undefined when the default is null', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 70, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.incr('key', 1, { default: null })).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
  })

  it('incr() begins anew over an expired value that is no number, and removes its file', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', LARGE, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.incr('key', 3)).toBe(3)
    expect(await cache.check()).toEqual([])
  })
}

function bigCounters(subject: Subject): void {
  it('incr() with a bigint answers a bigint, small or large', async () => {
    const cache = subject.make()
    expect(await cache.incr('key', 1n)).toBe(1n)
    expect(await cache.incr('key', 2n ** 60n)).toBe(2n ** 60n + 1n)
    expect(await cache.decr('key', 1n)).toBe(2n ** 60n)
    expect(await cache.get('key')).toBe(2n ** 60n)
  })

  it('incr() with a bigint rejects with TypeError where the sum would be none, and leaves the counter', async () => {
    const cache = subject.make()
    await cache.set('key', 0.5)
    await expect(cache.incr('key', 1n)).rejects.toThrow(/0\.5.*pass a number/)
    await expect(cache.transact(tx => tx.decr('key', 1n))).rejects.toThrow(TypeError)
    await expect(cache.incr('missing', 1n, { default: 0.5 })).rejects.toThrow(TypeError)
    expect(await cache.getMany(['key', 'missing'])).toEqual([0.5, undefined])
    expect(await cache.incr('key', 1)).toBe(1.5)
  })

  it('incr() changes one counter with numbers and with bigints', async () => {
    const cache = subject.make()
    expect(await cache.incr('key', 1)).toBe(1)
    expect(await cache.incr('key', 1n)).toBe(2n)
    expect(await cache.incr('key', 1)).toBe(3)
  })

  it('incr() rejects with RangeError beyond 64 bits and leaves the counter', async () => {
    const cache = subject.make()
    await cache.set('key', 2n ** 63n - 1n)
    await expect(cache.incr('key', 1n)).rejects.toThrow(RangeError)
    expect(await cache.get('key')).toBe(2n ** 63n - 1n)
    await cache.set('low', -(2n ** 63n))
    await expect(cache.decr('low', 1n)).rejects.toThrow(RangeError)
    expect(await cache.get('low')).toBe(-(2n ** 63n))
  })

  it('incr() with a number rejects with RangeError where numbers are no longer exact', async () => {
    const cache = subject.make()
    await cache.set('key', Number.MAX_SAFE_INTEGER)
    await expect(cache.incr('key', 1)).rejects.toThrow(RangeError)
    expect(await cache.get('key')).toBe(Number.MAX_SAFE_INTEGER)
    expect(await cache.incr('key', 1n)).toBe(2n ** 53n)
  })
}

function refusals(subject: Subject): void {
  it('incr() rejects with TypeError over a live value that is no number, and leaves it', async () => {
    const cache = subject.make()
    for (const value of ['5', { n: 5 }, [5], true, null, LARGE]) {
      await cache.set('key', value)
      await expect(cache.incr('key')).rejects.toThrow(TypeError)
      expect(await cache.get('key')).toEqual(value)
    }
    expect(await cache.check()).toEqual([])
  })

  it('incr() and decr() that are rejected name themselves and the reason', async () => {
    const cache = subject.make()
    await cache.set('text', 'not a number')
    await cache.set('fraction', 0.5)
    await cache.set('file', 1, { file: true })
    await expect(cache.decr('text')).rejects.toThrow(/^decr: .*text' is not a number/)
    await expect(cache.decr('fraction', 1n)).rejects.toThrow(/^decr: .*fraction'/)
    await expect(cache.decr('missing', 2n ** 64n)).rejects.toThrow(/^decr: /)
    await expect(cache.transact(tx => tx.decr('file'), { keys: ['file'] })).rejects.toThrow(/^decr: .*file' is a file/)
    await expect(cache.incr('file')).rejects.toThrow(/^incr: .*file' is a file/)
    expect(await cache.get('file')).toBe(1)
  })

  it('incr() that is rejected does not disturb the writes around it', async () => {
    const cache = subject.make()
    const before = cache.set('text', 'not a number')
    const failing = expect(cache.incr('text')).rejects.toThrow(TypeError)
    const after = cache.set('other', 1)
    expect(await before).toBe(true)
    expect(await after).toBe(true)
    await failing
    expect(await cache.getMany(['text', 'other'])).toEqual(['not a number', 1])
  })
}
