import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Cache, type CacheOptions, Deque, DiskFullError, type FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { cacheOf, KINDS, type Kind, kindsOf, shardsOf } from './support/caches.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const RETRY = { retry: true } as const
/** So long that SQLite, to give back the pages of a hundred, moves more others than the reserve has room for. */
const VALUE = Buffer.alloc(16_000, 'v')

/** A cache whose entries lie in its database and leave no room on its disk. */
async function cacheFilling(kind: Kind, options: CacheOptions = {}) {
  const root = mountTmpfs('size=16m')
  const clock = new ManualClock()
  const cache = cacheOf(kind, join(root, 'cache'), { evictionPolicy: 'none', clock, ...options }) as Cache | FanoutCache
  await cache.set('first', 1, RETRY)
  const space = cache.namespace('space')
  for (let key = 0, refused = 0; refused < 12; key += 1) {
    const stored = await space.set(`${key}`, VALUE, { ...RETRY, tag: 't', ttl: '1m' }).catch(asFull)
    if (!stored) refused += 1
  }
  const count = await cache.count()
  return { cache, clock, count, fillUp: () => fillUp(root) }
}

function asFull(error: unknown): false {
  expect(error).toBeInstanceOf(DiskFullError)
  return false
}

const REMOVALS: readonly (readonly [
  verb: string,
  remove: (cache: Cache | FanoutCache) => Promise<number>,
  left: number,
])[] = [
  ['clear', cache => cache.clear(RETRY), 0],
  ['evict', cache => cache.evict('t', RETRY), 1],
  ['expire', cache => cache.expire(RETRY), 1],
  ['cull', cache => cache.cull(RETRY), 1],
  ['clear of a namespace', cache => cache.namespace('space').clear(RETRY), 1],
]

describe.skipIf(!tmpfsAvailable).each(KINDS)('a %s with long values in its database, on a full disk,', kind => {
  it.each(REMOVALS)('removes all that %s concerns', async (_verb, remove, left) => {
    const { cache, clock, count, fillUp } = await cacheFilling(kind)
    clock.advance(3_600_000)
    fillUp()
    expect(await remove(cache)).toBe(count - left)
    expect(await cache.count()).toBe(left)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('removes them also where SQLite has no room for a transaction before its end', async () => {
    const { cache, count, fillUp } = await cacheFilling(kind, { sqlite: { cacheSize: 16 } })
    fillUp()
    expect(await cache.clear(RETRY)).toBe(count)
  })

  it('keeps the room in which it deletes from values that SQLite refuses before the end of a transaction', async () => {
    const { cache, count, fillUp } = await cacheFilling(kind, { sqlite: { cacheSize: 8 } })
    fillUp()
    const space = cache.namespace('space')
    for (let key = 0; key < count / 2; key += 1) expect(await space.delete(`${key}`, RETRY), `delete ${key}`).toBe(true)
  })

  it('leaves its log alone with later writes, once there is room again', async () => {
    const { cache, count, fillUp } = await cacheFilling(kind)
    const filler = fillUp()
    const space = cache.namespace('space')
    for (let key = 0; key < count - 1; key += 1) await space.delete(`${key}`, RETRY)
    rmSync(filler)
    for (let key = 0; key < 40; key += 1) await space.set(`${key}`, key, RETRY)
    const logs = shardsOf(kind).map(shard => statSync(join(cache.directory, shard, 'cache.db-wal')).size)
    expect(Math.min(...logs)).toBeGreaterThan(0)
  })

  it('evicts down to a limit that was lowered', async () => {
    const { cache, count, fillUp } = await cacheFilling(kind)
    const sizeLimit = 4 * 2 ** 20
    await cache.delete('first', RETRY)
    await cache.configure({ evictionPolicy: 'least-recently-stored', sizeLimit })
    fillUp()
    expect(await cache.cull(RETRY)).toBeGreaterThan(count / 2)
    expect(await cache.volume()).toBeLessThanOrEqual(sizeLimit)
    expect(await cache.count()).toBeGreaterThan(100)
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

it.skipIf(!tmpfsAvailable)('a Deque with long items in its database is cleared on a full disk', async () => {
  const root = mountTmpfs('size=16m')
  const deque = new Deque(join(root, 'deque'))
  onTestFinished(() => deque.close())
  for (let refused = 0; refused < 12; ) if ((await deque.append(VALUE).catch(asFull)) === false) refused += 1
  fillUp(root)
  await deque.clear()
  expect(await deque.length()).toBe(0)
})
