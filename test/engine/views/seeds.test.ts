import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Cache, defineModel, FanoutCache, keyOf, type ModelCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { FixtureProcess } from '../../helpers/child-process.js'
import { collect } from '../../helpers/collect.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const PAGE = readFileSync(new URL('../../../docs/typed-caches.md', import.meta.url), 'utf8')
/** What stands in the first column of the tables of the page, for each of the three. */
const ROWS = new Map(
  ['DiskBackend', 'DiskBackedCache', 'FanoutCache'].map(name => {
    const section = PAGE.split(`\n### ${name}`)[1]?.split('\n#')[0] ?? ''
    const rows = [...section.matchAll(/^\| `?([^|`]+?)`? \|/gm)].map(match => match[1] ?? '')
    return [name, rows.filter(row => !/^(there|-+)$/.test(row))]
  }),
)

const clock = (): ManualClock => new ManualClock()

function open(directory = temporaryDirectory(), options = {}): Cache {
  const cache = new Cache(directory, options)
  onTestFinished(() => cache.close())
  return cache
}

function sharded(options = {}): FanoutCache {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 4, timeout: '1m', ...options })
  onTestFinished(() => cache.close())
  return cache
}

interface User {
  name: string
}
const ANN = { name: 'Ann' }
const schema = z.object({ name: z.string() })

function users(options = {}, cache = open()): ModelCache<User, User> {
  return cache.model(defineModel({ name: 'User', version: '1.0.0', schema, ...options }))
}

type Rows = Readonly<Record<string, () => Promise<void>>>

const DISK_BACKEND: Rows = {
  'DiskBackend(directory, size_limit)': async () => {
    const directory = `${temporaryDirectory()}/made`
    expect((await open(directory, { sizeLimit: 2 ** 30 }).settings()).sizeLimit).toBe(2 ** 30)
  },
  'get(key)': async () => {
    const cache = open()
    await cache.set('embedding:doc42', [0.1, 0.2, 0.3])
    expect(await cache.get('embedding:doc42')).toEqual([0.1, 0.2, 0.3])
    expect(await cache.get('none')).toBeUndefined()
  },
  'set(key, value, ttl)': async () => {
    const time = clock()
    const cache = open(undefined, { clock: time })
    await cache.set('k', 1, { ttl: '300s' })
    await cache.set('never', 1, { ttl: null })
    time.advance(300_000)
    expect([await cache.get('k'), await cache.get('never')]).toEqual([undefined, 1])
  },
  'delete(key)': async () => {
    const cache = open()
    await cache.set('k', 1)
    expect([await cache.delete('k'), await cache.delete('k')]).toEqual([true, false])
  },
  'exists(key)': async () => {
    const cache = open()
    await cache.set('k', 1)
    expect([await cache.has('k'), await cache.has('none')]).toEqual([true, false])
  },
  'clear()': async () => {
    const cache = open()
    await cache.set('k', 1)
    expect(await cache.clear()).toBe(1)
  },
  'close(), with …': async () => {
    const cache = open()
    await cache.set('k', 1)
    await cache[Symbol.asyncDispose]()
    expect(await cache.get('k')).toBe(1)
  },
  'len(cache)': async () => {
    const cache = open()
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    expect(await cache.count()).toBe(2)
  },
  'data survives restarts': async () => {
    const directory = temporaryDirectory()
    const first = open(directory)
    await first.set('k', { a: 1 })
    await first.close()
    expect(await open(directory).get('k')).toEqual({ a: 1 })
  },
  'multi-process safety': async () => {
    const directory = temporaryDirectory()
    const caller = new URL('../fixtures/caller.mjs', import.meta.url)
    const workers = [1, 2].map(
      () => new FixtureProcess(caller, { directory, verb: 'incr', count: 100, timeout: 60_000 }),
    )
    for (const worker of workers) await worker.line('ready')
    for (const worker of workers) worker.send('go')
    for (const worker of workers) await worker.line('succeeded 100')
    const cache = new FanoutCache(directory)
    expect(await cache.get('counter')).toBe(200)
    await cache.close()
  },
  'eviction beyond size_limit': async () => {
    const cache = open(undefined, { sizeLimit: 2 ** 18 })
    for (let at = 0; at < 60; at++) await cache.set(at, Buffer.alloc(10_000, at))
    expect(await cache.volume()).toBeLessThanOrEqual(2 ** 18)
    expect(await cache.has(59)).toBe(true)
  },
  'values of any kind': async () => {
    const cache = open()
    const value = { at: new Date(0), map: new Map([[1n, Buffer.from('a')]]) }
    await cache.set('k', value)
    expect(await cache.get('k')).toEqual(value)
  },
  'CacheKeyBuilder(namespace="prod")': async () => {
    const cache = open()
    const prod = cache.namespace('prod')
    await prod.set(keyOf('llm', { model: 'm', n: 1 }), 'cached', { ttl: 3_600_000 })
    expect(await prod.get(keyOf('llm', { n: 1, model: 'm' }))).toBe('cached')
    expect(await collect(cache.keys())).toEqual(['prod:1:llm:{model:m,n:1}'])
  },
}

const DISK_BACKED_CACHE: Rows = {
  'CacheableModel, schema_version': async () => {
    const models = users()
    await models.put('user:1', ANN)
    expect(await models.get('user:1')).toEqual(ANN)
  },
  'immutable objects': async () => {
    const models = users({ memory: { mode: 'frozen' } })
    await models.put('k', ANN)
    const value = (await models.get('k')) ?? ANN
    value.name = 'Bob'
    expect(await models.get('k')).toEqual(ANN)
  },
  'DiskBackedCache(db_path, model)': async () => {
    const directory = temporaryDirectory()
    expect(users({}, open(directory))).toHaveProperty('get')
    await using temporary = new Cache()
    await users({}, temporary).put('k', ANN)
    expect(await users({}, temporary).count()).toBe(0 + 1)
  },
  max_memory_items: async () => {
    const models = users({ memory: { maxItems: 1 } })
    for (const key of ['a', 'b']) await models.put(key, ANN)
    for (const key of ['a', 'b']) await models.get(key)
    expect((await models.stats()).memory).toMatchObject({ items: 1, evictions: 1 })
  },
  max_memory_size_bytes: async () => {
    const models = users({ memory: { maxBytes: 65_536 } })
    for (let at = 0; at < 100; at++) await models.put(at, { name: 'x'.repeat(3000) })
    for (let at = 0; at < 100; at++) await models.get(at)
    const { memory } = await models.stats()
    expect(memory?.bytes).toBeLessThanOrEqual(65_536)
    expect(memory?.items).toBeGreaterThan(5)
  },
  max_disk_items: async () => {
    const models = users({ maxItems: 2 })
    for (const key of ['a', 'b', 'c']) await models.put(key, ANN)
    expect(await models.count()).toBe(2)
  },
  max_disk_size_bytes: async () => {
    const models = users({ sizeLimit: 2 ** 17 })
    for (let at = 0; at < 100; at++) await models.put(at, { name: 'x'.repeat(5000) })
    expect((await models.stats()).disk.bytes).toBeLessThanOrEqual(2 ** 17)
  },
  'memory_ttl_seconds, since the last access': async () => {
    const time = clock()
    const models = users({ memory: { ttl: '1m', sliding: true } }, open(undefined, { clock: time }))
    await models.put('k', ANN)
    const hits = async () => {
      await models.get('k')
      return (await models.stats()).memory?.hits
    }
    expect([await hits(), await hits()]).toEqual([0, 1])
    for (let at = 2; at < 5; at++) {
      time.advance(40_000)
      expect(await hits()).toBe(at)
    }
    time.advance(60_000)
    expect([await hits(), await hits()]).toEqual([4, 5])
  },
  'disk_ttl_seconds, since the last access': async () => {
    const time = clock()
    const models = users({ ttl: '1h', sliding: true }, open(undefined, { clock: time }))
    await models.put('k', ANN)
    for (let at = 0; at < 5; at++) {
      time.advance(50 * 60_000)
      expect(await models.get('k')).toEqual(ANN)
    }
    time.advance(3_600_000)
    expect(await models.get('k')).toBeUndefined()
  },
  max_item_size_bytes: async () => {
    const models = users({ maxItemSize: 1000, memory: {} })
    await models.put('large', { name: 'x'.repeat(2000) })
    for (let at = 0; at < 3; at++) await models.get('large')
    expect(await models.stats()).toMatchObject({ disk: { hits: 3, items: 1 }, memory: { hits: 0, items: 0 } })
  },
  'get(key, timestamp)': async () => {
    const time = clock()
    const models = users({ ttl: 1000 }, open(undefined, { clock: time }))
    await models.put('k', ANN)
    expect(await models.get('none')).toBeUndefined()
    time.advance(1000)
    expect(await models.get('k')).toBeUndefined()
  },
  'put(key, value, timestamp)': async () => {
    const models = users()
    expect(await models.put('k', ANN)).toBe(true)
    await expect(models.put('k', { name: 5 } as never)).rejects.toThrow(/value\.name/)
  },
  'delete(key)': async () => {
    const models = users({ memory: {} })
    await models.put('k', ANN)
    await models.get('k')
    await models.delete('k')
    expect(await models.get('k')).toBeUndefined()
  },
  'get_many(keys, timestamp)': async () => {
    const time = clock()
    const models = users({ maxItems: 2 }, open(undefined, { clock: time }))
    for (const key of ['a', 'b']) {
      await models.put(key, ANN)
      time.advance(10_000)
    }
    expect(await models.getMany(['a', 'none'])).toEqual(new Map([['a', ANN]]))
    await models.put('c', ANN)
    expect([await models.has('a'), await models.has('b')]).toEqual([false, true])
  },
  'put_many(items, timestamp)': async () => {
    const models = users()
    expect(
      await models.putMany([
        ['a', ANN],
        ['b', ANN],
      ]),
    ).toBe(true)
    await expect(
      models.putMany([
        ['c', ANN],
        ['d', {} as never],
      ]),
    ).rejects.toThrow(/'d'/)
    expect(await models.count()).toBe(2)
  },
  'delete_many(keys)': async () => {
    const models = users()
    await models.putMany([
      ['a', ANN],
      ['b', ANN],
    ])
    expect(await models.deleteMany(['a', 'none'])).toEqual([true, false])
  },
  'exists(key, timestamp)': async () => {
    const models = users()
    await models.put('k', ANN)
    expect([await models.has('k'), await models.has('none')]).toEqual([true, false])
  },
  'get_count()': async () => {
    const models = users()
    await models.putMany([
      ['a', ANN],
      ['b', ANN],
    ])
    expect(await models.count()).toBe(2)
  },
  'get_total_size()': async () => {
    const models = users()
    await models.put('k', { name: 'x'.repeat(1000) })
    expect((await models.stats()).disk.bytes).toBeGreaterThan(1000)
  },
  'clear()': async () => {
    const models = users()
    await models.put('k', ANN)
    expect(await models.clear()).toBe(1)
  },
  'close()': async () => {
    const cache = open()
    const models = users({ maxItems: 5 }, cache)
    await models.put('k', ANN)
    await cache.close()
    expect(await models.get('k')).toEqual(ANN)
  },
  'get_stats()': async () => {
    const models = users({ maxItems: 1, memory: { maxItems: 1 } })
    for (const key of ['a', 'b']) await models.put(key, ANN)
    for (const key of ['b', 'b', 'none']) await models.get(key)
    await models.delete('none')
    expect(await models.stats()).toMatchObject({
      ...{ gets: 3, puts: 2, deletes: 1, hits: 2, misses: 1, invalid: 0, migrated: 0 },
      disk: { hits: 1, evictions: 1, items: 1, bytes: expect.any(Number) },
      memory: { hits: 1, evictions: expect.any(Number), items: 1, bytes: expect.any(Number) },
    })
  },
  'LRU eviction, ties by key': async () => {
    const models = users({ maxItems: 2 }, open(undefined, { clock: clock() }))
    await models.putMany([
      ['c', ANN],
      ['b', ANN],
    ])
    await models.put('a', ANN)
    expect((await collect(models.keys())).sort()).toEqual(['a', 'c'])
  },
  'two tiers, promotion from disk': async () => {
    const models = users({ memory: {} })
    await models.put('k', ANN)
    for (let at = 0; at < 3; at++) await models.get('k')
    expect(await models.stats()).toMatchObject({ disk: { hits: 1, items: 1 }, memory: { hits: 2, items: 1 } })
  },
  'disk eviction cascades to memory': async () => {
    const models = users({ maxItems: 2, memory: {} })
    for (const key of ['a', 'b']) await models.put(key, ANN)
    for (const key of ['a', 'b', 'a', 'b']) await models.get(key)
    await models.put('c', ANN)
    const left = await Promise.all(['a', 'b', 'c'].map(key => models.get(key)))
    expect(left.filter(Boolean)).toHaveLength(2)
    expect(left[2]).toEqual(ANN)
  },
  'schema versioning': async () => {
    const cache = open()
    await users({}, cache).put('k', ANN)
    const next = users({ version: '2.0.0' }, cache)
    expect([await next.get('k'), await next.count()]).toEqual([undefined, 0])
  },
  'concurrent use': async () => {
    const models = users({}, open())
    await Promise.all(Array.from({ length: 50 }, (_, at) => models.put(at % 5, { name: `${at}` })))
    expect(await models.get(4)).toEqual({ name: '49' })
  },
}

const FANOUT_CACHE: Rows = {
  'FanoutCache(directory, shards, timeout, disk, **settings)': async () => {
    const cache = sharded({ shards: 3, sizeLimit: 3 * 2 ** 20 })
    expect((await cache.settings()).sizeLimit).toBe(3 * 2 ** 20)
    await using temporary = new FanoutCache()
    expect(await temporary.set('k', 1)).toBe(true)
  },
  directory: async () => {
    const directory = temporaryDirectory()
    expect(new FanoutCache(directory).directory).toBe(directory)
  },
  'set(key, value, expire, read, tag, retry)': async () => {
    const cache = sharded()
    expect(await cache.set('k', 'v', { ttl: '1m', file: true, tag: 't', retry: true })).toBe(true)
    expect(await cache.info('k')).toMatchObject({ tag: 't', path: expect.any(String) })
  },
  'get(key, default, read, expire_time, tag, retry)': async () => {
    const cache = sharded()
    await cache.set('k', 'v', { ttl: '1m', tag: 't' })
    expect([await cache.get('k'), (await cache.get('none')) ?? 'default']).toEqual(['v', 'default'])
    expect(await cache.getItem('k')).toMatchObject({ value: 'v', tag: 't', expiresAt: expect.any(Number) })
  },
  'delete(key, retry)': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    expect([await cache.delete('k'), await cache.delete('k')]).toEqual([true, false])
  },
  'add(key, value, …)': async () => {
    const cache = sharded()
    expect([await cache.add('k', 1), await cache.add('k', 2)]).toEqual([true, false])
  },
  'touch(key, expire, retry)': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    expect(await cache.touch('k', { ttl: '1m' })).toBe(true)
    expect((await cache.info('k'))?.expiresAt).toBeDefined()
  },
  'pop(key, default, expire_time, tag, retry)': async () => {
    const cache = sharded()
    await cache.set('k', 1, { tag: 't' })
    expect(await cache.popItem('k')).toMatchObject({ value: 1, tag: 't' })
    expect(await cache.pop('k')).toBeUndefined()
  },
  'read(key)': async () => {
    const cache = sharded()
    await cache.set('k', Buffer.from('bytes'), { file: true })
    const file = await cache.read('k')
    expect(file && (await text(file.stream()))).toBe('bytes')
  },
  'incr(key, delta, default, retry)': async () => {
    const cache = sharded()
    expect([await cache.incr('k'), await cache.incr('k', 5), await cache.incr('m', 1, { default: 9 })]).toEqual([
      1, 6, 10,
    ])
  },
  'decr(key, delta, default, retry)': async () => {
    expect(await sharded().decr('k', 2)).toBe(-2)
  },
  'cache[key] = value': async () => {
    const cache = sharded()
    expect([await cache.set('k', 1), await cache.get('k')]).toEqual([true, 1])
  },
  'cache[key]': async () => {
    const cache = sharded()
    await cache.set('k', { debug: false })
    expect([await cache.get('k'), await cache.get('none')]).toEqual([{ debug: false }, undefined])
  },
  'del cache[key]': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    expect([await cache.delete('k'), await cache.delete('k'), await cache.get('k')]).toEqual([true, false, undefined])
  },
  'key in cache': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    expect([await cache.has('k'), await cache.has('none')]).toEqual([true, false])
  },
  'len(cache)': async () => {
    const cache = sharded()
    await cache.setMany(Array.from({ length: 20 }, (_, at) => [at, at] as const))
    expect(await cache.count()).toBe(20)
  },
  'iter(cache), reversed(cache)': async () => {
    const cache = sharded()
    await cache.setMany([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
    const keys = await collect(cache.keys())
    expect([...keys].sort()).toEqual(['a', 'b', 'c'])
    expect(await collect(cache.keys({ reverse: true }))).toEqual(keys.reverse())
  },
  'clear(retry)': async () => {
    const cache = sharded()
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    expect(await cache.clear({ retry: true })).toBe(2)
  },
  'cull(retry)': async () => {
    const cache = sharded({ cullLimit: 0, sizeLimit: 4 * 2 ** 18 })
    for (let at = 0; at < 150; at++) await cache.set(at, Buffer.alloc(10_000, at))
    expect(await cache.volume()).toBeGreaterThan(4 * 2 ** 18)
    const removed = await cache.cull({ retry: true })
    expect(removed).toBeGreaterThan(20)
    expect(await cache.count()).toBe(150 - removed)
    expect(await cache.volume()).toBeLessThanOrEqual(4 * 2 ** 18)
  },
  'expire(retry)': async () => {
    const time = clock()
    const cache = sharded({ clock: time, cullLimit: 0 })
    await cache.set('k', 1, { ttl: 1 })
    time.advance(1)
    expect(await cache.expire()).toBe(1)
  },
  'evict(tag, retry)': async () => {
    const cache = sharded()
    await cache.setMany([
      ['a', 1, { tag: 'temporary' }],
      ['b', 2],
    ])
    expect(await cache.evict('temporary')).toBe(1)
  },
  'check(fix, retry)': async () => {
    const cache = sharded()
    await cache.setMany(['lost', 'kept'].map(key => [key, 'v', { file: true }] as const))
    rmSync(join(cache.directory, (await cache.info('lost'))?.path ?? ''))
    expect((await cache.check({ fix: true }))[0]).toMatchObject({ kind: 'missing-file', fixed: true })
    expect(await cache.check()).toEqual([])
    expect([await cache.has('lost'), await cache.get('kept')]).toEqual([false, 'v'])
  },
  'create_tag_index(), drop_tag_index()': async () => {
    const cache = sharded()
    await cache.createTagIndex()
    expect((await cache.settings()).tagIndex).toBe(true)
    await cache.dropTagIndex()
    expect((await cache.settings()).tagIndex).toBe(false)
  },
  'stats(enable, reset)': async () => {
    const cache = sharded()
    await cache.configure({ statistics: true })
    await cache.set('k', 1)
    await Promise.all([cache.get('k'), cache.get('none')])
    expect(await cache.stats({ reset: true })).toMatchObject({ hits: 1, misses: 1 })
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0 })
  },
  'volume()': async () => {
    const cache = sharded()
    const empty = await cache.volume()
    for (let at = 0; at < 10; at++) await cache.set(at, Buffer.alloc(100_000))
    expect((await cache.volume()) - empty).toBeGreaterThanOrEqual(1_000_000)
  },
  'transact(retry)': async () => {
    const cache = sharded()
    await expect(
      cache.transact(tx => {
        tx.set('a', 1)
        throw new Error('undone')
      }),
    ).rejects.toThrow('undone')
    expect(await cache.count()).toBe(0)
  },
  'with cache, close()': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    await cache.close()
    expect(await cache.get('k')).toBe(1)
  },
  'cache(name), deque(name), index(name)': async () => {
    const cache = sharded()
    await cache.cache('users').set('user:123', ANN)
    await cache.index('sessions').set('abc', 1)
    await cache.deque('tasks').append({ task: 'send' })
    expect(await cache.cache('users').count()).toBe(1)
    expect([await cache.index('sessions').size(), await cache.deque('tasks').length()]).toEqual([1, 1])
    expect(await cache.count()).toBe(0)
  },
  'reset(key, value)': async () => {
    const cache = sharded()
    expect((await cache.configure({ cullLimit: 5 })).cullLimit).toBe(5)
  },
  'pickling of the cache': async () => {
    const cache = sharded()
    await cache.set('k', 1)
    const other = new FanoutCache(cache.directory)
    expect(await other.get('k')).toBe(1)
    await other.close()
  },
  'cache.size_limit and other settings': async () => {
    expect((await sharded().settings()).evictionPolicy).toBe('least-recently-stored')
  },
}

describe.each([
  ['DiskBackend', DISK_BACKEND],
  ['DiskBackedCache', DISK_BACKED_CACHE],
  ['FanoutCache', FANOUT_CACHE],
] as const)('the table of docs/typed-caches.md for %s', (name, rows) => {
  it('has the rows that are shown here, and no others', () => {
    expect(ROWS.get(name)).toEqual(Object.keys(rows))
  })

  it.each(Object.entries(rows))('shows what replaces %s', async (_, show) => {
    await show()
  })
})
