import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, defineModel, type FanoutCache, keyOf, type Model } from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { cacheSubject, fanoutSubject, noise, type Subject, withClock } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'
import type { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

type Host = Cache | FanoutCache

const textModel = (name: string, more = {}): Model<string, string> =>
  defineModel({ name, version: 1, schema: z.string(), ...more })
const kept = async (models: { keys(): AsyncIterable<unknown> }): Promise<unknown[]> =>
  (await collect(models.keys())).sort()

for (const subject of [cacheSubject('structured'), fanoutSubject('structured')] as Subject[]) {
  const start = (options = {}): { cache: Host; clock: ManualClock } => withClock(subject, options) as never

  describe(`limits of models on a ${subject.name}`, () => {
    it('evict the least recently used, and of those used at one instant the first by key', async () => {
      const { cache, clock } = start()
      const models = cache.model(textModel('Text', { maxItems: 4 }))
      await models.putMany(['d', 'b', 'c', 'a'].map(key => [key, key] as const))
      clock.advance(10_000)
      await models.get('a')
      await models.put('e', 'e')
      expect(await kept(models)).toEqual(['a', 'c', 'd', 'e'])
      await models.put('f', 'f')
      expect(await kept(models)).toEqual(['a', 'd', 'e', 'f'])
      expect((await models.stats()).disk).toMatchObject({ evictions: 2, items: 4 })
    })

    it('do not let getMany change who goes', async () => {
      const { cache, clock } = start()
      const models = cache.model(textModel('Text', { maxItems: 2 }))
      await models.put('a', 'a')
      clock.advance(10_000)
      await models.put('b', 'b')
      clock.advance(10_000)
      await models.getMany(['a'])
      await models.has('a')
      await collect(models.entries())
      await models.put('c', 'c')
      expect(await kept(models)).toEqual(['b', 'c'])
    })

    it('bound the bytes on disk', async () => {
      const models = start().cache.model(textModel('Text', { sizeLimit: 2 ** 18 }))
      for (let at = 0; at < 100; at++) await models.put(at, noise(10_000))
      const { disk } = await models.stats()
      expect(disk.bytes).toBeLessThanOrEqual(2 ** 18)
      expect(disk.evictions).toBeGreaterThan(70)
      expect(disk.items).toBe(100 - disk.evictions)
    })

    it('are each model’s own: none takes room from another, nor from the cache', async () => {
      const { cache } = start({ maxItems: 30 })
      const [two, three] = [textModel('Two', { maxItems: 2 }), textModel('Three', { maxItems: 3 })].map(model =>
        cache.model(model),
      )
      const shared = cache.model(textModel('Shared'))
      for (let at = 0; at < 100; at++) await Promise.all([two, three].map(models => models?.put(at, 'x')))
      expect([await two?.count(), await three?.count(), await cache.count()]).toEqual([2, 3, 0])
      // Without limits of its own a model has part in those of the cache, and the cache evicts.
      await cache.set('other', 1)
      for (let at = 0; at < 100; at++) await shared.put(at, 'x')
      expect(await cache.has('other')).toBe(false)
      expect((await shared.stats()).disk.evictions).toBeGreaterThan(60)
      expect([await two?.count(), await three?.count()]).toEqual([2, 3])
    })

    it('keep values in memory, but those above maxItemSize', async () => {
      const { cache } = start()
      const models = cache.model(textModel('Text', { maxItemSize: 1000, memory: { maxBytes: 2 ** 20 } }))
      await models.putMany([
        ['small', 'x'.repeat(500)],
        ['large', noise(1500)],
      ])
      for (let at = 0; at < 3; at++) {
        expect(await models.get('small')).toHaveLength(500)
        expect(await models.get('large')).toHaveLength(1500)
      }
      const { memory, disk, hits } = await models.stats()
      expect(hits).toBe(6)
      expect(memory).toMatchObject({ hits: 2, items: 1, evictions: 0 })
      expect(disk).toMatchObject({ hits: 4, items: 2 })
    })

    it('tell what memory has answered, in a long turn of the loop and with options, too', async () => {
      const models = start().cache.model(textModel('Text', { memory: {} }))
      await models.putMany(['k', 5].map(key => [key, 'v'] as const))
      for (let at = 0; at < 3000; at++) await models.get('k')
      for (let at = 0; at < 10; at++) await models.get('k', { timeout: 1000 })
      for (let at = 0; at < 10; at++) await models.get(5)
      await models.get('none')
      expect(await models.stats()).toMatchObject({ hits: 3020, misses: 1, disk: { hits: 2 }, memory: { hits: 3018 } })
    })

    it.each([
      [{ sliding: true }, 1],
      [{}, 0],
      [{ sliding: true, memory: { ttl: 1000, sliding: false } }, 0],
      [{ sliding: true, memory: { ttl: Number.POSITIVE_INFINITY } }, 1],
    ])('let values slide in memory where the model slides: %j', async (more, hits) => {
      const { cache, clock } = start()
      const models = cache.model(textModel('Text', { ttl: '1h', memory: { ttl: 1000 }, ...more }))
      await models.put('k', 'v')
      await models.get('k')
      clock.advance(600)
      await models.get('k')
      clock.advance(600)
      expect(await models.get('k')).toBe('v')
      expect((await models.stats()).memory?.hits).toBe(1 + hits)
    })

    it('stay in memory without an end where they slide on disk', () => {
      const sliding = { ttl: '1h', sliding: true } as const
      expect(() => textModel('Text', { ...sliding, memory: { ttl: Number.POSITIVE_INFINITY } })).not.toThrow()
      expect(() => textModel('Text', { ...sliding, memory: { ttl: 0 } })).toThrow(/memory.ttl must be more than 0/)
    })

    it('bound the entries in memory', async () => {
      const models = start().cache.model(textModel('Text', { memory: { maxItems: 2 } }))
      for (const key of ['a', 'b', 'c']) await models.put(key, key)
      for (const key of ['a', 'b', 'c']) await models.get(key)
      const { memory, disk } = await models.stats()
      expect(memory).toMatchObject({ items: 2, evictions: 1 })
      expect(disk.items).toBe(3)
    })

    it('lie below the directory, and end, close and are found again with the cache', async () => {
      const directory = temporaryDirectory()
      const cache = subject.make({}, directory) as Host
      const name = '../../a/b: ü*?.'
      await cache.model(textModel(name, { maxItems: 5 })).put('k', 'v')
      expect(await cache.check()).toEqual([])
      await cache.close()
      const again = subject.make({}, directory) as Host
      expect(await again.model(textModel(name, { maxItems: 5 })).get('k')).toBe('v')
      const inside = readdirSync(directory, { recursive: true, encoding: 'utf8' })
      expect(inside.filter(path => /%2E%2E%2F%2E%2E%2Fa%2Fb%3A%20%C3%BC%2A%3F%2E$/.test(path))).toHaveLength(1)
    })

    it('are those given to the cache where the model has none', async () => {
      const { cache, clock } = start({ maxItems: 30, sizeLimit: 2 ** 20, defaultTtl: '1m' })
      const models = cache.model(textModel('Text', { memory: {} }))
      for (let at = 0; at < 40; at++) await models.put(at, 'x')
      expect(await models.count()).toBe(30)
      for (let at = 0; at < 40; at++) await models.put(at, noise(60_000))
      expect((await models.stats()).disk.bytes).toBeLessThanOrEqual(2 ** 20)
      await models.put('lasting', 'x', { ttl: null })
      clock.advance(60_000)
      expect([await models.get(39), await models.get('lasting')]).toEqual([undefined, 'x'])
    })

    it.skipIf(process.platform === 'win32')('lie in directories and files with the modes of the cache', async () => {
      const directory = join(temporaryDirectory(), 'new')
      const disk = { directoryMode: 0o770, fileMode: 0o660 }
      const cache = subject.make({ disk }, directory) as Host
      await cache.model(textModel('Text', { maxItems: 5 })).put('k', 'v'.repeat(100_000))
      await cache.close()
      const inside = readdirSync(directory, { recursive: true, encoding: 'utf8' })
      const found = inside.filter(path => path.includes('Text')).map(path => statSync(join(directory, path)))
      const modes = found.map(entry => `${entry.isDirectory() ? 'd' : 'f'}${(entry.mode & 0o777).toString(8)}`)
      expect([...new Set(modes)].sort()).toEqual(['d770', 'f660'])
    })

    it('must be the same for one name, and need a directory: a namespace has none', async () => {
      const { cache } = start()
      cache.model(textModel('Text', { maxItems: 5 }))
      expect(() => cache.model(textModel('Text', { maxItems: 5, version: 2 }))).not.toThrow()
      expect(() => cache.model(textModel('Text', { maxItems: 6 }))).toThrow(
        /model 'Text' is used on this cache already/,
      )
      expect(() => cache.namespace('a').model(textModel('Text', { maxItems: 5 }))).toThrow(TypeError)
    })

    it('are not needed in a namespace', async () => {
      const { cache } = start()
      const model = textModel('Text')
      const [one, two] = [cache.namespace('one'), cache.namespace('two')]
      await one.model(model).putMany([
        [1, 'a'],
        ['b', 'b'],
      ])
      expect(await two.model(model).get(1)).toBeUndefined()
      expect(await cache.model(model).count()).toBe(0)
      expect(await one.model(model).getMany([1, 'b'])).toEqual(
        new Map<unknown, string>([
          [1, 'a'],
          ['b', 'b'],
        ]),
      )
      expect(await one.clear()).toBe(2)
    })

    it('do not keep entries of namespaces and models apart by luck', async () => {
      const { cache } = start()
      await cache.model(textModel('User')).put('1:k', 'model')
      for (const name of ['model', 'model=User', 'User', 'model=User:1']) {
        const one = cache.namespace(name)
        await one.setMany([
          ['k', 1],
          ['User:k', 1],
          ['1:k', 1],
        ])
        expect(await one.clear()).toBe(3)
      }
      expect(await cache.model(textModel('User')).get('1:k')).toBe('model')
      expect(await cache.has(keyOf('none'))).toBe(false)
    })
  })
}

describe('defineModel()', () => {
  const good = { name: 'User', version: 1, schema: z.string() }

  it.each([
    [null, TypeError, /defineModel: options must be an object/],
    [{ ...good, shema: 1 }, TypeError, /unknown option shema; did you mean schema/],
    [{ ...good, name: 5 }, TypeError, /name of a model must be a well-formed string, got 5/],
    [{ ...good, name: '' }, RangeError, /name of a model must not be empty/],
    [{ ...good, version: undefined }, TypeError, /version of a model must be a string or a number, got undefined/],
    [{ ...good, version: {} }, TypeError, /version of a model must be a string or a number, got an object/],
    [{ ...good, version: Number.NaN }, RangeError, /version of a model must be finite/],
    [{ ...good, schema: undefined }, TypeError, /schema must be a Standard Schema/],
    [{ ...good, schema: { parse: () => 1 } }, TypeError, /schema must be a Standard Schema/],
    [{ ...good, schema: { '~standard': { version: 2, validate: () => 1 } } }, TypeError, /Standard Schema/],
    [{ ...good, migrate: 'x' }, TypeError, /migrate must be a function/],
    [{ ...good, ttl: -1 }, RangeError, /ttl/],
    [{ ...good, ttl: {} }, TypeError, /ttl/],
    [{ ...good, sliding: 1 }, TypeError, /sliding must be true or false/],
    [{ ...good, sliding: true }, TypeError, /sliding needs a ttl that ends/],
    [{ ...good, sliding: true, ttl: null }, TypeError, /sliding needs a ttl that ends/],
    [{ ...good, maxItems: 0 }, RangeError, /maxItems must be a whole number of at least 1/],
    [{ ...good, maxItems: '5' }, TypeError, /maxItems must be a whole number/],
    [{ ...good, sizeLimit: 1000 }, RangeError, /sizeLimit must be a whole number of at least 65536/],
    [{ ...good, maxItemSize: 0 }, RangeError, /maxItemSize must be a whole number of at least 1/],
    [{ ...good, maxItemSize: '1' }, TypeError, /maxItemSize must be a whole number of bytes/],
    [{ ...good, evictionPolicy: 'lru' }, RangeError, /evictionPolicy must be one of/],
    [{ ...good, memory: true }, TypeError, /memory: options must be an object/],
    [{ ...good, memory: { maxItem: 5 } }, TypeError, /did you mean maxItems/],
    [{ ...good, memory: { maxBytes: 5 } }, RangeError, /memory.maxBytes/],
  ])('refuses definition %#', (definition, kind, message) => {
    expect(() => defineModel(definition as never)).toThrow(kind)
    expect(() => defineModel(definition as never)).toThrow(message)
  })

  it('makes what cache.model takes, and nothing else is taken', async () => {
    const cache = cacheSubject('structured').make()
    expect(() => cache.model(good as never)).toThrow(/needs what defineModel has made, got an object/)
    expect(() => cache.model(undefined as never)).toThrow(TypeError)
  })

  it('refuses bad options of verbs', async () => {
    const models = cacheSubject('structured').make().model(defineModel(good))
    await expect(models.put('k', 'v', { tll: 1 } as never)).rejects.toThrow(/did you mean ttl/)
    await expect(models.put('k', 'v', { file: true } as never)).rejects.toThrow(/unknown option file/)
    await expect(models.put('k', 'v', { ttl: -1 })).rejects.toThrow(RangeError)
    await expect(models.put(Number.NaN, 'v')).rejects.toThrow(TypeError)
    await expect(models.putMany('ab' as never)).rejects.toThrow(/iterable/)
    await expect(models.putMany([['a']] as never)).rejects.toThrow(/entries must be \[key, value\]/)
    await expect(models.getMany('ab' as never)).rejects.toThrow(/iterable/)
    await expect(models.getMany(['a'], { retyr: true } as never)).rejects.toThrow(/did you mean retry/)
    await expect(models.getMany(['a'], 5 as never)).rejects.toThrow(TypeError)
    await expect(models.deleteMany(['a'], { ttl: 1 } as never)).rejects.toThrow(/unknown option ttl/)
    await expect(models.getOrSet('k', 5 as never)).rejects.toThrow(/must be a function/)
    await expect(models.getOrSet('k', () => 'v', { bta: 1 } as never)).rejects.toThrow(/did you mean beta/)
    expect(await models.count()).toBe(0)
  })
})

/** Makes the caches of models fail to close, until the test has finished. */
function failModelsToClose(): void {
  const { close } = Cache.prototype
  const left = new Set<Cache>()
  const spy = vi.spyOn(Cache.prototype, 'close').mockImplementation(function (this: Cache) {
    if (!this.directory.includes('cache.db-model-')) return close.call(this)
    left.add(this)
    return Promise.reject(new Error('not closed'))
  })
  onTestFinished(async () => {
    spy.mockRestore()
    for (const cache of left) await cache.close()
  })
}

describe('a cache of a model that fails to close', () => {
  it('does not keep the cache that it belongs to open', async () => {
    const directory = temporaryDirectory()
    failModelsToClose()
    const cache = new Cache(directory)
    await cache.model(textModel('Text', { maxItems: 4 })).put('k', 'v')
    await cache.set('a', 1)
    await expect(cache.close()).rejects.toThrow('not closed')
    // Options other than those of an open cache on the same directory are refused.
    const other = new Cache(directory, { evictionPolicy: 'none' })
    onTestFinished(() => other.close())
    expect(await other.get('a')).toBe(1)
  })
})
