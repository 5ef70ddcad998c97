import { Cache, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** A cache whose lock somebody else has, who gives it back when told. */
async function lockedCache(): Promise<{ readonly cache: Cache; readonly release: () => void }> {
  const cache = await new Cache(temporaryDirectory()).open()
  onTestFinished(() => cache.close())
  const holder = rawDatabase(cache.directory)
  holder.exec('BEGIN IMMEDIATE')
  return { cache, release: () => holder.exec('COMMIT') }
}

describe('a write that meets a lock', () => {
  it('is made when the lock is given back, and leaves what V8 writes of errors as it was', async () => {
    const before = Error.stackTraceLimit
    const { cache, release } = await lockedCache()
    await expect(cache.set('refused', 1, { timeout: 5 })).rejects.toThrow(TimeoutError)
    const waiting = cache.set('waiting', 1)
    await new Promise(resolve => setImmediate(resolve))
    release()
    expect(await waiting).toBe(true)
    expect(Error.stackTraceLimit).toBe(before)
    expect(new Error('one with a stack').stack).toContain('lock-attempts')
  })

  it('is made also where Error cannot be changed', async () => {
    const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') as PropertyDescriptor
    const { cache, release } = await lockedCache()
    Object.defineProperty(Error, 'stackTraceLimit', { ...limit, writable: false })
    onTestFinished(() => void Object.defineProperty(Error, 'stackTraceLimit', limit))
    await expect(cache.set('refused', 1, { timeout: 5 })).rejects.toThrow(TimeoutError)
    release()
    expect(await cache.set('a', 1)).toBe(true)
  })
})
