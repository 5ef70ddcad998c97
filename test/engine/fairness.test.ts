import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, type DiskCache, FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const ENTRIES = 6000

async function filled(): Promise<Cache> {
  const cache = new Cache(temporaryDirectory(), { evictionPolicy: 'none' })
  onTestFinished(() => cache.close())
  await cache.setMany(Array.from({ length: ENTRIES }, (_, key) => [`key ${key}`, key, { tag: 't' }] as const))
  return cache
}

/** How often the loop turns during some work. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let pending = setImmediate(function turn() {
    turns += 1
    pending = setImmediate(turn)
  })
  await work()
  clearImmediate(pending)
  return turns
}

async function times(count: number, call: () => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at += 1) await call().catch(() => undefined)
}

const LOOPS: readonly (readonly [string, (cache: DiskCache) => Promise<unknown>])[] = [
  ['get', cache => times(5000, () => cache.get('key 1'))],
  ['has', cache => times(5000, () => cache.has('key 1'))],
  ['info', cache => times(5000, () => cache.info('key 1'))],
  ['count', cache => times(5000, () => cache.count())],
  ['volume', cache => times(2000, () => cache.volume())],
  ['settings', cache => times(2000, () => cache.settings())],
  ['set', cache => times(500, () => cache.set('key 1', 1))],
  ['a set of what no cache can hold', cache => times(5000, () => cache.set('k', () => 1))],
  ['a touch with a bad time to live', cache => times(5000, () => cache.touch('k', { ttl: -1 }))],
]

describe('the loop turns', () => {
  it('before settings are answered in a long turn, for which close() waits', async () => {
    const cache = await filled()
    const begun = performance.now()
    while (performance.now() < begun + 10) await cache.has('key 1')
    const answers = Array.from({ length: 16 }, () => cache.settings())
    const closed = cache.close()
    for (const { evictionPolicy } of await Promise.all(answers)) expect(evictionPolicy).toBe('none')
    await closed
  })

  it.each(LOOPS)('among thousands of awaited calls of %s', async (_name, loop) => {
    const cache = await filled()
    expect(await turnsDuring(() => loop(cache))).toBeGreaterThan(3)
  })

  it('among the entries of one setMany and one deleteMany', async () => {
    const cache = new Cache(temporaryDirectory(), { evictionPolicy: 'none' })
    onTestFinished(() => cache.close())
    await cache.open()
    const tags = ['a', 'b', 'c', 'd', 'e', 'f']
    const entries = Array.from({ length: ENTRIES }, (_, key) => [key, key, { tags }] as const)
    expect(await turnsDuring(() => cache.setMany(entries))).toBeGreaterThan(4)
    expect(await turnsDuring(() => cache.deleteMany(entries.map(([key]) => key)))).toBeGreaterThan(4)
    expect(await cache.count()).toBe(0)
  })

  it('among the reads of one getMany', async () => {
    const cache = await filled()
    const keys = Array.from({ length: ENTRIES }, (_, key) => `key ${key}`)
    const turns = await turnsDuring(async () => {
      expect(await cache.getMany(keys)).toEqual(keys.map((_, key) => key))
    })
    expect(turns).toBeGreaterThan(3)
  })

  it('among the reads of one getMany, for all of which close() waits', async () => {
    const cache = await filled()
    const keys = Array.from({ length: ENTRIES }, (_, key) => `key ${key}`)
    const reading = cache.getMany(keys)
    await cache.close()
    expect(await reading).toEqual(keys.map((_, key) => key))
    // Nobody has it open again.
    expect(existsSync(join(cache.directory, 'cache.db-wal'))).toBe(false)
  })

  it('among the pages of a listing that a tag or a prefix selects', async () => {
    const cache = await filled()
    for (const listing of [{ tag: 't' }, { prefix: 'key' }]) {
      const turns = await turnsDuring(async () => {
        expect(await collect(cache.keys(listing))).toHaveLength(ENTRIES)
      })
      expect(turns).toBeGreaterThan(ENTRIES / 100)
    }
  })

  it('between the shards of a FanoutCache that are long at work, which take turns', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 4 })
    onTestFinished(() => cache.close())
    await cache.open()
    const order: number[] = []
    const turns = new Set<number>()
    let turn = 0
    let pending = setImmediate(function next() {
      turn += 1
      pending = setImmediate(next)
    })
    // An integer key lies in the shard of its remainder.
    const work = (key: number): Promise<void> =>
      cache.transact(
        () => {
          order.push(key)
          turns.add(turn)
          const begun = performance.now()
          while (performance.now() < begun + 3);
        },
        { keys: [key] },
      )
    await Promise.all([work(0), work(0), work(1), work(2), work(3)])
    clearImmediate(pending)
    expect(order).toEqual([0, 1, 2, 3, 0])
    expect(turns.size).toBeGreaterThan(2)
  })

  it('for who tries again at once what was refused, so that it comes about', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 1, maxPending: { count: 1 } })
    onTestFinished(() => cache.close())
    await cache.open()
    const first = cache.set('first', 1)
    let tries = 1
    while (tries < 10_000 && !(await cache.set('second', 2))) tries += 1
    expect(tries).toBeLessThan(10_000)
    expect(await first).toBe(true)
    expect(await cache.getMany(['first', 'second'])).toEqual([1, 2])
  })

  it('among writes that a readonly cache rejects', async () => {
    const writer = await filled()
    await writer.close()
    const cache = new Cache(writer.directory, { readonly: true })
    onTestFinished(() => cache.close())
    await cache.open()
    expect(await turnsDuring(() => times(5000, () => cache.set('k', 1)))).toBeGreaterThan(3)
  })
})
