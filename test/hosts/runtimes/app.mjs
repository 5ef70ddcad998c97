// The package in another runtime than Node, with better-sqlite3 13. Arguments: JSON with `root`, a directory for caches.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Averager,
  BoundedSemaphore,
  Cache,
  compressed,
  Deque,
  FanoutCache,
  Index,
  jsonCodec,
  Lock,
  memoize,
  pickleCodec,
  RLock,
  startUpkeep,
} from 'fanout-cache'
import { run } from './shared/run.mjs'

const { root } = JSON.parse(process.argv[2])
const directory = () => mkdtempSync(join(root, 'cache-'))

/** A scenario with a cache that is closed afterwards. */
const using =
  (body, options = {}, Kind = Cache) =>
  async () => {
    const cache = new Kind(directory(), options)
    try {
      await body(cache)
    } finally {
      await cache.close()
    }
  }

const PLAIN = { list: [1, 'two', null, { three: 3.5 }], text: 'long '.repeat(2000) }

await run({
  'plain data, numbers and bytes come back as they were': using(async cache => {
    const values = [PLAIN, 'text', 7, -0, 2n ** 60n, Buffer.from([0, 255]), null, true]
    for (const [key, value] of values.entries()) {
      assert.equal(await cache.set(key, value), true)
      assert.deepEqual(await cache.get(key), value)
    }
  }),
  'Map, Date and other clones come back as they were, or are refused': using(async cache => {
    const value = { map: new Map([[1, new Set([2])]]), date: new Date(5), floats: new Float64Array([0.5]) }
    if (process.versions.bun) {
      await assert.rejects(cache.set('key', value), { name: 'TypeError', message: /Bun has no structured clones/ })
      return
    }
    await cache.set('key', value)
    assert.deepEqual(await cache.get('key'), value)
  }),
  'every codec finds its composite keys and values': async () => {
    for (const codec of [jsonCodec, pickleCodec, compressed()]) {
      await using(
        async cache => {
          await cache.set(['page', 1], PLAIN)
          assert.deepEqual(await cache.get(['page', 1]), PLAIN)
        },
        { codec },
      )()
    }
  },
  'times, tags and counters hold': using(async cache => {
    await cache.set('short', 1, { ttl: 20, tags: ['a', 'b'] })
    await cache.set('long', 2, { ttl: '1h', tag: 'a' })
    assert.equal(await cache.incr('count', 5), 5)
    await sleep(40)
    assert.deepEqual([await cache.get('short'), await cache.get('long')], [undefined, 2])
    assert.equal(await cache.evict('b'), 1)
    assert.equal(await cache.evict('a'), 1)
  }),
  'streams are kept as files and read in ranges': using(async cache => {
    const part = Buffer.alloc(300_000, 'ab')
    await cache.set('file', Readable.from([part, part]), { meta: { type: 'text/plain' } })
    await cache.set('blob', new Blob(['of the web']).stream())
    const file = await cache.read('file')
    const read = await file.stream({ start: 10, end: 99 }).toArray()
    assert.deepEqual([file.size, Buffer.concat(read).length], [600_000, 90])
    assert.equal(String(await cache.get('blob')), 'of the web')
  }),
  'transactions are committed or undone, over shards': using(
    async cache => {
      const body = tx => {
        tx.set('a', 1)
        return tx.incr('a')
      }
      assert.equal(await cache.transact(body), 2)
      const failing = tx => {
        tx.set('a', 9)
        throw new Error('undone')
      }
      await assert.rejects(cache.transact(failing), /undone/)
      assert.equal(await cache.get('a'), 2)
    },
    { shards: 4 },
    FanoutCache,
  ),
  'thousands of concurrent calls are all counted': using(
    async cache => {
      await Promise.all(Array.from({ length: 2000 }, (_, at) => cache.set(at, at)))
      await Promise.all(Array.from({ length: 500 }, () => cache.incr('count')))
      assert.deepEqual([await cache.count(), await cache.get('count')], [2001, 500])
    },
    {},
    FanoutCache,
  ),
  'memory answers': using(
    async cache => {
      await cache.set('key', PLAIN)
      for (let turn = 0; turn < 3; turn++) assert.deepEqual(await cache.get('key'), PLAIN)
      assert.ok((await cache.stats()).memory.hits > 0)
    },
    { memory: { maxItems: 10 } },
  ),
  'check, vacuum of space and indexes work in their thread': using(async cache => {
    for (let at = 0; at < 40; at++) await cache.set(at, 'x'.repeat(50_000), { ttl: at % 2 ? 1 : '1h' })
    await sleep(20)
    await cache.expire()
    await cache.createTagIndex()
    assert.deepEqual(await cache.check({ fix: true }), [])
    assert.equal(await cache.count(), 20)
  }),
  'upkeep starts, works and ends': using(
    async cache => {
      await cache.set('key', 1, { ttl: 1 })
      await sleep(20)
      const upkeep = startUpkeep(cache, { every: '1s' })
      await upkeep.run()
      await upkeep.stop()
      assert.equal(await cache.count(), 0)
    },
    {},
    FanoutCache,
  ),
  'eviction keeps to the limit, and tells': async () => {
    let evicted = 0
    await using(
      async cache => {
        cache.on('evict', () => evicted++)
        for (let at = 0; at < 30; at++) await cache.set(at, 'x'.repeat(20_000))
        assert.ok((await cache.volume()) <= 260_000)
      },
      { sizeLimit: 200_000 },
    )()
    assert.ok(evicted > 0)
  },
  'queues and maps keep their order': async () => {
    const deque = new Deque(directory(), { maxLength: 5 })
    await deque.extend([1, 2, 3, 4, 5, 6])
    await deque.rotate(2)
    const taken = await deque.take({ lease: '10s' })
    await taken.done()
    assert.deepEqual([taken.value, await Array.fromAsync(deque.values())], [5, [6, 2, 3, 4]])
    await deque.close()
    const index = new Index(directory())
    for (const name of ['b', 'a', 'c']) await index.set(name, name)
    assert.deepEqual(await Array.fromAsync(index.keys()), ['b', 'a', 'c'])
    await index.close()
  },
  'locks, semaphores and averages work': using(
    async cache => {
      const lease = await new Lock(cache, 'lock').acquire()
      assert.equal(await new Lock(cache, 'lock').tryAcquire(), undefined)
      await lease.release()
      const rlock = new RLock(cache, 'rlock')
      const [outer, inner] = [await rlock.acquire(), await rlock.acquire()]
      await inner.release()
      await outer.release()
      const seat = await new BoundedSemaphore(cache, 'seats', { value: 1 }).acquire()
      await seat.release()
      const average = new Averager(cache, 'average')
      await average.add(2)
      await average.add(4)
      assert.equal(await average.get(), 3)
    },
    { evictionPolicy: 'none' },
  ),
  'a computation runs once for all who wait': using(async cache => {
    let runs = 0
    const compute = async () => {
      await sleep(10)
      return ++runs
    }
    assert.deepEqual(
      await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet('key', compute))),
      Array(20).fill(1),
    )
    const double = memoize(cache, async value => value * 2 * ++runs, { name: 'double' })
    assert.deepEqual([await double(3), await double(3)], [12, 12])
  }),
  'a temporary cache leaves nothing behind': async () => {
    const cache = new Cache()
    await cache.set('key', 'x'.repeat(100_000))
    await cache.close()
    assert.equal(existsSync(cache.directory), false)
  },
  'misuse is told by name': async () => {
    assert.throws(() => new Cache(directory(), { sizLimit: 5 }), { name: 'TypeError', message: /sizLimit/ })
    await using(async cache => {
      await assert.rejects(cache.set('key', undefined), TypeError)
      await assert.rejects(
        cache.set('key', () => 1),
        TypeError,
      )
      await assert.rejects(cache.get('key', { signal: AbortSignal.abort(new Error('stop')) }), /stop/)
    })()
  },
})
