import { setTimeout as pause } from 'node:timers/promises'
import {
  BoundedSemaphore,
  type DiskCache,
  LeaseLostError,
  Lock,
  type LockOptions,
  RLock,
  TimeoutError,
} from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../helpers/manual-clock.js'
import { removeTree, temporaryDirectory } from '../../helpers/temp-directory.js'
import { blockWrites, due, elsewhere, held, isWaiting, KINDS, type Open, rejection } from './lock-support.js'

type Make = (cache: DiskCache, options?: LockOptions) => Lock | RLock | BoundedSemaphore

const LOCKS: readonly (readonly [name: string, make: Make])[] = [
  ['Lock', (cache, options) => new Lock(cache, 'report', options)],
  ['RLock', (cache, options) => new RLock(cache, 'report', options)],
  ['BoundedSemaphore', (cache, options) => new BoundedSemaphore(cache, 'report', options)],
]

const SUBJECTS: readonly (readonly [kind: string, name: string, open: Open, make: Make])[] = KINDS.flatMap(
  ([kind, open]) => LOCKS.map(([name, make]) => [kind, name, open, make] as const),
)

describe.each(SUBJECTS)('over a %s, the lease of a %s', (_kind, _name, open, make) => {
  it('is given back by its owner alone, and once', async () => {
    const cache = open()
    const lease = await make(cache).acquire()
    expect(await lease.release()).toBe(true)
    expect(await lease.release()).toBe(false)
    const next = await make(cache).acquire()
    expect(await lease.release()).toBe(false)
    expect(await lease.extend()).toBe(false)
    expect(await make(cache).locked()).toBe(true)
    expect(await next.release()).toBe(true)
  })

  it('has a token of its own and a fence, which both grow with every acquisition', async () => {
    const directory = temporaryDirectory()
    const clock = new ManualClock()
    const fences: number[] = []
    const tokens = new Set<string>()
    const note = async (cache: DiskCache): Promise<void> => {
      const lease = await make(cache).acquire()
      fences.push(lease.fence)
      tokens.add(lease.token)
      await lease.release()
    }
    for (let round = 0; round < 3; round++) {
      const cache = open({ clock }, directory)
      for (let time = 0; time < 5; time++) await note(cache)
      await cache.clear()
      for (let time = 0; time < 5; time++) await note(cache)
      clock.advance(round * 5000)
      await note(cache)
      await cache.close()
      // A process that starts with a clock which was set back.
      if (round === 1) clock.advance(-3_600_000)
    }
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(fences.every(Number.isSafeInteger)).toBe(true)
    expect(tokens.size).toBe(fences.length)
    expect([...tokens]).toEqual([...tokens].sort())
    const numbers = [...tokens].map(BigInt)
    expect(numbers.every((number, at) => at === 0 || number > (numbers[at - 1] as bigint))).toBe(true)
  })

  it('has a greater fence also after its directory was removed', async () => {
    const directory = temporaryDirectory()
    const cache = open({}, directory)
    const { fence } = await make(cache).acquire()
    await cache.close()
    removeTree(directory)
    await pause(5)
    expect((await elsewhere(() => make(open({}, directory)).acquire())).fence).toBeGreaterThan(fence)
  })

  it('has a greater fence also after its directory was removed in which it was taken many times a millisecond', async () => {
    const directory = temporaryDirectory()
    const clock = new ManualClock()
    const cache = open({ clock }, directory)
    const lock = make(cache)
    let last = 0
    for (let time = 0; time < 50; time++) {
      const lease = await lock.acquire()
      last = lease.fence
      await lease.release()
    }
    await cache.close()
    removeTree(directory)
    clock.advance(5)
    expect((await elsewhere(() => make(open({ clock }, directory)).acquire())).fence).toBeGreaterThan(last)
  })

  it('has a fence that grows also where the clock is centuries ahead', async () => {
    const clock = new ManualClock()
    clock.advance(3000 * 365 * 86_400_000)
    const cache = open({ clock })
    const fences: number[] = []
    for (let time = 0; time < 5; time++) {
      const lease = await make(cache).acquire()
      fences.push(lease.fence)
      await lease.release()
    }
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(fences.every(Number.isSafeInteger)).toBe(true)
  })

  it('is extended by itself while the process lives', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache, { ttl: 60 }).acquire()
    const rival = make(cache, { ttl: 60 })
    for (let time = 0; time < 5; time++) {
      clock.advance(45)
      // Extended when it lasts longer than what was left of it.
      await expect.poll(() => due(cache), { interval: 2 }).toBeGreaterThan(clock.now() + 50)
      expect(await elsewhere(() => rival.tryAcquire())).toBe(undefined)
    }
    expect(lease.signal.aborted).toBe(false)
    expect(await lease.release()).toBe(true)
  })

  it('lasts from now for the time that extend() is given', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    expect(await due(cache)).toBe(clock.now() + 30_000)
    expect(await lease.extend()).toBe(true)
    clock.advance(1000)
    expect(await lease.extend()).toBe(true)
    expect(await due(cache)).toBe(clock.now() + 30_000)
    expect(await lease.extend('1h')).toBe(true)
    expect(await due(cache)).toBe(clock.now() + 3_600_000)
  })

  it('is not cut by its heartbeat when a longer time was asked for', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache, { ttl: 30 }).acquire()
    expect(await lease.extend('1h')).toBe(true)
    await pause(100)
    expect(await due(cache)).toBe(clock.now() + 3_600_000)
  })

  it('is kept by its heartbeat also after a shorter time was asked for', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache, { ttl: '1h' }).acquire()
    expect(await lease.extend(50)).toBe(true)
    await expect.poll(() => due(cache), { interval: 2 }).toBe(clock.now() + 3_600_000)
  })

  it.each([
    [-1, RangeError, /ttl .*-1/],
    [0, RangeError, /ttl .*20 milliseconds.* 0/],
    ['5ms', RangeError, /ttl .*20 milliseconds.* 5/],
    [Number.POSITIVE_INFINITY, RangeError, /ttl .*Infinity/],
    [Number.NaN, RangeError, /ttl .*NaN/],
    ['soon', RangeError, /ttl .*'soon'/],
    [{}, TypeError, /ttl .*object/],
    [null, TypeError, /ttl .*null/],
  ])('refuses to be extended by %j', async (ttl, type, message) => {
    const lease = await make(open()).acquire()
    const error = await rejection(lease.extend(ttl as number))
    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toMatch(message)
    expect(await lease.release()).toBe(true)
  })

  it('is extended seldom when its ttl is beyond what timers can count', async () => {
    const warnings: string[] = []
    const note = (warning: Error): unknown => warnings.push(warning.name)
    process.on('warning', note)
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache, { ttl: '365d' }).acquire()
    const before = await due(cache)
    clock.advance(1000)
    await pause(50)
    process.off('warning', note)
    expect(await due(cache)).toBe(before)
    expect(warnings).toEqual([])
    expect(await lease.release()).toBe(true)
  })

  it('is lost when others have taken it over: its signal aborts and nothing of theirs is removed', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    // The heartbeat comes too late for this clock.
    const lease = await make(cache, { ttl: '30s' }).acquire()
    const { signal } = lease
    clock.advance(30_000)
    const next = await elsewhere(() => held(make(cache).tryAcquire()))
    expect(next.fence).toBeGreaterThan(lease.fence)
    expect(signal.aborted).toBe(false)
    expect(await lease.extend()).toBe(false)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBeInstanceOf(LeaseLostError)
    expect(signal.reason).toMatchObject({ code: 'ERR_CACHE_LEASE_LOST' })
    expect(lease.signal).toBe(signal)
    expect(await lease.release()).toBe(false)
    expect(await elsewhere(() => make(cache).locked())).toBe(true)
    expect(await next.release()).toBe(true)
  })

  it('tells its signal as well when its release finds out that it was lost', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    const { signal } = lease
    clock.advance(30_000)
    const next = await elsewhere(() => held(make(cache).tryAcquire()))
    expect(await lease.release()).toBe(false)
    expect(signal.reason).toBeInstanceOf(LeaseLostError)
    expect(await next.release()).toBe(true)
    expect(await next.release()).toBe(false)
    expect(next.signal.aborted).toBe(false)
  })

  it('does not take away what others have since it ended', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    clock.advance(30_000)
    const next = await elsewhere(() => held(make(cache).tryAcquire()))
    expect(await lease.release()).toBe(false)
    expect(await elsewhere(() => make(cache).tryAcquire())).toBe(undefined)
    expect(await next.extend()).toBe(true)
    expect(await next.release()).toBe(true)
  })

  it('answers false to its release when others had it meanwhile', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    clock.advance(30_000)
    await (await elsewhere(() => held(make(cache).tryAcquire()))).release()
    expect(await lease.release()).toBe(false)
  })

  it('tells that it was lost also to those who ask for its signal afterwards', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    clock.advance(30_000)
    await elsewhere(() => held(make(cache).tryAcquire()))
    expect(await lease.extend()).toBe(false)
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
  })

  it('goes on when it ended and nobody has taken it meanwhile', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lease = await make(cache).acquire()
    clock.advance(40_000)
    expect(await lease.extend()).toBe(true)
    expect(await elsewhere(() => make(cache).tryAcquire())).toBe(undefined)
    expect(await lease.release()).toBe(true)
  })

  it('is given back at the end of an `await using` block', async () => {
    const lock = make(open())
    {
      await using lease = await lock.acquire()
      expect(lease.token).not.toBe('')
      expect(await lock.locked()).toBe(true)
    }
    expect(await lock.locked()).toBe(false)
    {
      await using lease = await lock.tryAcquire()
      expect(await lease?.release()).toBe(true)
    }
    expect(await lock.locked()).toBe(false)
  })

  it('is treated as lost when the database could not be written until its end', async () => {
    const directory = temporaryDirectory()
    const lease = await make(open({}, directory), { ttl: 60 }).acquire()
    const unblock = blockWrites(directory)
    await expect.poll(() => lease.signal.aborted, { interval: 2 }).toBe(true)
    unblock()
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(await lease.release()).toBe(false)
  })

  it('was not held any more when its release could not be written until its end', async () => {
    const directory = temporaryDirectory()
    const lock = make(open({}, directory), { ttl: 60 })
    const lease = await lock.acquire()
    let unblock = blockWrites(directory)
    expect(await lease.release()).toBe(false)
    unblock()
    expect(await lock.locked()).toBe(false)
    const longer = await lock.acquire()
    expect(await longer.extend('1m')).toBe(true)
    unblock = blockWrites(directory)
    expect(await rejection(longer.release())).toBeInstanceOf(TimeoutError)
    unblock()
    expect(await lock.locked()).toBe(true)
  })
})

describe.each(SUBJECTS)('closing a %s', (_kind, _name, open, make) => {
  it('is not undone by the heartbeat of a lease', async () => {
    const directory = temporaryDirectory()
    const cache = open({}, directory)
    const lease = await make(cache, { ttl: 60 }).acquire()
    await cache.close()
    await expect.poll(() => lease.signal.aborted, { interval: 2 }).toBe(true)
    // The options of an engine that is open would be compared with these.
    expect(() => open({ timeout: 12_345 }, directory)).not.toThrow()
  })

  it('waits for a release that is under way', async () => {
    const cache = open()
    const lease = await make(cache).acquire()
    const released = lease.release()
    await cache.close()
    expect(await released).toBe(true)
    expect(await make(cache).locked()).toBe(false)
  })

  it('leaves the lock as it is: a release afterwards opens the cache again', async () => {
    const cache = open()
    const lease = await make(cache).acquire()
    await cache.close()
    expect(await make(cache).locked()).toBe(true)
    await cache.close()
    expect(await lease.release()).toBe(true)
    expect(await make(cache).locked()).toBe(false)
  })

  it('ends the waiting of those who wait through it, and no other', async () => {
    const directory = temporaryDirectory()
    const [cache, other] = [open({}, directory), open({}, directory)]
    const lease = await make(other).acquire()
    const waiting = [cache, other, cache].map(each => elsewhere(() => make(each).acquire()))
    expect(await isWaiting(Promise.race(waiting))).toBe(true)
    await cache.close()
    expect(await rejection(waiting[0] as Promise<unknown>)).toMatchObject({ message: expect.stringMatching(/closed/) })
    expect(await isWaiting(waiting[1] as Promise<unknown>)).toBe(true)
    await lease.release()
    await (await waiting[1])?.release()
    await rejection(waiting[2] as Promise<unknown>)
    await other.close()
    expect(() => open({ timeout: 12_345 }, directory)).not.toThrow()
  })
})
