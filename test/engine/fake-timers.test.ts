import { join } from 'node:path'
import { Cache, Deque, FanoutCache } from 'fanout-cache'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { collect } from '../helpers/collect.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

// What the tests of an app replace. The package is loaded before, as theirs is.
beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const),
      ...(['setImmediate', 'clearImmediate', 'Date', 'performance'] as const),
    ],
    now: 1_700_000_000_000,
  })
})
afterEach(() => {
  vi.useRealTimers()
})

function closing<T extends Cache | FanoutCache>(cache: T): T {
  onTestFinished(() => cache.close())
  return cache
}

it.each([
  ['a Cache', () => new Cache(temporaryDirectory())],
  ['a FanoutCache', () => new FanoutCache(temporaryDirectory(), { shards: 2 })],
  ['a memory tier', () => new FanoutCache(temporaryDirectory(), { shards: 2, memory: {} })],
] as const)('thousands of calls of %s end while timers stand still', async (_name, open) => {
  const cache = closing(open())
  for (let key = 0; key < 300; key += 1) await cache.set(key, key)
  for (let times = 0; times < 20; times += 1) {
    for (let key = 0; key < 300; key += 1) await cache.get(key)
  }
  expect(await collect(cache.keys())).toHaveLength(300)
  expect((await cache.stats()).count).toBe(300)
  expect(await cache.check()).toEqual([])
})

it('memory sees what another cache has written, while timers stand still', async () => {
  const directory = temporaryDirectory()
  const cache = closing(new Cache(directory, { memory: {} }))
  await cache.set('key', 1)
  expect(await cache.get('key')).toBe(1)
  rawDatabase(directory).prepare(`UPDATE Cache SET value = 2, store_time = store_time + 1`).run()
  await vi.waitFor(async () => expect(await cache.get('key')).toBe(2))
})

it('a wait for a lock ends while timers stand still', async () => {
  const directory = temporaryDirectory()
  const cache = closing(new FanoutCache(directory, { shards: 1 }))
  await cache.set('key', 1)
  const other = rawDatabase(join(directory, '000'))
  other.exec('BEGIN IMMEDIATE')
  expect(await cache.set('key', 2, { retry: false })).toBe(false)
  expect(await cache.transact(tx => tx.set('key', 2), { timeout: 20 })).toBeUndefined()
  other.exec('COMMIT')
  expect(await cache.set('key', 3)).toBe(true)
})

it('entries live by the time of the test', async () => {
  const cache = closing(new Cache(temporaryDirectory()))
  await cache.set('key', 1, { ttl: '1h' })
  vi.advanceTimersByTime(3_599_000)
  expect(await cache.get('key')).toBe(1)
  vi.advanceTimersByTime(2000)
  expect(await cache.get('key')).toBeUndefined()
})

it('an open cache has no timer among those that a test runs to their end', async () => {
  const cache = closing(new FanoutCache(temporaryDirectory(), { shards: 2, memory: {} }))
  await cache.set('key', 1)
  expect(vi.getTimerCount()).toBe(0)
})

it('a taken item has no timer among those that a test runs to their end', async () => {
  const deque = new Deque(temporaryDirectory())
  onTestFinished(() => deque.close())
  await deque.append('item')
  const item = await deque.take()
  expect(vi.getTimerCount()).toBe(0)
  expect(await item?.done()).toBe(true)
})

it('timers of a computation are run to their end, and what it answers is stored', async () => {
  const cache = closing(new FanoutCache(temporaryDirectory(), { shards: 1 }))
  let value: Promise<string> | undefined
  await new Promise<void>(began => {
    const slow = (): Promise<string> => {
      began()
      return new Promise(resolve => setTimeout(() => resolve('late'), 3_600_000))
    }
    value = cache.getOrSet('key', slow, { ttl: '2h' })
  })
  vi.runAllTimers()
  expect(await value).toBe('late')
  expect(await cache.get('key')).toBe('late')
})
