// What cache-manager 6 and 7 promise, over stores on disk. What differs between them is given.

import assert from 'node:assert/strict'

/** Resolves in a later turn, until something holds. */
async function until(holds) {
  for (let turn = 0; !(await holds()); turn++) {
    assert.ok(turn < 2000, 'did not come true')
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/**
 * @param host `createCache` and `Keyv` of the host; `miss`: what `get` and `ttl` answer when there is nothing; `diskStore`
 *   and `singleFlight` of fanout-cache/cache-manager; `directory()`: the path of a fresh directory
 */
export function createCacheScenarios({ createCache, Keyv, miss, diskStore, singleFlight, directory }) {
  const using =
    (body, options = {}) =>
    async () => {
      const where = { directory: directory(), shards: 1 }
      const cache = createCache({ stores: [diskStore.keyv(where)], ...options })
      try {
        await body(cache, where)
      } finally {
        await cache.disconnect()
      }
    }
  const tiers = body => async () => {
    const where = { directory: directory(), shards: 1 }
    const [memory, disk] = [new Keyv(), diskStore.keyv(where)]
    const cache = createCache({ stores: [memory, disk] })
    try {
      await body({ cache, memory, disk, where })
    } finally {
      await cache.disconnect()
    }
  }

  return {
    'get, set and del': using(async cache => {
      assert.equal(await cache.get('a'), miss)
      assert.deepEqual(await cache.set('a', { list: [1] }), { list: [1] })
      assert.deepEqual(await cache.get('a'), { list: [1] })
      assert.equal(await cache.del('a'), true)
      assert.equal(await cache.get('a'), miss)
    }),
    'mget, mset and mdel': using(async cache => {
      await cache.mset([
        { key: 'a', value: 1 },
        { key: 'b', value: 2, ttl: 60_000 },
        { key: 'c', value: 3, ttl: -1 },
      ])
      assert.deepEqual(await cache.mget(['a', 'missing', 'b', 'c']), [1, miss, 2, miss])
      assert.equal(await cache.mdel(['a', 'b', 'missing']), true)
      assert.deepEqual(await cache.mget(['a', 'b']), [miss, miss])
    }),
    'clear, and of its namespace alone': using(async (cache, where) => {
      const other = createCache({ stores: [diskStore.keyv({ ...where, namespace: 'other' })] })
      await cache.set('a', 1)
      await other.set('a', 2)
      assert.equal(await cache.clear(), true)
      assert.deepEqual([await cache.get('a'), await other.get('a')], [miss, 2])
      await other.disconnect()
    }),
    'ttl, in milliseconds': using(
      async cache => {
        await cache.set('default', 1)
        await cache.set('own', 1, 120_000)
        await cache.set('never', 1, 0)
        await cache.set('over', 1, -1)
        const left = async key => (await cache.ttl(key)) - Date.now()
        assert.ok((await left('default')) > 50_000 && (await left('default')) <= 60_000)
        assert.ok((await left('own')) > 110_000)
        assert.equal(await cache.ttl('never'), miss)
        assert.equal(await cache.get('over'), miss)
      },
      { ttl: 60_000 },
    ),
    'values of all kinds': using(async cache => {
      for (const value of [null, false, 0, '', new Map([[1, new Set([2n])]]), new Date(0), 5n, new Uint8Array(3)]) {
        await cache.set('a', value)
        assert.deepEqual(await cache.get('a'), value)
      }
    }),
    'wrap computes once, and keeps null': using(async cache => {
      let calls = 0
      const compute = () => {
        calls++
        return null
      }
      const answers = await Promise.all(Array.from({ length: 5 }, () => cache.wrap('a', compute, 60_000)))
      assert.deepEqual([answers, calls], [[null, null, null, null, null], 1])
      assert.equal(await cache.wrap('a', compute, 60_000), null)
      assert.equal(calls, 1)
    }),
    'wrap computes undefined each time': using(async cache => {
      let calls = 0
      for (let i = 0; i < 3; i++) assert.equal(await cache.wrap('a', () => void calls++, 60_000), undefined)
      assert.equal(calls, 3)
    }),
    'wrap with a ttl that depends on the value, and raw': using(async cache => {
      const raw = await cache.wrap('a', () => 7, { ttl: value => value * 10_000, raw: true })
      assert.equal(raw.value, 7)
      const again = await cache.wrap('a', () => 8, { raw: true })
      assert.equal(again.value, 7)
      assert.ok(again.expires - Date.now() > 60_000 && again.expires - Date.now() <= 70_000)
    }),
    'wrap passes errors on and stores nothing': using(async cache => {
      await assert.rejects(
        cache.wrap('a', () => Promise.reject(new Error('no'))),
        /no/,
      )
      assert.equal(await cache.wrap('a', () => 1), 1)
    }),
    'refreshThreshold refreshes beside, and answers the old value': using(
      async cache => {
        const refreshed = new Promise(resolve => cache.on('refresh', resolve))
        await cache.set('a', 'old', 20_000)
        assert.equal(await cache.wrap('a', () => 'new', 60_000), 'old')
        assert.deepEqual(await refreshed, { key: 'a', value: 'new' })
        assert.equal(await cache.get('a'), 'new')
      },
      { refreshThreshold: 30_000 },
    ),
    events: using(async cache => {
      const seen = []
      for (const event of ['get', 'set', 'mset', 'del', 'mdel', 'clear']) cache.on(event, () => seen.push(event))
      await cache.set('a', 1)
      await cache.get('a')
      await cache.mset([{ key: 'b', value: 1 }])
      await cache.del('a')
      await cache.mdel(['b'])
      await cache.clear()
      assert.deepEqual([...new Set(seen)], ['set', 'get', 'mset', 'del', 'mdel', 'clear'])
    }),
    'an error of the store is told by its Keyv': async () => {
      const keyv = diskStore.keyv('/dev/null/below')
      const cache = createCache({ stores: [keyv] })
      const errors = []
      keyv.on('error', error => errors.push(error))
      await cache.set('a', 1)
      assert.equal(await cache.get('a'), miss)
      assert.equal(await cache.wrap('a', () => 2), 2)
      assert.ok(errors.length >= 2)
    },
    'two tiers: wrap fills the memory from the disk': tiers(async ({ cache, memory, disk, where }) => {
      assert.equal(await cache.wrap('a', () => 1, 60_000), 1)
      assert.deepEqual([await memory.get('a'), await disk.get('a')], [1, 1])
      const second = createCache({ stores: [new Keyv(), diskStore.keyv(where)] })
      assert.equal(await second.wrap('a', () => assert.fail('computed again'), 60_000), 1)
      assert.equal(await second.stores[0].get('a'), 1)
      await cache.del('a')
      assert.deepEqual([await memory.get('a'), await disk.get('a')], [undefined, undefined])
      await second.disconnect()
    }),
    'a store of cache-manager 5 by KeyvAdapter': async () => {
      const { KeyvAdapter } = await import('cache-manager')
      const store = diskStore({ directory: directory(), shards: 1 })
      const cache = createCache({ stores: [new Keyv({ store: new KeyvAdapter(store) })] })
      await cache.set('a', { list: [1] }, 60_000)
      assert.deepEqual(await cache.get('a'), { list: [1] })
      assert.ok((await cache.ttl('a')) > Date.now())
      await cache.disconnect()
    },
    'singleFlight computes once over caches that know nothing of each other': async () => {
      const where = { directory: directory(), shards: 1 }
      const caches = Array.from({ length: 4 }, () =>
        singleFlight(createCache({ stores: [new Keyv(), diskStore.keyv(where)] })),
      )
      let calls = 0
      const gate = deferred()
      const answers = caches.map(cache => cache.wrap('a', () => gate.promise.then(() => ({ call: ++calls })), 60_000))
      setTimeout(gate.resolve, 20)
      assert.deepEqual(await Promise.all(answers), Array(4).fill({ call: 1 }))
      assert.equal(calls, 1)
      for (const cache of caches) {
        assert.deepEqual(await cache.stores[0].get('a'), { call: 1 })
        assert.ok((await cache.ttl('a')) - Date.now() > 50_000)
      }
      assert.deepEqual(await caches[0].wrap('text', () => '{"value":1}', 60_000), '{"value":1}')
      assert.deepEqual(await caches[1].wrap('text', () => 'other', 60_000), '{"value":1}')
      assert.deepEqual(await caches[1].wrap('none', () => undefined, 60_000), undefined)
      const url = new URL('http://localhost/')
      assert.equal(await caches[2].wrap('url', () => url, 60_000), url)
      assert.equal(await caches[3].wrap('url', () => assert.fail('computed again'), 60_000), url.href)
      await assert.rejects(
        caches[1].wrap('error', () => Promise.reject(new TypeError('mine')), 60_000),
        /mine/,
      )
      await Promise.all(caches.map(cache => cache.disconnect()))
    },
    'singleFlight hands one error to all who wait for the value': async () => {
      const where = { directory: directory(), shards: 1 }
      const caches = Array.from({ length: 3 }, () => singleFlight(createCache({ stores: [diskStore.keyv(where)] })))
      const [gate, error] = [deferred(), new TypeError('mine')]
      let calls = 0
      const compute = () => gate.promise.then(() => Promise.reject(calls++ === 0 ? error : new Error('computed again')))
      const answers = caches.map(cache => cache.wrap('a', compute, 60_000).catch(reason => reason))
      setTimeout(gate.resolve, 20)
      for (const answer of await Promise.all(answers)) assert.equal(answer, error)
      await Promise.all(caches.map(cache => cache.disconnect()))
    },
    'singleFlight stores a value once, however late those go on who waited for it': async () => {
      let now = Date.now()
      const where = { directory: directory(), shards: 1, clock: { now: () => now } }
      const caches = [1, 2, 3].map(() => singleFlight(createCache({ stores: [diskStore.keyv(where)] })))
      for (const [key, value] of Object.entries({
        object: { n: 1 },
        text: '{"value":1}',
        small: 5n,
        bytes: new Uint8Array([1]),
      })) {
        const [gate, begun] = [deferred(), deferred()]
        const end = now + 60_000
        const late = () => {
          now += 10_000
          return 60_000
        }
        const compute = () => {
          begun.resolve()
          return gate.promise.then(() => value)
        }
        const computing = caches[0].wrap(key, compute, 60_000)
        // Whoever comes first computes.
        await begun.promise
        const waiting = caches.slice(1).map(cache => cache.wrap(key, () => assert.fail('computed twice'), late))
        setTimeout(gate.resolve, 20)
        assert.deepEqual(await Promise.all([computing, ...waiting]), [value, value, value])
        assert.equal(await caches[0].ttl(key), end, key)
        await caches[1].set(key, value, 60_000)
        assert.equal(await caches[0].ttl(key), now + 60_000, key)
      }
      await Promise.all(caches.map(cache => cache.disconnect()))
    },
    'singleFlight computes again what was undefined, in the same millisecond too': async () => {
      const now = Date.now()
      const where = { directory: directory(), shards: 1, clock: { now: () => now } }
      const cache = singleFlight(createCache({ stores: [diskStore.keyv(where)] }))
      let calls = 0
      for (const ttl of [undefined, 60_000]) {
        for (let times = 0; times < 2; times++) assert.equal(await cache.wrap('a', () => void ++calls, ttl), undefined)
      }
      assert.equal(calls, 4)
      await cache.disconnect()
    },
    'singleFlight stores by the default ttl of its cache': async () => {
      const cache = singleFlight(
        createCache({ stores: [diskStore.keyv({ directory: directory(), shards: 1 })], ttl: 60_000 }),
      )
      assert.equal(await cache.wrap('a', () => 1), 1)
      assert.ok((await cache.ttl('a')) - Date.now() > 50_000)
      await cache.disconnect()
    },
    'singleFlight answers a value that was removed while it was computed, and does not store it': async () => {
      const stores = [diskStore.keyv({ directory: directory(), shards: 1 })]
      const cache = singleFlight(createCache({ stores, refreshThreshold: 30_000 }))
      const refresh = async () => {
        await cache.set('a', 'first', 20_000)
        await new Promise(resolve => setTimeout(resolve, 2))
      }
      for (const prepare of [async () => {}, refresh]) {
        for (const ttl of [undefined, 60_000, value => value.length * 20_000]) {
          await prepare()
          const [gate, begun, refreshed] = [deferred(), deferred(), deferred()]
          const compute = () => {
            begun.resolve()
            return gate.promise
          }
          cache.on('refresh', refreshed.resolve)
          const computing = cache.wrap('a', compute, ttl)
          await begun.promise
          await cache.del('a')
          gate.resolve('old')
          assert.equal(await computing, prepare === refresh ? 'first' : 'old')
          if (prepare === refresh) await refreshed.promise
          assert.equal(await cache.get('a'), miss, `${prepare.name} ${ttl}`)
        }
      }
      await cache.disconnect()
    },
    'singleFlight keeps a refreshed value, however late, and not before what was stored meanwhile': async () => {
      let now = Date.now()
      const where = { directory: directory(), shards: 1, clock: { now: () => now } }
      const stores = [diskStore.keyv(where)]
      const cache = singleFlight(createCache({ stores, refreshThreshold: 30_000 }))
      for (const [meanwhile, kept] of [
        [() => {}, 'fresh'],
        [() => cache.set('a', 'newer'), 'newer'],
        // The value has expired before there is a fresh one.
        [() => (now += 25_000), 'fresh'],
      ]) {
        await cache.set('a', 'first', 20_000)
        now += 2
        const [gate, begun, refreshed] = [deferred(), deferred(), deferred()]
        const compute = () => {
          begun.resolve()
          return gate.promise
        }
        cache.on('refresh', refreshed.resolve)
        assert.equal(await cache.wrap('a', compute, 60_000), 'first')
        await begun.promise
        await meanwhile()
        gate.resolve('fresh')
        await refreshed.promise
        assert.equal(await cache.get('a'), kept)
      }
      await cache.disconnect()
    },
    'singleFlight leaves refreshThreshold to work': async () => {
      const cache = singleFlight(
        createCache({ stores: [diskStore.keyv({ directory: directory(), shards: 1 })], refreshThreshold: 30_000 }),
      )
      await cache.set('a', 'old', 20_000)
      await new Promise(resolve => setTimeout(resolve, 2))
      assert.equal(await cache.wrap('a', () => 'new', 60_000), 'old')
      await until(async () => (await cache.get('a')) === 'new')
      assert.ok((await cache.ttl('a')) - Date.now() > 50_000)
      await cache.disconnect()
    },
    'singleFlight computes where the cache is in trouble': async () => {
      const cache = singleFlight(createCache({ stores: [diskStore.keyv('/dev/null/below')] }))
      let calls = 0
      assert.equal(await cache.wrap('a', () => ++calls, 60_000), 1)
      const keyv = diskStore.keyv({ directory: directory(), shards: 1 })
      const errors = []
      keyv.on('error', ({ message }) => errors.push(message))
      const sound = singleFlight(createCache({ stores: [keyv] }))
      const value = { close() {} }
      for (const ttl of [undefined, 60_000]) assert.equal(await sound.wrap('a', () => value, ttl), value)
      assert.match(errors[1], /value.close to be data that can be stored/)
      assert.equal(await sound.wrap('a', () => 'data', 60_000), 'data')
      assert.equal(await keyv.get('a'), 'data')
      await sound.disconnect()
    },
    'singleFlight says what it needs': () => {
      assert.throws(() => singleFlight(createCache()), /one of whose stores is a diskStore/)
      assert.throws(() => singleFlight(createCache(), { leese: 1 }), /did you mean lease/)
      const stores = [diskStore.keyv({ directory: directory(), shards: 1 })]
      assert.throws(() => singleFlight(createCache({ stores }), { lease: 'long' }), /singleFlight: lease must be/)
    },
  }
}

function deferred() {
  let resolve
  const promise = new Promise(r => {
    resolve = r
  })
  return { promise, resolve }
}
