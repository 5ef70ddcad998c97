import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { caching, createCache, multiCaching } from 'cache-manager'
import { diskStore, singleFlight } from 'fanout-cache/cache-manager'
import { run } from './shared/run.mjs'

const { root } = JSON.parse(process.argv[2])
const fresh = () => ({ directory: mkdtempSync(join(root, 'cache-')), shards: 1 })

await run({
  'the factory, its store and create make the same': async () => {
    const where = fresh()
    const caches = [
      await caching(diskStore, { ...where, ttl: 60_000, max: 100 }),
      await caching(diskStore({ ...where, ttl: '1m' })),
      await caching(diskStore.create, { ...where, ttl: 60_000 }),
      createCache(diskStore(where), { ttl: 60_000 }),
    ]
    for (const [at, cache] of caches.entries()) {
      await cache.set(`k${at}`, { at })
      for (const other of caches) assert.deepEqual(await other.get(`k${at}`), { at })
      assert.equal((await cache.store.ttl(`k${at}`)) > 50_000, at < 3)
    }
    await Promise.all(caches.map(cache => cache.store.disconnect()))
  },
  'get, set, del, reset and the bulk methods of the store': async () => {
    const cache = await caching(diskStore, fresh())
    assert.equal(await cache.get('a'), undefined)
    await cache.set('a', new Map([[1, null]]), 60_000)
    assert.deepEqual(await cache.get('a'), new Map([[1, null]]))
    await cache.store.mset(
      [
        ['b', null],
        ['c', 5n],
      ],
      60_000,
    )
    assert.deepEqual(await cache.store.mget('b', 'missing', 'c'), [null, undefined, 5n])
    await cache.store.mdel('b', 'missing')
    await cache.del('c')
    assert.deepEqual(await cache.store.keys(), ['a'])
    await cache.set('never', 1, 0)
    await cache.set('over', 1, -1)
    assert.deepEqual([await cache.store.ttl('never'), await cache.get('over')], [-1, undefined])
    await cache.reset()
    assert.deepEqual(await cache.store.keys(), [])
    await cache.store.disconnect()
  },
  'wrap computes once, keeps null, and not undefined': async () => {
    const cache = await caching(diskStore, fresh())
    const errors = []
    cache.on('error', error => errors.push(error))
    let calls = 0
    const compute = async () => {
      calls++
      return null
    }
    await Promise.all([cache.wrap('a', compute, 60_000), cache.wrap('a', compute, 60_000)])
    assert.deepEqual([await cache.wrap('a', compute, value => (value === null ? 60_000 : 1)), calls], [null, 1])
    assert.equal(await cache.wrap('u', async () => undefined), undefined)
    assert.equal(errors.length, 1)
    await cache.store.disconnect()
  },
  'refreshThreshold refreshes beside': async () => {
    const cache = await caching(diskStore, { ...fresh(), refreshThreshold: 30_000 })
    await cache.set('a', 'old', 20_000)
    await cache.set('never', 'old', 0)
    assert.equal(await cache.wrap('a', async () => 'new', 60_000), 'old')
    assert.equal(await cache.wrap('never', async () => 'new', 60_000), 'old')
    while ((await cache.get('a')) !== 'new') await new Promise(resolve => setTimeout(resolve, 2))
    assert.equal(await cache.get('never'), 'old')
    await cache.store.disconnect()
  },
  'errors of the store are events': async () => {
    const cache = await caching(diskStore, { directory: '/dev/null/below' })
    const operations = []
    cache.on('error', ({ operation }) => operations.push(operation))
    assert.equal(await cache.wrap('a', async () => 1), 1)
    assert.deepEqual(operations, ['get', 'set'])
  },
  'two tiers: wrap fills the memory from the disk': async () => {
    const where = fresh()
    const [memory, disk] = [await caching('memory'), await caching(diskStore, where)]
    const cache = multiCaching([memory, disk])
    assert.equal(await cache.wrap('a', async () => 1, 60_000), 1)
    const fresher = await caching('memory')
    const second = multiCaching([fresher, disk])
    assert.equal(await second.wrap('a', async () => assert.fail('computed again'), 60_000), 1)
    assert.equal(await fresher.get('a'), 1)
    await cache.mset([['b', 2]], 60_000)
    assert.deepEqual(await second.mget('a', 'b', 'missing'), [1, 2, undefined])
    await cache.mdel('a', 'b')
    assert.deepEqual([await disk.get('a'), await memory.get('b')], [undefined, undefined])
    await disk.store.disconnect()
  },
  'singleFlight computes once over caches that know nothing of each other': async () => {
    const where = fresh()
    const caches = await Promise.all([1, 2, 3].map(async () => singleFlight(await caching(diskStore, where))))
    let calls = 0
    const compute = () => new Promise(resolve => setTimeout(() => resolve({ call: ++calls }), 20))
    const answers = await Promise.all(caches.map(cache => cache.wrap('a', compute, 60_000)))
    assert.deepEqual([answers, calls], [Array(3).fill({ call: 1 }), 1])
    assert.equal(await caches[0].wrap('u', async () => undefined, 60_000), undefined)
    await caches[1].del('a')
    assert.deepEqual(await caches[2].wrap('a', compute, 60_000), { call: 2 })
    await Promise.all(caches.map(cache => cache.store.disconnect()))
  },
  'singleFlight answers a value that was removed while it was computed, and does not store it': async () => {
    const cache = singleFlight(await caching(diskStore, { ...fresh(), ttl: 60_000 }))
    for (const ttl of [undefined, 60_000]) {
      const compute = async () => {
        await cache.del('a')
        return 'old'
      }
      assert.equal(await cache.wrap('a', compute, ttl), 'old')
      assert.equal(await cache.get('a'), undefined)
    }
    assert.equal(await cache.wrap('a', async () => 'kept'), 'kept')
    assert.ok((await cache.store.ttl('a')) > 50_000)
    await cache.store.disconnect()
  },
  'CommonJS loads the same, and needs no Keyv': async () => {
    const require = createRequire(import.meta.url)
    const door = require('fanout-cache/cache-manager')
    const where = fresh()
    const [esm, cjs] = [diskStore(where), door.diskStore(where)]
    await esm.set('a', 1)
    assert.equal(await cjs.get('a'), 1)
    assert.throws(() => diskStore.keyv(where), /keyv/)
    await Promise.all([esm.disconnect(), cjs.disconnect()])
  },
})
