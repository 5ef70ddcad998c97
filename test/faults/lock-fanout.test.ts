import { type CacheEvents, FanoutCache, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { kindsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const LARGE = 'L'.repeat(40_000)
const ONCE = { retry: false } as const

interface Opened {
  readonly cache: FanoutCache
  readonly directory: string
  readonly refused: CacheEvents['refused'][]
  readonly timeouts: CacheEvents['timeout'][]
}

/** Even keys lie in shard 000, odd ones in 001. */
async function opened(options = {}): Promise<Opened> {
  const directory = temporaryDirectory()
  const cache = new FanoutCache(directory, { shards: 2, timeout: 50, ...options })
  onTestFinished(() => cache.close())
  for (let key = 0; key < 8; key += 1) await cache.set(key, key < 6 ? key : LARGE, { tag: 't' })
  const refused: CacheEvents['refused'][] = []
  const timeouts: CacheEvents['timeout'][] = []
  cache.on('refused', event => refused.push(event))
  cache.on('timeout', event => timeouts.push(event))
  return { cache, directory, refused, timeouts }
}

const WRITES: readonly (readonly [string, (cache: FanoutCache) => Promise<unknown>, unknown, number | undefined])[] = [
  ['set', cache => cache.set(0, 'new', ONCE), false, 0],
  ['set of a file', cache => cache.set(0, LARGE, ONCE), false, 0],
  ['add', cache => cache.add(100, 'new', ONCE), false, 100],
  ['touch', cache => cache.touch(0, { ttl: 1, ...ONCE }), false, 0],
  ['delete', cache => cache.delete(0, ONCE), false, 0],
  ['pop', cache => cache.pop(6, ONCE), undefined, 6],
  ['popItem', cache => cache.popItem(6, ONCE), undefined, 6],
  ['incr', cache => cache.incr(0, 1, ONCE), undefined, 0],
  ['decr', cache => cache.decr(0, 1, ONCE), undefined, 0],
  ['setMany', cache => cache.setMany([[0, 'new']], ONCE), [false], undefined],
  ['deleteMany', cache => cache.deleteMany([0, 2], ONCE), [false, false], undefined],
  ['transact', cache => cache.transact(tx => tx.set(0, 'new')), undefined, undefined],
  ['transact of keys', cache => cache.transact(tx => tx.set(0, 'new'), { keys: [0] }), undefined, undefined],
  ['clear', cache => cache.clear(), 0, undefined],
  ['evict', cache => cache.evict('t'), 0, undefined],
  ['expire', cache => cache.expire({ now: Date.now() + 1 }), 0, undefined],
  ['cull', cache => cache.cull(), 0, undefined],
]

describe('a FanoutCache whose locks another process holds', () => {
  it.each(WRITES)('refuses %s, counts and tells it', async (_name, write, answer, key) => {
    const { cache, directory, refused, timeouts } = await opened()
    const files = valueFiles(directory)
    const holder = await LockHolder.holding('FanoutCache', directory)
    expect(await write(cache)).toEqual(answer)
    expect(timeouts.length).toBeGreaterThan(0)
    expect((await cache.stats()).timeouts).toBe(timeouts.length)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]?.reason).toBe('timeout')
    expect(refused[0]?.error).toBeInstanceOf(TimeoutError)
    if (key !== undefined) expect(refused.map(event => event.key)).toEqual([key])
    if (key !== undefined) expect(timeouts.map(event => event.key)).toEqual([key])
    await holder.free()
    expect(await cache.getMany([0, 1, 2, 3, 4, 5, 6, 7])).toEqual([0, 1, 2, 3, 4, 5, LARGE, LARGE])
    expect(valueFiles(directory)).toEqual(files)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('tells of every key that setMany and deleteMany were refused', async () => {
    const { cache, directory, refused } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory)
    const keys = [0, 1, 2, 3]
    const told = (): unknown[] => refused.splice(0).map(({ key, reason }) => [key, reason])
    const every = keys.map(key => [key, 'timeout'])
    await cache.setMany(
      keys.map(key => [key, 'new']),
      ONCE,
    )
    expect(told().sort()).toEqual(every)
    await cache.deleteMany(keys, ONCE)
    expect(told().sort()).toEqual(every)
    await holder.free()
  })

  it('reads on meanwhile', async () => {
    const { cache, directory } = await opened({ statistics: true, evictionPolicy: 'least-frequently-used' })
    const holder = await LockHolder.holding('FanoutCache', directory)
    for (let round = 0; round < 50; round += 1) {
      expect(await cache.getMany([0, 1, 6, 7, 'absent'])).toEqual([0, 1, LARGE, LARGE, undefined])
      expect(await cache.has(3)).toBe(true)
      expect(await cache.count()).toBe(8)
    }
    await holder.free()
  })

  it('retries by default where DjangoCache does', async () => {
    const { cache, directory, refused } = await opened()
    await cache.set('n', 1)
    const holder = await LockHolder.holding('FanoutCache', directory)
    const waiting = Promise.all([
      cache.set(0, 'new'),
      cache.add('added', 1),
      cache.touch(1, { ttl: 60_000 }),
      cache.delete(2),
      cache.pop(6),
      cache.incr('n'),
      cache.decr('n', 3),
    ])
    expect(await cache.setMany([[3, 'no']], ONCE)).toEqual([false])
    await holder.free()
    expect(await waiting).toEqual([true, true, true, true, LARGE, 2, -1])
    expect(refused).toHaveLength(1)
  })

  it('works on the shards that are free', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory, ['000'])
    expect(
      await cache.setMany(
        [
          [0, 'a'],
          [1, 'b'],
          [2, 'c'],
          [3, 'd'],
        ],
        ONCE,
      ),
    ).toEqual([false, true, false, true])
    expect(await cache.set(1, 'e', ONCE)).toBe(true)
    expect(await cache.transact(tx => tx.set(1, 'f'), { keys: [1] })).toBe(true)
    let ran = false
    const body = (): void => {
      ran = true
    }
    expect(await cache.transact(body)).toBeUndefined()
    expect(ran).toBe(false)
    expect(await cache.clear()).toBe(4)
    await holder.free()
    expect(await cache.getMany([0, 1, 2, 3])).toEqual([0, undefined, 2, undefined])
  })

  it('bounds a retry by Waiting.timeout and by a signal', async () => {
    const { cache, directory, refused } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory)
    expect(await cache.set(0, 'new', { timeout: 60 })).toBe(false)
    expect(await cache.set(0, 'new', { retry: true, timeout: 60 })).toBe(false)
    expect(await cache.incr(1, 1, { timeout: 60 })).toBeUndefined()
    expect(refused).toHaveLength(3)
    const abort = new AbortController()
    const waiting = cache.set(0, 'new', { signal: abort.signal })
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await holder.free()
    expect(await cache.getMany([0, 1])).toEqual([0, 1])
  })

  it('lets a transaction over all shards wait for the one that is locked, and holds none meanwhile', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory, ['001'])
    const waiting = cache.transact(
      tx =>
        tx.setMany([
          [0, 'x'],
          [1, 'y'],
        ]),
      { retry: true },
    )
    const other = await LockHolder.holding('FanoutCache', directory, ['000'])
    await other.free()
    await holder.free()
    expect(await waiting).toEqual([true, true])
    expect(await cache.getMany([0, 1])).toEqual(['x', 'y'])
  })

  it('gives up a transaction in time behind writes that wait longer', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory)
    const patient = [cache.set(0, 'new'), cache.set(1, 'new')]
    let runs = 0
    const body = (): void => {
      runs += 1
    }
    expect(await cache.transact(body, { timeout: 100 })).toBeUndefined()
    expect(await cache.transact(body, { timeout: 100, keys: [0] })).toBeUndefined()
    expect(runs).toBe(0)
    await holder.free()
    expect(await Promise.all(patient)).toEqual([true, true])
  })

  it('gives up a write in time behind a transaction that waits longer', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.holding('FanoutCache', directory, ['001'])
    const patient = cache.transact(tx => tx.set(1, 'new'), { retry: true })
    // Whether it is made or refused, it must be known before the lock of the other shard is free.
    expect(typeof (await cache.set(0, 'new', { retry: false, timeout: 100 }))).toBe('boolean')
    expect(await cache.set(1, 'no', { retry: false, timeout: 100 })).toBe(false)
    expect(await cache.get(0, { timeout: 100 })).toBeDefined()
    await holder.free()
    expect(await patient).toBe(true)
    expect(await cache.get(1)).toBe('new')
  })
})
