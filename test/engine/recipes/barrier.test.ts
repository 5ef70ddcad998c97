import { BoundedSemaphore, barrier, Cache, type CacheOptions, FanoutCache, type Key, Lock, RLock } from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { blockWrites } from './lock-support.js'

type CacheLike = Parameters<typeof barrier>[0]

function lasting(options: CacheOptions = {}): Cache {
  const cache = new Cache(temporaryDirectory(), { evictionPolicy: 'none', ...options })
  onTestFinished(() => cache.close())
  return cache
}

/** Work that notes who is at it, and how many at once at most. */
class Site {
  readonly done: number[] = []
  inside = 0
  most = 0

  async work(at: number): Promise<number> {
    this.most = Math.max(this.most, ++this.inside)
    await new Promise(resolve => setTimeout(resolve, 2))
    this.inside--
    this.done.push(at)
    return at
  }
}

describe('barrier', () => {
  it('runs calls one at a time, in their order', async () => {
    const cache = lasting()
    const site = new Site()
    const work = barrier(cache, (at: number) => site.work(at), { name: 'work' })
    expect(await Promise.all([1, 2, 3, 4, 5].map(at => work(at)))).toEqual([1, 2, 3, 4, 5])
    expect(site).toMatchObject({ most: 1, done: [1, 2, 3, 4, 5] })
    expect(await collect(cache.keys())).toEqual([])
  })

  it('runs calls of other handles and other functions of its name one at a time with its own', async () => {
    const cache = lasting()
    const other = new FanoutCache(temporaryDirectory(), { evictionPolicy: 'none', shards: 2 })
    onTestFinished(() => other.close())
    const second = new Cache(cache.directory)
    onTestFinished(() => second.close())
    const site = new Site()
    const functions = [cache, second, { cache: second }].map(one => {
      return barrier(one, (at: number) => site.work(at), { name: 'work' })
    })
    await Promise.all(functions.flatMap((work, at) => [work(at), work(at)]))
    expect(site.most).toBe(1)
    expect(await barrier(other, (at: number) => site.work(at), { name: 'work' })(9)).toBe(9)
  })

  it('has the lock of its name while it runs', async () => {
    const cache = lasting()
    const states: boolean[] = []
    const named = barrier(cache, async () => states.push(await new Lock(cache, 'report').locked()), { name: 'report' })
    await named()
    await barrier(cache, async function report() {
      states.push(await new Lock(cache, 'barrier:report').locked(), await new Lock(cache, 'report').locked())
    })()
    expect(states).toEqual([true, true, false])
  })

  it('keeps apart by key only what has the same one', async () => {
    const cache = lasting()
    const site = new Site()
    const perKey = new Map<string, Site>()
    const work = barrier(
      cache,
      async (room: string, at: number) => {
        const own = perKey.get(room) ?? new Site()
        perKey.set(room, own)
        await Promise.all([own.work(at), site.work(at)])
      },
      { name: 'work', key: room => room },
    )
    await Promise.all(['a', 'b', 'c'].flatMap(room => [1, 2, 3].map(at => work(room, at))))
    expect(site.most).toBe(3)
    for (const own of perKey.values()) expect(own).toMatchObject({ most: 1, done: [1, 2, 3] })
  })

  it('gives the lock back when the function throws or rejects', async () => {
    const cache = lasting()
    const fail = barrier(
      cache,
      (how: string) => {
        if (how === 'throw') throw new RangeError(how)
        return how === 'reject' ? Promise.reject(new RangeError(how)) : how
      },
      { name: 'fail' },
    )
    await expect(fail('throw')).rejects.toThrow(new RangeError('throw'))
    await expect(fail('reject')).rejects.toThrow(new RangeError('reject'))
    expect(await fail('return')).toBe('return')
    expect(await collect(cache.keys())).toEqual([])
  })

  it('hands on this and the arguments, and keeps name and length', async () => {
    const cache = lasting()
    const shop = {
      price: 3,
      total: barrier(cache, function total(this: { price: number }, pieces: number) {
        return this.price * pieces
      }),
    }
    expect(await shop.total(5)).toBe(15)
    expect([shop.total.name, shop.total.length]).toEqual(['total', 1])
  })

  it('lets a function call itself through an RLock, and nobody else in meanwhile', async () => {
    const cache = lasting()
    const site = new Site()
    const down = barrier(
      cache,
      async (depth: number, who: number): Promise<void> => {
        if (depth === 0) await site.work(who)
        else await again(depth - 1, who)
      },
      { name: 'down', lock: RLock },
    )
    const again: (depth: number, who: number) => Promise<void> = down
    // Not awaited one by one: each call is a holder of its own.
    const calls = [1, 2, 3].map(who => down(3, who))
    await Promise.all(calls)
    await down(2, 4)
    expect(site).toMatchObject({ most: 1, done: [1, 2, 3, 4] })
    expect(await collect(cache.keys())).toEqual([])
  })

  it('takes a function that makes the lock, such as a semaphore', async () => {
    const cache = lasting()
    const site = new Site()
    const work = barrier(cache, (at: number) => site.work(at), {
      name: 'work',
      lock: (one, key) => new BoundedSemaphore(one, key, { value: 2 }),
    })
    await Promise.all([1, 2, 3, 4, 5].map(at => work(at)))
    expect(site.most).toBe(2)
  })

  it('takes one lock that is made already, for all functions that have it', async () => {
    const cache = lasting()
    const site = new Site()
    const lock = new RLock(cache, 'site')
    const [first, second] = [1, 2].map(step => barrier(cache, (at: number) => site.work(at * step), { lock }))
    const calls = [first, second, first, second].map((work, at) => work?.(at + 1))
    expect(await lock.run(() => new Lock(cache, 'site').locked())).toBe(true)
    expect(await Promise.all(calls)).toEqual([1, 4, 3, 8])
    expect(site.most).toBe(1)
    for (const beside of [{ name: 'work' }, { key: () => 1 }]) {
      expect(() => barrier(cache, () => 1, { lock, ...beside })).toThrow(/mean nothing/)
    }
  })

  it('takes any lock with acquire and release, and tells what goes wrong with it', async () => {
    const cache = lasting()
    const release = vi.fn(async () => {})
    const acquire = vi.fn(async () => ({ release }))
    const lock = vi.fn(() => ({ acquire }))
    const work = barrier(cache, async (error?: Error) => (error ? Promise.reject(error) : 1), { name: 'work', lock })
    expect(await work()).toBe(1)
    expect(lock).toHaveBeenCalledWith(cache, 'work')
    release.mockRejectedValue(new Error('the lock is stuck'))
    await expect(work()).rejects.toThrow('the lock is stuck')
    await expect(work(new RangeError('own'))).rejects.toThrow('own')
    acquire.mockRejectedValueOnce(new Error('no lock'))
    await expect(work()).rejects.toThrow('no lock')
    expect(release).toHaveBeenCalledTimes(3)
  })

  it.each([
    ['Lock', (one: CacheLike, key: Key) => new Lock(one, key, { ttl: 60 })],
    ['RLock', (one: CacheLike, key: Key) => new RLock(one, key, { ttl: 60 })],
    ['BoundedSemaphore', (one: CacheLike, key: Key) => new BoundedSemaphore(one, key, { value: 1, ttl: 60 })],
  ])('answers what the function answered when its %s cannot be given back', async (_kind, lock) => {
    const cache = lasting()
    let unblock = (): void => undefined
    const work = barrier(
      cache,
      (error?: Error) => {
        unblock = blockWrites(cache.directory)
        return error ? Promise.reject(error) : 'done'
      },
      { name: 'work', lock },
    )
    const calls = [() => work(), () => work(new RangeError('own'))]
    for (const [at, call] of calls.entries()) {
      const [outcome] = await Promise.allSettled([call()])
      expect(outcome).toMatchObject([{ value: 'done' }, { reason: { message: 'own' } }][at] ?? {})
      unblock()
      // It has ended by itself.
      expect(await lock(cache, 'work').locked()).toBe(false)
    }
  })

  it('is refused a cache that may evict, unless its lock insists', async () => {
    const cache = lasting({ evictionPolicy: 'least-recently-stored' })
    await expect(barrier(cache, () => 1, { name: 'one' })()).rejects.toThrow(/evictionPolicy/)
    const lock = (one: Cache, key: string) => new Lock(one, key, { allowEviction: true })
    expect(await barrier(cache, () => 1, { name: 'one', lock: lock as never })()).toBe(1)
  })
})
