import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache, defineModel, FanoutCache, pickleCodec } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { fanoutSubject } from '../contract/subjects.js'

// FanoutCache.cache, deque and index, as upstream's tests/test_djangocache.py shows them.

const structured = fanoutSubject('structured')
const ONE = { sqlite: { synchronous: 1 } }
const LIMITED = defineModel({ name: 'Limited', version: 1, schema: z.string(), maxItems: 5 })

describe('caches below a FanoutCache', () => {
  // test_cache (test_djangocache.py)
  it('cache(name) is a Cache of its own below the directory', async () => {
    const fanout = structured.make()
    const below = fanout.cache('test')
    await below.set('key', 'below')
    expect(below.directory).toBe(join(fanout.directory, 'cache', 'test'))
    expect(await fanout.get('key')).toBeUndefined()
    await fanout.set('key', 'above')
    expect(await below.get('key')).toBe('below')
    await fanout.clear()
    expect(await below.get('key')).toBe('below')
    expect(await fanout.check()).toEqual([])
    expect(await below.check()).toEqual([])
  })

  it('cache(name) is the same for the same name, and another for another', async () => {
    const fanout = structured.make()
    expect(fanout.cache('a')).toBe(fanout.cache('a'))
    await fanout.cache('a').set('key', 1)
    expect(await fanout.cache('b').get('key')).toBeUndefined()
    await fanout.cache('a/deep').set('key', 2)
    expect(existsSync(join(fanout.directory, 'cache', 'a', 'deep', 'cache.db'))).toBe(true)
    expect(await fanout.cache('a').get('key')).toBe(1)
  })

  it('all of them wait for the disk where the FanoutCache does', async () => {
    const fanout = structured.make({ sqlite: { synchronous: 2 } })
    const below = [fanout.cache('a'), fanout.cache('b', { sqlite: { cacheSize: 100 } }), fanout.cache('c', ONE)]
    await Promise.all([...below.map(cache => cache.set('key', 1)), fanout.model(LIMITED).put('key', 'value')])
    await Promise.all([fanout.deque('d').append(1), fanout.index('e').set('key', 1)])
    const stored = ['cache/a', 'cache/b', 'cache/models/Limited', 'deque/d', 'index/e', 'cache/c'].map(path => {
      const db = new Database(join(fanout.directory, path, 'cache.db'), { readonly: true })
      onTestFinished(() => void db.close())
      return db.prepare("SELECT value FROM Settings WHERE key = 'sqlite_synchronous'").pluck().get()
    })
    expect(stored).toEqual([2, 2, 2, 2, 2, 1])
  })

  it('names that lead out of the directory are refused', () => {
    const fanout = structured.make()
    for (const name of ['..', '../other', 'a/../../b', '', '.', '/', 'a\u0000b', 'a\\..\\..\\b', 7]) {
      expect(() => fanout.cache(name as string), String(name)).toThrow(/name/)
    }
    // A name is not a path: it begins below the directory, whatever it looks like.
    expect(fanout.cache('/etc').directory).toBe(join(fanout.directory, 'cache', 'etc'))
  })

  it('close() closes the rest when one of those below cannot be closed', async () => {
    const fanout = structured.make()
    await fanout.set('key', 1)
    fanout.cache('test').close = () => Promise.reject(new Error('not now'))
    await expect(fanout.close()).rejects.toThrow('not now')
    // The last one who closes a database removes its log.
    expect(
      readdirSync(fanout.directory).filter(shard => existsSync(join(fanout.directory, shard, 'cache.db-wal'))),
    ).toEqual([])
  })

  it('close() closes what was made below, and all of it opens again', async () => {
    const fanout = structured.make()
    const below = fanout.cache('test')
    await below.set('key', 1)
    await fanout.close()
    expect(existsSync(join(below.directory, 'cache.db-wal'))).toBe(false)
    expect(await fanout.cache('test').get('key')).toBe(1)
    await fanout.close()
  })

  it.each(['awaited', 'under way'])('what was made below a temporary cache rejects after close(), %s', async when => {
    const fanout = new FanoutCache()
    const cache = new Cache()
    const below = fanout.cache('test')
    const [deque, index] = [fanout.deque('test'), fanout.index('test')]
    const models = [fanout.model(LIMITED), cache.model(LIMITED)]
    const use = (): Promise<unknown>[] => [
      below.set('key', 1),
      deque.append(1),
      index.set('key', 1),
      ...models.map(model => model.put(1, 'value')),
    ]
    await Promise.all(use())
    const closing = Promise.all([fanout.close(), cache.close()])
    if (when === 'awaited') await closing
    const attempts = [...use(), below.get('key'), fanout.cache('late').set('key', 1)]
    for (const attempt of await Promise.allSettled(attempts)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CACHE_CLOSED' } })
    }
    await closing
    expect([fanout, cache].map(({ directory }) => existsSync(directory))).toEqual([false, false])
  })

  it.skipIf(process.platform === 'win32')('what lies below has the modes of files and directories', async () => {
    const fanout = structured.make({ disk: { directoryMode: 0o770, fileMode: 0o660 } })
    const below = fanout.cache('test', { disk: { fileMode: 0o640 } })
    const [deque, index] = [fanout.deque('test'), fanout.index('test')]
    await Promise.all([below.set('key', 1), deque.append(1), index.set('key', 1)])
    const told = [below, deque, index].map(({ directory }) =>
      [directory, join(directory, 'cache.db')].map(path => statSync(path).mode & 0o777),
    )
    expect(told).toEqual([
      [0o770, 0o640],
      [0o770, 0o660],
      [0o770, 0o660],
    ])
  })

  // FanoutCache.cache() upstream takes a disk and uses another.
  it('cache(name, options) uses the options that it is given', async () => {
    const fanout = structured.make()
    const below = fanout.cache('test', { codec: pickleCodec, cullLimit: 3 })
    await below.set('key', { a: [1] })
    expect((await below.settings()).cullLimit).toBe(3)
    expect(() => fanout.cache('other', { shards: 2 } as never)).toThrow(/shards/)
    await below.set('file', { a: 'x'.repeat(40_000) })
    expect(await below.get('file')).toEqual({ a: 'x'.repeat(40_000) })
  })

  it('cache(name, options) refuses options that contradict those it was made with, open or not', async () => {
    const fanout = structured.make()
    const options = { sizeLimit: 2 ** 20, disk: { minFileSize: 100 }, memory: { maxItems: 5 } }
    const below = fanout.cache('test', options)
    for (const open of [false, true]) {
      if (open) await below.open()
      expect(fanout.cache('test')).toBe(below)
      expect(fanout.cache('test', { ...options, disk: { minFileSize: 100 } })).toBe(below)
      expect(() => fanout.cache('test', { sizeLimit: 2 ** 21 })).toThrow(/other options: sizeLimit/)
      expect(() => fanout.cache('test', { memory: { maxItems: 6 } })).toThrow(/other options: memory/)
      expect(() => fanout.cache('test', { sizeLimt: 1 } as never)).toThrow(/did you mean sizeLimit/)
    }
    expect(fanout.cache('test', { evictionPolicy: 'least-recently-stored' })).toBe(below)
  })

  it.each<[string, (fanout: FanoutCache) => Promise<unknown>]>([
    ['cache', fanout => fanout.cache('name').set('key', 1)],
    ['deque', fanout => fanout.deque('name').append(1)],
    ['model with limits', fanout => fanout.model(LIMITED).put('key', 'value')],
  ])('a temporary one goes with its directory when only a %s below it was used', async (_what, use) => {
    const fanout = new FanoutCache()
    await use(fanout)
    expect(existsSync(fanout.directory)).toBe(true)
    await fanout.close()
    expect(existsSync(fanout.directory)).toBe(false)
  })
})
