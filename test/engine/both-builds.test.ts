import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as imported from 'fanout-cache'
import { purge } from 'fanout-cache/express'
import { createKeyv } from 'fanout-cache/keyv'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

type Build = typeof imported

const required = createRequire(import.meta.url)('fanout-cache') as Build

/** One app may load both builds of the package: a library requires it, another imports it. */
describe.each([
  ['imported', 'required', imported, required],
  ['required', 'imported', required, imported],
] as const)('a cache of the %s build, in the %s one', (_one, _other, own, other) => {
  function open(kind: 'Cache' | 'FanoutCache', options: imported.CacheOptions = {}) {
    const cache = new own[kind](temporaryDirectory(), options)
    onTestFinished(() => cache.close())
    return cache
  }

  it.each(['Cache', 'FanoutCache'] as const)('is one for all recipes: %s', async kind => {
    const cache = open(kind, { evictionPolicy: 'none' })
    for (const target of [cache, cache.namespace('inner')]) {
      const lease = await new other.Lock(target, 'lock').acquire()
      expect(await new own.Lock(target, 'lock').tryAcquire()).toBeUndefined()
      expect(await lease.release()).toBe(true)
      expect(await other.memoize(target, async (n: number) => n, { name: 'same' })(3)).toBe(3)
      expect(await new other.Averager(target, 'mean').add(4)).toBe(true)
      expect(await other.throttle(target, () => 'now', { name: 'calls', count: 1, per: 1 })()).toBe('now')
    }
    expect(await new own.Averager(cache, 'mean').get()).toBe(4)
    const Word = other.defineModel({ name: 'Word', version: 1, schema: z.object({ text: z.string() }) })
    await cache.model(Word).put('a', { text: 'A' })
    expect(await cache.model(Word).get('a')).toEqual({ text: 'A' })
  })

  it('keeps one line of those who wait, and one owner of an RLock', async () => {
    const cache = open('Cache', { evictionPolicy: 'none' })
    const held = await new own.Lock(cache, 'lock').acquire()
    const order: number[] = []
    const waiting = [own, other, own, other].map(async ({ Lock }, place) => {
      const lease = await new Lock(cache, 'lock').acquire()
      order.push(place)
      await lease.release()
    })
    await held.release()
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2, 3])
    const inner = new other.RLock(cache, 'rlock')
    const entered = await new own.RLock(cache, 'rlock').run(() => inner.run(() => 'inside', { timeout: 5000 }))
    expect(entered).toBe('inside')
  })

  it('computes once for both, and tells both of the error itself', async () => {
    const cache = open('FanoutCache')
    const second = new other.FanoutCache(cache.directory)
    onTestFinished(() => second.close())
    await Promise.all([cache.open(), second.open()])
    const failure = new Error('no answer')
    let calls = 0
    const fail = async (): Promise<never> => {
      calls++
      throw failure
    }
    const outcomes = await Promise.allSettled([cache.getOrSet('key', fail), second.getOrSet('key', fail)])
    expect(outcomes.map(outcome => outcome.status === 'rejected' && outcome.reason)).toEqual([failure, failure])
    expect(calls).toBe(1)
  })

  it('is kept up once for both, with the same options', async () => {
    const cache = open('FanoutCache')
    const second = new other.FanoutCache(cache.directory)
    onTestFinished(() => second.close())
    const upkeep = own.startUpkeep(cache, { every: '1m' })
    expect(await upkeep.run()).toMatchObject({ expired: 0 })
    for (const one of [cache, second]) {
      const joined = other.startUpkeep(one, { every: '1m' })
      expect(await joined.run()).toMatchObject({ expired: 0 })
      expect(joined.isLeader).toBe(true)
      expect(() => other.startUpkeep(cache, { every: '2m' })).toThrow(RangeError)
    }
    await upkeep.stop()
    expect(await other.startUpkeep(second, { every: '1m' }).run()).toMatchObject({ expired: 0 })
  })

  it('is one for collections, which a FanoutCache is not', async () => {
    const cache = open('Cache') as imported.Cache
    await other.Deque.from(cache).extend([1, 2])
    expect(await own.Deque.from<number>(cache).popLeft()).toBe(1)
    await other.Index.from(cache).set('key', 'value')
    expect(await own.Index.from(cache).get('key')).toBe('value')
    const bad = [open('FanoutCache'), cache.namespace('inner'), {}] as unknown as imported.Cache[]
    for (const no of bad) expect(() => other.Deque.from(no)).toThrow(/needs a Cache/)
  })

  it('shares its directory under the same codec, and under no other', async () => {
    for (const name of ['structuredCodec', 'jsonCodec', 'pickleCodec'] as const) {
      const cache = open('Cache', { codec: own[name] })
      await cache.set(['key', 1], [name])
      const second = new other.Cache(cache.directory, { codec: other[name] })
      onTestFinished(() => second.close())
      expect(await second.get(['key', 1])).toEqual([name])
      const wrong = name === 'jsonCodec' ? other.pickleCodec : other.jsonCodec
      await expect(async () => new other.Cache(cache.directory, { codec: wrong }).get('key')).rejects.toThrow(/codec/)
      const changed = { ...other[name] }
      await expect(async () => new other.Cache(cache.directory, { codec: changed }).get('key')).rejects.toThrow(/codec/)
    }
  })

  it('rejects with errors of either, and a FanoutCache with none', async () => {
    const cache = open('Cache', { timeout: 20 })
    const fanout = open('FanoutCache')
    await Promise.all([cache.set('key', 1), fanout.set('key', 1)])
    const second = new other.Cache(cache.directory, { timeout: 20 })
    const shards = new other.FanoutCache(fanout.directory)
    onTestFinished(async () => void (await Promise.all([second.close(), shards.close()])))
    expect(await Promise.all([second.get('key'), shards.get('key')])).toEqual([1, 1])
    const places = [cache.directory, ...[0, 1, 2, 3, 4, 5, 6, 7].map(at => join(fanout.directory, `00${at}`))]
    const held = places.map(place => rawDatabase(place))
    for (const database of held) database.exec('BEGIN IMMEDIATE')
    const error: unknown = await second.set('key', 2).catch((reason: unknown) => reason)
    for (const { TimeoutError, DiskCacheError, CorruptError, LockTimeoutError } of [own, other]) {
      expect([TimeoutError, DiskCacheError].map(kind => error instanceof kind)).toEqual([true, true])
      expect([CorruptError, LockTimeoutError].map(kind => error instanceof kind)).toEqual([false, false])
    }
    class Derived extends other.TimeoutError {}
    expect(error instanceof Derived).toBe(false)
    const briefly = { timeout: 20 }
    expect(await shards.set('key', 2, briefly)).toBe(false)
    expect(await shards.clear()).toBe(0)
    expect(await shards.transact(tx => tx.set('key', 2))).toBeUndefined()
    expect(await shards.getOrSet('none', () => 'computed', briefly)).toBe('computed')
    for (const database of held) database.close()
  })
})

it('doors take a cache of the other build', async () => {
  const cache = new required.FanoutCache(temporaryDirectory())
  onTestFinished(() => cache.close())
  expect(await purge(cache, { prefix: '/' })).toBe(0)
  const keyv = createKeyv<number>({ cache })
  await keyv.set('key', 1)
  expect(await keyv.get('key')).toBe(1)
})
