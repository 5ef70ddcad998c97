import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Cache, type CacheEvents, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { kindsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const LARGE = 'L'.repeat(40_000)

async function opened(options = {}): Promise<{ cache: Cache; directory: string }> {
  const directory = temporaryDirectory()
  const cache = new Cache(directory, { timeout: 200, ...options })
  onTestFinished(() => cache.close())
  await cache.set('k', 'old', { tag: 't' })
  await cache.set('file', LARGE)
  await cache.set('n', 1)
  return { cache, directory }
}

const WRITES: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  set: cache => cache.set('k', 'new'),
  'set of a file': cache => cache.set('k', LARGE),
  setMany: cache => cache.setMany([['k', 'new']]),
  add: cache => cache.add('other', 'new'),
  touch: cache => cache.touch('k', { ttl: 1 }),
  delete: cache => cache.delete('k'),
  deleteMany: cache => cache.deleteMany(['k']),
  pop: cache => cache.pop('file'),
  popItem: cache => cache.popItem('file'),
  incr: cache => cache.incr('n'),
  decr: cache => cache.decr('n'),
  push: cache => cache.push(LARGE),
  pull: cache => cache.pull(),
  transact: cache => cache.transact(tx => tx.set('k', 'new')),
  expire: cache => cache.expire({ now: Date.now() + 1 }),
  evict: cache => cache.evict('t'),
  clear: cache => cache.clear(),
}

describe('a Cache whose lock another process holds', () => {
  it.each(Object.entries(WRITES))(
    'rejects %s with TimeoutError after its timeout and changes nothing',
    async (verb, write) => {
      const { cache, directory } = await opened()
      if (verb === 'pull') await cache.push('queued')
      const files = valueFiles(directory)
      const timeouts: CacheEvents['timeout'][] = []
      cache.on('timeout', event => timeouts.push(event))
      const holder = await LockHolder.holding('Cache', directory)

      const error = await write(cache).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(TimeoutError)
      expect(error).toMatchObject({ code: 'ERR_CACHE_TIMEOUT', removed: 0 })
      expect(timeouts.length).toBe(1)
      expect(timeouts[0]?.directory).toBe(directory)
      expect((await cache.stats()).timeouts).toBe(1)
      await holder.free()

      expect(await cache.getMany(['k', 'file', 'n', 'other'])).toEqual(['old', LARGE, 1, undefined])
      expect(valueFiles(directory)).toEqual(files)
      expect(kindsOf(await cache.check())).toEqual([])
    },
  )

  it('rejects a check that repairs with TimeoutError after its timeout, and counts it', async () => {
    const { cache, directory } = await opened()
    const timeouts: CacheEvents['timeout'][] = []
    cache.on('timeout', event => timeouts.push(event))
    const holder = await LockHolder.holding('Cache', directory)
    await expect(cache.check({ fix: true })).rejects.toThrow(TimeoutError)
    await holder.free()
    expect(timeouts).toEqual([{ directory }])
    expect((await cache.stats()).timeouts).toBe(1)
    expect(await cache.check({ fix: true })).toEqual([])
  })

  it('reads on meanwhile', async () => {
    const { cache, directory } = await opened({ statistics: true, evictionPolicy: 'least-recently-used' })
    const holder = await LockHolder.holding('Cache', directory)
    for (let round = 0; round < 50; round += 1) {
      expect(await cache.get('k')).toBe('old')
      expect(await cache.get('file')).toBe(LARGE)
      expect(await cache.get('absent')).toBeUndefined()
      expect(await cache.has('k')).toBe(true)
      expect((await cache.info('file'))?.size).toBe(40_000)
      expect(await cache.count()).toBe(3)
    }
    const keys: unknown[] = []
    for await (const key of cache.keys()) keys.push(key)
    expect(keys).toEqual(['k', 'file', 'n'])
    await holder.free()
  })

  it('opens and reads while the lock is held', async () => {
    const { cache, directory } = await opened()
    await cache.close()
    const holder = await LockHolder.holding('Cache', directory)
    expect(await cache.get('k')).toBe('old')
    await holder.free()
  })

  it('rejects with TimeoutError when the lock is held on a directory it would have to make', async () => {
    const directory = temporaryDirectory()
    const holder = await LockHolder.holding('Cache', directory)
    const cache = new Cache(directory, { timeout: 200 })
    onTestFinished(() => cache.close())
    const started = cache.set('k', 'v')
    const late = new Promise(resolve => setTimeout(resolve, PATIENCE_MILLISECONDS, 'still waiting'))
    const ended = await Promise.race([started, late]).catch((error: unknown) => error)
    await holder.free()
    expect(ended).toBeInstanceOf(TimeoutError)
    expect(await cache.set('k', 'v')).toBe(true)
    expect(await cache.get('k')).toBe('v')
  })

  it('waits past its timeout with retry', async () => {
    const { cache, directory } = await opened({ timeout: 50 })
    const holder = await LockHolder.holding('Cache', directory)
    const patient = Promise.all([cache.set('k', 'new', { retry: true }), cache.incr('n', 1, { retry: true })])
    await expect(cache.set('file', 'x')).rejects.toThrow(TimeoutError)
    await holder.free()
    expect(await patient).toEqual([true, 2])
    expect(await cache.getMany(['k', 'file', 'n'])).toEqual(['new', LARGE, 2])
  })

  it('gives up at Waiting.timeout, also with retry', async () => {
    const { cache, directory } = await opened({ timeout: '1h' })
    const holder = await LockHolder.holding('Cache', directory)
    await expect(cache.set('k', 'new', { timeout: 100 })).rejects.toThrow(TimeoutError)
    await expect(cache.set('k', 'new', { retry: true, timeout: 100 })).rejects.toThrow(TimeoutError)
    await expect(cache.set('k', 'new', { timeout: 0 })).rejects.toThrow(TimeoutError)
    await expect(cache.clear({ retry: true, timeout: '100ms' })).rejects.toThrow(TimeoutError)
    await holder.free()
    expect(await cache.get('k')).toBe('old')
  })

  it('stops waiting with the reason of the signal, and the write never happens', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.holding('Cache', directory)
    const abort = new AbortController()
    const waiting = [
      cache.set('k', 'new', { retry: true, signal: abort.signal }),
      cache.set('file', 'M'.repeat(50_000), { retry: true, signal: abort.signal }),
      cache.delete('n', { retry: true, signal: abort.signal }),
      cache.transact(tx => tx.clear(), { retry: true, signal: abort.signal }),
    ]
    const reason = new Error('enough')
    abort.abort(reason)
    const ended = await Promise.allSettled(waiting)
    expect(ended).toEqual(waiting.map(() => ({ status: 'rejected', reason })))
    await expect(cache.set('k', 'new', { signal: abort.signal })).rejects.toBe(reason)
    await holder.free()
    await cache.set('after', 1)
    expect(await cache.getMany(['k', 'file', 'n'])).toEqual(['old', LARGE, 1])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('goes on at once when the holder is killed', async () => {
    const { cache, directory } = await opened({ timeout: '1h' })
    const holder = await LockHolder.holding('Cache', directory)
    const waiting = cache.set('k', 'new')
    await holder.kill()
    expect(await waiting).toBe(true)
  })

  it('tells how many rows a bulk removal had removed', async () => {
    const { cache, directory } = await opened({ timeout: 300 })
    await cache.clear()
    const rows = 60_000
    await cache.setMany(Array.from({ length: rows }, (_, key) => [key, key] as const))
    const holder = await LockHolder.start('Cache', directory)
    holder.ask()
    const removed = await cache.clear().catch((error: unknown) => {
      if (error instanceof TimeoutError) return error.removed
      throw error
    })
    expect(await cache.count()).toBe(rows - removed)
  })

  it('counts what cull has expired before it waits for the lock', async () => {
    const directory = temporaryDirectory()
    const clock = new ManualClock()
    const cache = new Cache(directory, { timeout: 50, clock })
    onTestFinished(() => cache.close())
    for (const key of [1, 2, 3]) await cache.set(key, key, { ttl: 1000 })
    clock.advance(2000)
    const other = rawDatabase(directory)
    const lock = (): void => void other.exec('BEGIN IMMEDIATE')
    subscribe('fanout-cache:commit', lock)
    onTestFinished(() => void unsubscribe('fanout-cache:commit', lock))
    await expect(cache.cull()).rejects.toMatchObject({ code: 'ERR_CACHE_TIMEOUT', removed: 3 })
  })

  it('answers peek and peekItem at once', async () => {
    const { cache, directory } = await opened()
    await cache.push(LARGE)
    await cache.push('second', { prefix: 'jobs' })
    const holder = await LockHolder.holding('Cache', directory)
    expect((await cache.peek())?.value).toBe(LARGE)
    expect((await cache.peek({ prefix: 'jobs', side: 'back' }))?.value).toBe('second')
    expect((await cache.peekItem())?.value).toBe('second')
    expect((await cache.peekItem({ last: false }))?.key).toBe('k')
    expect((await cache.stats()).timeouts).toBe(0)
    await holder.free()
  })
})
