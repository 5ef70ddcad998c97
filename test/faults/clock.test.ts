import { type Cache, Deque, type FanoutCache, Lock, startUpkeep } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
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
    clock.advance(-2 * HOUR)
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

  it('clears a namespace of what it stored before the jump, whatever the keys', async () => {
    const directory = temporaryDirectory()
    const clock = new ManualClock()
    const first = cacheOf(kind, directory, { clock }) as Cache | FanoutCache
    for (const key of ['', 'k', '1:k']) await first.namespace('n').set(key, 1, { retry: true })
    await first.close()
    clock.advance(-HOUR)
    const cache = cacheOf(kind, directory, { clock }) as Cache | FanoutCache
    expect(await cache.namespace('n').clear({ retry: true })).toBe(3)
    expect(await cache.count()).toBe(0)
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

describe.each(['least-recently-stored', 'least-recently-used'] as const)('a cache that evicts the %s', policy => {
  it.each([365, 2])('keeps new entries, and not those that a clock %d days ahead has left', async days => {
    const directory = temporaryDirectory()
    const options = { maxItems: 20, evictionPolicy: policy }
    const now = Date.UTC(2026, 0, 1)
    const first = cacheOf('Cache', directory, { ...options, clock: new ManualClock(now + days * 24 * HOUR) })
    for (let key = 0; key < 20; key += 1) await first.set(`old ${key}`, key)
    await first.close()

    const clock = new ManualClock(now)
    const cache = cacheOf('Cache', directory, { ...options, clock })
    for (let key = 0; key < 30; key += 1) {
      clock.advance(1000)
      await cache.set(`new ${key}`, key)
    }
    await cache.cull()
    for (let key = 11; key < 30; key += 1) expect(await cache.get(`new ${key}`), `new ${key}`).toBe(key)
  })

  it('keeps what it has just stored in place of what a clock a year ahead has left', async () => {
    const directory = temporaryDirectory()
    const options = { maxItems: 3, evictionPolicy: policy }
    const now = Date.UTC(2026, 0, 1)
    const first = cacheOf('Cache', directory, { ...options, clock: new ManualClock(now + 365 * 24 * HOUR) })
    await first.set('a', 'old')
    await first.close()

    const clock = new ManualClock(now)
    const cache = cacheOf('Cache', directory, { ...options, clock })
    for (const key of ['b', 'c']) {
      clock.advance(1000)
      await cache.set(key, key)
    }
    await Promise.all([cache.set('a', 'new'), cache.set('d', 'd')])
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual(['new', undefined, 'c', 'd'])
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

describe('what a process held that died while its clock was a year ahead', () => {
  const lease = 200

  async function leftBehind(hold: 'lock' | 'value' | 'item', directory: string): Promise<Cache> {
    const args = { directory, hold, lease, steps: 0, step: 365 * 24 * HOUR }
    const holder = new FixtureProcess(STEPPED, args)
    await holder.line('holds')
    await holder.kill()
    return cacheOf('Cache', directory) as Cache
  }

  it('is a lock that others get when its lease is over', async () => {
    const cache = await leftBehind('lock', temporaryDirectory())
    const lock = new Lock(cache, 'lock', { ttl: '1m', allowEviction: true })
    const held = await lock.acquire()
    expect(await lock.tryAcquire()).toBeUndefined()
    expect(await held.extend()).toBe(true)
    expect(await held.release()).toBe(true)
  })

  it('is a value that others compute when its lease is over', async () => {
    const cache = await leftBehind('value', temporaryDirectory())
    expect(await cache.getOrSet('value', () => 'computed')).toBe('computed')
    expect(await cache.get('value')).toBe('computed')
  })

  it('is an item of a queue that others take when its lease is over', async () => {
    const directory = temporaryDirectory()
    const deque = new Deque(`${directory}/deque`)
    onTestFinished(() => deque.close())
    await deque.extend(['first', 'second'])
    await leftBehind('item', directory)
    expect(await deque.popLeft()).toBe('second')
    await expect.poll(async () => (await deque.take())?.value).toBe('first')
  })

  it('is several items of a queue, which come back in their order', async () => {
    const deque = new Deque<number>(temporaryDirectory())
    onTestFinished(() => deque.close())
    await deque.extend([1, 2, 3, 4])
    const holder = new Deque<number>(deque.directory)
    for (const value of [1, 2, 3]) expect((await holder.take({ lease }))?.value).toBe(value)
    await holder.close()
    const db = rawDatabase(deque.directory)
    // The first one was extended last.
    db.prepare("UPDATE Lease SET due = due + 31536000 + (name LIKE '%000')").run()
    expect(await deque.popLeft()).toBe(4)
    await expect.poll(async () => (await deque.take())?.value).toBe(1)
    expect([(await deque.take())?.value, (await deque.take())?.value]).toEqual([2, 3])
  })

  it('is the upkeep, which others do when its lease is over', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf('Cache', directory)
    await cache.set('key', 1)
    await startUpkeep(cache, { lease }).run()
    const ahead = 'UPDATE Lease SET due = due + 31536000 WHERE name = ?'
    const db = rawDatabase(directory)
    const copy = db.prepare('SELECT * FROM Lease WHERE name = ?').get('upkeep:') as Record<string, unknown>
    await cache.close()
    db.prepare('INSERT INTO Lease (name, token, due, fence) VALUES (@name, @token, @due, @fence)').run(copy)
    db.prepare(ahead).run('upkeep:')
    const next = cacheOf('Cache', directory)
    const upkeep = startUpkeep(next, { every: 20, lease })
    await expect.poll(() => upkeep.isLeader).toBe(true)
  })
})

describe('what a process holds that lives while its clock is a year ahead', () => {
  it("is nobody else's as long as it gives signs of life", async () => {
    const directory = temporaryDirectory()
    const holder = cacheOf('Cache', directory)
    await new Lock(holder, 'lock', { ttl: 3000, allowEviction: true }).acquire()
    await holder.close()
    const db = rawDatabase(directory)
    db.prepare('UPDATE Cache SET store_time = store_time + 31536000, expire_time = expire_time + 31536000').run()
    const beat = db.prepare('UPDATE Cache SET store_time = store_time + 0.1, expire_time = expire_time + 0.1')
    const beating = setInterval(() => beat.run(), 100)
    onTestFinished(() => clearInterval(beating))
    const lock = new Lock(cacheOf('Cache', directory), 'lock', { allowEviction: true })
    await expect(lock.acquire({ timeout: 4000 })).rejects.toThrow('held by others')
  })
})
