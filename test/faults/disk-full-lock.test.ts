import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type CacheEvents, type DiskCache, DiskFullError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { rawDatabase } from '../helpers/raw-database.js'
import { cacheOf, KINDS, type Kind, kindsOf } from './support/caches.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const RETRY = { retry: true } as const
const ENTRIES = 120
/** More than the disk has left, and than the entries that are evicted for it give back. */
const HUGE = 'h'.repeat(4_000_000)
/** Even keys lie in one database. */
const BATCH = 20

/** A cache on a disk that has room for small writes alone, with as many entries as it may have. */
async function cacheOnFullDisk(kind: Kind) {
  const root = mountTmpfs('size=16m')
  const directory = join(root, 'cache')
  const cache = cacheOf(kind, directory, { maxItems: ENTRIES, disk: { minFileSize: 2 ** 30 } })
  for (let key = 0; key < ENTRIES * 2; key += 2) await cache.set(key, 'v'.repeat(1000), RETRY)
  const filler = fillUp(root)
  truncateSync(filler, statSync(filler).size - 400_000)
  return { cache, database: kind === 'Cache' ? directory : join(directory, '000') }
}

/** Holds the lock for a moment from the first eviction on that has this reason. Answers what was evicted by then. */
function lockAt(cache: DiskCache, database: string, wanted: CacheEvents['evict']['reason']): { times: number } {
  const other = rawDatabase(database)
  const taken = { times: 0 }
  cache.on('evict', ({ reason }) => {
    if (reason !== wanted || taken.times > 0) return
    taken.times += 1
    other.exec('BEGIN IMMEDIATE')
    setTimeout(() => other.exec('ROLLBACK'), 50)
  })
  return taken
}

describe.skipIf(!tmpfsAvailable).each(KINDS)('a %s whose batch finds the disk full, and then a lock', kind => {
  // After a commit of one write, and while room is being made for one.
  it.each(['items', 'full'] as const)(
    'makes each write once: it is locked at an eviction because of %s',
    async reason => {
      const { cache, database } = await cacheOnFullDisk(kind)
      const taken = lockAt(cache, database, reason)
      const counts: Promise<unknown>[] = []
      const huge: Promise<unknown>[] = []
      for (let round = 0; round < BATCH; round += 1) {
        counts.push(cache.incr(1000, 1, RETRY), cache.set(1002 + 2 * round, round, RETRY))
        if (round % 8 === 4) huge.push(cache.set(2000, HUGE, RETRY).catch((error: unknown) => error))
      }
      const outcomes = await Promise.all(counts)
      for (const outcome of await Promise.all(huge)) {
        if (kind === 'Cache') expect(outcome).toBeInstanceOf(DiskFullError)
        else expect(outcome).toBe(false)
      }
      expect(taken.times).toBe(1)
      expect(outcomes.filter((_, at) => at % 2 === 0)).toEqual(Array.from({ length: BATCH }, (_, round) => round + 1))
      expect(await cache.get(1000)).toBe(BATCH)
      for (let round = 0; round < BATCH; round += 1) expect(await cache.get(1002 + 2 * round)).toBe(round)
      expect(kindsOf(await cache.check())).toEqual([])
    },
  )
})
