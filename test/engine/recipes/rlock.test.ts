import { EventEmitterAsyncResource } from 'node:events'
import { symlinkSync, unlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type Lease, LeaseLostError, Lock, LockTimeoutError, RLock } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../../helpers/child-process.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { elsewhere, held, isWaiting, KINDS, rejection } from './lock-support.js'

const FIRST = new URL('../fixtures/first-rlock.mjs', import.meta.url)

describe.each(KINDS)('an RLock of a %s', (_kind, open) => {
  it('is acquired again by who has it, and held until the last release', async () => {
    const cache = open()
    const lock = new RLock(cache, 'report')
    const outer = await lock.acquire()
    const inner = await lock.acquire()
    const innermost = await held(lock.tryAcquire())
    expect(inner.token).toBe(outer.token)
    expect(innermost.fence).toBe(outer.fence)
    expect(await outer.release()).toBe(true)
    expect(await outer.release()).toBe(false)
    expect(await innermost.release()).toBe(true)
    expect(await lock.locked()).toBe(true)
    expect(await elsewhere(() => new RLock(cache, 'report').tryAcquire())).toBe(undefined)
    expect(await inner.release()).toBe(true)
    expect(await inner.release()).toBe(false)
    expect(await lock.locked()).toBe(false)
  })

  it('is the same lock in every object for the key, and another for another key', async () => {
    const directory = temporaryDirectory()
    const [cache, second] = [open({}, directory), open({}, directory)]
    await using _outer = await new RLock(cache, 1).acquire()
    await using _again = await held(new RLock(second, 1n).tryAcquire())
    await using other = await held(new RLock(cache, '1').tryAcquire())
    expect(await elsewhere(() => new RLock(cache, '1').tryAcquire())).toBe(undefined)
    await other.release()
    await held(elsewhere(() => new RLock(cache, '1').tryAcquire()))
  })

  it('is the same lock by whatever link its directory was opened', async () => {
    const directory = temporaryDirectory()
    const link = `${directory}-link`
    symlinkSync(directory, link)
    onTestFinished(() => unlinkSync(link))
    const [cache, second] = [open({}, directory), open({}, link)]
    await using _outer = await new RLock(cache, 'report').acquire()
    await using _again = await held(new RLock(second, 'report').tryAcquire())
  })

  it('is not one with that of another directory', async () => {
    const [first, second] = [open(), open()]
    await using _lease = await new RLock(first, 'report').acquire()
    const theirs = await elsewhere(() => new RLock(second, 'report').acquire())
    expect(await new RLock(second, 'report').tryAcquire()).toBe(undefined)
    await theirs.release()
  })

  it('excludes the tasks of a Promise.all from each other', async () => {
    const lock = new RLock(open(), 'report')
    let inside = 0
    let most = 0
    const task = async (): Promise<void> => {
      await using _lease = await lock.acquire()
      most = Math.max(most, ++inside)
      await using again = await lock.acquire()
      await pause(1)
      await again.release()
      await pause(1)
      inside--
    }
    await Promise.all(Array.from({ length: 10 }, task))
    expect(most).toBe(1)
    expect(await lock.locked()).toBe(false)
  })

  it('excludes the tasks of a Promise.all also when they give up and try again', async () => {
    const cache = open()
    const [lock, other] = [new RLock(cache, 'report'), new RLock(cache, 'other')]
    let inside = 0
    let most = 0
    const task = async (acquire: () => Promise<Lease | undefined>): Promise<void> => {
      let lease = await acquire()
      while (!lease) {
        await pause(2)
        lease = await acquire()
      }
      most = Math.max(most, ++inside)
      await pause(20)
      inside--
      await lease.release()
    }
    await Promise.all([
      task(() => lock.tryAcquire()),
      task(() => lock.tryAcquire()),
      task(() => lock.acquire({ timeout: 5 }).catch(() => undefined)),
      other.acquire().then(async lease => {
        await task(() => lock.tryAcquire())
        await lease.release()
      }),
    ])
    expect(most).toBe(1)
  })

  it('excludes what one timer, or one emitter, starts again and again', async () => {
    const cache = open()
    // What comes at once must have the lock when the next one comes.
    await cache.open()
    const lock = new RLock(cache, 'report')
    let inside = 0
    let most = 0
    const task = async (): Promise<void> => {
      const lease = await lock.acquire()
      most = Math.max(most, ++inside)
      await using again = await lock.acquire({ timeout: 1000 })
      expect(again.token).toBe(lease.token)
      await pause(15)
      inside--
      await lease.release()
    }
    const tasks: Promise<void>[] = []
    await new Promise<void>(resolve => {
      const timer = setInterval(() => {
        tasks.push(task())
        if (tasks.length < 6) return
        clearInterval(timer)
        resolve()
      }, 4)
    })
    const emitter = new EventEmitterAsyncResource({ name: 'emitter' }).on('work', () => tasks.push(task()))
    for (let time = 0; time < 4; time++) {
      emitter.emit('work')
      await pause(4)
    }
    await Promise.all(tasks)
    expect(tasks.length).toBe(10)
    expect(most).toBe(1)
  })

  it('is entered again by what is started while it is held', async () => {
    const lock = new RLock(open(), 'report')
    const outer = await lock.acquire()
    const deep = async (level: number): Promise<number> => {
      await using lease = await lock.acquire({ timeout: 1000 })
      await pause(0)
      return level === 0 ? lease.fence : await deep(level - 1)
    }
    const fences = await Promise.all([
      deep(3),
      deep(2),
      new Promise(resolve => setTimeout(resolve, 1)).then(() => deep(0)),
    ])
    expect(fences).toEqual([outer.fence, outer.fence, outer.fence])
    expect(await lock.locked()).toBe(true)
    expect(await outer.release()).toBe(true)
    expect(await lock.locked()).toBe(false)
  })

  it('is held until what was started inside has released it as well', async () => {
    const lock = new RLock(open(), 'report')
    const outer = await lock.acquire()
    const inside = await lock.acquire()
    expect(await outer.release()).toBe(true)
    const other = elsewhere(() => lock.acquire())
    expect(await isWaiting(other)).toBe(true)
    expect(await inside.extend()).toBe(true)
    expect(await outer.extend()).toBe(false)
    expect(await inside.release()).toBe(true)
    await (await other).release()
  })

  it('is not entered again by a context that has released it', async () => {
    const lock = new RLock(open(), 'report')
    await (await lock.acquire()).release()
    const other = await elsewhere(() => lock.acquire())
    expect(await lock.tryAcquire()).toBe(undefined)
    expect(await rejection(lock.acquire({ timeout: 20 }))).toBeInstanceOf(LockTimeoutError)
    await other.release()
    await (await lock.acquire()).release()
  })

  it('is not entered by a context whose acquisition failed', async () => {
    const lock = new RLock(open(), 'report')
    const other = await elsewhere(() => lock.acquire())
    await rejection(lock.acquire({ timeout: 5 }))
    await rejection(lock.acquire({ signal: AbortSignal.abort() }))
    expect(await lock.tryAcquire()).toBe(undefined)
    expect(await other.release()).toBe(true)
    const lease = await lock.acquire()
    expect(await elsewhere(() => lock.tryAcquire())).toBe(undefined)
    await lease.release()
  })

  it('rejects with the reason of a signal that was aborted before, also when it would enter again', async () => {
    const lock = new RLock(open(), 'report')
    const lease = await lock.acquire()
    const reason = new Error('not any more')
    expect(await rejection(lock.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await lease.release()).toBe(true)
    expect(await lock.locked()).toBe(false)
  })

  it('is acquired anew, not entered again, by a context that has lost it', async () => {
    const clock = new ManualClock()
    const lock = new RLock(open({ clock }), 'report')
    const lost = await lock.acquire()
    const inner = await lock.acquire()
    clock.advance(30_000)
    const other = await elsewhere(() => held(lock.tryAcquire()))
    expect(await inner.extend()).toBe(false)
    expect(lost.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(await lock.tryAcquire()).toBe(undefined)
    expect(await other.release()).toBe(true)
    const anew = await lock.acquire()
    expect(anew.fence).toBeGreaterThan(other.fence)
    expect(await inner.release()).toBe(false)
    expect(await lost.release()).toBe(false)
    expect(await elsewhere(() => lock.tryAcquire())).toBe(undefined)
    expect(await anew.release()).toBe(true)
  })

  it('is kept apart from another that is acquired inside, in any order of releases', async () => {
    const cache = open()
    const [a, b] = [new RLock(cache, 'a'), new RLock(cache, 'b')]
    const first = await a.acquire()
    const second = await b.acquire()
    await first.release()
    expect(await a.locked()).toBe(false)
    const again = await b.acquire()
    await second.release()
    expect(await b.locked()).toBe(true)
    await again.release()
    expect(await b.locked()).toBe(false)
  })

  it('excludes a Lock on its key, also one of its own context', async () => {
    const cache = open()
    const lease = await new RLock(cache, 'report').acquire()
    expect(await new Lock(cache, 'report').tryAcquire()).toBe(undefined)
    await lease.release()
    const plain = await new Lock(cache, 'report').acquire()
    expect(await new RLock(cache, 'report').tryAcquire()).toBe(undefined)
    await plain.release()
  })
})

describe.each(KINDS)('run() of an RLock of a %s', (_kind, open) => {
  it('holds the lock while the function runs, and answers what that answers', async () => {
    const lock = new RLock(open(), 'report')
    const answer = await lock.run(async lease => {
      expect(await lock.locked()).toBe(true)
      return lock.run(inner => inner.fence - lease.fence)
    })
    expect(answer).toBe(0)
    expect(await lock.locked()).toBe(false)
  })

  it('releases when the function throws or rejects', async () => {
    const lock = new RLock(open(), 'report')
    const error = new Error('from the function')
    const thrown = lock.run(() => {
      throw error
    })
    expect(await rejection(thrown)).toBe(error)
    expect(await rejection(lock.run(() => Promise.reject(error)))).toBe(error)
    expect(await lock.locked()).toBe(false)
  })

  it('gives each call a context of its own, also when its caller does not await it at once', async () => {
    const lock = new RLock(open(), 'report')
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside)
      await pause(5)
      inside--
    }
    const first = lock.run(work)
    await pause(2)
    const second = lock.run(work)
    await pause(2)
    const third = lock.run(work)
    await Promise.all([first, second, third])
    expect(most).toBe(1)
  })

  it('waits as acquire() does', async () => {
    const lock = new RLock(open(), 'report')
    const other = await elsewhere(() => lock.acquire())
    const never = (): never => {
      throw new Error('it ran')
    }
    expect(await rejection(lock.run(never, { timeout: 5 }))).toBeInstanceOf(LockTimeoutError)
    const reason = new Error('not any more')
    expect(await rejection(lock.run(never, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    await other.release()
  })

  it('refuses what is no function before it acquires', async () => {
    const lock = new RLock(open(), 'report')
    const other = await elsewhere(() => lock.acquire())
    const error = await rejection(lock.run('work' as unknown as () => void))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/run needs a function, got 'work'/)
    await other.release()
  })
})

it('excludes tasks of one process that were waiting for something when the first of them asked for it', async () => {
  const first = new FixtureProcess(FIRST, { directory: temporaryDirectory() })
  expect(await first.done()).toEqual(['most 1'])
})
