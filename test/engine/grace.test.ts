import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheOptions, DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, fanoutSubject, SHARDS, type Subject, withClock } from '../contract/subjects.js'
import { FixtureProcess } from '../helpers/child-process.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'

const GRACE = 60_000
const LETTING_GO = new URL('./fixtures/grace-user.mjs', import.meta.url)
const VALUE = Buffer.alloc(40_000, 'value')
/** Housekeeping looks once a second, by the clock of the machine. */
const SOON = { timeout: 20_000, interval: 20 }

function inGrace(subject: Subject, options: CacheOptions = {}): { cache: DiskCache; clock: ManualClock } {
  return withClock(subject, { disk: { unlinkGrace: GRACE }, ...options })
}

/** Where the value of a key lies. */
async function fileOf(cache: DiskCache, key: string): Promise<string> {
  const info = await cache.info(key)
  if (info?.path === undefined) throw new Error(`${key} has no file`)
  return join(cache.directory, info.path)
}

/** Stores a value file and lets it go; answers where it lay. */
async function letGo(cache: DiskCache, key: string, value: Buffer = VALUE): Promise<string> {
  await cache.set(key, value)
  const path = await fileOf(cache, key)
  await cache.delete(key)
  return path
}

const WAYS: readonly (readonly [name: string, letGo: (cache: DiskCache) => Promise<unknown>])[] = [
  ['set over it', cache => cache.set('key', 'short')],
  ['set over it by another file', cache => cache.set('key', Buffer.alloc(50_000))],
  ['setMany', cache => cache.setMany([['key', 1]])],
  ['delete', cache => cache.delete('key')],
  ['deleteMany', cache => cache.deleteMany(['key'])],
  ['pop', async cache => expect(await cache.pop('key')).toEqual(VALUE)],
  ['popItem', async cache => expect((await cache.popItem('key'))?.value).toEqual(VALUE)],
  ['clear', cache => cache.clear()],
  ['evict', cache => cache.evict('tag')],
  ['a transaction', cache => cache.transact(tx => tx.pop('key'))],
]

const SUBJECTS: readonly Subject[] = [cacheSubject('structured'), fanoutSubject('structured')]

for (const subject of SUBJECTS) {
  const oneShard = subject.single ? {} : { shards: 1 }

  describe(`the grace of a ${subject.name}`, () => {
    it.each(WAYS)('keeps the file that %s lets go', async (_name, act) => {
      const { cache, clock } = inGrace(subject)
      await cache.set('key', VALUE, { tag: 'tag' })
      const path = await fileOf(cache, 'key')
      await act(cache)
      clock.advance(GRACE - 1)
      await cache.set('other', 1)
      expect(existsSync(path)).toBe(true)
      expect(await cache.check({ fix: true })).toEqual([])
      expect(existsSync(path)).toBe(true)
    })

    it('keeps the files of what has expired, and of what is evicted for the number of entries', async () => {
      const { cache, clock } = inGrace(subject, { maxItems: SHARDS * 2 })
      await cache.set('short', VALUE, { ttl: 1000 })
      const expired = await fileOf(cache, 'short')
      clock.advance(1000)
      expect(await cache.expire()).toBe(1)
      await cache.set('first', VALUE)
      const evicted = await fileOf(cache, 'first')
      for (let key = 0; key < 40; key += 1) await cache.set(key, key)
      expect(await cache.has('first')).toBe(false)
      expect([expired, evicted].filter(path => !existsSync(path))).toEqual([])
    })

    it('ends by itself when it is over', async () => {
      const { cache, clock } = inGrace(subject)
      const first = await letGo(cache, 'first')
      clock.advance(GRACE / 2)
      const second = await letGo(cache, 'second')
      clock.advance(GRACE / 2)
      await expect.poll(() => existsSync(first), SOON).toBe(false)
      expect(existsSync(second)).toBe(true)
      clock.advance(GRACE / 2)
      await expect.poll(() => valueFiles(cache.directory), SOON).toEqual([])
    })

    it('ends for hundreds of files at once', async () => {
      const { cache, clock } = inGrace(subject)
      const keys = Array.from({ length: 700 }, (_, at) => `key${at}`)
      await cache.setMany(keys.map(key => [key, key, { file: true }]))
      await cache.clear()
      expect(valueFiles(cache.directory)).toHaveLength(700)
      clock.advance(GRACE)
      await cache.set('next', 1)
      // Two looks of housekeeping, and not one for every page of them.
      await expect.poll(() => valueFiles(cache.directory), { timeout: 8000, interval: 20 }).toEqual([])
    })

    it('keeps nothing without the setting, and begins and ends with it', async () => {
      const { cache } = withClock(subject)
      await letGo(cache, 'none')
      await expect.poll(() => valueFiles(cache.directory), SOON).toEqual([])
      await cache.configure({ disk: { unlinkGrace: GRACE } })
      const path = await letGo(cache, 'kept')
      await cache.configure({ disk: { unlinkGrace: 0 } })
      await letGo(cache, 'gone')
      await expect.poll(() => valueFiles(cache.directory), SOON).toEqual([path])
    })

    it('counts in volume()', async () => {
      const { cache } = inGrace(subject)
      await cache.set('key', VALUE)
      const before = await cache.volume()
      await cache.delete('key')
      expect(await cache.volume()).toBeGreaterThanOrEqual(before)
      expect(await cache.count()).toBe(0)
    })

    it('takes a tenth of the limit at most: the oldest go', async () => {
      const { cache, clock } = inGrace(subject, { sizeLimit: 4_000_000, ...oneShard })
      const paths: string[] = []
      for (let round = 0; round < 60; round += 1) {
        clock.advance(1)
        paths.push(await letGo(cache, 'same'))
      }
      const kept = paths.filter(path => existsSync(path))
      expect(kept).toEqual(paths.slice(-10))
      expect(await cache.check()).toEqual([])
    })

    it('ends before anything alive is evicted', async () => {
      const { cache } = inGrace(subject, { sizeLimit: 1_000_000, ...oneShard })
      const evicted: unknown[] = []
      cache.on('evict', event => evicted.push(event))
      await cache.set('same', Buffer.alloc(90_000))
      const path = await fileOf(cache, 'same')
      await cache.set('same', 'short')
      expect(existsSync(path)).toBe(true)
      for (let key = 0; existsSync(path); key += 1) await cache.set(`live${key}`, VALUE)
      expect(await cache.volume()).toBeGreaterThan(800_000)
      expect(evicted).toEqual([])
      expect(await cache.get('live0')).toEqual(VALUE)
    })

    it('ends at close, for what this process let go', async () => {
      const { cache } = inGrace(subject)
      const path = await letGo(cache, 'key')
      await cache.close()
      expect(existsSync(path)).toBe(false)
      expect(valueFiles(cache.directory)).toEqual([])
    })

    it('outlives the close of another process, which ends its own and what is over', async () => {
      const { cache, clock } = inGrace(subject)
      const mine = await letGo(cache, 'mine')
      const user = { single: subject.single, directory: cache.directory, grace: GRACE, now: clock.now() }
      const writer = new FixtureProcess(LETTING_GO, { ...user, keys: ['theirs'] })
      await writer.line('let go')
      expect(valueFiles(cache.directory)).toHaveLength(2)
      writer.send('close')
      await writer.done()
      expect(valueFiles(cache.directory)).toEqual([mine])
      const reader = new FixtureProcess(LETTING_GO, { ...user, keys: [] })
      reader.send('close')
      await reader.done()
      expect(existsSync(mine)).toBe(true)
      expect(await cache.check()).toEqual([])
    })

    it('ends for the files of a killed process when it is over', async () => {
      const directory = temporaryDirectory()
      const clock = new ManualClock()
      const user = { single: subject.single, directory, grace: GRACE, now: clock.now() }
      const writer = new FixtureProcess(LETTING_GO, { ...user, keys: ['key'] })
      await writer.line('let go')
      await writer.kill()
      const heir = subject.make({ clock }, directory)
      await heir.set('other', 1)
      expect(valueFiles(directory)).toHaveLength(1)
      expect(await heir.check()).toEqual([])
      clock.advance(GRACE)
      await expect.poll(() => valueFiles(directory), SOON).toEqual([])
    })

    it('keeps no file of a write that came to nothing', async () => {
      const { cache } = inGrace(subject)
      await cache.set('key', VALUE)
      const path = await fileOf(cache, 'key')
      await expect(
        cache.transact(tx => {
          tx.set('key', Buffer.alloc(60_000))
          throw new Error('no')
        }),
      ).rejects.toThrow('no')
      await cache.close()
      expect(valueFiles(cache.directory)).toEqual([path])
      expect(await cache.get('key')).toEqual(VALUE)
    })
  })
}
