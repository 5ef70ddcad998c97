import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Cache, type FanoutCache, type Key, LeaseLostError, Lock } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { tuple } from '../helpers/wire.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

const KEYS: readonly (readonly [key: Key, python: unknown])[] = [
  ['report', 'report'],
  [5, 5],
  [2.5, 2.5],
  [null, null],
  [true, true],
  [Buffer.from('bytes'), Buffer.from('bytes')],
  [['a', 1], tuple('a', 1)],
]

type Shared = readonly [cache: Cache | FanoutCache, python: Python]

/** Whether a promise is still open after a while in which Python has looked a hundred times. */
async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  return (await Promise.race([promise, pause(150, 'waiting')])) === 'waiting'
}

/** Runs statements in Python with `lock`, its Lock on a key. */
function inPython<T>(python: Python, code: string, expire?: number, key: unknown = 'report'): Promise<T> {
  return python.call<T>(`lock = diskcache.Lock(cache, key, expire=expire)\n${code}`, { key, expire: expire ?? null })
}

withPython("Python's Lock and ours on one key", () => {
  describe.each(KINDS)('of a $kind', ({ open, inPython: opening }) => {
    const share = async (): Promise<Shared> => {
      const directory = temporaryDirectory()
      const python = startPython()
      const cache = open(directory, { evictionPolicy: 'none' })
      await cache.set('settings', 'are stored with the first write')
      await cache.clear()
      await openInPython(python, directory, opening)
      return [cache, python]
    }

    it('exclude each other when Python has it, with and without expiry', async () => {
      const [cache, python] = await share()
      const lock = new Lock(cache, 'report')
      for (const expire of [undefined, 60]) {
        await inPython(python, 'lock.acquire()', expire)
        expect(await lock.locked()).toBe(true)
        expect(await lock.tryAcquire()).toBe(undefined)
        const waiting = lock.acquire()
        expect(await isWaiting(waiting)).toBe(true)
        await inPython(python, 'lock.release()')
        expect(await (await waiting).release()).toBe(true)
      }
      await expectClean(cache, python)
    })

    it('exclude each other when we have it: its acquire() waits for our release', async () => {
      const [cache, python] = await share()
      for (const [key, theirs] of KEYS) {
        const lease = await new Lock(cache, key).acquire()
        expect(await inPython(python, 'return lock.locked()', undefined, theirs)).toBe(true)
        const waiting = inPython<string>(python, "lock.acquire()\nreturn 'acquired'", undefined, theirs)
        expect(await isWaiting(waiting), String(key)).toBe(true)
        expect(await lease.extend()).toBe(true)
        expect(await lease.release()).toBe(true)
        expect(await waiting).toBe('acquired')
        expect(await new Lock(cache, key).tryAcquire()).toBe(undefined)
        await inPython(python, 'lock.release()', undefined, theirs)
        expect(await inPython(python, 'return lock.locked()', undefined, theirs)).toBe(false)
      }
      await expectClean(cache, python)
    })

    it('exclude each other when ours is taken again and again', async () => {
      const [cache, python] = await share()
      const lock = new Lock(cache, 'report')
      for (let round = 0; round < 3; round++) {
        for (let time = 0; time < 25; time++) await (await lock.acquire()).release()
        expect(await inPython(python, 'return lock.locked()')).toBe(false)
        await inPython(python, 'lock.acquire()')
        expect(await lock.tryAcquire()).toBe(undefined)
        await inPython(python, 'lock.release()')
        const lease = await lock.acquire()
        expect(await inPython(python, 'return lock.locked()')).toBe(true)
        expect(await lease.release()).toBe(true)
      }
      await expectClean(cache, python)
    })

    it('take over from each other when the holder gives no sign of life', async () => {
      const [cache, python] = await share()
      await inPython(python, 'lock.acquire()', 0.3)
      const lease = await new Lock(cache, 'report', { ttl: 300 }).acquire()
      const { signal } = lease
      // Nobody extends it from here on.
      await cache.close()
      await inPython(python, 'lock.acquire()')
      await expect.poll(() => signal.aborted).toBe(true)
      expect(signal.reason).toBeInstanceOf(LeaseLostError)
      expect(await lease.release()).toBe(false)
      expect(await new Lock(cache, 'report').locked()).toBe(true)
      await inPython(python, 'lock.release()')
      const next = await new Lock(cache, 'report').acquire()
      expect(next.fence).toBeGreaterThan(lease.fence)
      await next.release()
      await expectClean(cache, python)
    })

    it('tell us that it is lost when Python, which knows no owners, releases ours', async () => {
      const [cache, python] = await share()
      const lease = await new Lock(cache, 'report', { ttl: 60 }).acquire()
      const { signal } = lease
      await inPython(python, 'lock.release()\nlock.acquire()')
      await expect.poll(() => signal.aborted).toBe(true)
      expect(await lease.release()).toBe(false)
      expect(await inPython(python, 'return lock.locked()')).toBe(true)
      await expectClean(cache, python)
    })

    it('protect a counter in a plain file that both increment', async () => {
      const [cache, python] = await share()
      const counter = join(temporaryDirectory(), 'counter')
      writeFileSync(counter, '0')
      const theirs = python.call(
        `
        lock = diskcache.Lock(cache, 'counter')
        for _ in range(150):
            with lock:
                with open(path) as file:
                    count = int(file.read())
                with open(path, 'w') as file:
                    file.write(str(count + 1))
        `,
        { path: counter },
      )
      for (let time = 0; time < 150; time++) {
        await using _lease = await new Lock(cache, 'counter').acquire()
        const count = Number(readFileSync(counter, 'utf8'))
        // Python would write in between, were it not for the lock.
        await pause(0)
        writeFileSync(counter, String(count + 1))
      }
      await theirs
      expect(readFileSync(counter, 'utf8')).toBe('300')
      await expectClean(cache, python)
    })
  })
})
