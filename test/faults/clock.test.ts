import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS } from './support/caches.js'

const STEPPED = new URL('./fixtures/stepped-clock.mjs', import.meta.url)
const HOUR = 3_600_000

describe.each(KINDS)('a %s whose wall clock jumps back', kind => {
  it('keeps expired what has expired', async () => {
    const clock = new ManualClock()
    const cache = cacheOf(kind, temporaryDirectory(), { clock })
    await cache.set('short', 'lived', { ttl: 1000, retry: true })
    await cache.set('long', 'lived', { ttl: HOUR, retry: true })
    clock.advance(2000)
    expect(await cache.get('short')).toBeUndefined()
    clock.advance(-HOUR)
    expect(await cache.get('short')).toBeUndefined()
    expect(await cache.has('short')).toBe(false)
    expect(await cache.pop('short', { retry: true })).toBeUndefined()
    expect(await cache.touch('short', { ttl: HOUR, retry: true })).toBe(false)
    expect(await cache.get('long')).toBe('lived')
  })

  it('goes on writing, and what it writes expires in time', async () => {
    const clock = new ManualClock()
    const cache = cacheOf(kind, temporaryDirectory(), { clock })
    await cache.set('before', 1, { retry: true })
    clock.advance(-24 * HOUR)
    expect(await cache.set('after', 'value', { ttl: 1000, retry: true })).toBe(true)
    expect(await cache.set('large', 'L'.repeat(40_000), { ttl: 1000, retry: true })).toBe(true)
    expect(await cache.incr('count', 1, { ttl: 1000, retry: true })).toBe(1)
    clock.advance(999)
    expect(await cache.get('after')).toBe('value')
    expect(await cache.get('count')).toBe(1)
    clock.advance(2)
    expect(await cache.getMany(['after', 'large', 'count'])).toEqual([undefined, undefined, undefined])
    expect(await cache.expire({ retry: true })).toBe(3)
    expect(await cache.check()).toEqual([])
  })

  it('gives every change a newer version, also in a process that starts after the jump', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory, { clock })
    await first.set('k', 0, { retry: true })
    const before = await first.info('k')
    await first.close()

    clock.advance(-HOUR)
    const cache = cacheOf(kind, directory, { clock })
    const versions = [before?.version]
    for (let change = 1; change <= 5; change += 1) {
      await cache.set('k', change, { retry: true })
      const info = await cache.info('k')
      versions.push(info?.version)
      expect(info?.storedAt).toBeGreaterThan(before?.storedAt ?? Number.POSITIVE_INFINITY)
      expect(await cache.get('k')).toBe(change)
    }
    expect(new Set(versions).size).toBe(versions.length)
  })

  it('evicts in the order of its writes after the jump', async () => {
    const clock = new ManualClock()
    const cache = cacheOf(kind, temporaryDirectory(), { clock, maxItems: 20 })
    for (let key = 0; key < 20; key += 1) {
      clock.advance(1000)
      await cache.set(key, key, { retry: true })
    }
    clock.advance(-HOUR)
    for (let key = 20; key < 40; key += 1) {
      clock.advance(1000)
      await cache.set(key, key, { retry: true })
      expect(await cache.get(key), 'the row just written stays').toBe(key)
    }
    await cache.cull({ retry: true })
    for (let key = 0; key < 10; key += 1) expect(await cache.get(key), `old ${key}`).toBeUndefined()
    expect(await cache.get(39)).toBe(39)
  })

  it('forgets nothing when the clock jumps forward and back again', async () => {
    const clock = new ManualClock()
    const cache = cacheOf(kind, temporaryDirectory(), { clock })
    await cache.set('forever', 'kept', { ttl: null, retry: true })
    clock.advance(30 * 24 * HOUR)
    await cache.set('far', 'ahead', { ttl: HOUR, retry: true })
    clock.advance(-30 * 24 * HOUR)
    expect(await cache.get('forever')).toBe('kept')
    expect(await cache.get('far')).toBe('ahead')
    clock.advance(HOUR + 1)
    expect(await cache.get('far')).toBeUndefined()
  })
})

describe('a process whose wall clock is set forward and back', () => {
  it('is ahead by one step afterwards, however often that has happened', async () => {
    const stepped = new FixtureProcess(STEPPED, { directory: temporaryDirectory(), steps: 20, step: HOUR })
    const ahead = Number((await stepped.line('ahead')).split(' ')[1])
    expect(ahead).toBeGreaterThan(0.9 * HOUR)
    expect(ahead).toBeLessThan(1.1 * HOUR)
    await stepped.done()
  })

  it('keeps the directory up alone, beside another one', async () => {
    const args = { directory: temporaryDirectory(), steps: 1, step: HOUR, upkeep: { every: 20, lease: '1m' } }
    const first = new FixtureProcess(STEPPED, args)
    await first.line('ready')
    const second = new FixtureProcess(STEPPED, args)
    await second.line('ready')
    for (let round = 0; round < 10; round += 1) await first.line('round', first.lines.length)
    expect(first.lines.filter(line => line !== 'round')).toEqual([expect.stringContaining('ahead'), 'leads', 'ready'])
    expect(second.lines).toEqual([expect.stringContaining('ahead'), 'ready'])
  })
})
