import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache, type CacheOptions } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const KEYS = Array.from({ length: 1000 }, (_, key) => key)
const HOUR = 3_600_000

const CASES: readonly (readonly [string, CacheOptions, string])[] = [
  ['least-recently-used', { evictionPolicy: 'least-recently-used' }, 'SELECT min(access_time) > 1767229200 FROM Cache'],
  [
    'least-frequently-used',
    { evictionPolicy: 'least-frequently-used' },
    'SELECT min(access_count) = 1 AND max(access_count) = 1 FROM Cache',
  ],
  ['statistics', { statistics: true }, "SELECT value = 1000 FROM Settings WHERE key = 'hits'"],
  [
    'least-recently-used and statistics',
    { evictionPolicy: 'least-recently-used', statistics: true },
    "SELECT value = 1000 FROM Settings WHERE key = 'hits'",
  ],
]

describe('a thousand gets in one turn', () => {
  it.each(CASES)('commit nothing under %s, and once or twice soon after', async (_name, options, written) => {
    const directory = temporaryDirectory()
    // An hour after 2026 began: what was stored then is long ago when it is read.
    const clock = new ManualClock()
    const cache = new Cache(directory, { ...options, clock })
    onTestFinished(() => cache.close())
    await cache.setMany(KEYS.map(key => [key, `value ${key}`] as const))
    clock.advance(HOUR + 1000)
    const path = join(directory, 'cache.db')
    const watcher = new Database(path, { readonly: true })
    onTestFinished(() => void watcher.close())
    const version = (): unknown => watcher.pragma('data_version', { simple: true })
    const before = { version: version(), log: statSync(`${path}-wal`).size }

    const values = await Promise.all(KEYS.map(key => cache.get(key)))
    expect({ version: version(), log: statSync(`${path}-wal`).size }).toEqual(before)
    expect(values).toEqual(KEYS.map(key => `value ${key}`))

    // What the reads have marked is there without another verb, in a few commits for all of them.
    const versions = new Set<unknown>([before.version])
    const isWritten = (): boolean => {
      versions.add(version())
      return watcher.prepare(written).pluck().get() === 1
    }
    await expect.poll(isWritten, { interval: 5 }).toBe(true)
    expect(versions.size - 1).toBeLessThanOrEqual(2)
  })

  it('commit nothing at all while what is stored is fresh', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { evictionPolicy: 'least-recently-used', clock: new ManualClock() })
    onTestFinished(() => cache.close())
    await cache.setMany(KEYS.map(key => [key, `value ${key}`] as const))
    const watcher = new Database(join(directory, 'cache.db'), { readonly: true })
    onTestFinished(() => void watcher.close())
    const before = watcher.pragma('data_version', { simple: true })
    for (let round = 0; round < 3; round += 1) await Promise.all(KEYS.map(key => cache.get(key)))
    await cache.close()
    expect(watcher.pragma('data_version', { simple: true })).toBe(before)
  })
})
