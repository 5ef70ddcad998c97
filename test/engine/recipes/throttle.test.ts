import { Cache, type CacheOptions, DiskCacheError, FanoutCache, ReadonlyError, throttle } from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const RATE = { name: 'bucket', count: 3, per: 30 }

/** A cache that never evicts, and whose clock stands still. */
function stopped(options: CacheOptions = {}, directory = temporaryDirectory()) {
  const clock = new ManualClock()
  const cache = new Cache(directory, { evictionPolicy: 'none', clock, ...options })
  onTestFinished(() => cache.close())
  return { cache, clock }
}

/** Resolves when all that was asked of the cache by now is done, and what waited for it has gone on. */
async function settled(cache: Cache): Promise<void> {
  await cache.transact(() => undefined)
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Sets the clock forward by steps, as it goes in life, until all calls are through. */
async function letTimePass(clock: ManualClock, calls: Promise<unknown>): Promise<void> {
  const timer = setInterval(() => clock.advance(1), 1)
  await calls.finally(() => clearInterval(timer))
}

describe('throttle', () => {
  it('lets count calls through at once, and the next ones as tokens come', async () => {
    const { cache, clock } = stopped()
    const done: number[] = []
    const note = throttle(cache, (at: number) => void done.push(at), RATE)
    const calls = [1, 2, 3, 4, 5].map(at => note(at))
    await settled(cache)
    expect(done).toEqual([1, 2, 3])
    clock.advance(9)
    // It has looked again when it has asked what time it is.
    const looks = vi.spyOn(clock, 'now')
    await expect.poll(() => looks).toHaveBeenCalled()
    await settled(cache)
    expect(done).toEqual([1, 2, 3])
    clock.advance(1)
    await calls[3]
    expect(done).toEqual([1, 2, 3, 4])
    clock.advance(10)
    await calls[4]
    expect(done).toEqual([1, 2, 3, 4, 5])
  })

  it('never saves more than count tokens', async () => {
    const { cache, clock } = stopped()
    const done: number[] = []
    const note = throttle(cache, (at: number) => void done.push(at), RATE)
    await note(0)
    clock.advance(3_600_000)
    const calls = [1, 2, 3, 4].map(at => note(at))
    await settled(cache)
    expect(done).toEqual([0, 1, 2, 3])
    clock.advance(10)
    await Promise.all(calls)
  })

  it('keeps the order of calls, also of those that come while others wait', async () => {
    const { cache, clock } = stopped()
    const done: number[] = []
    const note = throttle(cache, (at: number) => void done.push(at), { ...RATE, count: 1, per: 5 })
    const calls = [0, 1, 2, 3].map(at => note(at))
    await settled(cache)
    for (let at = 4; at < 8; at++) calls.push(note(at))
    await letTimePass(clock, Promise.all(calls))
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('hands on this, arguments, results and errors; a call that fails has used its token', async () => {
    const { cache } = stopped()
    const shop = {
      price: 3,
      total: throttle(
        cache,
        function total(this: { price: number }, pieces: number, coupon?: string) {
          if (coupon !== undefined) throw new RangeError(`no ${coupon}`)
          return this.price * pieces
        },
        { count: 2, per: '1h' },
      ),
    }
    await expect(shop.total(1, 'coupon')).rejects.toThrow(new RangeError('no coupon'))
    expect(await shop.total(5)).toBe(15)
    expect(await cache.get('throttle:total')).toEqual([Date.UTC(2026, 0, 1) / 1000, 0])
    expect([shop.total.name, shop.total.length]).toEqual(['total', 2])
  })

  it('does not fill up when it is made again, or elsewhere by the same name', async () => {
    const directory = temporaryDirectory()
    const { cache } = stopped({}, directory)
    for (let call = 0; call < 3; call++) await throttle(cache, () => call, RATE)()
    const other = new Cache(directory)
    onTestFinished(() => other.close())
    const late = vi.fn()
    void throttle(other, late, RATE)()
    await settled(cache)
    expect(late).not.toHaveBeenCalled()
    await cache.delete('bucket')
    await expect.poll(() => late).toHaveBeenCalled()
  })

  it('is full when its entry was removed', async () => {
    const { cache } = stopped()
    const done: number[] = []
    const call = throttle(cache, (round: number) => void done.push(round), RATE)
    for (let round = 0; round < 3; round++) {
      for (let calls = 0; calls < RATE.count; calls++) call(round).catch(() => undefined)
      await settled(cache)
      await cache.clear()
    }
    expect(done).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2])
  })

  it('may have fractions of tokens', async () => {
    const { cache, clock } = stopped()
    const done: number[] = []
    const note = throttle(cache, (at: number) => void done.push(at), { name: 'bucket', count: 1.5, per: 15 })
    const calls = [1, 2].map(at => note(at))
    await settled(cache)
    expect(done).toEqual([1])
    clock.advance(5)
    await calls[1]
  })

  it('keeps its entry for ttl after the last call', async () => {
    const { cache, clock } = stopped()
    const call = throttle(cache, () => 1, { ...RATE, ttl: '1m' })
    await call()
    expect(await cache.info('bucket')).toMatchObject({ expiresAt: clock.now() + 60_000 })
    clock.advance(60_000)
    expect(await cache.has('bucket')).toBe(false)
    await throttle(cache, () => 1, RATE)()
    expect(await cache.info('bucket')).not.toHaveProperty('expiresAt')
  })

  it('goes on when its entry was written by a clock that is ahead', async () => {
    const { cache, clock } = stopped()
    const call = throttle(cache, () => 1, RATE)
    for (const ahead of [5, 3_600_000]) {
      const begun = clock.now()
      await cache.set('bucket', [(begun + ahead) / 1000, 0])
      await letTimePass(clock, call())
      expect(clock.now() - begun).toBeLessThan(60_000)
      const [changedAt] = (await cache.get<[number, number]>('bucket')) ?? [Number.NaN]
      expect(changedAt * 1000).toBeLessThanOrEqual(clock.now())
    }
  })

  it('goes on when its entry says that more tokens are missing than were ever taken', async () => {
    const { cache, clock } = stopped()
    const begun = clock.now()
    await cache.set('bucket', [begun / 1000, -1e6])
    await letTimePass(clock, throttle(cache, () => 1, RATE)())
    expect(clock.now() - begun).toBeLessThan(60_000)
  })

  it('leaves alone an entry that is something else', async () => {
    const { cache } = stopped()
    await cache.set('bucket', 'an address book')
    await expect(throttle(cache, () => 1, RATE)()).rejects.toThrow(/throttle 'bucket': something else/)
    expect(await cache.get('bucket')).toBe('an address book')
  })

  it('rejects the calls that wait when the cache is closed, and leaves it closed', async () => {
    const { cache } = stopped()
    const call = throttle(cache, () => 1, { ...RATE, count: 1 })
    await call()
    const waiting = [call(), call()].map(one => one.catch((error: unknown) => error))
    await settled(cache)
    await cache.close()
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(DiskCacheError)
  })

  it('works on a FanoutCache', async () => {
    const clock = new ManualClock()
    const cache = new FanoutCache(temporaryDirectory(), { shards: 2, evictionPolicy: 'none', clock, timeout: '1m' })
    onTestFinished(() => cache.close())
    const call = throttle(cache, (at: number) => at, RATE)
    expect(await Promise.all([call(1), call(2), call(3)])).toEqual([1, 2, 3])
    await letTimePass(clock, call(4))
  })

  it('is refused a cache that may evict, by the policy in force, unless the caller insists', async () => {
    const { cache } = stopped({ evictionPolicy: 'least-recently-used' })
    const call = throttle(cache, () => 1, RATE)
    await expect(call()).rejects.toThrow(RangeError)
    await expect(call()).rejects.toThrow(/evictionPolicy.*least-recently-used.*allowEviction: true/)
    expect(await throttle(cache, () => 2, { ...RATE, allowEviction: true })()).toBe(2)
    await cache.configure({ evictionPolicy: 'none' })
    expect(await call()).toBe(1)
  })

  it('is refused a cache that is open for reading', async () => {
    const directory = temporaryDirectory()
    await new Cache(directory, { evictionPolicy: 'none' }).open().then(cache => cache.close())
    const cache = new Cache(directory, { readonly: true })
    onTestFinished(() => cache.close())
    await expect(throttle(cache, () => 1, RATE)()).rejects.toThrow(ReadonlyError)
  })
})
