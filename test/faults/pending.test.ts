import { type CacheEvents, type CacheOptions, type DiskCache, PendingLimitError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'
import { readElsewhere } from './support/reader.js'

const LARGE = 'L'.repeat(40_000)
const RETRY = { retry: true } as const

/** Even keys lie in one database. */
async function held(kind: Kind, options: CacheOptions = {}) {
  const directory = temporaryDirectory()
  const cache = cacheOf(kind, directory, options)
  await cache.set(0, 'old')
  await cache.set(2, LARGE)
  const holder = await LockHolder.holding(kind, directory)
  return { directory, cache, holder }
}

/** Tells whether a write was turned down, each cache in its own way, because too many wait. */
async function isRefused(kind: Kind, cache: DiskCache, write: () => Promise<unknown>): Promise<boolean> {
  const refused: CacheEvents['refused'][] = []
  const listener = (event: CacheEvents['refused']): void => void refused.push(event)
  cache.on('refused', listener)
  const ended = await write().catch((error: unknown) => error)
  cache.off('refused', listener)
  if (kind === 'Cache') return ended instanceof PendingLimitError
  return ended === false && refused.length === 1 && refused[0]?.reason === 'pending'
}

describe.each(KINDS)('a %s with writes that wait for a lock', kind => {
  it('answers reads of such a key with the committed value after their timeout', async () => {
    const { cache, holder } = await held(kind)
    const writing = Promise.all([cache.set(0, 'new', RETRY), cache.delete(2, RETRY), cache.set(4, 'added', RETRY)])
    expect(await cache.get(0, { timeout: 100 })).toBe('old')
    expect(await cache.get(2, { timeout: 100 })).toBe(LARGE)
    expect(await cache.get(4, { timeout: 100 })).toBeUndefined()
    expect(await cache.getMany([0, 2, 4], { timeout: 100 })).toEqual(['old', LARGE, undefined])
    expect((await cache.getItem(0, { timeout: 100 }))?.value).toBe('old')
    expect((await cache.info(2, { timeout: 100 }))?.size).toBe(40_000)
    await holder.free()
    expect(await writing).toEqual([true, true, true])
    expect(await cache.getMany([0, 2, 4])).toEqual(['new', undefined, 'added'])
  })

  it('counts the bytes of those no more that were turned down, timed out or were aborted', async () => {
    const { cache, holder } = await held(kind, { maxPending: { bytes: 50_000 }, disk: { minFileSize: 100_000 } })
    const controller = new AbortController()
    for (let round = 0; round < 3; round++) {
      const late = cache.set(0, LARGE, { retry: false, timeout: 20 }).catch((error: Error) => error.name)
      expect(await late).toBe(kind === 'Cache' ? 'TimeoutError' : false)
    }
    const aborted = cache.set(0, LARGE, { ...RETRY, signal: controller.signal })
    expect(await isRefused(kind, cache, () => cache.set(0, LARGE, RETRY))).toBe(true)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const writing = cache.set(0, LARGE, RETRY)
    await holder.free()
    expect(await writing).toBe(true)
  })

  it('answers figures and listings of what is committed after the timeout of the cache', async () => {
    const { cache, holder } = await held(kind, { timeout: 50 })
    const writing = cache.set(4, 'added', RETRY)
    const [count, volume, stats, keys, findings] = await Promise.all([
      cache.count(),
      cache.volume(),
      cache.stats(),
      collect(cache.keys()),
      cache.check({ timeout: 50 }),
    ])
    expect([count, stats.count, keys.sort(), findings]).toEqual([2, 2, [0, 2], []])
    expect(volume).toBeGreaterThan(40_000)
    await holder.free()
    expect(await writing).toBe(true)
    expect(await cache.count()).toBe(3)
  })

  it('ends a check by its signal', async () => {
    const { cache, holder } = await held(kind)
    const writing = cache.set(4, 'added', RETRY)
    await expect(cache.check({ signal: AbortSignal.timeout(30) })).rejects.toThrow(/timeout/)
    await holder.free()
    expect(await writing).toBe(true)
  })

  it('lets a read wait for the write of its own key, and for no other', async () => {
    const { cache, holder } = await held(kind, { timeout: '1m' })
    const writing = cache.set(0, 'new', RETRY)
    const reading = cache.get(0)
    expect(await cache.get(2)).toBe(LARGE)
    await holder.free()
    expect(await reading).toBe('new')
    expect(await writing).toBe(true)
  })

  it('answers what looks at all entries from the committed rows, after their timeout', async () => {
    const { cache, holder } = await held(kind, { timeout: 30 })
    const writing = Promise.all([cache.set(0, 'new', RETRY), cache.set(6, LARGE, RETRY)])
    const [keys, entries, count, volume, stats, findings] = await Promise.all([
      collect(cache.keys()),
      collect(cache.entries()),
      cache.count(),
      cache.volume(),
      cache.stats(),
      cache.check({ timeout: 30 }),
    ])
    expect(keys).toEqual([0, 2])
    expect(entries).toEqual([
      [0, 'old'],
      [2, LARGE],
    ])
    expect([count, stats.count, findings]).toEqual([2, 2, []])
    expect(volume).toBeGreaterThan(40_000)
    await holder.free()
    expect(await writing).toEqual([true, true])
    expect(await collect(cache.keys())).toEqual([0, 2, 6])
  })

  it('makes the writes of one key in the order of their calls once the lock is free', async () => {
    const { cache, holder } = await held(kind)
    const writes = [
      cache.set(0, 1, RETRY),
      cache.incr(0, 1, RETRY),
      cache.add(0, 'no', RETRY),
      cache.pop(0, RETRY),
      cache.add(0, 'yes', RETRY),
      cache.delete(0, RETRY),
      cache.delete(0, RETRY),
      cache.set(0, LARGE, RETRY),
      cache.set(0, 'last', RETRY),
    ]
    await holder.free()
    expect(await Promise.all(writes)).toEqual([true, 2, false, 2, true, true, false, true, true])
    expect(await cache.get(0)).toBe('last')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('refuses more of them than maxPending.count allows', async () => {
    const { cache, holder } = await held(kind, { maxPending: { count: 10 } })
    const waiting = Array.from({ length: 10 }, (_, index) => cache.set(index * 2, `new ${index}`, RETRY))
    expect(await isRefused(kind, cache, () => cache.set(100, 'too many', RETRY))).toBe(true)
    expect(await cache.get(100, { timeout: 50 })).toBeUndefined()
    await holder.free()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => true))
    expect(await cache.set(100, 'room again', RETRY)).toBe(true)
    expect(await cache.get(0)).toBe('new 0')
  })

  it('refuses more bytes of them than maxPending.bytes allows, and leaves no file', async () => {
    const { cache, directory, holder } = await held(kind, { maxPending: { bytes: 100_000 } })
    const waiting = [cache.set(4, 'i'.repeat(20_000), RETRY), cache.set(6, 'j'.repeat(30_000), RETRY)]
    expect(await isRefused(kind, cache, () => cache.set(8, 'k'.repeat(30_000).repeat(3), RETRY))).toBe(true)
    await holder.free()
    expect(await Promise.all(waiting)).toEqual([true, true])
    expect(await cache.get(8)).toBeUndefined()
    // The file of what was refused is removed beside the refusal.
    await expect.poll(() => valueFiles(directory).length).toBe(1)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('lets a check wait for them no longer than it is told to', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.set(0, 'old', { retry: true })
    const holder = await LockHolder.holding(kind, directory)
    const write = cache.set(0, 'new', { retry: true })
    expect(await cache.check({ timeout: 50 })).toEqual([])
    await expect(cache.check({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
    await holder.free()
    expect(await write).toBe(true)
  })

  it('closes when they are made', async () => {
    const { cache, directory, holder } = await held(kind)
    let closed = false
    const writing = [cache.set(0, 'new', RETRY), cache.set(2, `new ${LARGE}`, RETRY), cache.set(4, 'added', RETRY)]
    const closing = cache.close().then(() => {
      closed = true
    })
    expect(await readElsewhere(kind, directory, [0])).toEqual(['old'])
    expect(closed).toBe(false)
    await holder.free()
    expect(await Promise.all(writing)).toEqual([true, true, true])
    await closing
    expect(await readElsewhere(kind, directory, [0, 2, 4])).toEqual(['new', `new ${LARGE}`, 'added'])
  })
})

it.each(KINDS)('a %s does not make a write that a listener aborts when the batch before it is stored', async kind => {
  const maxItems = kind === 'Cache' ? 1 : 2
  const cache = cacheOf(kind, temporaryDirectory(), { maxItems, disk: { minFileSize: 2 ** 30 } })
  const controller = new AbortController()
  cache.on('evict', () => controller.abort(new Error('enough')))
  // Two of them are as much as one batch may hold, and on a busy machine one.
  const stored = Promise.all([0, 2, 6, 8].map(key => cache.set(key, Buffer.alloc(5 * 2 ** 20), RETRY)))
  const aborted = cache.set(4, 'late', { ...RETRY, signal: controller.signal })
  await expect(aborted).rejects.toThrow('enough')
  expect(await stored).toEqual([true, true, true, true])
  expect(await cache.get(4)).toBeUndefined()
})
