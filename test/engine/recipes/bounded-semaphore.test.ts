import { BoundedSemaphore, Cache, type DiskCache, type Key, type Lease, LockTimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { encodeKey } from '../../../src/engine/disk/keys.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { held, isWaiting, KINDS, rejection } from './lock-support.js'

describe.each(KINDS)('a BoundedSemaphore of a %s', (_kind, open) => {
  it('never has more inside than its value, and all of them when there is room', async () => {
    const cache = open()
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      await using _lease = await new BoundedSemaphore(cache, 'pool', { value: 3 }).acquire()
      most = Math.max(most, ++inside)
      for (let read = 0; read < 5; read++) await cache.set('anything', read)
      inside--
    }
    await Promise.all(Array.from({ length: 30 }, work))
    expect(most).toBe(3)
  })

  it('has its places in all handles on the directory', async () => {
    const directory = temporaryDirectory()
    const caches = [open({}, directory), open({}, directory), open({}, directory)]
    const leases: Lease[] = []
    for (const cache of caches) leases.push(await held(semaphore(cache).tryAcquire()))
    for (const cache of caches) expect(await semaphore(cache).tryAcquire()).toBe(undefined)
    expect(await semaphore(caches[0] as DiskCache).locked()).toBe(true)
    expect(await leases[1]?.release()).toBe(true)
    expect(await semaphore(caches[2] as DiskCache).locked()).toBe(false)
    await held(semaphore(caches[2] as DiskCache).tryAcquire())
    expect(await semaphore(caches[1] as DiskCache).tryAcquire()).toBe(undefined)
  })

  it('gives its places to those who wait in the order in which they asked', async () => {
    const pool = semaphore(open())
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
    const order: number[] = []
    const waiting = Array.from({ length: 7 }, async (_, index) => {
      const lease = await pool.acquire()
      order.push(index)
      await lease.release()
    })
    const late = pool.acquire({ timeout: 20 })
    expect(await rejection(late)).toBeInstanceOf(LockTimeoutError)
    await Promise.all(leases.map(lease => lease.release()))
    await Promise.all(waiting)
    expect(order).toEqual([...waiting.keys()])
  })

  it('gives every holder a token and a fence of its own', async () => {
    const pool = semaphore(open())
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()]
    const fences = leases.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(new Set(leases.map(({ token }) => token)).size).toBe(3)
    // A place that is given back twice is one place.
    expect(await leases[0]?.release()).toBe(true)
    expect(await leases[0]?.release()).toBe(false)
    await held(pool.tryAcquire())
    expect(await pool.tryAcquire()).toBe(undefined)
  })

  it('has a place again when a holder gave no sign of life for the ttl', async () => {
    const clock = new ManualClock()
    const pool = semaphore(open({ clock }))
    const [first, second, third] = [await pool.acquire(), await pool.acquire(), await pool.acquire()]
    clock.advance(29_999)
    expect(await first?.extend()).toBe(true)
    expect(await third?.extend('1h')).toBe(true)
    const waiting = pool.acquire()
    expect(await isWaiting(waiting)).toBe(true)
    clock.advance(1)
    // The second is taken for dead.
    const next = await waiting
    expect(await pool.tryAcquire()).toBe(undefined)
    expect(await second?.extend()).toBe(false)
    expect(second?.signal.aborted).toBe(true)
    expect(await second?.release()).toBe(false)
    expect(await next.release()).toBe(true)
    expect(await first?.release()).toBe(true)
    expect(await third?.release()).toBe(true)
  })

  it('leaves nothing for good of holders that were never heard of again', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { clock })
    onTestFinished(() => cache.close())
    const acquire = (key: number): Promise<Lease> =>
      new BoundedSemaphore(cache, key, { value: 1, ttl: 30_000, allowEviction: true }).acquire()
    const leases: Lease[] = []
    for (let key = 0; key < 10; key++) leases.push(await acquire(key))
    const count = rawDatabase(directory).prepare('SELECT COUNT(*) FROM Lease').pluck()
    clock.advance(60_000)
    await acquire(10)
    // Those who are late only are still asked whether they have it.
    expect(await leases[0]?.extend()).toBe(true)
    clock.advance(60_000)
    await acquire(11)
    expect(count.get()).toBeLessThanOrEqual(3)
  })

  it('does not let one back in that ended when the places are taken', async () => {
    const clock = new ManualClock()
    const pool = semaphore(open({ clock }))
    const ended = [await pool.acquire(), await pool.acquire()]
    clock.advance(30_000)
    const others = [await pool.acquire(), await pool.acquire(), await pool.acquire()]
    for (const lease of ended) expect(await lease.extend()).toBe(false)
    for (const lease of others) expect(await lease.release()).toBe(true)
  })

  it('counts those of others when they say another value', async () => {
    const cache = open()
    const wide = new BoundedSemaphore(cache, 'pool', { value: 5 })
    const leases = await Promise.all(Array.from({ length: 4 }, () => wide.acquire()))
    const narrow = semaphore(cache)
    expect(await narrow.locked()).toBe(true)
    expect(await narrow.tryAcquire()).toBe(undefined)
    await leases[0]?.release()
    expect(await narrow.tryAcquire()).toBe(undefined)
    await leases[1]?.release()
    await held(narrow.tryAcquire())
  })

  it('is one for each key, and keys that begin alike do not meet', async () => {
    const cache = open()
    const keys: Key[] = ['a', 'a:', 'a:0', 'a:0:', '1', 1, '%', '_', 'A', Buffer.from('a'), ['a']]
    // The bytes as which a list is stored, as a key of their own.
    keys.push(encodeKey(['a']).data as Buffer)
    const one = keys.map(key => new BoundedSemaphore(cache, key))
    const leases = await Promise.all(one.map(pool => pool.acquire({ timeout: '5s' })))
    for (const pool of one) expect(await pool.locked()).toBe(true)
    for (const [at, lease] of leases.entries()) {
      expect(await lease.release()).toBe(true)
      for (const [other, pool] of one.entries()) expect(await pool.locked()).toBe(other > at)
    }
  })

  it('is no entry: clear() and count() do not meet it', async () => {
    const cache = open()
    const pool = new BoundedSemaphore(cache, 'pool')
    const lease = await pool.acquire()
    expect(await cache.count()).toBe(0)
    await cache.clear()
    await cache.delete('pool')
    expect(await pool.tryAcquire()).toBe(undefined)
    expect(await lease.release()).toBe(true)
  })

  it('has places for thousands without holding the loop', async () => {
    const pool = new BoundedSemaphore(open(), 'pool', { value: 10_000, ttl: '1h' })
    const leases = await Promise.all(Array.from({ length: 200 }, () => pool.acquire()))
    expect(new Set(leases.map(({ fence }) => fence)).size).toBe(200)
    for (const lease of leases) await lease.release()
  })
})

function semaphore(cache: DiskCache): BoundedSemaphore {
  return new BoundedSemaphore(cache, 'pool', { value: 3 })
}
