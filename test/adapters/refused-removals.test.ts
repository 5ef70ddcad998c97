import { FanoutCache } from 'fanout-cache'
import { diskDriver as bentoDriver } from 'fanout-cache/bentocache'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'
import { DiskSessionStore } from 'fanout-cache/express-session'
import { createKeyv } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { diskDriver } from 'fanout-cache/unstorage'
import { Keyv as Keyv6 } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** A cache that refuses a write while another one waits. */
async function crowded(): Promise<FanoutCache> {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 1, maxPending: { count: 1 } })
  onTestFinished(() => cache.close())
  await cache.open()
  return cache
}

function called(use: (callback: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => use(error => (error ? reject(error) : resolve())))
}

const session = { cookie: { originalMaxAge: null } } as never

describe('a removal that the cache refuses is not taken for one of a missing key:', () => {
  it.each<[string, (cache: FanoutCache) => Promise<unknown>]>([
    ['destroy of express-session', cache => called(done => new DiskSessionStore(cache).destroy('a', done))],
    ['touch of express-session', cache => called(done => new DiskSessionStore(cache).touch('a', session, done))],
    ['resetKey of express-rate-limit', cache => new DiskRateLimitStore(cache).resetKey('a')],
    ['removeItem of unstorage', cache => diskDriver(cache).removeItem('a')],
    ['delete of cachified', cache => cachifiedDisk(cache).delete('a')],
    ['delete of bentocache', cache => bentoDriver(cache).factory({}).delete('a')],
    ['deleteMany of bentocache', cache => bentoDriver(cache).factory({}).deleteMany(['a', 'b'])],
    ['pull of bentocache', cache => bentoDriver(cache).factory({}).pull('a')],
  ])('rejects %s', async (_title, remove) => {
    const cache = await crowded()
    const waiting = cache.set('other', 1)
    await expect(remove(cache)).rejects.toThrow(/maxPending/)
    await waiting
    await remove(cache)
  })

  it.each([
    ['5', (cache: FanoutCache) => createKeyv(cache)],
    ['6', (cache: FanoutCache) => new Keyv6({ store: new KeyvDiskStore6(cache) })],
  ])('delete and deleteMany of Keyv %s', async (_major, make) => {
    const cache = await crowded()
    const keyv = make(cache)
    const errors: string[] = []
    keyv.on('error', (error: Error) => errors.push(error.message))
    await keyv.set('a', 1)
    for (const remove of [() => keyv.delete('a'), () => keyv.deleteMany(['a', 'b'])]) {
      const waiting = cache.set('other', 1)
      await remove()
      await waiting
      expect(errors).toEqual([expect.stringMatching(/maxPending/)])
      errors.length = 0
    }
    expect(await cache.has(':a')).toBe(true)
    await keyv.delete('a')
    await keyv.delete('missing')
    expect([await cache.has(':a'), errors]).toEqual([false, []])
  })
})
