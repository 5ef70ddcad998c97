import { getEventListeners } from 'node:events'
import {
  BoundedSemaphore,
  jsonCodec,
  type Key,
  LeaseLostError,
  Lock,
  LockTimeoutError,
  pickleCodec,
  RLock,
  structuredCodec,
  TimeoutError,
} from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectNoValueFiles } from '../../helpers/value-files.js'
import { blockWrites, held, isWaiting, KINDS, rejection } from './lock-support.js'

describe.each(KINDS)('a Lock of a %s', (_kind, open) => {
  it('lets one in at a time', async () => {
    const cache = open()
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      await using _lease = await new Lock(cache, 'report').acquire()
      most = Math.max(most, ++inside)
      await cache.get('anything')
      inside--
    }
    await Promise.all(Array.from({ length: 20 }, work))
    expect(most).toBe(1)
    expect(await new Lock(cache, 'report').locked()).toBe(false)
  })

  it('excludes through other handles and other cache objects of the directory', async () => {
    const directory = temporaryDirectory()
    const [first, second] = [open({}, directory), open({}, directory)]
    const lease = await new Lock(first, 'report').acquire()
    expect(await new Lock(second, 'report').tryAcquire()).toBe(undefined)
    await lease.release()
    await held(new Lock(second, 'report').tryAcquire())
  })

  it('is given to those who wait in the order in which they asked', async () => {
    const cache = open()
    const lock = new Lock(cache, 'report')
    const order: number[] = []
    const first = await lock.acquire()
    const others = Array.from({ length: 12 }, async (_, index) => {
      await using _lease = await (index % 2 ? lock : new Lock(cache, 'report')).acquire()
      order.push(index)
    })
    await first.release()
    await Promise.all(others)
    expect(order).toEqual([...others.keys()])
  })

  it('keeps that order when it is released between two who ask, and while other writes wait', async () => {
    const cache = open()
    const lock = new Lock(cache, 'report')
    const first = await lock.acquire()
    const order: string[] = []
    const enter = async (name: string): Promise<void> => {
      await using _lease = await lock.acquire()
      order.push(name)
    }
    void first.extend()
    const one = enter('one')
    // The request is on its way to the database, where the lock is still held, and nothing is written yet.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    const released = first.release()
    const two = enter('two')
    await Promise.all([released, one, two])
    expect(order).toEqual(['one', 'two'])
  })

  it('asks those behind to wait, not those who try', async () => {
    const lock = new Lock(open(), 'report')
    const first = await lock.acquire()
    const second = lock.acquire()
    expect(await lock.tryAcquire()).toBe(undefined)
    const released = first.release()
    expect(await lock.tryAcquire()).toBe(undefined)
    await released
    await (await second).release()
    await held(lock.tryAcquire())
  })

  it('is one for each key, also for keys that look alike', async () => {
    const cache = open()
    const keys: Key[] = ['1', 1, '\0', 1.5, '1.5', true, 'true', null, 'null', ['1'], [1], { a: 1 }, Buffer.from('1')]
    const leases = await Promise.all(keys.map(key => new Lock(cache, key).acquire({ timeout: '5s' })))
    // Those who wait for a key do not hold up those who want another.
    const waiting = keys.slice(1).map(key => new Lock(cache, key).acquire())
    await leases[0]?.release()
    await (await new Lock(cache, '1').acquire({ timeout: '5s' })).release()
    await Promise.all(leases.map(lease => lease.release()))
    for (const lease of await Promise.all(waiting)) expect(await lease.release()).toBe(true)
  })

  it('is one for keys that are one entry', async () => {
    const cache = open()
    const lease = await new Lock(cache, 1).acquire()
    expect(await new Lock(cache, 1n).tryAcquire()).toBe(undefined)
    await lease.release()
    await new Lock(cache, { a: 1, b: 2 }).acquire()
    expect(await new Lock(cache, { b: 2, a: 1 }).tryAcquire()).toBe(undefined)
  })

  it('excludes an RLock on the same key, and meets no semaphore', async () => {
    const cache = open()
    const lease = await new Lock(cache, 'key').acquire()
    expect(await new RLock(cache, 'key').tryAcquire()).toBe(undefined)
    await held(new BoundedSemaphore(cache, 'key').tryAcquire())
    const waiting = new RLock(cache, 'key').acquire()
    await lease.release()
    const other = await waiting
    expect(await new Lock(cache, 'key').tryAcquire()).toBe(undefined)
    expect(await other.release()).toBe(true)
  })

  it.each([structuredCodec, jsonCodec, pickleCodec])('works under the codec $name', async codec => {
    const cache = open({ codec })
    for (const key of ['report', ['a', 1]]) {
      const lock = new Lock(cache, key)
      const lease = await lock.acquire()
      expect(await lock.tryAcquire()).toBe(undefined)
      expect(await cache.get(key)).toBe(lease.token)
      expect(await lease.extend()).toBe(true)
      expect(await lease.release()).toBe(true)
      expect(await lock.locked()).toBe(false)
    }
  })

  it('is told apart as held or free by locked()', async () => {
    const cache = open()
    const lock = new Lock(cache, 'report')
    expect(await lock.locked()).toBe(false)
    const lease = await lock.acquire()
    expect(await lock.locked()).toBe(true)
    expect(await new Lock(cache, 'report').locked()).toBe(true)
    expect(await new Lock(cache, 'other').locked()).toBe(false)
    await lease.release()
    expect(await lock.locked()).toBe(false)
  })

  it('leaves no entry behind when it is released', async () => {
    const cache = open()
    await (await new Lock(cache, 'report').acquire()).release()
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('is free when its holder gave no sign of life for its ttl', async () => {
    const clock = new ManualClock()
    const cache = open({ clock })
    const lock = new Lock(cache, 'report', { ttl: '30s' })
    // What a process that was killed leaves behind.
    await cache.set('report', 'token of the dead', { ttl: '30s' })
    const waiting = lock.acquire()
    clock.advance(29_999)
    expect(await isWaiting(waiting)).toBe(true)
    clock.advance(1)
    expect(await (await waiting).release()).toBe(true)
  })

  it('is held for good by an entry without expiry, until that is removed', async () => {
    const cache = open()
    await cache.set('report', 'not a lock')
    const waiting = new Lock(cache, 'report').acquire()
    expect(await isWaiting(waiting)).toBe(true)
    expect(await cache.get('report')).toBe('not a lock')
    await cache.delete('report')
    await waiting
  })

  it('takes the place of an entry that has expired, whatever it was', async () => {
    const clock = new ManualClock()
    const cache = open({ clock, cullLimit: 0 })
    await cache.set('report', Buffer.alloc(100_000), { ttl: 1000, tags: ['a', 'b'], tag: 'c' })
    clock.advance(1000)
    const lease = await new Lock(cache, 'report').acquire()
    expect(await cache.evict('a')).toBe(0)
    await expectNoValueFiles(cache.directory)
    expect(await lease.release()).toBe(true)
    expect(await cache.check()).toEqual([])
  })
})

describe.each(KINDS)('acquire() of a Lock of a %s', (_kind, open) => {
  it('gives up after its timeout and lets those behind it go on', async () => {
    const lock = new Lock(open(), 'report')
    const lease = await lock.acquire()
    const startedAt = performance.now()
    const first = lock.acquire({ timeout: 40 })
    const second = lock.acquire({ timeout: '60ms' })
    const third = lock.acquire()
    const error = await rejection(first)
    expect(error).toBeInstanceOf(LockTimeoutError)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ name: 'LockTimeoutError', code: 'ERR_CACHE_TIMEOUT' })
    expect((error as Error).message).toMatch(/Lock 'report'.* 40 ms/)
    expect(performance.now() - startedAt).toBeGreaterThan(38)
    expect(await rejection(second)).toBeInstanceOf(LockTimeoutError)
    expect(await isWaiting(third)).toBe(true)
    await lease.release()
    await third
  })

  it('lets those behind one that gave up have what somebody else has released', async () => {
    const cache = open()
    const lock = new Lock(cache, 'report')
    // As Python's lock of the same key does.
    await cache.set('report', null)
    const first = lock.acquire({ timeout: 40 })
    const second = lock.acquire()
    expect(await rejection(first)).toBeInstanceOf(LockTimeoutError)
    await cache.delete('report')
    expect(await (await second).release()).toBe(true)
  })

  it('tries once when the timeout is 0', async () => {
    const lock = new Lock(open(), 'report')
    const lease = await lock.acquire({ timeout: 0 })
    // Node 24 warns of a timer with a negative time.
    const timers = vi.spyOn(globalThis, 'setTimeout')
    expect(await rejection(lock.acquire({ timeout: 0 }))).toBeInstanceOf(LockTimeoutError)
    expect(timers.mock.calls.filter(([, time = 0]) => time < 0)).toEqual([])
    timers.mockRestore()
    await lease.release()
    await lock.acquire({ timeout: 0 })
  })

  it('waits as long as it takes with an endless timeout, or one beyond what timers can count', async () => {
    const lock = new Lock(open(), 'report')
    for (const timeout of [Number.POSITIVE_INFINITY, '100d', 2 ** 31]) {
      const lease = await lock.acquire()
      const waiting = lock.acquire({ timeout })
      expect(await isWaiting(waiting)).toBe(true)
      await lease.release()
      await (await waiting).release()
    }
  })

  it('rejects with the reason of a signal that was aborted before, free or not', async () => {
    const lock = new Lock(open(), 'report')
    const reason = new Error('not any more')
    expect(await rejection(lock.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await lock.locked()).toBe(false)
    const lease = await lock.acquire()
    expect(await rejection(lock.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await lease.release()).toBe(true)
  })

  it.each([
    ['first', 0],
    ['second', 1],
    ['third', 2],
  ])('rejects with the reason of a signal when it is aborted as the %s in line; the others go on', async (_at, at) => {
    const lock = new Lock(open(), 'report')
    const lease = await lock.acquire()
    const controller = new AbortController()
    const order: number[] = []
    const waiting = [0, 1, 2].map(async index => {
      const lease = await lock.acquire(index === at ? { signal: controller.signal } : {})
      order.push(index)
      await lease.release()
    })
    expect(await isWaiting(Promise.race(waiting))).toBe(true)
    const reason = new LeaseLostError('another lock')
    controller.abort(reason)
    expect(await rejection(waiting[at] as Promise<void>)).toBe(reason)
    expect(await isWaiting(Promise.race(waiting.toSpliced(at, 1)))).toBe(true)
    await lease.release()
    await Promise.all(waiting.toSpliced(at, 1))
    expect(order).toEqual([0, 1, 2].toSpliced(at, 1))
  })

  it('ends the waiting of all who share a signal, to which they listen once', async () => {
    const lock = new Lock(open(), 'report')
    const lease = await lock.acquire()
    const controller = new AbortController()
    const { signal } = controller
    const waiting = Array.from({ length: 20 }, () => lock.acquire({ signal }))
    expect(await isWaiting(Promise.race(waiting))).toBe(true)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    const reason = new Error('not any more')
    controller.abort(reason)
    for (const one of waiting) expect(await rejection(one)).toBe(reason)
    expect(await lease.release()).toBe(true)
    expect(await lock.locked()).toBe(false)
  })

  it('holds nothing when it is aborted in the very turn in which it would succeed', async () => {
    const cache = open()
    const lock = new Lock(cache, 'report')
    await lock.locked()
    for (let turns = 0; turns < 6; turns++) {
      const controller = new AbortController()
      const acquiring = lock.acquire({ signal: controller.signal })
      // Somewhere between the call and its answer.
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      if (turns % 2) setImmediate(() => controller.abort(new Error('late')))
      else controller.abort(new Error('late'))
      const lease = await acquiring.catch(() => undefined)
      if (lease) expect(await lease.release()).toBe(true)
      await expect.poll(() => lock.locked()).toBe(false)
    }
  })

  it('waits no longer than its timeout for a database that others have locked', async () => {
    const directory = temporaryDirectory()
    const cache = open({}, directory)
    const lock = new Lock(cache, 'report')
    await (await lock.acquire()).release()
    const unblock = blockWrites(directory)
    expect(await rejection(lock.acquire({ timeout: 50 }))).toBeInstanceOf(LockTimeoutError)
    unblock()
    await lock.acquire({ timeout: '5s' })
  })
})
