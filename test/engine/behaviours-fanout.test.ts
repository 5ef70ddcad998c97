import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Cache, type CacheEvents, FanoutCache, type Key, TimeoutError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { fanoutSubject, withClock } from '../contract/subjects.js'
import { FixtureProcess } from '../helpers/child-process.js'
import { collect } from '../helpers/collect.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectNoValueFiles } from '../helpers/value-files.js'

// What upstream's tests/test_fanout.py shows and the contract suite does not; the name of the test stands above.

const LARGE = 'x'.repeat(40_000)
const structured = fanoutSubject('structured')
const eight = { shards: 8 } as object

describe('shards', () => {
  // test_init
  it('a new directory has eight shards, each with its part of the size limit', async () => {
    const cache = structured.make({ shards: undefined } as never)
    await cache.open()
    for (let shard = 0; shard < 8; shard += 1) {
      const directory = join(cache.directory, String(shard).padStart(3, '0'))
      const row = rawDatabase(directory).prepare("SELECT value FROM Settings WHERE key = 'size_limit'").pluck().get()
      expect(row).toBe(2 ** 30 / 8)
    }
    expect(existsSync(join(cache.directory, '008'))).toBe(false)
    expect((await cache.settings()).sizeLimit).toBe(2 ** 30)
    expect(await cache.check()).toEqual([])
  })

  it('a size limit is told as it was given, whatever the number of shards', async () => {
    for (const shards of [6, 7, 9, 11]) {
      const cache = structured.make({ shards, sizeLimit: 1e9 } as object)
      const settings = await cache.settings()
      expect(settings.sizeLimit).toBe(1e9)
      expect(await cache.configure(settings)).toEqual(settings)
      const again = new FanoutCache(cache.directory, { sizeLimit: 1e9 })
      await again.close()
    }
  })

  // test_init
  it('the number of shards is that of the directory when it is not given', async () => {
    const directory = temporaryDirectory()
    const first = structured.make({ shards: 5 } as object, directory)
    for (let key = 0; key < 50; key += 1) await first.set(key, key)
    await first.close()
    await using second = new FanoutCache(directory)
    expect(await second.getMany(Array.from({ length: 50 }, (_, key) => key))).toEqual(
      Array.from({ length: 50 }, (_, key) => key),
    )
    expect(existsSync(join(directory, '005'))).toBe(false)
  })

  it('another number of shards than the directory has is a RangeError: its keys would vanish', async () => {
    const first = structured.make({ shards: 5 } as object)
    await first.set('key', 1)
    await first.close()
    for (const shards of [4, 6, 8]) {
      const other = async () => structured.make({ shards } as object, first.directory).get('key')
      await expect(other()).rejects.toThrow(RangeError)
      await expect(other()).rejects.toThrow(/shards/)
    }
    expect(await first.get('key')).toBe(1)
  })

  it('a Cache on the directory of a FanoutCache is refused, and the reverse', async () => {
    const fanout = structured.make()
    await fanout.set('key', 1)
    await fanout.close()
    await expect(async () => new Cache(fanout.directory).get('key')).rejects.toThrow(/FanoutCache/)
    const directory = temporaryDirectory()
    await using cache = new Cache(directory)
    await cache.set('key', 1)
    await cache.close()
    await expect(async () => new FanoutCache(directory).get('key')).rejects.toThrow(/Cache/)
    expect(existsSync(join(directory, '000'))).toBe(false)
  })

  // test_set_get_delete
  it('set(), get(), has() and delete() work on items of every shard', async () => {
    const cache = structured.make(eight)
    for (let key = 0; key < 100; key += 1) expect(await cache.set(key, key)).toBe(true)
    expect(await cache.check()).toEqual([])
    for (let key = 0; key < 100; key += 1) expect(await cache.get(key)).toBe(key)
    for (let key = 0; key < 100; key += 1) expect(await cache.has(key)).toBe(true)
    for (let key = 0; key < 100; key += 1) expect(await cache.delete(key)).toBe(true)
    for (let key = 0; key < 100; key += 1) expect(await cache.delete(key)).toBe(false)
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  // test_volume
  it('count() and volume() are the sums over the shards', async () => {
    const cache = structured.make()
    for (let key = 0; key < 9; key += 1) await cache.set(key, LARGE)
    await cache.close()
    let [count, volume] = [0, 0]
    for (const shard of ['000', '001', '002']) {
      const db = rawDatabase(join(cache.directory, shard))
      const setting = (key: string): number =>
        Number(db.prepare('SELECT value FROM Settings WHERE key = ?').pluck().get(key))
      const pages = (name: string): number => Number(db.pragma(name, { simple: true }))
      count += setting('count')
      volume += setting('size') + (pages('page_count') - pages('freelist_count')) * pages('page_size')
      db.close()
    }
    expect([await cache.count(), await cache.volume()]).toEqual([count, volume])
    expect(count).toBe(9)
  })

  // test_expire, test_evict, test_clear
  it('expire(), evict() and clear() answer the totals over the shards', async () => {
    const { cache, clock } = withClock(structured, { cullLimit: 0, ...eight })
    for (let key = 0; key < 100; key += 1) await cache.set(key, key, { ttl: 1000 })
    for (let key = 100; key < 190; key += 1) await cache.set(key, key, { tag: key % 3 })
    clock.advance(1000)
    expect(await cache.count()).toBe(190)
    expect(await cache.expire()).toBe(100)
    expect(await cache.evict(1)).toBe(30)
    expect(await cache.clear()).toBe(60)
    expect(await cache.check()).toEqual([])
  })

  // test_size_limit_with_files, test_size_limit_with_database
  for (const [kind, size] of [
    ['files', 33_000],
    ['rows', 4000],
  ] as const) {
    it(`cull() brings every shard under its part of the limit, with values in ${kind}`, async () => {
      const cache = structured.make({ cullLimit: 0, sizeLimit: 100_000_000 })
      for (let key = 0; key < 300; key += 1) await cache.set(key, Buffer.alloc(size))
      const limit = Math.floor((await cache.volume()) / 2)
      await cache.configure({ sizeLimit: limit })
      const removed = await cache.cull()
      expect(removed).toBeGreaterThan(0)
      expect(await cache.count()).toBe(300 - removed)
      expect(await cache.volume()).toBeLessThanOrEqual(limit)
      expect(await cache.check()).toEqual([])
    })
  }

  // test_getsetdel
  it('keys and values of every kind are gone without a trace when all are deleted', async () => {
    const cache = structured.make()
    const things: Key[] = [Array(2 ** 12).fill(null), 1024, 2n ** 80n, 98.6, 'hello', LARGE, Buffer.alloc(40_000, 'b')]
    for (const thing of things) expect(await cache.set(thing, thing)).toBe(true)
    for (const thing of things) expect(await cache.get(thing)).toEqual(thing)
    expect(await cache.set('stream', Readable.from(['bytes']))).toBe(true)
    expect(await cache.count()).toBe(things.length + 1)
    for (const thing of [...things, 'stream']) expect(await cache.delete(thing)).toBe(true)
    expect(await cache.count()).toBe(0)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  // test_pop
  it('pop() takes each of the items of all shards once', async () => {
    const cache = structured.make(eight)
    for (let key = 0; key < 100; key += 1) await cache.set(key, key)
    for (let key = 0; key < 100; key += 1) expect(await cache.pop(key)).toBe(key)
    for (let key = 0; key < 100; key += 1) expect(await cache.pop(key)).toBeUndefined()
    expect(await cache.check()).toEqual([])
  })

  // test_iter_expire
  it('keys({ includeExpired }) lists what has expired until expire() removes it', async () => {
    const { cache, clock } = withClock(structured, { cullLimit: 0, ...eight })
    for (let key = 0; key < 100; key += 1) await cache.set(key, key, { ttl: 1000 })
    clock.advance(1000)
    expect(await collect(cache.keys())).toEqual([])
    const sorted = async () => ((await collect(cache.keys({ includeExpired: true }))) as number[]).sort((a, b) => a - b)
    expect(await sorted()).toEqual(Array.from({ length: 100 }, (_, key) => key))
    await cache.expire()
    expect(await sorted()).toEqual([])
  })

  // test_iter, test_reversed
  it('keys() lists shard by shard, each in stored order, and reversed the reverse', async () => {
    const cache = structured.make()
    for (let key = 30; key > 0; key -= 1) await cache.set(key, key)
    const keys = (await collect(cache.keys())) as number[]
    const stored = Array.from({ length: 30 }, (_, index) => 30 - index)
    expect(keys).toEqual([0, 1, 2].flatMap(shard => stored.filter(key => key % 3 === shard)))
    expect(await collect(cache.keys({ reverse: true }))).toEqual(keys.reverse())
  })
})

describe('contention', () => {
  /** Processes that make the same calls at once. */
  async function callers(
    verb: 'add' | 'incr',
    count: number,
    timeout: number,
  ): Promise<{ directory: string; succeeded: number }> {
    const directory = temporaryDirectory()
    const script = new URL('./fixtures/caller.mjs', import.meta.url)
    const processes = Array.from({ length: 4 }, () => new FixtureProcess(script, { directory, verb, count, timeout }))
    await Promise.all(processes.map(caller => caller.line('ready')))
    for (const caller of processes) caller.send('go')
    const lines = await Promise.all(processes.map(async caller => (await caller.done()).at(-1) ?? ''))
    return { directory, succeeded: lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0) }
  }

  // test_add_concurrent
  it('add() in four processes succeeds once for every key', async () => {
    const { directory, succeeded } = await callers('add', 500, 10)
    expect(succeeded).toBe(500)
    await using cache = new FanoutCache(directory)
    expect(await cache.count()).toBe(500)
    expect(await cache.check()).toEqual([])
  })

  // test_incr_concurrent
  it('incr() in four processes loses no count, although a lock may be waited for 1 ms only', async () => {
    const { directory, succeeded } = await callers('incr', 250, 1)
    expect(succeeded).toBe(1000)
    await using cache = new FanoutCache(directory)
    expect(await cache.get('counter')).toBe(1000)
  })

  /** A cache whose shards another connection has locked. */
  async function locked(): Promise<{ cache: FanoutCache; free: () => void; refused: CacheEvents['refused'][] }> {
    const cache = structured.make({ timeout: 20, statistics: true })
    for (let key = 0; key < 9; key += 1) await cache.set(key, key, { tag: 'red' })
    const databases = ['000', '001', '002'].map(shard => rawDatabase(join(cache.directory, shard)))
    for (const db of databases) db.exec('BEGIN IMMEDIATE')
    const refused: CacheEvents['refused'][] = []
    cache.on('refused', payload => refused.push(payload))
    const free = (): void => {
      for (const db of databases) db.exec('ROLLBACK')
    }
    return { cache, refused, free }
  }

  // test_set_timeout, test_touch_timeout, test_add_timeout, test_delete_timeout, test_incr_timeout, test_decr_timeout,
  // test_pop_timeout
  it('writing verbs that are told not to retry answer false or undefined, and tell it', async () => {
    const { cache, free, refused } = await locked()
    const options = { retry: false }
    expect(await cache.set(1, LARGE, options)).toBe(false)
    expect(await cache.add(100, LARGE, options)).toBe(false)
    expect(await cache.touch(1, { ttl: 0, ...options })).toBe(false)
    expect(await cache.delete(1, options)).toBe(false)
    expect(await cache.incr(1, 1, options)).toBeUndefined()
    expect(await cache.decr(1, 1, options)).toBeUndefined()
    expect(await cache.pop(1, options)).toBeUndefined()
    expect(await cache.popItem(1, options)).toBeUndefined()
    expect(refused.map(({ key, reason }) => [key, reason])).toEqual(
      [1, 100, 1, 1, 1, 1, 1, 1].map(key => [key, 'timeout']),
    )
    for (const { error } of refused) expect(error).toBeInstanceOf(TimeoutError)
    free()
    expect(await cache.get(1)).toBe(1)
    expect((await cache.stats()).timeouts).toBe(8)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  // test_get_timeout
  it('reading verbs answer while the shards are locked, with statistics too', async () => {
    const { cache, free } = await locked()
    expect(await cache.get(1)).toBe(1)
    expect((await cache.getItem(2))?.value).toBe(2)
    expect(await cache.getMany([3, 4])).toEqual([3, 4])
    expect(await cache.has(5)).toBe(true)
    expect(await collect(cache.keys())).toHaveLength(9)
    expect(await cache.count()).toBe(9)
    free()
  })

  it('listings, figures and settings wait, having no other answer, where a rollback journal holds up readers', async () => {
    const cache = structured.make({ timeout: 20, sqlite: { journalMode: 'delete' } })
    for (let key = 0; key < 9; key += 1) await cache.set(key, key)
    const databases = ['000', '001', '002'].map(shard => rawDatabase(join(cache.directory, shard)))
    for (const db of databases) db.exec('BEGIN EXCLUSIVE')
    const answers = Promise.all([
      cache.count(),
      cache.volume(),
      cache.stats().then(({ count }) => count),
      cache.settings().then(({ cullLimit }) => cullLimit),
      collect(cache.keys()).then(({ length }) => length),
      collect(cache.entries({ includeExpired: true })).then(({ length }) => length),
      cache.namespace('none').count(),
    ])
    expect(await cache.get(1)).toBeUndefined()
    expect(await cache.has(1)).toBe(false)
    for (const db of databases) db.exec('ROLLBACK')
    expect(await answers).toEqual([9, await cache.volume(), 9, 10, 9, 9, 0])
  })

  // test_remove_timeout, test_reset_timeout
  it('bulk removals, configure(), indexes and figures set back answer when the shards are free again', async () => {
    const { cache, free, refused } = await locked()
    expect(await cache.get('missing')).toBeUndefined()
    const answers = Promise.all([
      cache.evict('red', { retry: true }),
      cache.clear({ retry: true }),
      cache.expire({ retry: true }),
    ])
    const changes = [cache.configure({ cullLimit: 4 }), cache.createTagIndex(), cache.stats({ reset: true })]
    setTimeout(free, 100)
    expect(await answers).toEqual([9, 0, 0])
    expect(await Promise.all(changes)).toEqual([
      expect.objectContaining({ cullLimit: 4 }),
      undefined,
      expect.objectContaining({ misses: 1 }),
    ])
    expect(await cache.settings()).toMatchObject({ cullLimit: 4, tagIndex: true })
    expect(await cache.stats()).toMatchObject({ misses: 0 })
    expect(refused).toEqual([])
  })

  // test_remove_timeout
  it.each([true, false])(
    'a bulk removal that meets a lock on its way answers all that it removed (retry: %s)',
    async retry => {
      const cache = structured.make({ timeout: 20 })
      const total = 30_000
      await cache.setMany(Array.from({ length: total }, (_, key) => [key, key] as const))
      const shards = ['000', '001', '002'].map(shard => rawDatabase(join(cache.directory, shard)))
      const left = () => shards.map(db => Number(db.prepare('SELECT COUNT(*) FROM Cache').pluck().get()))
      const before = left()
      const removing = cache.clear({ retry })
      while (left()[0] === before[0]) await new Promise(resolve => setImmediate(resolve))
      shards[0]?.exec('BEGIN IMMEDIATE')
      expect(left()[0]).toBeGreaterThan(0)
      // The others go on meanwhile.
      await expect.poll(() => left().slice(1), { interval: 5 }).toEqual([0, 0])
      if (!retry) expect(await removing).toBe(total - (left()[0] as number))
      shards[0]?.exec('ROLLBACK')
      if (retry) expect(await removing).toBe(total)
      expect(await cache.count()).toBe(retry ? 0 : left()[0])
      expect(await cache.check()).toEqual([])
    },
  )

  // test_remove_timeout
  it('bulk removals that are told not to retry answer what they removed, and never reject', async () => {
    const { cache, free } = await locked()
    expect(await cache.evict('red', { retry: false })).toBe(0)
    expect(await cache.clear()).toBe(0)
    expect(await cache.expire()).toBe(0)
    expect(await cache.cull()).toBe(0)
    free()
    expect(await cache.clear()).toBe(9)
  })
})
