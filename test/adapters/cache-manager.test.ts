import KeyvRedis from '@keyv/redis'
import { createCache } from 'cache-manager'
import { diskStore, singleFlight } from 'fanout-cache/cache-manager'
import { Keyv } from 'keyv'
import { describe, expect, it, onTestFinished } from 'vitest'
import { peer } from '../helpers/peers.js'
import { startRedis } from '../helpers/redis.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
// Shared with the apps of other versions.
import { createCacheScenarios } from '../hosts/shared/create-cache.mjs'

const scenarios: Record<string, () => unknown> = createCacheScenarios({
  createCache,
  Keyv,
  miss: undefined,
  diskStore,
  singleFlight,
  directory: temporaryDirectory,
})

describe('cache-manager 7', () => {
  it.each(Object.entries(scenarios))('%s', async (_title, scenario) => {
    await scenario()
  })
})

describe.runIf(peer('redis'))('memory, disk and Redis', () => {
  it('answer from the first that has it, and wrap fills those before', async () => {
    const { url } = await startRedis()
    const where = { directory: temporaryDirectory(), shards: 1 }
    const tiers = () => {
      const stores = [new Keyv(), diskStore.keyv(where), new Keyv({ store: new KeyvRedis(url) })] as const
      const cache = createCache({ stores: [...stores], ttl: 60_000 })
      onTestFinished(() => cache.disconnect())
      return { cache, memory: stores[0], disk: stores[1], redis: stores[2] }
    }
    const first = tiers()
    expect(await first.cache.wrap('a', () => ({ n: 1 }))).toEqual({ n: 1 })
    for (const store of [first.memory, first.disk, first.redis]) expect(await store.get('a')).toEqual({ n: 1 })

    await first.disk.clear()
    const second = tiers()
    expect(await second.cache.get('a')).toEqual({ n: 1 })
    expect(await second.cache.wrap('a', () => expect.unreachable())).toEqual({ n: 1 })
    expect([await second.memory.get('a'), await second.disk.get('a')]).toEqual([{ n: 1 }, { n: 1 }])

    const third = tiers()
    await first.redis.clear()
    expect(await third.cache.wrap('a', () => expect.unreachable())).toEqual({ n: 1 })
    expect(await third.memory.get('a')).toEqual({ n: 1 })

    await third.cache.mset([
      { key: 'b', value: null },
      { key: 'c', value: [1] },
    ])
    expect(await first.cache.mget(['b', 'c', 'missing'])).toEqual([null, [1], undefined])
    await first.cache.del('c')
    expect([await third.redis.get('c'), await third.disk.get('c')]).toEqual([undefined, undefined])
    await first.cache.clear()
    expect(await second.redis.get('b')).toBeUndefined()
  })
})

describe('diskStore', () => {
  it('is a store of cache-manager 5, however it is made', async () => {
    for (const make of [diskStore, diskStore.create]) {
      const store = make({ directory: temporaryDirectory(), shards: 1, ttl: '1m' })
      onTestFinished(() => store.disconnect())
      await store.mset([
        ['user:1', null],
        ['user:2', new Map()],
        ['other', 0],
      ])
      expect(await store.mget('user:1', 'missing', 'user:2', 'other')).toEqual([null, undefined, new Map(), 0])
      expect((await store.keys()).sort()).toEqual(['other', 'user:1', 'user:2'])
      expect((await store.keys('user:*')).sort()).toEqual(['user:1', 'user:2'])
      expect((await store.keys('*:?')).sort()).toEqual(['user:1', 'user:2'])
      expect(await store.keys('u*2')).toEqual(['user:2'])
      expect(await store.keys('[a-z]*')).toEqual([])
      expect(await store.ttl('other')).toBeGreaterThan(50_000)
      await store.set('never', 1, 0)
      expect([await store.ttl('never'), await store.ttl('missing')]).toEqual([-1, -2])
      await store.set('other', 1, -1)
      expect(await store.get('other')).toBeUndefined()
      await store.mdel('user:1', 'missing')
      await store.del('never')
      expect(await store.keys()).toEqual(['user:2'])
      await store.reset()
      expect(await store.keys()).toEqual([])
    }
  })

  it('stores what isCacheable lets pass', async () => {
    const store = diskStore({ directory: temporaryDirectory(), shards: 1, isCacheable: value => value !== 'no' })
    onTestFinished(() => store.disconnect())
    await expect(store.set('a', 'no')).rejects.toThrow("'no' is not a cacheable value")
    await expect(
      store.mset([
        ['a', 'yes'],
        ['b', 'no'],
      ]),
    ).rejects.toThrow('not a cacheable value')
    expect(await store.keys()).toEqual([])
    await expect(diskStore(temporaryDirectory()).set('a', undefined)).rejects.toThrow(
      'undefined is not a cacheable value',
    )
  })

  it('rejects with what the cache says when it cannot store', async () => {
    const store = diskStore({ directory: temporaryDirectory(), sizeLimit: 2 ** 17, shards: 1 })
    onTestFinished(() => store.disconnect())
    await expect(store.set('a', 'x'.repeat(2 ** 18))).rejects.toThrow('is larger than')
    await expect(
      store.mset([
        ['a', 'x'.repeat(2 ** 18)],
        ['b', 1],
      ]),
    ).rejects.toThrow('is larger than')
    await expect(store.set('a', 1, {} as never)).rejects.toThrow("ttl must be milliseconds or a string such as '5m'")
  })

  it('looks for a pattern of many stars in no time', async () => {
    const store = diskStore({ directory: temporaryDirectory(), shards: 1 })
    onTestFinished(() => store.disconnect())
    await store.set('a'.repeat(5000), 1)
    expect(await store.keys(`${'*a'.repeat(100)}b`)).toEqual([])
  })
})
