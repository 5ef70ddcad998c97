import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { type CacheEvents, type CacheOptions, CorruptError, type DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { checkedValue, sequenceOf } from './fixtures/checked-value.mjs'
import { cacheOf, KINDS, type Kind, kindsOf, shardsOf } from './support/caches.js'
import { DAMAGES, type Damage, isSame, overwrite } from './support/damage.js'

const ENTRIES = 600
const DAMAGE_NAMES = Object.keys(DAMAGES) as Damage[]
const SEVERAL_PAGES = { evictionPolicy: 'none' } as const satisfies CacheOptions

/** Integer keys: even ones lie in shard 000 of two. Every tenth value is a file. */
async function fill(cache: DiskCache): Promise<void> {
  const entries = Array.from({ length: ENTRIES }, (_, key) => {
    return [key, checkedValue(String(key), key, key % 10 === 0 ? 33_000 : 150)] as const
  })
  await cache.setMany(entries, { retry: true })
}

/** A closed cache whose first database is damaged. Answers the path of that database. */
async function damaged(kind: Kind, directory: string, damage: (path: string) => void): Promise<string> {
  const cache = cacheOf(kind, directory, SEVERAL_PAGES)
  await fill(cache)
  await cache.close()
  const path = join(directory, shardsOf(kind)[0] ?? '.', 'cache.db')
  damage(path)
  return path
}

/** Damages the first page of a table, or an index, so that everyone who has the database open meets the damage. */
function overwriteTable(shard: string, table: string): void {
  const db = new Database(join(shard, 'cache.db'))
  const page = db.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').pluck().get(table)
  // A change by somebody else: what others have of the file in memory is read anew.
  db.exec("UPDATE Settings SET value = value WHERE key = 'count'")
  db.pragma('wal_checkpoint(TRUNCATE)')
  const size = Number(db.pragma('page_size', { simple: true }))
  db.close()
  overwrite(join(shard, 'cache.db'), (Number(page) - 1) * size, size)
}

/** Reads and overwrites every entry of the damaged database, so that each of its pages is visited. */
async function visit(cache: DiskCache): Promise<void> {
  for (let key = 0; key < ENTRIES; key += 2) {
    const value = await cache.get(key)
    if (value !== undefined) expect(sequenceOf(String(key), value)).toBe(key)
  }
  for (let key = 0; key < ENTRIES; key += 2) {
    await cache.set(key, checkedValue(String(key), key, 200), { retry: true })
  }
}

describe('a Cache on a database', () => {
  it.each(DAMAGE_NAMES)('%s rejects with CorruptError and leaves the file as it is', async name => {
    const directory = temporaryDirectory()
    const path = await damaged('Cache', directory, DAMAGES[name])
    const bytes = readFileSync(path)
    const cache = cacheOf('Cache', directory, SEVERAL_PAGES)
    await expect(visit(cache)).rejects.toThrow(CorruptError)
    await expect(cache.set('k', 'v')).rejects.toMatchObject({ code: 'ERR_CACHE_CORRUPT' })
    await cache.close()
    expect(isSame(path, bytes)).toBe(true)
  })

  it('that is damaged answers open() with CorruptError each time', async () => {
    const directory = temporaryDirectory()
    await damaged('Cache', directory, DAMAGES['that is a text'])
    const cache = cacheOf('Cache', directory)
    await expect(cache.open()).rejects.toThrow(CorruptError)
    await expect(cache.open()).rejects.toThrow(CorruptError)
    await expect(cache.get('k')).rejects.toThrow(CorruptError)
  })
})

describe.each(KINDS)('a %s with onCorrupt quarantine', kind => {
  it.each(DAMAGE_NAMES)('goes on with a fresh database in place of one %s', async name => {
    const directory = temporaryDirectory()
    const path = await damaged(kind, directory, DAMAGES[name])
    const bytes = readFileSync(path)
    const cache = cacheOf(kind, directory, { ...SEVERAL_PAGES, onCorrupt: 'quarantine' })
    const events: CacheEvents['quarantine'][] = []
    cache.on('quarantine', event => events.push(event))
    await visit(cache)

    expect(events).toHaveLength(1)
    const [event] = events
    expect(event?.error).toBeInstanceOf(CorruptError)
    expect(event?.directory).toBe(join(directory, shardsOf(kind)[0] ?? '.'))
    const moved = join(event?.path ?? '', 'cache.db')
    expect(existsSync(moved)).toBe(true)
    expect(isSame(moved, bytes)).toBe(true)
    for (let key = 0; key < ENTRIES; key += 2) expect(sequenceOf(String(key), await cache.get(key))).toBe(key)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('moves the value files of the damaged database aside with it', async () => {
    const directory = temporaryDirectory()
    await damaged(kind, directory, DAMAGES['that is a text'])
    const cache = cacheOf(kind, directory, { ...SEVERAL_PAGES, onCorrupt: 'quarantine' })
    await cache.set(0, 'fresh', { retry: true })
    expect(await cache.get(0)).toBe('fresh')
    expect(await cache.get(10)).toBeUndefined()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('loses no file of a write that is under way when the damage shows', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { onCorrupt: 'quarantine' })
    const moved: string[] = []
    cache.on('quarantine', ({ path }) => moved.push(path))
    await cache.set(0, 'old', { retry: true })
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    // What a trigger of the INSERT meets, when the file has its place already.
    overwriteTable(shard, 'Settings')
    const value = 'F'.repeat(40_000)
    expect(await Promise.all([cache.set(2, value, { retry: true }), cache.add(4, value, { retry: true })])).toEqual([
      true,
      true,
    ])
    expect(moved).toHaveLength(1)
    expect(await cache.getMany([0, 2, 4])).toEqual([undefined, value, value])
    expect(kindsOf(await cache.check())).toEqual([])
    for (const path of moved) expect(valueFiles(path)).toEqual([])
  })

  it.each([undefined, [0]])('runs the body of a transaction that meets the damage once (keys: %s)', async keys => {
    const directory = temporaryDirectory()
    // What is read when it is opened is sound.
    await damaged(kind, directory, path => overwriteTable(dirname(path), 'Cache_key_raw'))
    const cache = cacheOf(kind, directory, { ...SEVERAL_PAGES, onCorrupt: 'quarantine' })
    const moved: string[] = []
    cache.on('quarantine', ({ path }) => moved.push(path))
    let runs = 0
    const transact = (): Promise<boolean> => {
      return cache.transact(
        tx => {
          runs += 1
          return tx.set(0, 'fresh')
        },
        { retry: true, ...(keys && { keys }) },
      )
    }
    await expect(transact()).rejects.toThrow(CorruptError)
    expect(runs).toBe(1)
    expect(await transact()).toBe(true)
    expect(moved).toHaveLength(1)
    expect(await cache.get(0)).toBe('fresh')
    if (kind === 'FanoutCache') expect(sequenceOf('1', await cache.get(1))).toBe(1)
  })

  it('finds a log that was truncated while it is open, and goes on without it', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { ...SEVERAL_PAGES, onCorrupt: 'quarantine' })
    await fill(cache)
    truncateSync(join(directory, shardsOf(kind)[0] ?? '.', 'cache.db-wal'), 0)
    expect(kindsOf(await cache.check())).toContain('integrity')
    await cache.check({ fix: true })
    // Without its log the database may prove sound: then files remain that no entry names.
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
    await visit(cache)
    for (let key = 0; key < ENTRIES; key += 2) expect(sequenceOf(String(key), await cache.get(key))).toBe(key)
  })

  it('goes on when the database is truncated to nothing, or has lost its tables, while it is open', async () => {
    const directory = temporaryDirectory()
    const options = { ...SEVERAL_PAGES, sqlite: { journalMode: 'delete' }, onCorrupt: 'quarantine' } as const
    const cache = cacheOf(kind, directory, options)
    await fill(cache)
    const paths = shardsOf(kind).map(shard => join(directory, shard, 'cache.db'))
    const losses = [
      (path: string) => truncateSync(path, 0),
      (path: string) => new Database(path).exec('DROP TABLE Cache').close(),
      (path: string) => new Database(path).exec('DROP TABLE Settings').close(),
    ]
    for (const lose of losses) {
      paths.forEach(lose)
      for (const key of [0, 1]) expect(await cache.set(key, 'written', { retry: true })).toBe(true)
      paths.forEach(lose)
      for (const key of [0, 1]) {
        expect([undefined, 'written']).toContain(await cache.get(key))
        expect(await cache.set(key, 'after', { retry: true })).toBe(true)
        expect(await cache.get(key)).toBe('after')
      }
    }
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('moves aside what check({ fix }) cannot repair', async () => {
    const directory = temporaryDirectory()
    await damaged(kind, directory, path => {
      const pages = Math.floor(statSync(path).size / 4096)
      overwrite(path, Math.floor(pages / 2) * 4096, Math.floor(pages / 4) * 4096)
    })
    const cache = cacheOf(kind, directory, { ...SEVERAL_PAGES, onCorrupt: 'quarantine' })
    const moved: string[] = []
    cache.on('quarantine', ({ path }) => moved.push(path))
    await cache.open()
    expect(moved).toEqual([])
    const findings = await cache.check({ fix: true })
    expect(findings.filter(({ kind }) => kind === 'integrity').map(({ fixed }) => fixed)).toContain(true)
    expect(findings.filter(({ kind, fixed }) => kind === 'integrity' && !fixed)).toEqual([])
    expect(moved).toHaveLength(1)
    expect(kindsOf(await cache.check())).toEqual([])
    if (kind === 'FanoutCache') expect(sequenceOf('1', await cache.get(1))).toBe(1)
  })

  it('takes a database that is truncated to nothing for a new one', async () => {
    const directory = temporaryDirectory()
    await damaged(kind, directory, path => truncateSync(path, 0))
    const cache = cacheOf(kind, directory, SEVERAL_PAGES)
    expect(await cache.get(0)).toBeUndefined()
    expect(await cache.set(0, 'fresh', { retry: true })).toBe(true)
    expect(await cache.get(0)).toBe('fresh')
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

describe('a FanoutCache', () => {
  it('quarantines by default, and the damaged shard alone', async () => {
    const directory = temporaryDirectory()
    await damaged('FanoutCache', directory, DAMAGES['whose first page is overwritten'])
    const cache = cacheOf('FanoutCache', directory, SEVERAL_PAGES)
    const moved: string[] = []
    cache.on('quarantine', ({ path }) => moved.push(path))
    await visit(cache)
    expect(moved).toHaveLength(1)
    for (let key = 1; key < ENTRIES; key += 2) expect(sequenceOf(String(key), await cache.get(key))).toBe(key)
  })

  it('rejects with CorruptError when it is told to', async () => {
    const directory = temporaryDirectory()
    await damaged('FanoutCache', directory, DAMAGES['whose first page is overwritten'])
    const cache = cacheOf('FanoutCache', directory, { ...SEVERAL_PAGES, onCorrupt: 'throw' })
    await expect(visit(cache)).rejects.toThrow(CorruptError)
  })
})
