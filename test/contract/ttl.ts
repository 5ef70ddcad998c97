import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { type Subject, withClock } from './subjects.js'

/** Times to live, touch and expire. */
export function ttlSuite(subject: Subject): void {
  describe('times to live', () => {
    expiring(subject)
    durations(subject)
    defaults(subject)
    touching(subject)
    removing(subject)
    clocks(subject)
  })
}

function expiring(subject: Subject): void {
  it('get() returns the value until the instant of expiry and undefined from then on', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 'value', { ttl: 1000 })
    clock.advance(999)
    expect(await cache.get('key')).toBe('value')
    clock.advance(1)
    expect(await cache.get('key')).toBeUndefined()
  })

  it('an item expires at its very millisecond, whatever the instant', async () => {
    const { cache, clock } = withClock(subject)
    const wrong: unknown[] = []
    for (let round = 1; round <= 100; round += 1) {
      clock.advance(round * 7919)
      const ttl = 1 + ((round * 613) % 5000)
      await cache.set('key', 1, { ttl })
      clock.advance(ttl - 1)
      if (!(await cache.has('key'))) wrong.push([round, 'early'])
      clock.advance(1)
      if (await cache.has('key')) wrong.push([round, 'late'])
    }
    expect(wrong).toEqual([])
  })

  it('every reading verb misses an item that has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 'value', { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getMany(['key'])).toEqual([undefined])
    expect(await cache.read('key')).toBeUndefined()
    expect(await cache.touch('key', { ttl: null })).toBe(false)
    expect(await cache.popItem('key')).toBeUndefined()
  })

  it('set() with ttl 0 answers true for an item that has expired already', async () => {
    const cache = subject.make()
    expect(await cache.set('key', 'value', { ttl: 0 })).toBe(true)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.add('added', 1, { ttl: 0 })).toBe(true)
    expect(await cache.has('added')).toBe(false)
  })

  it('set() brings an expired key back to life', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    clock.advance(5000)
    await cache.set('key', 2, { ttl: 1000 })
    expect(await cache.get('key')).toBe(2)
  })
}

function durations(subject: Subject): void {
  it('set() takes ttl as milliseconds or as text', async () => {
    const { cache, clock } = withClock(subject)
    const start = clock.now()
    const spans: [number | string, number][] = [
      [1500, 1500],
      ['250ms', 250],
      ['5s', 5000],
      ['10m', 600_000],
      ['1h', 3_600_000],
      ['7d', 604_800_000],
      ['2w', 1_209_600_000],
      // Beyond 30 days, and beyond what timers can count.
      ['60d', 5_184_000_000],
      [2 ** 42, 2 ** 42],
      ['1.5s', 1500],
      [100.25, 100.25],
    ]
    for (const [ttl, milliseconds] of spans) {
      await cache.set('key', 1, { ttl })
      expect((await cache.info('key'))?.expiresAt).toBe(start + milliseconds)
    }
  })

  it('set() with ttl null or Infinity stores what never expires', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1s' })
    await cache.set('null', 1, { ttl: null })
    await cache.set('infinity', 1, { ttl: Number.POSITIVE_INFINITY })
    clock.advance(1e12)
    expect(await cache.getMany(['null', 'infinity'])).toEqual([1, 1])
    expect(await cache.info('infinity')).not.toHaveProperty('expiresAt')
  })
}

function defaults(subject: Subject): void {
  it('defaultTtl applies where a verb says nothing', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1m' })
    await cache.set('set', 1)
    await cache.add('add', 1)
    await cache.setMany([['many', 1]])
    await cache.transact(tx => tx.set('transact', 1))
    for (const key of ['set', 'add', 'many', 'transact']) {
      expect((await cache.info(key))?.expiresAt).toBe(clock.now() + 60_000)
    }
  })

  it('defaultTtl yields to the ttl of a verb', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1m' })
    await cache.set('key', 1, { ttl: '1h' })
    clock.advance(60_000)
    expect(await cache.get('key')).toBe(1)
  })
}

function touching(subject: Subject): void {
  it('touch() sets and removes the expiry of a live item', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    expect(await cache.touch('key', { ttl: '1m' })).toBe(true)
    clock.advance(59_999)
    expect(await cache.touch('key', { ttl: null })).toBe(true)
    clock.advance(1e12)
    expect(await cache.get('key')).toBe(1)
  })

  it('touch() with ttl 0 lets the item expire, and then answers false', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    expect(await cache.touch('key', { ttl: 0 })).toBe(true)
    expect(await cache.touch('key', { ttl: null })).toBe(false)
    expect(await cache.get('key')).toBeUndefined()
  })

  it('touch() answers false for a missing key', async () => {
    expect(await subject.make().touch('key', { ttl: '1m' })).toBe(false)
  })

  it('touch() changes metadata and leaves the expiry that it is not given', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 'value', { ttl: 1000, meta: { old: true }, tag: 'red', tags: ['a'] })
    expect(await cache.touch('key', { meta: { new: [1, 2] } })).toBe(true)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({
      value: 'value',
      meta: { new: [1, 2] },
      expiresAt: clock.now() + 1000,
      tag: 'red',
      tags: ['a'],
    })
    expect(await cache.check()).toEqual([])
  })

  it('touch() with ifVersion changes that version alone', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    const ifVersion = (await cache.info('key'))?.version ?? ''
    expect(await cache.touch('key', { ttl: '1h', ifVersion })).toBe(true)
    expect(await cache.touch('key', { ttl: '2h', ifVersion })).toBe(false)
    await cache.set('key', 2)
    expect(await cache.touch('key', { ttl: '2h', ifVersion })).toBe(false)
    expect(await cache.info('key')).not.toHaveProperty('expiresAt')
  })
}

function removing(subject: Subject): void {
  it('expire() removes what has expired and answers how many', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    for (let key = 0; key < 30; key += 1) await cache.set(key, key, { ttl: key < 20 ? 1000 : 5000 })
    await cache.set('for ever', 1)
    clock.advance(1000)
    expect(await cache.count()).toBe(31)
    expect(await cache.expire()).toBe(20)
    expect(await cache.count()).toBe(11)
    expect(await cache.expire()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('expire() goes by the instant it is given', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    expect(await cache.expire({ now: clock.now() + 999 })).toBe(0)
    expect(await cache.expire({ now: clock.now() + 1000 })).toBe(1)
    expect(await cache.has('key')).toBe(false)
  })

  it('expire() with now 0 means the epoch, not now', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.expire({ now: 0 })).toBe(0)
    expect(await cache.expire()).toBe(1)
  })

  it('expire() with now Infinity removes whatever expires at all', async () => {
    const { cache } = withClock(subject)
    await cache.set('expires', 1, { ttl: '7d' })
    await cache.set('stays', 1)
    expect(await cache.expire({ now: -Infinity })).toBe(0)
    expect(await cache.expire({ now: Infinity })).toBe(1)
    expect(await cache.has('stays')).toBe(true)
  })

  it('set() removes some of what has expired, within cullLimit', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 10 })
    for (let key = 0; key < 60; key += 1) await cache.set(key, key, { ttl: 1000 })
    clock.advance(1000)
    await cache.set('one more', 1)
    expect(await cache.count()).toBe(51)
    expect(await collect(cache.keys())).toEqual(['one more'])
  })
}

function clocks(subject: Subject): void {
  it('a clock that is set back neither revives items nor keeps new ones for ever', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('old', 1, { ttl: 1000 })
    clock.advance(2000)
    expect(await cache.get('old')).toBeUndefined()
    clock.advance(-3_600_000)
    expect(await cache.get('old')).toBeUndefined()
    await cache.set('new', 2, { ttl: 1000 })
    expect(await cache.get('new')).toBe(2)
    clock.advance(1000)
    expect(await cache.get('new')).toBeUndefined()
  })
}
