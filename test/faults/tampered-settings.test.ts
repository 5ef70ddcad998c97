import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind, shardsOf } from './support/caches.js'
import { tamper } from './support/tampering.js'

const LARGE = 'L'.repeat(40_000)

/** Rows that would become pragmas, or break the cache, if they were believed. */
const ROWS: readonly (readonly [key: string, value: unknown])[] = [
  ['sqlite_writable_schema', 1n],
  ['sqlite_query_only', 1n],
  ['sqlite_max_page_count', 1n],
  ['sqlite_locking_mode', 'exclusive'],
  ['sqlite_trusted_schema', 1n],
  ['sqlite_temp_store_directory', '/nowhere'],
  ['sqlite_optimize; DROP TABLE Cache; --', 1n],
  ['sqlite_journal_mode', 'off; DROP TABLE Cache; --'],
  ['sqlite_journal_mode', 'nonsense'],
  ['sqlite_synchronous', '1; DROP TABLE Cache'],
  ['sqlite_synchronous', 99n],
  ['sqlite_cache_size', 'many'],
  ['sqlite_cache_size', Number.MAX_SAFE_INTEGER],
  ['sqlite_mmap_size', -1n],
  ['sqlite_mmap_size', 2n ** 62n],
  ['sqlite_mmap_size', Buffer.from('blob')],
  ['sqlite_auto_vacuum', 'x'],
  ['sqlite_', 1n],
  ['sqlite_encoding', 'UTF-16'],
  ['disk_unknown', 1n],
  ['disk_min_file_size', 'small'],
  ['disk_min_file_size', -5n],
  ['disk_min_file_size', null],
  ['get', 1n],
  ['constructor', 1n],
  ['__proto__', 'polluted'],
  ['eviction_policy', 'nonsense'],
  ['eviction_policy', null],
  ['eviction_policy', "none'; DROP TABLE Cache; --"],
  ['size_limit', 'large'],
  ['size_limit', -1n],
  ['size_limit', null],
  ['cull_limit', -7n],
  ['cull_limit', 'x'],
  ['cull_limit', 1e300],
  ['statistics', 'perhaps'],
  ['tag_index', Buffer.from('x')],
  ['hits', 'many'],
  ['misses', null],
  ['unlink_grace', 'x'],
  ['unlink_grace', 1e300],
  ['max_items', 'x'],
  ['max_items', -1n],
  ['max_items', 0n],
]

function store(kind: Kind, directory: string, key: string, value: unknown): void {
  tamper(kind, directory, db => {
    db.prepare('INSERT OR REPLACE INTO Settings (key, value) VALUES (?, ?)').run(key, value)
  })
}

/** Every process must be able to take the lock: no connection keeps it. */
function expectUnlocked(kind: Kind, directory: string): void {
  for (const shard of shardsOf(kind)) {
    const db = new Database(join(directory, shard, 'cache.db'), { timeout: 60_000 })
    db.exec('BEGIN IMMEDIATE; ROLLBACK')
    db.close()
  }
}

it('a limit without an end, as Python may store one, is the largest number', async () => {
  const directory = temporaryDirectory()
  await cacheOf('Cache', directory).set('a', 1)
  store('Cache', directory, 'size_limit', Number.POSITIVE_INFINITY)
  store('Cache', directory, 'max_items', Number.POSITIVE_INFINITY)
  const { sizeLimit, maxItems } = await cacheOf('Cache', directory).settings()
  expect([sizeLimit, maxItems]).toEqual([Number.MAX_SAFE_INTEGER, null])
})

it('a fraction of an entry that may stay is left out', async () => {
  const directory = temporaryDirectory()
  const cache = cacheOf('Cache', directory)
  await cache.configure({ maxItems: 5 })
  store('Cache', directory, 'max_items', 2.5)
  expect((await cache.settings()).maxItems).toBe(2)
  for (let entry = 0; entry < 5; entry += 1) await cache.set(entry, 1)
  expect(await cache.count()).toBe(2)
})

it('a fraction of a row that writes may remove is left out', async () => {
  const directory = temporaryDirectory()
  const cache = cacheOf('Cache', directory)
  await cache.configure({ cullLimit: 0 })
  for (let entry = 0; entry < 3; entry += 1) await cache.set(entry, 1, { ttl: 0 })
  store('Cache', directory, 'cull_limit', 1.5)
  expect((await cache.settings()).cullLimit).toBe(1)
  await cache.set('a', 1)
  expect(await cache.count()).toBe(3)
})

describe.each(KINDS)('a %s that finds in its settings', kind => {
  // The shards of a FanoutCache read what a Cache reads.
  it.each(ROWS.filter((_, at) => kind === 'Cache' || at % 5 === 0))(
    '%s = %s goes on as if it were not there',
    async (key, value) => {
      const directory = temporaryDirectory()
      const first = cacheOf(kind, directory)
      for (let entry = 0; entry < 8; entry += 1) await first.set(entry, `value ${entry}`, { retry: true })
      await first.close()
      store(kind, directory, key, value)

      const cache = cacheOf(kind, directory)
      for (let entry = 0; entry < 8; entry += 1) expect(await cache.get(entry)).toBe(`value ${entry}`)
      for (let entry = 0; entry < 4; entry += 1) expect(await cache.set(entry, LARGE, { retry: true })).toBe(true)
      expect(await cache.get(0)).toBe(LARGE)
      expect(await cache.incr('count', 1, { retry: true })).toBe(1)
      expectUnlocked(kind, directory)
      expect(await cache.count()).toBe(9)
      const settings = await cache.settings()
      expect(settings.evictionPolicy).toBe('least-recently-stored')
      expect(settings.sqlite.journalMode).toBe('wal')
      expect(settings.sizeLimit).toBeGreaterThan(0)
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
      await cache.stats()
      await cache.delete(0, { retry: true })
      expect((await cache.check()).filter(({ kind: found }) => found === 'integrity')).toEqual([])
    },
  )
})
