import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache, Deque, defineModel, FanoutCache, Index, Lock } from 'fanout-cache'
import { collectMetrics } from 'fanout-cache/prom-client'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../../helpers/manual-clock.js'
import { parseMetrics } from '../../helpers/prometheus-text.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

interface Counted {
  readonly [name: string]: number
}

/** Reads all that is counted of a cache, by short names: `hits`, `evictions.size`. */
function counting(cache: { readonly directory: string }): () => Promise<Counted> {
  const register = new Registry()
  const { stop } = collectMetrics(cache, { register, name: 'it' })
  onTestFinished(stop)
  return async () => {
    const families = parseMetrics(await register.metrics())
    const entries = [...families.values()].flatMap(({ name, type, samples }) => {
      const short = name.replace(/^fanout_cache_(.*?)(_total)?$/, '$1')
      if (type === 'histogram') return []
      return samples.map(({ labels: { reason, outcome }, value }) => [
        [short, reason ?? outcome].filter(Boolean).join('.'),
        value,
      ])
    })
    return Object.fromEntries(entries)
  }
}

function opened<C extends { close(): Promise<void> }>(cache: C): C {
  onTestFinished(() => cache.close())
  return cache
}

const KINDS = [
  ['Cache', (options = {}) => opened(new Cache(temporaryDirectory(), options))],
  ['FanoutCache', (options = {}) => opened(new FanoutCache(temporaryDirectory(), { shards: 2, ...options }))],
] as const

describe.each(KINDS)('what is counted of a %s', (kind, open) => {
  it('is what was asked, stored and removed', async () => {
    const clock = new ManualClock()
    const cache = open({ clock, statistics: true })
    const read = counting(cache)
    await cache.set('a', 1)
    await cache.setMany([
      ['b', 2],
      ['c', 3, { ttl: 10 }],
      ['d', 'x'.repeat(100_000)],
    ])
    expect(await cache.add('a', 2)).toBe(false)
    await cache.incr('n')
    await cache.incr('n')
    await Promise.all([cache.get('a'), cache.get('none'), cache.getMany(['a', 'b', 'none']), cache.getItem('d')])
    await (await cache.read('d'))?.close()
    await cache.has('a')
    expect(await cache.delete('b')).toBe(true)
    expect(await cache.delete('b')).toBe(false)
    expect(await cache.pop('d')).toHaveLength(100_000)
    clock.advance(11)
    expect(await cache.expire()).toBe(1)
    await cache.transact(tx => {
      tx.set('t', 1)
      tx.delete('a')
    })
    const counted = await read()
    const { hits, misses } = await cache.stats()
    expect({ hits, misses }).toEqual({ hits: 5, misses: 2 })
    expect(counted).toMatchObject({
      gets: 7,
      hits,
      misses,
      sets: 7,
      deletes: 3,
      expirations: 1,
      errors: 0,
      timeouts: 0,
    })
    expect(counted).toMatchObject({ items: 2, shards: kind === 'Cache' ? 1 : 2, queue_length: 0 })
    expect(counted.size_bytes).toBe(await cache.volume())
    expect(counted.size_limit_bytes).toBe((await cache.settings()).sizeLimit)
  })

  it('leaves out what was rolled back', async () => {
    const cache = open()
    const read = counting(cache)
    await cache.setMany(Array.from({ length: 10 }, (_, at) => [at, at]))
    const failing = cache.transact(tx => {
      tx.set('a', 1)
      tx.clear()
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await cache.transact(tx => {
      tx.set('b', 1)
      expect(() =>
        tx.transact(inner => {
          inner.set('c', 1)
          inner.delete(1)
          throw new Error('no')
        }),
      ).toThrow('no')
    })
    // One of a batch fails, and the others are written again without it.
    const all = await Promise.allSettled([
      cache.set('d', 1),
      cache.incr('d'),
      cache.set('text', 'x'),
      cache.incr('text'),
    ])
    expect(all.map(({ status }) => status)).toContain('rejected')
    expect(await read()).toMatchObject({ sets: 10 + 1 + 3, deletes: 0, items: 13 })
  })

  it('tells why entries went and writes were refused', async () => {
    const cache = open({ maxItems: 4, sizeLimit: 2 ** 20, maxPending: { count: 3, bytes: 2 ** 20 } })
    const read = counting(cache)
    const evicted: unknown[] = []
    cache.on('evict', event => evicted.push(event))
    for (let at = 0; at < 20; at++) await cache.set(at, at)
    const large = await cache.set('large', Buffer.alloc(2 ** 21)).catch(() => false)
    const many = await Promise.allSettled(Array.from({ length: 9 }, () => cache.set(1, 1)))
    expect(large).toBe(false)
    const refused = many.filter(one => one.status === 'rejected' || !one.value).length
    expect(await read()).toMatchObject({
      'evictions.items': evicted.length,
      'evictions.full': 0,
      'refusals.too-large': 1,
      'refusals.pending': refused,
      'refusals.timeout': 0,
    })
    expect([evicted.length >= 16, refused >= 1]).toEqual([true, true])
  })

  it('tells waits for a lock, and who gave up', async () => {
    const cache = open({ timeout: 20 })
    const read = counting(cache)
    await cache.set(0, 1)
    const holder = new Database(join(cache.directory, kind === 'Cache' ? '' : '000', 'cache.db'))
    onTestFinished(() => void holder.close())
    holder.exec('BEGIN IMMEDIATE')
    expect(await cache.set(0, 2, { retry: false }).catch(() => false)).toBe(false)
    expect(await read()).toMatchObject({ timeouts: 1, 'refusals.timeout': 1, 'lock_waits.missed': 1 })
    const waiting = cache.set(0, 3, { timeout: 60_000 })
    expect((await read()).queue_length).toBe(1)
    // The first attempt is made in the check phase of the loop.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    holder.exec('ROLLBACK')
    expect(await waiting).toBe(true)
    expect(await read()).toMatchObject({ sets: 2, 'lock_waits.acquired': 1 })
  })

  it('goes on counting when it is closed and opened again, and tells no figures meanwhile', async () => {
    const cache = open()
    const read = counting(cache)
    await cache.set('a', 1)
    await cache.close()
    const closed = await read()
    expect([closed.sets, closed.items, closed.size_bytes]).toEqual([1, undefined, undefined])
    expect(await cache.get('a')).toBe(1)
    expect(await read()).toMatchObject({ sets: 1, hits: 1, items: 1 })
  })
})

describe('what is counted of a directory', () => {
  it('is that of all its caches, namespaces and collections in the process', async () => {
    const directory = temporaryDirectory()
    const [one, other] = [opened(new Cache(directory)), opened(new Cache(directory))]
    const read = counting(one.namespace('n'))
    await one.set('a', 1)
    await other.namespace('n').set('a', 2)
    await other.get('a')
    expect(await read()).toMatchObject({ sets: 2, hits: 1, items: 2 })
    const deque = opened(new Deque(temporaryDirectory()))
    const readDeque = counting(deque)
    await deque.extend([1, 2, 3])
    await deque.popLeft()
    expect(await readDeque()).toMatchObject({ sets: 3, items: 2 })
  })

  it('is that of the caches and collections below a FanoutCache for each of them, and not for it', async () => {
    const fanout = opened(new FanoutCache(temporaryDirectory(), { shards: 2 }))
    const [part, deque, index] = [fanout.cache('part'), fanout.deque('jobs'), fanout.index('pages')]
    const reads = [fanout, part, deque, index].map(counting)
    await part.set('a', 1)
    await part.get('a')
    await deque.extend([1, 2])
    const item = await deque.take()
    await item?.done()
    await index.set('a', 1)
    await index.get('b')
    expect(await Promise.all(reads.map(read => read()))).toMatchObject([
      { gets: 0, sets: 0, deletes: 0 },
      { gets: 1, hits: 1, sets: 1, items: 1, shards: 1 },
      { gets: 0, sets: 2, deletes: 1, items: 1, shards: 1 },
      { gets: 1, misses: 1, sets: 1, items: 1, shards: 1 },
    ])
  })

  it('is that of a model with limits of its own, where that is asked for', async () => {
    const cache = opened(new Cache(temporaryDirectory()))
    const schema = { '~standard': { version: 1, vendor: 'it', validate: (value: unknown) => ({ value }) } } as const
    const model = cache.model(defineModel({ name: 'A', version: 1, schema, maxItems: 10 }))
    const [read, whole] = [counting(model), counting(cache)]
    await model.put('a', 1)
    await model.get('a')
    expect(await read()).toMatchObject({ sets: 1, hits: 1, items: 1, items_limit: 10 })
    expect(await whole()).toMatchObject({ sets: 0, hits: 0 })
  })

  it('tells of setDefault whether there was a value', async () => {
    const index = opened(new Index(temporaryDirectory()))
    const read = counting(index)
    await index.setDefault('a', 1)
    expect(await read()).toMatchObject({ hits: 0, misses: 1, sets: 1 })
    await index.setDefault('a', 2)
    // The second of them finds what the first one stores, in one commit.
    await Promise.all([index.setDefault('b', 1), index.setDefault('b', 2)])
    expect(await read()).toMatchObject({ hits: 2, misses: 2, sets: 2 })
  })

  it('tells that a lock was released as an entry that is removed', async () => {
    const cache = opened(new Cache(temporaryDirectory(), { evictionPolicy: 'none' }))
    const read = counting(cache)
    const lease = await new Lock(cache, 'a').acquire()
    await lease.release()
    expect(await read()).toMatchObject({ sets: 1, deletes: 1, items: 0 })
  })

  it('tells what memory answered, also when its figures were set back or it is gone', async () => {
    const cache = opened(new FanoutCache(temporaryDirectory(), { shards: 1, memory: {} }))
    const read = counting(cache)
    await cache.set('a', 1)
    for (let at = 0; at < 4; at++) await cache.get('a')
    expect(await read()).toMatchObject({ hits: 4, memory_hits: 3, memory_misses: 1, memory_items: 1 })
    await cache.stats({ reset: true })
    await cache.get('a')
    expect(await read()).toMatchObject({ hits: 5, memory_hits: 4, memory_misses: 1 })
    await cache.close()
    const { memory_hits, memory_items } = await read()
    expect([memory_hits, memory_items]).toEqual([4, undefined])
  })

  it('tells computations by what became of them', async () => {
    const cache = opened(new FanoutCache(temporaryDirectory(), { shards: 1 }))
    const read = counting(cache)
    const compute = () => cache.getOrSet('a', () => 1)
    await Promise.all([compute(), compute(), compute()])
    await cache.getOrSet('b', () => undefined)
    await cache.getOrSet('c', ({ skip }) => skip())
    await expect(cache.getOrSet('d', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await read()).toMatchObject({
      'computations.stored': 1,
      'computations.unstored': 2,
      'computations.failed': 1,
      sets: 1,
    })
  })
})
