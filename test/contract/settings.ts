import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { removeTree } from '../helpers/temp-directory.js'
import { noise, SHARDS, type Subject } from './subjects.js'

const TEXT = noise(100)

/** settings and configure. */
export function settingsSuite(subject: Subject): void {
  describe('settings', () => {
    reading(subject)
    changing(subject)
    refusing(subject)
  })
}

function reading(subject: Subject): void {
  it('settings() tells the defaults of DiskCache', async () => {
    const settings = await subject.make().settings()
    expect(settings).toMatchObject({
      statistics: false,
      tagIndex: false,
      evictionPolicy: 'least-recently-stored',
      maxItems: null,
      cullLimit: 10,
      disk: { minFileSize: 32_768, unlinkGrace: 0 },
      sqlite: { cacheSize: 8192, mmapSize: 2 ** 26, journalMode: 'wal', synchronous: 1, autoVacuum: 1 },
    })
    // Of all shards together: a share is rounded down to whole bytes.
    expect(settings.sizeLimit).toBeLessThanOrEqual(2 ** 30)
    expect(settings.sizeLimit).toBeGreaterThan(2 ** 30 - SHARDS)
  })

  it('settings() tells what the cache was made with', async () => {
    const cache = subject.make({
      statistics: true,
      tagIndex: true,
      evictionPolicy: 'least-frequently-used',
      sizeLimit: 30_000_000,
      maxItems: 3000,
      cullLimit: 7,
      disk: { minFileSize: 1000, unlinkGrace: '5s' },
      sqlite: { cacheSize: 300, mmapSize: 0, synchronous: 2 },
    })
    expect(await cache.settings()).toMatchObject({
      statistics: true,
      tagIndex: true,
      evictionPolicy: 'least-frequently-used',
      sizeLimit: 30_000_000,
      maxItems: 3000,
      cullLimit: 7,
      disk: { minFileSize: 1000, unlinkGrace: 5000 },
      sqlite: { cacheSize: 300, mmapSize: 0, synchronous: 2, journalMode: 'wal', autoVacuum: 1 },
    })
  })
}

function changing(subject: Subject): void {
  it('what was configured stays when the cache is closed and used again, whatever it was made with', async () => {
    const cache = subject.make({ cullLimit: 7, sizeLimit: 30_000_000, maxItems: 500, sqlite: { cacheSize: 300 } })
    await cache.set('key', 1)
    await cache.configure({ cullLimit: 3, sizeLimit: 40_000_000, maxItems: null, sqlite: { cacheSize: 400 } })
    await cache.close()
    await cache.set('key', 2)
    const expected = { cullLimit: 3, sizeLimit: 40_000_000, maxItems: null, sqlite: { cacheSize: 400 } }
    expect(await cache.settings()).toMatchObject(expected)
    expect(await subject.make({}, cache.directory).settings()).toMatchObject(expected)
  })

  it('what was configured stays when the database is opened anew', async () => {
    const cache = subject.make({ cullLimit: 7, maxItems: 500 })
    await cache.set('key', 1)
    await cache.configure({ cullLimit: 3, maxItems: 600 })
    removeTree(cache.directory)
    await cache.set('key', 2)
    expect(await cache.settings()).toMatchObject({ cullLimit: 3, maxItems: 600 })
  })

  it('configure() answers the settings that are in force then', async () => {
    const cache = subject.make()
    const changed = await cache.configure({ cullLimit: 4, disk: { minFileSize: 10 }, sqlite: { synchronous: 0 } })
    expect(changed).toMatchObject({
      cullLimit: 4,
      disk: { minFileSize: 10 },
      sqlite: { synchronous: 0, cacheSize: 8192 },
    })
    expect(await cache.settings()).toEqual(changed)
  })

  it('configure() takes effect at once', async () => {
    const cache = subject.make()
    await cache.set('before', TEXT, { tag: 'red' })
    await cache.configure({ disk: { minFileSize: 50 }, tagIndex: true, evictionPolicy: 'least-recently-used' })
    await cache.set('after', TEXT, { tag: 'red' })
    expect(await cache.info('before')).not.toHaveProperty('path')
    expect(await cache.info('after')).toHaveProperty('path')
    expect(await collect(cache.keys({ tag: 'red' }))).toHaveLength(2)
  })

  it('configure() takes its place among the writes around it', async () => {
    const cache = subject.make()
    const calls = [cache.set('before', TEXT), cache.configure({ disk: { minFileSize: 50 } }), cache.set('after', TEXT)]
    await Promise.all(calls)
    expect(await cache.getMany(['before', 'after'])).toEqual([TEXT, TEXT])
    expect(await cache.check()).toEqual([])
  })

  it('configure() stays in force for a later opening that says nothing', async () => {
    const first = subject.make()
    await first.set('key', 1)
    await first.configure({ cullLimit: 5, sizeLimit: 60_000_000, evictionPolicy: 'none', disk: { unlinkGrace: '2s' } })
    await first.close()
    const second = subject.make({}, first.directory)
    expect(await second.get('key')).toBe(1)
    expect(await second.settings()).toMatchObject({
      cullLimit: 5,
      sizeLimit: 60_000_000,
      evictionPolicy: 'none',
      disk: { unlinkGrace: 2000 },
    })
  })

  it('options of a later opening replace what was stored, the others stay', async () => {
    const first = subject.make({ cullLimit: 5, statistics: true })
    await first.set('key', 1)
    await first.close()
    const second = subject.make({ cullLimit: 6 }, first.directory)
    await second.set('key', 2)
    expect(await second.settings()).toMatchObject({ cullLimit: 6, statistics: true })
    await second.close()
    expect(await subject.make({}, first.directory).settings()).toMatchObject({ cullLimit: 6, statistics: true })
  })

  it('limits are those that were given, however many shards have part in them', async () => {
    const cache = subject.make({ maxItems: 50, sizeLimit: 10_000_001 })
    expect(await cache.settings()).toMatchObject({ maxItems: 50, sizeLimit: 10_000_001 })
    await cache.setMany(Array.from({ length: 400 }, (_, key) => [`key ${key}`, key]))
    await cache.cull()
    expect(await cache.count()).toBe(50)
    const changed = { maxItems: 70, sizeLimit: 20_000_003 }
    expect(await cache.configure(changed)).toMatchObject(changed)
  })

  it('configure() takes settings as settings() gives them, and part of them changed', async () => {
    const cache = subject.make({ maxItems: 3000, sqlite: { autoVacuum: 2 } })
    const settings = await cache.settings()
    expect(settings.sqlite.autoVacuum).toBe(2)
    expect(await cache.configure(settings)).toEqual(settings)
    const { sqlite } = settings
    const changed = { ...settings, cullLimit: 3, sqlite: { ...sqlite, synchronous: 2 } }
    expect(await cache.configure(changed)).toEqual(changed)
    await expect(cache.configure({ sqlite: { ...sqlite, autoVacuum: 1 } })).rejects.toThrow(
      new TypeError('configure: sqlite.autoVacuum takes effect only when a directory is made'),
    )
    expect(await cache.settings()).toEqual(changed)
  })

  it('configure() with maxItems null lifts the limit', async () => {
    const cache = subject.make({ maxItems: 300 })
    expect((await cache.configure({ maxItems: null })).maxItems).toBeNull()
    await cache.setMany(Array.from({ length: 400 }, (_, key) => [key, key]))
    expect(await cache.count()).toBe(400)
  })
}

function refusing(subject: Subject): void {
  it('configure() that is refused changes nothing', async () => {
    const cache = subject.make()
    const before = await cache.settings()
    await expect(cache.configure({ cullLimit: 3, sizeLimit: -1 })).rejects.toThrow(RangeError)
    await expect(cache.configure({ cullLimit: 3, sizeLimits: 1e9 } as never)).rejects.toThrow(TypeError)
    expect(await cache.settings()).toEqual(before)
  })
}
