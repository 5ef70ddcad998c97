import { once } from 'node:events'
import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import {
  Cache,
  type CacheOptions,
  Deque,
  DiskCacheError,
  FanoutCache,
  jsonCodec,
  type Key,
  memoize,
  TimeoutError,
} from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cacheSubject, fanoutSubject, withClock } from '../contract/subjects.js'
import { collect } from '../helpers/collect.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'

// What upstream's tests/test_core.py shows and the contract suite does not; the name of the test stands above.

const LARGE = 'x'.repeat(40_000)
const structured = cacheSubject('structured')

/** The connections that are opened from now on to databases in the directory. */
function connectionsIn(directory: string): ReadonlySet<Database.Database> {
  const found = new Set<Database.Database>()
  const { prepare } = Database.prototype
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    if (this.name.startsWith(directory)) found.add(this)
    return prepare.call(this, source)
  } as typeof prepare
  onTestFinished(() => {
    Database.prototype.prepare = prepare
  })
  return found
}

function pragmasOf(db: Database.Database): Record<string, unknown> {
  const names = ['cache_size', 'synchronous', 'mmap_size', 'journal_mode']
  return Object.fromEntries(names.map(name => [name, db.pragma(name, { simple: true })]))
}

describe('opening and settings', () => {
  // test_init, test_pragmas
  it('a new database has the pragmas that the settings tell', async () => {
    const cache = structured.make()
    await cache.set('key', 1)
    const db = rawDatabase(cache.directory)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.pragma('auto_vacuum', { simple: true })).toBe(1)
    expect(db.pragma('page_size', { simple: true })).toBe(4096)
    expect(await cache.check()).toEqual([])
  })

  it.each([
    ['a Deque', async (directory: string) => await new Deque(directory).append('item')],
    [
      'a Cache that never evicts',
      async (directory: string) => await new Cache(directory, { evictionPolicy: 'none' }).set('key', 1),
    ],
  ])('the pages of %s are half as large', async (_, write) => {
    const directory = temporaryDirectory()
    await write(directory)
    expect(rawDatabase(directory).pragma('page_size', { simple: true })).toBe(2048)
  })

  // test_pragmas
  it.each([
    ['Cache', 1, (directory: string, options?: CacheOptions) => new Cache(directory, options)],
    [
      'FanoutCache',
      3,
      (directory: string, options?: CacheOptions) => new FanoutCache(directory, { shards: 3, ...options }),
    ],
  ] as const)('every connection of a %s has the pragmas that its settings tell', async (_, shards, make) => {
    const directory = temporaryDirectory()
    const connections = connectionsIn(directory)
    const inForce = (): unknown[] => [...connections].filter(({ open }) => open).map(pragmasOf)
    // A page of the setting has 4 KiB, and what SQLite counts in KiB is negative.
    const kibibytes = (pages: number): number => -4 * pages
    const all = (pragmas: object): unknown[] => Array.from({ length: shards }, () => pragmas)
    const first = make(directory, {
      sqlite: { cacheSize: 600, synchronous: 2, mmapSize: 2 ** 20, journalMode: 'delete' },
    })
    await first.set('key', 1)
    const given = { cache_size: kibibytes(600) / shards, synchronous: 2, mmap_size: 2 ** 20, journal_mode: 'delete' }
    expect(inForce()).toEqual(all(given))
    await first.configure({ sqlite: { cacheSize: 300, synchronous: 0 } })
    expect(inForce()).toEqual(all({ ...given, cache_size: kibibytes(300) / shards, synchronous: 0 }))
    await first.close()
    expect(inForce()).toEqual([])
    const second = make(directory)
    await second.get('key')
    // Mapping is for those who ask for it.
    expect(inForce()).toEqual(all({ ...given, cache_size: kibibytes(300) / shards, synchronous: 0, mmap_size: 0 }))
    await second.close()
  })

  // test_init
  it('a new database holds the settings of DiskCache, whole numbers as integers', async () => {
    const cache = structured.make()
    await cache.set('key', 1)
    const rows = rawDatabase(cache.directory).prepare('SELECT key, value, typeof(value) AS type FROM Settings').all()
    const byKey = new Map((rows as { key: string; value: unknown; type: string }[]).map(row => [row.key, row]))
    const expected: [string, unknown][] = [
      ['statistics', 0],
      ['tag_index', 0],
      ['eviction_policy', 'least-recently-stored'],
      ['size_limit', 2 ** 30],
      ['cull_limit', 10],
      ['sqlite_auto_vacuum', 1],
      ['sqlite_cache_size', 8192],
      ['sqlite_journal_mode', 'wal'],
      ['sqlite_mmap_size', 2 ** 26],
      ['sqlite_synchronous', 1],
      ['disk_min_file_size', 32_768],
      ['disk_pickle_protocol', 5],
      ['count', 1],
      ['size', 0],
      ['hits', 0],
      ['misses', 0],
    ]
    for (const [key, value] of expected) {
      expect(byKey.get(key)).toEqual({ key, value, type: typeof value === 'string' ? 'text' : 'integer' })
    }
  })

  // test_init_disk, test_disk_reset
  it('minFileSize counts the characters of a text as Python does', async () => {
    const cache = structured.make({ disk: { minFileSize: 100 } })
    await cache.set('less', '😀'.repeat(99))
    await cache.set('as many', '😀'.repeat(100))
    expect((await cache.info('less'))?.path).toBeUndefined()
    expect((await cache.info('as many'))?.path).toBeDefined()
  })

  it('minFileSize decides about files from the opening and from configure() on', async () => {
    const cache = structured.make({ disk: { minFileSize: 100 } })
    await cache.set([null, 0], 'x'.repeat(99))
    await cache.set([null, 1], 'x'.repeat(100))
    await cache.configure({ disk: { minFileSize: 0 } })
    await cache.set([null, 2], '')
    const paths = await Promise.all([0, 1, 2].map(async part => (await cache.info([null, part]))?.path))
    expect(paths).toEqual([undefined, expect.any(String), expect.any(String)])
    expect(
      await cache.getMany([
        [null, 0],
        [null, 1],
        [null, 2],
      ]),
    ).toEqual(['x'.repeat(99), 'x'.repeat(100), ''])
  })

  // test_custom_disk
  it('jsonCodec keeps keys and values of every JSON kind and lists them in order', async () => {
    const cache = cacheSubject('json').make()
    const things: Key[] = [
      null,
      true,
      false,
      0,
      1.23,
      { a: 1, b: [2] },
      Array.from({ length: 10_000 }, (_, index) => index),
    ]
    for (const thing of things) await cache.set(thing, thing)
    expect(await collect(cache.keys())).toEqual(things)
    expect(await collect(cache.entries())).toEqual(things.map(thing => [thing, thing]))
    expect(await cache.check()).toEqual([])
  })

  // test_custom_disk
  it('jsonCodec.level(6) finds again what it stored, and lists and memoizes it', async () => {
    const cache = structured.make({ codec: jsonCodec.level(6) })
    const things: Key[] = [null, true, 0, 1.23, { a: 1 }, Array.from({ length: 10_000 }, (_, index) => index)]
    for (const thing of things) await cache.set(thing, thing)
    for (const thing of things) expect(await cache.get(thing)).toEqual(thing)
    expect(await collect(cache.keys())).toEqual(things)
    const compute = vi.fn((number: number) => number * 2)
    const double = memoize(cache, compute, { name: 'double' })
    expect([await double(4), await double(4)]).toEqual([8, 8])
    expect(compute).toHaveBeenCalledTimes(1)
  })

  // test_pragma_error, test_cull_timeout
  it('cull() and configure() reject with TimeoutError while another connection holds the lock, and change nothing', async () => {
    const cache = structured.make({ timeout: 100 })
    await cache.set('key', 1)
    const db = rawDatabase(cache.directory)
    db.exec('BEGIN IMMEDIATE')
    await expect(cache.cull()).rejects.toThrow(TimeoutError)
    await expect(cache.configure({ cullLimit: 3 })).rejects.toThrow(TimeoutError)
    await expect(cache.createTagIndex()).rejects.toThrow(TimeoutError)
    db.exec('ROLLBACK')
    expect(await cache.settings()).toMatchObject({ cullLimit: 10, tagIndex: false })
    expect(await cache.count()).toBe(1)
    expect((await cache.stats()).timeouts).toBe(3)
  })

  // test_pragmas, test_with
  it.each(['Cache', 'FanoutCache'])('threads share a %s, whether they close it or not', async kind => {
    const directory = temporaryDirectory()
    const script = new URL('./fixtures/thread.mjs', import.meta.url)
    const threads = [0, 1, 2, 3].map(id => new Worker(script, { workerData: { directory, kind, id } }))
    const codes = await Promise.all(threads.map(async thread => (await once(thread, 'exit'))[0] as number))
    expect(codes).toEqual([0, 0, 0, 0])
    await using cache = kind === 'Cache' ? new Cache(directory) : new FanoutCache(directory)
    expect(await cache.get('counter')).toBe(100)
    expect(await cache.count()).toBe(101)
    expect(await cache.get('3 20')).toBe(LARGE)
    expect(await cache.check()).toEqual([])
  })

  // test_rsync, of test_fanout.py as well
  it.each([structured, fanoutSubject('structured')])(
    'directories of a $name that are copied back and forth keep all items readable',
    async ({ make }) => {
      const first = make()
      for (let key = 0; key < 100; key += 1) await first.set(key, key % 10 ? key : `${key}${LARGE}`)
      await first.close()
      const copied = join(temporaryDirectory(), 'copy')
      cpSync(first.directory, copied, { recursive: true })
      const second = make({}, copied)
      for (let key = 100; key < 200; key += 1) await second.set(key, key % 10 ? key : `${key}${LARGE}`)
      await second.close()
      cpSync(copied, first.directory, { recursive: true })
      for (let key = 0; key < 200; key += 1) expect(await first.get(key)).toBe(key % 10 ? key : `${key}${LARGE}`)
      expect(await first.check()).toEqual([])
    },
  )
})

describe('items', () => {
  // test_getsetdel
  it('values and keys of extreme size come back, and deleting all leaves nothing', async () => {
    const cache = structured.make()
    const million = Array.from({ length: 2 ** 20 }, () => null)
    const things: Key[] = [million, 1024, 2n ** 512n, 98.6, 'hello', 'hello'.repeat(1024), Buffer.alloc(2 ** 20, 'b')]
    for (const thing of things) expect(await cache.set(thing, thing)).toBe(true)
    for (const thing of things) expect(isDeepStrictEqual(await cache.get(thing), thing)).toBe(true)
    expect(await cache.count()).toBe(things.length)
    for (const thing of things) expect(await cache.delete(thing)).toBe(true)
    expect(await cache.count()).toBe(0)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  // test_set_timeout, test_add_timeout
  it('set() and add() of large values leave no file when they time out', async () => {
    const cache = structured.make({ timeout: 50 })
    await cache.open()
    await cache.set('old', 1)
    const db = rawDatabase(cache.directory)
    db.exec('BEGIN IMMEDIATE')
    await expect(cache.set('key', LARGE)).rejects.toThrow(TimeoutError)
    await expect(cache.add('key', LARGE)).rejects.toThrow(TimeoutError)
    db.exec('ROLLBACK')
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  // test_get_expired_slow_path
  for (const evictionPolicy of ['least-recently-used', 'least-frequently-used'] as const) {
    it(`get() misses what has expired with statistics and ${evictionPolicy}`, async () => {
      const { cache, clock } = withClock(structured, { statistics: true, evictionPolicy })
      await cache.set('key', 1, { ttl: 1000 })
      expect(await cache.get('key')).toBe(1)
      clock.advance(1000)
      expect(await cache.get('key')).toBeUndefined()
      expect(await cache.stats()).toMatchObject({ hits: 1, misses: 1 })
    })

    // test_lru_incr
    it(`incr() and decr() count under ${evictionPolicy}`, async () => {
      const cache = structured.make({ evictionPolicy })
      await cache.set('key', 0)
      expect([await cache.incr('key'), await cache.incr('key', 5), await cache.decr('key')]).toEqual([1, 6, 5])
      expect(await cache.get('key')).toBe(5)
    })
  }

  // test_get_keyerror4, test_get_ioerror_fast_path, test_pop_ioerror
  it('get() and pop() miss a value whose file is gone, and statistics count it as a miss', async () => {
    const cache = structured.make({ statistics: true })
    await cache.set('got', LARGE)
    await cache.set('popped', LARGE)
    for (const path of valueFiles(cache.directory)) rmSync(path)
    expect(await cache.get('got')).toBeUndefined()
    expect(await cache.pop('popped')).toBeUndefined()
    expect((await cache.stats()).misses).toBeGreaterThanOrEqual(1)
    expect((await cache.stats()).hits).toBe(0)
  })

  // test_disk_write_os_error
  it('set() rejects with an error of its own when value files cannot be written, and goes on when they can', async () => {
    const cache = structured.make()
    await cache.set('key', 'old')
    const places = Array.from({ length: 256 }, (_, at) => join(cache.directory, at.toString(16).padStart(2, '0')))
    for (const place of places) writeFileSync(place, 'in the way')
    await expect(cache.set('key', LARGE)).rejects.toThrow(DiskCacheError)
    expect(await cache.get('key')).toBe('old')
    expect(await cache.set('key', 'small')).toBe(true)
    for (const place of places) rmSync(place)
    expect(await cache.set('key', LARGE)).toBe(true)
    expect(await cache.check()).toEqual([])
  })

  // test_cleanup_dirs
  it('deleting values removes the directories of their files', async () => {
    const cache = structured.make()
    for (let key = 0; key < 30; key += 1) await cache.set(key, LARGE)
    const parents = valueFiles(cache.directory).map(path => join(path, '..', '..'))
    expect(parents.every(existsSync)).toBe(true)
    for (let key = 0; key < 30; key += 1) await cache.delete(key)
    expect(parents.some(existsSync)).toBe(false)
  })
})
