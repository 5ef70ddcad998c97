import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachified } from '@epic-web/cachified'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { registerCacheDriverTestSuite } from 'bentocache/test_suite'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import { FanoutCache, ValueTooLargeError } from 'fanout-cache'
import { diskDriver as bentoDriver } from 'fanout-cache/bentocache'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'
import { DiskSessionStore } from 'fanout-cache/express-session'
import mountedDriver, { diskDriver } from 'fanout-cache/unstorage'
import { createStorage } from 'unstorage'
import { afterAll, afterEach, assert, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

function place() {
  return { directory: temporaryDirectory(), shards: 1 }
}

async function serve(app: express.Express): Promise<string> {
  const server: Server = app.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('bentocache: its own suite of drivers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-test-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  const group = {
    setup: (hook: () => unknown) => beforeAll(hook as never),
    tap: () => {},
    each: { teardown: (hook: () => unknown) => afterEach(hook as never) },
  }
  const test = (title: string, body: (context: object) => Promise<void>) =>
    it(title, () => body({ assert, cleanup: (hook: () => Promise<void>) => onTestFinished(hook) }))
  registerCacheDriverTestSuite({
    test: test as never,
    group: group as never,
    createDriver: (options = {}) => bentoDriver({ directory, shards: 1 }).factory(options as never) as never,
  })

  it('works as the second layer of a bentocache', async () => {
    const where = place()
    const bento = () => {
      const made = new BentoCache({
        default: 'app',
        stores: {
          app: bentostore().useL1Layer(memoryDriver({})).useL2Layer(bentoDriver(where)),
        },
      })
      onTestFinished(() => made.disconnectAll())
      return made
    }
    const [first, second] = [bento(), bento()]
    await first.getOrSet({ key: 'a', factory: () => ({ n: 1 }), ttl: '1m', tags: ['x'] })
    expect(await second.get({ key: 'a' })).toEqual({ n: 1 })
    await first.namespace('users').set({ key: 'b', value: 2 })
    expect(await second.namespace('users').get({ key: 'b' })).toBe(2)
    await first.namespace('users').clear()
    expect(await bento().namespace('users').get({ key: 'b' })).toBeUndefined()
    await first.deleteByTag({ tags: ['x'] })
    expect(await bento().get({ key: 'a' })).toBeUndefined()
  })

  it('keeps a BentoCache to its prefix, and to that of the driver before it', async () => {
    const where = place()
    const bento = (options: { prefix?: string | undefined }) => {
      const app = bentostore().useL2Layer(bentoDriver(where, options))
      const made = new BentoCache({ default: 'app', prefix: 'theirs', stores: { app } })
      onTestFinished(() => made.disconnectAll())
      return made
    }
    await bento({ prefix: 'ours' }).set({ key: 'a', value: 1 })
    await bento({ prefix: undefined }).set({ key: 'a', value: 2 })
    expect(await bento({}).get({ key: 'a' })).toBe(2)
    expect(await bento({ prefix: 'ours' }).get({ key: 'a' })).toBe(1)
  })

  it('removes several keys of a namespace, and none of those around it', async () => {
    const bento = new BentoCache({ default: 'app', stores: { app: bentostore().useL2Layer(bentoDriver(place())) } })
    onTestFinished(() => bento.disconnectAll())
    const users = bento.namespace('users')
    for (const cache of [bento, users]) for (const key of ['a', 'b']) await cache.set({ key, value: key })
    await users.deleteMany({ keys: ['a', 'b'] })
    expect(await Promise.all(['a', 'b'].map(key => users.get({ key })))).toEqual([undefined, undefined])
    expect(await Promise.all(['a', 'b'].map(key => bento.get({ key })))).toEqual(['a', 'b'])
  })
})

describe('unstorage', () => {
  it('keeps its promises over the driver', async () => {
    const where = place()
    const storage = createStorage({ driver: diskDriver(where) })
    onTestFinished(() => storage.dispose())
    await storage.setItem('s1:a', 'test_data')
    await storage.setItem('s2:a', { json: [1, null] })
    await storage.setItem('s3:a', 5)
    expect([await storage.hasItem('s1:a'), await storage.hasItem('s1')]).toEqual([true, false])
    expect(await storage.getItem('s1:a')).toBe('test_data')
    expect(await storage.getItem('s2/a')).toEqual({ json: [1, null] })
    expect(await storage.getItem('s3:a')).toBe(5)
    expect(await storage.getItem('missing')).toBeNull()
    expect((await storage.getKeys()).sort()).toEqual(['s1:a', 's2:a', 's3:a'])
    expect(await storage.getKeys('s1')).toEqual(['s1:a'])
    const bytes = new Uint8Array([1, 2, 3])
    await storage.setItemRaw('raw', bytes)
    expect(Buffer.from((await storage.getItemRaw('raw')) as Uint8Array)).toEqual(Buffer.from(bytes))
    await storage.setItems([
      { key: 'm:1', value: 'x' },
      { key: 'm:2', value: 'y' },
    ])
    expect(await storage.getItems(['m:1', 'm:2', 'm:3'])).toEqual([
      { key: 'm:1', value: 'x' },
      { key: 'm:2', value: 'y' },
      { key: 'm:3', value: null },
    ])
    await storage.removeItem('s1:a')
    await storage.getMount('').driver.clear?.('m:', {})
    expect((await storage.getKeys()).sort()).toEqual(['raw', 's2:a', 's3:a'])
    const { mtime, size } = (await storage.getMeta('s2:a')) as { mtime: Date; size: number }
    expect([mtime instanceof Date, size]).toEqual([true, '{"json":[1,null]}'.length])
    const second = createStorage({ driver: diskDriver({ ...where, base: 'other' }) })
    onTestFinished(() => second.dispose())
    await second.setItem('s2:a', 'of other')
    await second.setItem('ttl', 'x', { ttl: 60 })
    expect((await second.getMeta('ttl')).ttl).toBeGreaterThan(50)
    await second.clear()
    expect([await second.getKeys(), await storage.getItem('s2:a')]).toEqual([[], { json: [1, null] }])
  })
})

describe('unstorage: ttl', () => {
  it.each([
    [60, 60],
    ['5m', 300],
    [undefined, 100],
    [0, undefined],
  ])('%s is %s seconds', async (ttl, seconds) => {
    const storage = createStorage({ driver: diskDriver(place(), { ttl: 100 }) })
    onTestFinished(() => storage.dispose())
    await storage.setItem('a', 1, ttl === undefined ? {} : { ttl })
    expect((await storage.getMeta('a')).ttl).toBe(seconds)
  })

  it.each([
    ['soon', RangeError],
    [{}, TypeError],
  ])('%o is refused', async (ttl, kind) => {
    const storage = createStorage({ driver: diskDriver(place()) })
    onTestFinished(() => storage.dispose())
    await expect(storage.setItem('a', 1, { ttl })).rejects.toThrow(kind)
    expect(() => diskDriver(place(), { ttl } as never)).toThrow(kind)
  })
})

describe('unstorage: setItems', () => {
  it('takes the time to live of an item before that of all', async () => {
    const driver = diskDriver(place())
    onTestFinished(() => driver.dispose())
    await driver.setItems(
      [
        { key: 'own', value: 'x', options: { ttl: 60 } },
        { key: 'common', value: 'y' },
      ],
      { ttl: 600 },
    )
    const ttls = await Promise.all(['own', 'common'].map(async key => (await driver.getMeta(key))?.ttl))
    expect(ttls.map(ttl => Math.round((ttl ?? 0) / 10) * 10)).toEqual([60, 600])
  })

  it('rejects when one of the items is refused', async () => {
    const driver = diskDriver(place(), { sizeLimit: 2 ** 18 })
    onTestFinished(() => driver.dispose())
    const items = [
      { key: 'small', value: 'x' },
      { key: 'large', value: 'x'.repeat(2 ** 19) },
    ]
    await expect(driver.setItems(items)).rejects.toThrow(ValueTooLargeError)
    expect(await driver.getItem('small')).toBe('x')
  })
})

describe('unstorage: raw items', () => {
  it.each([0, '', false, 0n])('reads %o back, which is no missing item', async value => {
    const driver = diskDriver(place())
    onTestFinished(() => driver.dispose())
    await driver.setItemRaw('a', value)
    expect(await driver.getItemRaw('a')).toEqual(typeof value === 'bigint' ? 0 : value)
  })
})

describe('unstorage: its default export', () => {
  it('is the driver that Nitro makes of a mount in its configuration, the name of the driver included', async () => {
    const mount = { driver: 'fanout-cache/unstorage', base: 'pages', ...place() }
    const storage = createStorage({ driver: mountedDriver(mount) })
    await storage.setItem('a', 1)
    await storage.dispose()
    const cache = new FanoutCache(mount.directory)
    onTestFinished(() => cache.close())
    expect(await cache.get('pages:a')).toBe('1')
  })

  it('refuses an option that is misspelt', () => {
    const mount = { driver: 'fanout-cache/unstorage', bass: 'pages', ...place() }
    expect(() => mountedDriver(mount as never)).toThrow('bass')
  })
})

describe('cachified', () => {
  it('keeps for ever what may be served stale for ever', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const cache = cachifiedDisk(place())
    onTestFinished(() => cache.disconnect())
    let calls = 0
    const get = () => cachified({ key: 'a', cache, ttl: 1000, swr: Infinity, getFreshValue: () => ++calls })
    expect(await get()).toBe(1)
    vi.setSystemTime(1_800_000_000_000)
    expect(await get()).toBe(1)
    await expect.poll(async () => (await cache.get('a'))?.value).toBe(2)
  })

  it('serves fresh, stale and new values from the disk', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const cache = cachifiedDisk(place())
    onTestFinished(() => cache.disconnect())
    let calls = 0
    const get = (options = {}) =>
      cachified({
        key: 'a',
        cache,
        ttl: 1000,
        swr: 10_000,
        getFreshValue: () => ({ call: ++calls }),
        ...options,
      })
    expect([await get(), await get()]).toEqual([{ call: 1 }, { call: 1 }])
    vi.setSystemTime(1_700_000_002_000)
    expect(await get()).toEqual({ call: 1 })
    await expect.poll(async () => (await cache.get('a'))?.value).toEqual({ call: 2 })
    vi.setSystemTime(1_700_000_020_000)
    expect(await cache.get('a')).toBeUndefined()
    expect(await get({ forceFresh: true })).toEqual({ call: 3 })
    await cachified({ key: 'map', cache, getFreshValue: () => new Map([[1, 2n]]) })
    expect((await cache.get('map'))?.value).toEqual(new Map([[1, 2n]]))
    await cache.delete('a')
    expect(await get()).toEqual({ call: 4 })
  })
})

describe('cachified: its older versions', () => {
  it('keep an entry for as long as their swv says', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const cache = cachifiedDisk(place())
    onTestFinished(() => cache.disconnect())
    const entry = { metadata: { createdTime: 1_700_000_000_000, ttl: 1000, swv: 10_000 }, value: 1 }
    await cache.set('a', entry)
    vi.setSystemTime(1_700_000_010_000)
    expect(await cache.get('a')).toEqual(entry)
    vi.setSystemTime(1_700_000_011_001)
    expect(await cache.get('a')).toBeUndefined()
  })
})

describe('express-rate-limit', () => {
  it('tells every request of a window the same end', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const store = new DiskRateLimitStore(place())
    onTestFinished(() => store.shutdown())
    store.init({ windowMs: 60_000 })
    const { resetTime } = await store.increment('a')
    expect(resetTime.getTime() - 1_700_000_060_000).toBeLessThan(1000)
    vi.setSystemTime(1_700_000_020_000)
    expect(await store.increment('a')).toEqual({ totalHits: 2, resetTime })
    expect(await store.get('a')).toEqual({ totalHits: 2, resetTime })
  })

  it('counts clients once over all apps of a directory, and again when their window is over', async () => {
    const where = place()
    const stores = [1, 2].map(() => new DiskRateLimitStore(where))
    onTestFinished(async () => {
      for (const store of stores) await store.shutdown()
    })
    const urls = await Promise.all(
      stores.map(store => {
        const app = express()
        app.use(
          rateLimit({
            windowMs: 60_000,
            limit: 3,
            store,
            standardHeaders: 'draft-8',
            legacyHeaders: true,
          }),
        )
        return serve(app.get('/', (_request, response) => void response.send('ok')))
      }),
    )
    const statuses: number[] = []
    for (let at = 0; at < 5; at++) {
      const response = await fetch(urls[at % 2] as string)
      statuses.push(response.status)
      expect(Number(response.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1000)
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    const [store] = stores as [DiskRateLimitStore]
    await store.resetAll()
    expect((await fetch(urls[0] as string)).status).toBe(200)
    store.init({ windowMs: 5 })
    expect((await store.increment('x')).totalHits).toBe(1)
    await new Promise(resolve => setTimeout(resolve, 10))
    expect((await store.increment('x')).totalHits).toBe(1)
    store.init({ windowMs: 60_000 })
    const all = await Promise.all(Array.from({ length: 50 }, (_, at) => stores[at % 2]?.increment('y')))
    expect(Math.max(...all.map(info => info?.totalHits ?? 0))).toBe(50)
    await store.decrement('y')
    await store.decrement('missing')
    expect([(await store.get('y'))?.totalHits, await store.get('missing')]).toEqual([49, undefined])
    await store.increment('z')
    for (let at = 0; at < 3; at++) await store.decrement('z')
    expect((await store.increment('z')).totalHits).toBe(1)
    await store.resetKey('y')
    expect(await store.get('y')).toBeUndefined()
  })
})

it('express-rate-limit hears of a count that the cache refused', async () => {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 1, maxPending: { count: 1 } })
  onTestFinished(() => cache.close())
  await cache.open()
  const store = new DiskRateLimitStore(cache)
  const [first, ...others] = await Promise.allSettled(['a', 'b', 'c'].map(key => store.increment(key)))
  expect(first).toMatchObject({ status: 'fulfilled', value: { totalHits: 1 } })
  for (const other of others)
    expect(other).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringMatching(/maxPending|pending/) },
    })
})

describe('express-session', () => {
  const app = (store: DiskSessionStore) =>
    express()
      .use(session({ secret: 's', resave: false, saveUninitialized: false, store, cookie: { maxAge: 60_000 } }))
      .get('/', (request, response) => {
        const own = request.session as { views?: number }
        own.views = (own.views ?? 0) + 1
        response.json(own.views)
      })
      .get('/same', (_request, response) => void response.json('same'))
      .get('/new', (request, response) => request.session.regenerate(error => response.json(String(error))))
      .get('/out', (request, response) => request.session.destroy(error => response.json(String(error))))

  it('lists and counts sessions, whatever their ids are', async () => {
    const store = new DiskSessionStore(place())
    onTestFinished(() => store.disconnect())
    const ids = ['__proto__', 'constructor', 'a:b']
    for (const id of ids) {
      await new Promise(resolve => store.set(id, { cookie: { originalMaxAge: null }, user: id } as never, resolve))
    }
    const all = await new Promise<object>(resolve => store.all((_error, sessions) => resolve(sessions ?? {})))
    expect(Object.entries(all).map(([id, { user }]) => [id, user])).toEqual(ids.map(id => [id, id]))
    expect(await new Promise(resolve => store.length((_error, length) => resolve(length)))).toBe(3)
  })

  it('keeps sessions over restarts, and shares them', async () => {
    const where = place()
    const stores = [1, 2].map(() => new DiskSessionStore(where))
    onTestFinished(async () => {
      for (const store of stores) await store.disconnect()
    })
    const [one, two] = (await Promise.all(stores.map(store => serve(app(store))))) as [string, string]
    const before = Date.now()
    const first = await fetch(one)
    const cookie = (first.headers.get('set-cookie') ?? '').split(';')[0] as string
    const views = async (url: string) => (await fetch(url, { headers: { cookie } })).json()
    expect([await views(two), await views(one)]).toEqual([2, 3])
    const [store] = stores as [DiskSessionStore]
    const [key] = await new Promise<string[]>((resolve, reject) =>
      store.all((error, sessions) => (error ? reject(error) : resolve(Object.keys(sessions ?? {})))),
    )
    const expires = (await store.cache.info(`sessions:${key}`))?.expiresAt as number
    expect(expires).toBeGreaterThanOrEqual(before + 60_000)
    expect(expires).toBeLessThanOrEqual(Date.now() + 60_000)
    expect(await views(`${one}/same`)).toBe('same')
    expect((await store.cache.info(`sessions:${key}`))?.expiresAt).toBeGreaterThanOrEqual(expires)
    expect(await views(`${one}/out`)).toMatch(/null|undefined/)
    expect(await views(two)).toBe(1)
    expect(await views(`${two}/new`)).toMatch(/null|undefined/)
    const length = await new Promise((resolve, reject) =>
      store.length((error, n) => (error ? reject(error) : resolve(n))),
    )
    // That of the request after the logout, and the one that was made anew.
    expect(length).toBe(2)
    await new Promise(resolve => store.clear(resolve))
    expect(await store.cache.count()).toBe(0)
  })

  it('answers when a session that was touched expires', async () => {
    const store = new DiskSessionStore(place())
    onTestFinished(() => store.disconnect())
    const cookie = { originalMaxAge: 60_000, httpOnly: true, path: '/app' }
    const session = (minutes: number) =>
      ({ cookie: { ...cookie, expires: new Date(Date.now() + minutes * 60_000) }, user: 'ada' }) as never
    await new Promise(resolve => store.set('a', session(1), resolve))
    await new Promise(resolve => store.touch('a', session(10), resolve))
    const found = await new Promise<{ cookie: { expires: string }; user: string }>(resolve =>
      store.get('a', (_error, one) => resolve(one as never)),
    )
    expect(found).toMatchObject({ user: 'ada', cookie })
    expect(Date.parse(found.cookie.expires)).toBeGreaterThan(Date.now() + 9 * 60_000)
  })

  it.each([null, undefined, false])('takes a cookie that expires %s for one of the browser session', async expires => {
    const store = new DiskSessionStore(place())
    onTestFinished(() => store.disconnect())
    await new Promise(resolve => store.set('a', { cookie: { originalMaxAge: null, expires } } as never, resolve))
    const info = await store.cache.info('sessions:a')
    expect(info?.expiresAt && info.expiresAt - info.storedAt).toBe(86_400_000)
  })

  it.each([
    ['a day', undefined, 86_400_000],
    ['as long as it is told', '2h', 7_200_000],
    ['for ever', 0, undefined],
  ])('keeps a session of the browser for %s', async (_title, ttl, lasts) => {
    const store = new DiskSessionStore({ ...place(), ...(ttl !== undefined && { ttl }) })
    onTestFinished(() => store.disconnect())
    await new Promise(resolve => store.set('a', { cookie: { originalMaxAge: null } } as never, resolve))
    const info = await store.cache.info('sessions:a')
    expect(info?.expiresAt && info.expiresAt - info.storedAt).toBe(lasts)
  })

  it('lets what a callback throws surface, and tells errors by it', async () => {
    const store = new DiskSessionStore('/dev/null/below')
    const error = await new Promise<Error>(resolve => store.get('a', failure => resolve(failure as Error)))
    expect(error.message).toMatch(/cache directory/)
  })
})
