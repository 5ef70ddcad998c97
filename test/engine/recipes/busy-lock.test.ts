import { type Lease, Lock } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { isWaiting, KINDS } from './lock-support.js'

const KEY = 'report'
/** More than a lock that is not busy sees. */
const MANY = 25

async function cycle(lock: Lock, times = 1): Promise<Lease[]> {
  const leases: Lease[] = []
  for (let time = 0; time < times; time++) {
    const lease = await lock.acquire()
    leases.push(lease)
    expect(await lease.release()).toBe(true)
  }
  return leases
}

describe.each(KINDS)('a Lock of a %s that is taken again and again', (_kind, open) => {
  it('is free in between, for all who look', async () => {
    const cache = open()
    const lock = new Lock(cache, KEY)
    await cycle(lock, MANY)
    expect(await lock.locked()).toBe(false)
    expect(await cache.has(KEY)).toBe(false)
    expect(await cache.get(KEY)).toBe(undefined)
    expect(await collect(cache.keys())).toEqual([])
    expect(await cache.check()).toEqual([])
    await cycle(new Lock(cache, KEY), MANY)
    await cycle(lock, MANY)
  })

  it('leaves no entry behind soon after its last release', async () => {
    const cache = open()
    const lock = new Lock(cache, KEY)
    for (let round = 0; round < 2; round++) {
      await cycle(lock, MANY)
      await expect.poll(() => cache.count()).toBe(0)
    }
    await cycle(lock, MANY)
    const lease = await lock.acquire()
    // What tidies up leaves a lock alone that is held.
    expect(await isWaiting(new Lock(cache, KEY).acquire({ timeout: '5s' }), 1500)).toBe(true)
    expect(await cache.get(KEY)).toBe(lease.token)
    expect(await lease.release()).toBe(true)
  })

  it('leaves an entry alone that was stored under its key meanwhile', async () => {
    const cache = open()
    const lock = new Lock(cache, KEY)
    await cycle(lock, MANY)
    expect(await cache.add(KEY, 'mine')).toBe(true)
    expect(await lock.tryAcquire()).toBe(undefined)
    expect(await isWaiting(lock.acquire({ timeout: '5s' }), 1500)).toBe(true)
    expect(await cache.get(KEY)).toBe('mine')
  })

  it('is still given to one at a time, with fences that grow and tokens of their own', async () => {
    const directory = temporaryDirectory()
    const locks = [open({}, directory), open({}, directory)].map(cache => new Lock(cache, KEY))
    const leases: Lease[] = []
    let inside = 0
    const work = async (lock: Lock): Promise<void> => {
      for (let time = 0; time < MANY; time++) {
        const lease = await lock.acquire()
        leases.push(lease)
        expect(++inside).toBe(1)
        await Promise.resolve()
        inside--
        expect(await lease.release()).toBe(true)
      }
    }
    await Promise.all(locks.flatMap(lock => [work(lock), work(lock)]))
    const fences = leases.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(new Set(leases.map(({ token }) => token)).size).toBe(leases.length)
  })

  it('is lost, and taken anew, when its entry is removed', async () => {
    const cache = open()
    const lock = new Lock(cache, KEY)
    await cycle(lock, MANY)
    const lease = await lock.acquire()
    await cache.clear()
    expect(await lease.extend()).toBe(false)
    expect(await lease.release()).toBe(false)
    await cycle(lock, MANY)
    await cache.clear()
    await cycle(lock, MANY)
    // An old lease cannot bring back what was released.
    const [old] = await cycle(lock, 2)
    expect(await old?.extend()).toBe(false)
    expect(await lock.locked()).toBe(false)
  })

  it('leaves at most an expired entry behind when the cache is closed', async () => {
    const directory = temporaryDirectory()
    const cache = open({}, directory)
    await cycle(new Lock(cache, KEY), MANY)
    await cache.close()
    const again = open({}, directory)
    expect(await new Lock(again, KEY).locked()).toBe(false)
    await again.expire()
    expect(await again.count()).toBe(0)
    await cycle(new Lock(again, KEY), MANY)
    expect(await again.check()).toEqual([])
  })
})
