import { Cache, FanoutCache, TimeoutError } from 'fanout-cache'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'
import { DiskSessionStore } from 'fanout-cache/express-session'
import { createKeyv } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import type Keyv from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LockHolder } from '../faults/support/lock-holder.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** A cache that refuses after 10 ms, and another process that has its lock. */
async function held() {
  const directory = temporaryDirectory()
  const cache = new FanoutCache(directory, { shards: 1 })
  onTestFinished(() => cache.close())
  await cache.set('a', 1)
  return { cache, holder: await LockHolder.holding('FanoutCache', directory, ['000']) }
}

/** Begins a write, and frees the lock when the cache would have refused it for long. */
async function written<T>(holder: LockHolder, write: () => Promise<T>): Promise<T> {
  const writing = write()
  const from = performance.now()
  while (performance.now() - from < 60) await new Promise(resolve => setImmediate(resolve))
  await holder.free()
  return writing
}

describe('many keys at once wait for a lock as one key does', () => {
  it('in a Keyv 5', async () => {
    const { cache, holder } = await held()
    const keyv = createKeyv(cache)
    expect(await written(holder, () => keyv.setMany([{ key: 'b', value: 2 }]))).toEqual([true])
    await holder.take()
    expect(await written(holder, () => keyv.deleteMany(['b']))).toBe(true)
    await holder.kill()
  })

  it('in a Keyv 6', async () => {
    const { cache, holder } = await held()
    const keyv = new Keyv6({ store: new KeyvDiskStore6(cache) })
    expect(await written(holder, () => keyv.setMany([{ key: 'b', value: 2 }]))).toEqual([true])
    await holder.take()
    expect(await written(holder, () => keyv.deleteMany(['b', 'c']))).toEqual([true, false])
    await holder.kill()
  })
})

describe('where a Cache gives one key up', () => {
  it.each<[string, (keyv: Keyv) => Promise<unknown>]>([
    ['setMany', keyv => keyv.setMany([{ key: 'b', value: 2 }])],
    ['deleteMany', keyv => keyv.deleteMany(['a'])],
  ])('%s gives up too', async (_verb, write) => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { timeout: 50 })
    onTestFinished(() => cache.close())
    await cache.set(':a', 1)
    const holder = await LockHolder.holding('Cache', directory)
    const keyv = createKeyv(cache, { throwOnErrors: true })
    keyv.on('error', () => {})
    await expect(keyv.set('b', 2)).rejects.toThrow(TimeoutError)
    await expect(write(keyv)).rejects.toThrow(TimeoutError)
    await holder.kill()
  })
})

describe('a request that express-rate-limit takes back', () => {
  it('is taken back when the lock is free', async () => {
    const { cache, holder } = await held()
    const store = new DiskRateLimitStore(cache)
    await holder.free()
    await store.increment('a')
    await store.increment('a')
    await holder.take()
    await written(holder, () => store.decrement('a'))
    expect(await store.get('a')).toMatchObject({ totalHits: 1 })
    await holder.kill()
  })
})

describe('a session of express-session', () => {
  it('is not missed while a lock is held, but waited for', async () => {
    const { cache, holder } = await held()
    const store = new DiskSessionStore(cache)
    const saved = new Promise(resolve => store.set('a', { cookie: {}, user: 'ada' } as never, resolve))
    const get = () => new Promise(resolve => store.get('a', (error, session) => resolve(error ?? session)))
    expect(await written(holder, get)).toMatchObject({ user: 'ada' })
    await saved
    await holder.kill()
  })
})
