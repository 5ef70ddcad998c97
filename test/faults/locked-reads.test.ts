import { mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Cache, type CacheEvents, DirectoryError, FanoutCache, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { LockHolder } from './support/lock-holder.js'

const LARGE = 'L'.repeat(40_000)
const JOURNAL = { sqlite: { journalMode: 'delete' } } as const

interface Opened {
  readonly cache: FanoutCache
  readonly directory: string
  readonly timeouts: CacheEvents['timeout'][]
  readonly errors: Error[]
}

/** Even keys lie in shard 000, odd ones in 001. */
async function opened(): Promise<Opened> {
  const directory = temporaryDirectory()
  const cache = new FanoutCache(directory, { shards: 2, timeout: 20, ...JOURNAL })
  onTestFinished(() => cache.close())
  for (let key = 0; key < 6; key += 1) await cache.set(key, key < 4 ? key : LARGE, { tag: 't' })
  const timeouts: CacheEvents['timeout'][] = []
  const errors: Error[] = []
  cache.on('timeout', event => timeouts.push(event))
  cache.on('error', error => errors.push(error))
  return { cache, directory, timeouts, errors }
}

const READS: readonly (readonly [(cache: FanoutCache) => Promise<unknown>, unknown])[] = [
  [cache => cache.get(0), undefined],
  [cache => cache.getItem(4), undefined],
  [cache => cache.getMany([0, 1]), [undefined, undefined]],
  [cache => cache.info(0), undefined],
  [cache => cache.has(0), false],
  [cache => cache.read(4), undefined],
  [cache => collect(cache.keys()), []],
  [cache => collect(cache.keys({ prefix: 'a' })), []],
  [cache => collect(cache.keys({ tag: 't', reverse: true })), []],
  [cache => collect(cache.entries()), []],
  [cache => cache.count(), 0],
  [cache => cache.volume(), 0],
  [cache => cache.namespace('n').count(), 0],
]

describe('a FanoutCache whose databases others have locked for reading, too', () => {
  it('answers every read as a miss, and tells', async () => {
    const { cache, directory, timeouts, errors } = await opened()
    const holder = await LockHolder.excluding('FanoutCache', directory)
    const answers = await Promise.all(READS.map(([read]) => read(cache)))
    expect(answers).toEqual(READS.map(([, answer]) => answer))
    expect(timeouts.length).toBeGreaterThanOrEqual(READS.length)
    expect(errors).toEqual([])
    await holder.free()
    expect(await collect(cache.keys())).toEqual([0, 2, 4, 1, 3, 5])
  })

  it('answers stats, settings and check with what is known', async () => {
    const { cache, directory } = await opened()
    const known = await cache.settings()
    const holder = await LockHolder.excluding('FanoutCache', directory)
    expect(await cache.stats()).toMatchObject({ count: 0, volume: 0, hits: 0 })
    expect(await cache.settings()).toEqual(known)
    for (const fix of [false, true]) {
      const findings = await cache.check({ fix, timeout: 20 })
      expect(findings.map(({ kind, path, fixed }) => [kind, path, fixed])).toEqual([
        ['locked', '000', false],
        ['locked', '001', false],
      ])
    }
    expect((await cache.stats()).timeouts).toBeGreaterThan(2)
    await holder.free()
    expect(await cache.check()).toEqual([])
  })

  it('lists, counts and checks the shards that are free', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.excluding('FanoutCache', directory, ['000'])
    const listings = [collect(cache.keys()), collect(cache.keys({ reverse: true }))]
    expect(await Promise.all(listings)).toEqual([
      [1, 3, 5],
      [5, 3, 1],
    ])
    expect(await cache.count()).toBe(3)
    expect((await cache.check({ timeout: 20 })).map(({ kind, path }) => [kind, path])).toEqual([['locked', '000']])
    await holder.free()
  })

  it('waits with a listing for longer than its timeout', async () => {
    const { cache, directory, timeouts } = await opened()
    const holder = await LockHolder.excluding('FanoutCache', directory)
    const listed = collect(cache.keys())
    while ((await cache.get(0)) !== undefined || timeouts.length < 3) expect(timeouts.length).toBeLessThan(4)
    await holder.free()
    expect(await listed).toEqual([0, 2, 4, 1, 3, 5])
  })

  it('lets a read wait for as long as it is told', async () => {
    const { cache, directory } = await opened()
    const holder = await LockHolder.excluding('FanoutCache', directory)
    const reading = cache.get(0, { timeout: '1h' })
    expect(await cache.get(0, { retry: true })).toBeUndefined()
    await holder.free()
    expect(await reading).toBe(0)
  })
})

describe('a Cache whose database others have locked for reading, too', () => {
  it('makes writes that were called while a read opens it again', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, JOURNAL)
    onTestFinished(() => cache.close())
    await cache.set('k', 'old')
    const path = join(directory, 'cache.db')
    renameSync(path, `${path}-tmp-kept`)
    mkdirSync(path)
    await expect(cache.set('k', 'lost')).rejects.toThrow(DirectoryError)
    rmdirSync(path)
    renameSync(`${path}-tmp-kept`, path)
    const holder = await LockHolder.excluding('Cache', directory)
    const reading = cache.get('k')
    const writing = cache.set('other', 'new')
    await pause(50)
    await holder.free()
    expect(await reading).toBe('old')
    expect(await writing).toBe(true)
  })

  it('closes without a word, also where files may be in grace', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { disk: { unlinkGrace: '1h' }, ...JOURNAL })
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    for (const value of ['old', 'new']) await cache.set('k', value, { file: true })
    await cache.close()
    await cache.open()
    const holder = await LockHolder.excluding('Cache', directory)
    await cache.close()
    expect(errors).toEqual([])
    await holder.free()
  })

  it('rejects a read with the reason of its signal, and with TimeoutError after its timeout', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { timeout: '1h', ...JOURNAL })
    onTestFinished(() => cache.close())
    await cache.set('k', 1)
    const holder = await LockHolder.excluding('Cache', directory)
    const abort = new AbortController()
    const reading = cache.get('k', { signal: abort.signal })
    await expect(cache.get('k', { timeout: 30 })).rejects.toThrow(TimeoutError)
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await holder.free()
    expect(await cache.get('k')).toBe(1)
  })
})
