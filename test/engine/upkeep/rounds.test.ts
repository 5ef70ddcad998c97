import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  Cache,
  type CacheEvents,
  type CacheOptions,
  defineModel,
  FanoutCache,
  type Key,
  startUpkeep,
  type Upkeep,
} from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../../helpers/manual-clock.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { valueFiles } from '../../helpers/value-files.js'

const MINUTE = 60_000
/** Bytes of the longest file that a log without readers keeps. */
const KEPT_BYTES = 64 * 2 ** 20
/** No round but those that are asked for, and a lease that outlives what the tests do to their clocks. */
const SELDOM = { every: '1h', lease: '10h' }

function open(options: CacheOptions = {}, directory = temporaryDirectory()): { cache: Cache; clock: ManualClock } {
  const clock = new ManualClock()
  const cache = new Cache(directory, { clock, ...options })
  onTestFinished(() => cache.close())
  return { cache, clock }
}

/** An upkeep that leads, and whose first round is over. */
async function leading(cache: Parameters<typeof startUpkeep>[0]): Promise<Upkeep> {
  const upkeep = startUpkeep(cache, SELDOM)
  expect(await upkeep.run()).toBeDefined()
  expect(upkeep.isLeader).toBe(true)
  return upkeep
}

async function fill(cache: Cache | FanoutCache, name: string, count: number, ttl?: number): Promise<void> {
  const entries = Array.from(
    { length: count },
    (_, at) => [`${name}${at}`, at, ttl === undefined ? {} : { ttl }] as const,
  )
  await cache.setMany(entries)
}

describe('a round of upkeep', () => {
  it('removes what has expired by the clock of the cache, with its files', async () => {
    const { cache, clock } = open()
    const upkeep = await leading(cache)
    await fill(cache, 'short', 230, MINUTE)
    await cache.set('file', Buffer.alloc(40_000), { ttl: MINUTE })
    await cache.set('stays', 1)
    expect(await upkeep.run()).toMatchObject({ expired: 0 })
    clock.advance(MINUTE)
    expect(await upkeep.run()).toMatchObject({ expired: 231, evicted: 0 })
    expect(await cache.count()).toBe(1)
    await expect.poll(() => valueFiles(cache.directory)).toEqual([])
    expect(await cache.get('stays')).toBe(1)
  })

  it('unlinks files whose grace is over, also where nothing has expired', async () => {
    const { cache, clock } = open({ disk: { unlinkGrace: MINUTE } })
    const upkeep = await leading(cache)
    await cache.set('file', Buffer.alloc(40_000))
    await cache.delete('file')
    await upkeep.run()
    expect(valueFiles(cache.directory)).toHaveLength(1)
    clock.advance(MINUTE)
    await upkeep.run()
    await expect.poll(() => valueFiles(cache.directory)).toEqual([])
  })

  it('evicts to a little below the limits, and tells the cache of it', async () => {
    const keys: Key[] = ['text', 7, ['a', 1], Buffer.from('bytes'), { b: 2 }]
    const { cache } = open({ maxItems: 100 })
    const evicted: CacheEvents['evict'][] = []
    cache.on('evict', event => evicted.push(event))
    for (const key of keys) await cache.set(key, 'first')
    await fill(cache, 'later', 95)
    expect(evicted).toEqual([])
    const upkeep = await leading(cache)
    expect(await cache.count()).toBe(95)
    expect(evicted).toEqual(keys.map(key => ({ key, size: 0, reason: 'items' })))
    expect((await cache.stats()).evictions).toBe(5)
    expect(await upkeep.run()).toMatchObject({ evicted: 0 })
  })

  it('leaves room in bytes too, as much as `target` says', async () => {
    const { cache } = open({ sizeLimit: 4 * 2 ** 20 })
    for (let at = 0; at < 120; at += 1) await cache.set(at, Buffer.alloc(40_000))
    expect(await cache.volume()).toBeGreaterThan(0.97 * 4 * 2 ** 20)
    const upkeep = startUpkeep(cache, { ...SELDOM, target: 0.5 })
    await upkeep.run()
    expect(await cache.volume()).toBeLessThanOrEqual(2 * 2 ** 20)
    expect(await cache.volume()).toBeGreaterThan(1.9 * 2 ** 20)
    expect(await cache.get(119)).toBeDefined()
    expect(await cache.get(60)).toBeUndefined()
  })

  it('keeps a small cache at its limit, of which a share less would be much', async () => {
    const { cache } = open({ sizeLimit: 2 ** 19 })
    for (let at = 0; at < 40; at += 1) await cache.set(at, Buffer.alloc(40_000))
    const upkeep = startUpkeep(cache, { ...SELDOM, target: 0.5 })
    expect(await upkeep.run()).toMatchObject({ evicted: 0 })
    expect(await cache.volume()).toBeGreaterThan(0.8 * 2 ** 19)
  })

  it('takes the settings as they are changed, and evicts nothing under the policy none', async () => {
    const { cache } = open({ evictionPolicy: 'none' })
    const upkeep = await leading(cache)
    await fill(cache, 'key', 50)
    await cache.configure({ maxItems: 10 })
    expect(await upkeep.run()).toMatchObject({ evicted: 0 })
    await cache.configure({ evictionPolicy: 'least-recently-stored' })
    expect(await upkeep.run()).toMatchObject({ evicted: 40 })
  })

  it('removes files that crashes left', async () => {
    const { cache } = open()
    const upkeep = await leading(cache)
    const orphan = join(cache.directory, 'ab', 'cd', `${'1'.repeat(28)}.val`)
    mkdirSync(dirname(orphan), { recursive: true })
    writeFileSync(orphan, 'x')
    utimesSync(orphan, 1, 1)
    expect(await upkeep.run()).toMatchObject({ orphans: 1 })
    expect(existsSync(orphan)).toBe(false)
    expect(await cache.check()).toEqual([])
  })

  it('copies the log, and gives free pages back where the directory is made for it', async () => {
    const { cache } = open({ sqlite: { autoVacuum: 2 } })
    const upkeep = await leading(cache)
    for (let at = 0; at < 100; at += 1) await cache.set(at, 'x'.repeat(20_000))
    await cache.clear()
    const db = rawDatabase(cache.directory)
    const free = db.pragma('freelist_count', { simple: true }) as number
    expect(free).toBeGreaterThan(400)
    const round = await upkeep.run()
    expect(round?.vacuumed).toBeGreaterThan(free * 0.8)
    // Some stay for what is stored next.
    expect(db.pragma('freelist_count', { simple: true })).toBeGreaterThan(0)
    expect(round?.checkpointed).toBeGreaterThan(0)
    db.pragma('wal_checkpoint(TRUNCATE)')
    expect(statSync(join(cache.directory, 'cache.db')).size).toBeLessThan(100 * 4096)
    expect(await cache.check()).toEqual([])
  })

  it('keeps all shards up', async () => {
    const clock = new ManualClock()
    const cache = new FanoutCache(temporaryDirectory(), { clock, shards: 3 })
    onTestFinished(() => cache.close())
    const upkeep = await leading(cache)
    await fill(cache, 'key', 100, MINUTE)
    clock.advance(MINUTE)
    expect(await upkeep.run()).toMatchObject({ expired: 100 })
    expect(await cache.count()).toBe(0)
  })

  it('leaves what has a directory of its own to a call for that, which models with limits have too', async () => {
    const clock = new ManualClock()
    const cache = new FanoutCache(temporaryDirectory(), { clock, shards: 1 })
    onTestFinished(() => cache.close())
    const schema = { '~standard': { version: 1, vendor: 'it', validate: (value: unknown) => ({ value }) } } as const
    const about = { version: 1, schema, ttl: MINUTE }
    const own = cache.model(defineModel({ ...about, name: 'Own', maxItems: 100 }))
    const shared = cache.model(defineModel({ ...about, name: 'Shared' }))
    const part = cache.cache('part')
    await Promise.all([own.put('a', 1), shared.put('a', 1), part.set('a', 1, { ttl: MINUTE })])
    const upkeeps = [await leading(cache), await leading(part), await leading(own)]
    clock.advance(MINUTE)
    for (const upkeep of upkeeps) expect(await upkeep.run()).toMatchObject({ expired: 1 })
    expect(await Promise.all([own.count(), shared.count(), part.count()])).toEqual([0, 0, 0])
    expect(startUpkeep(shared, SELDOM).isLeader).toBe(true)
    expect([shared.directory, own.directory]).toEqual([
      cache.directory,
      join(cache.directory, 'cache', 'models', 'Own'),
    ])
  })

  it('is seen by the memory of the cache', async () => {
    const { cache } = open({ memory: {} })
    const upkeep = await leading(cache)
    await fill(cache, 'key', 20)
    for (let at = 0; at < 20; at += 1) expect(await cache.get(`key${at}`)).toBe(at)
    await cache.configure({ maxItems: 10 })
    await upkeep.run()
    await new Promise(resolve => setImmediate(resolve))
    expect(await cache.get('key0')).toBeUndefined()
    expect(await cache.get('key19')).toBe(19)
  })

  it('waits for the commits of others where there is a rollback journal, and tells of no trouble', async () => {
    const { cache } = open({ sqlite: { journalMode: 'delete' } })
    const told: Error[] = []
    cache.on('error', error => told.push(error))
    const upkeep = startUpkeep(cache, { every: 20 })
    expect(await upkeep.run()).toBeDefined()
    const other = rawDatabase(cache.directory)
    for (let turn = 0; turn < 60; turn++) {
      other.exec('BEGIN EXCLUSIVE')
      await pause(3)
      other.exec('COMMIT')
      await pause(1)
    }
    expect(await upkeep.run()).toBeDefined()
    expect(told).toEqual([])
  })

  it('shortens the file of a log that a reader has kept long', async () => {
    const { cache } = open({ sizeLimit: 2 ** 30 })
    const upkeep = await leading(cache)
    const bytes = (): number => statSync(join(cache.directory, 'cache.db-wal')).size
    const reader = rawDatabase(cache.directory)
    reader.exec('BEGIN')
    reader.prepare('SELECT COUNT(*) FROM Cache').get()
    for (let round = 0; bytes() <= KEPT_BYTES && round < 100; round++) {
      await cache.setMany(Array.from({ length: 100 }, (_, at) => [`${round} ${at}`, randomBytes(30_000)]))
    }
    expect(bytes()).toBeGreaterThan(KEPT_BYTES)
    reader.exec('COMMIT')
    await upkeep.run()
    expect(bytes()).toBeLessThan(KEPT_BYTES)
  })

  it('by itself follows the clock of the cache', async () => {
    const { cache, clock } = open()
    startUpkeep(cache, { every: 20 })
    await fill(cache, 'short', 30, MINUTE)
    clock.advance(MINUTE)
    await expect.poll(() => cache.count()).toBe(0)
  })

  it('is made by itself, time and again', async () => {
    const { cache } = open()
    const upkeep = startUpkeep(cache, { every: 20 })
    let rounds = 0
    await new Promise<void>(resolve => {
      upkeep.on('round', () => {
        rounds += 1
        if (rounds === 3) resolve()
      })
    })
    expect(upkeep.isLeader).toBe(true)
  })
})

describe('while a directory is kept up, writes', () => {
  it('of all shards know until when', async () => {
    const clock = new ManualClock()
    const cache = new FanoutCache(temporaryDirectory(), { clock, shards: 3 })
    onTestFinished(() => cache.close())
    await leading(cache)
    const due = ['000', '001', '002'].map(shard =>
      rawDatabase(join(cache.directory, shard)).prepare("SELECT due FROM Lease WHERE name = 'upkeep:'").pluck().get(),
    )
    for (const each of due) expect(each).toBeCloseTo((clock.now() + 10 * 60 * MINUTE) / 1000, 3)
  })

  it('leave what has expired, until upkeep has ended', async () => {
    const { cache, clock } = open({ cullLimit: 5 })
    const upkeep = await leading(cache)
    await fill(cache, 'old', 30, MINUTE)
    clock.advance(MINUTE)
    await cache.set('new', 1)
    expect(await cache.count()).toBe(31)
    await upkeep.stop()
    await cache.set('new', 2)
    expect(await cache.count()).toBe(26)
  })

  it('remove what has expired before they evict at the limit', async () => {
    const { cache, clock } = open({ maxItems: 50 })
    await leading(cache)
    await fill(cache, 'old', 30, MINUTE)
    await fill(cache, 'alive', 15)
    clock.advance(MINUTE)
    await fill(cache, 'new', 20)
    expect(await cache.count()).toBeLessThanOrEqual(50)
    expect((await cache.stats()).evictions).toBe(0)
  })

  it('stay under the limit by themselves', async () => {
    const { cache } = open({ sizeLimit: 4 * 2 ** 20 })
    await leading(cache)
    for (let at = 0; at < 150; at += 1) {
      await cache.set(at, Buffer.alloc(40_000))
      expect(await cache.volume()).toBeLessThanOrEqual(4 * 2 ** 20)
    }
  })

  it('find a log that stays short, however many they are', async () => {
    const { cache } = open()
    await leading(cache)
    let longest = 0
    for (let at = 0; at < 500; at += 1) {
      await cache.setMany(Array.from({ length: 10 }, (_, each) => [at * 10 + each, Buffer.alloc(20_000)]))
      longest = Math.max(longest, statSync(join(cache.directory, 'cache.db-wal')).size)
    }
    // Of 100 MB. How much it grows while it is copied is up to the disk.
    expect(longest).toBeLessThan(64 * 2 ** 20)
  })

  it('do it by themselves again as soon as a lease that nobody extends has ended', async () => {
    const { cache, clock } = open({ cullLimit: 10 })
    await fill(cache, 'old', 30, MINUTE)
    const upkeep = await leading(cache)
    const lease = rawDatabase(cache.directory).prepare("SELECT due FROM Lease WHERE name = 'upkeep:'").pluck()
    expect(lease.get()).toBeCloseTo((clock.now() + 10 * 60 * MINUTE) / 1000, 3)
    clock.advance(9 * 60 * MINUTE)
    await cache.set('new', 1)
    expect(await cache.count()).toBe(31)
    clock.advance(60 * MINUTE)
    await cache.set('new', 2)
    expect(await cache.count()).toBe(21)
    expect(await upkeep.run()).toMatchObject({ expired: 20 })
  })
})
