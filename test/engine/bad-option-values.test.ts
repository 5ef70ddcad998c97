import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, Deque, FanoutCache, type FanoutCacheOptions } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cacheSubject, fanoutSubject } from '../contract/subjects.js'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectAllMisuse, expectMisuse, type Misuse, VERBS } from './misuse.js'

describe('values of options', () => {
  it('a promise in place of options, which was not awaited, is a TypeError that says so', async () => {
    for (const cache of [cacheSubject('structured').make(), fanoutSubject('structured').make()]) {
      const options = Promise.resolve({ ttl: 1 }) as never
      await expect(cache.set('key', 1, options)).rejects.toThrow('set: options must be an object, got a promise')
      await expect(cache.get('key', options)).rejects.toThrow('get: options must be an object, got a promise')
      expect(await cache.has('key')).toBe(false)
    }
  })

  it('true and false are named as what they are', async () => {
    const cache = cacheSubject('structured').make()
    await expect(cache.set('key', 1, { ttl: true } as never)).rejects.toThrow(/^ttl must be .*, got true$/)
  })

  it('metadata that is no plain data is named', async () => {
    const cache = cacheSubject('structured').make()
    await expect(cache.set('key', 1, { meta: Number.NaN })).rejects.toThrow(/^meta must be plain data.*got NaN$/)
  })

  it('keepOpen is true or false', async () => {
    const cache = cacheSubject('structured').make()
    await cache.set('key', 'value', { file: true })
    const file = await cache.read('key')
    expect(() => file?.stream({ keepOpen: 'yes' as never })).toThrow("keepOpen must be true or false, got 'yes'")
    await file?.close()
  })

  it('a sub-cache that is known takes an object as options too', async () => {
    const fanout = new FanoutCache(temporaryDirectory())
    onTestFinished(() => fanout.close())
    for (const name of ['new', 'known', 'known']) {
      if (name === 'known') fanout.cache(name)
      expect(() => fanout.cache(name, 5 as never)).toThrow('cache: options must be an object, got 5')
    }
    expect(() => fanout.index('' as never)).toThrow('the name of an index must be')
  })

  const wrong: Readonly<Record<string, readonly [TypeErrors: readonly unknown[], RangeErrors: readonly unknown[]]>> = {
    timeout: [
      [null, {}, true],
      [-1, Number.NaN, 'soon', '5 minutes', ''],
    ],
    defaultTtl: [
      [{}, true, []],
      [-1, Number.NaN, 'soon', '-5s'],
    ],
    codec: [[null, 'json', {}, 7], []],
    readonly: [['yes', 1, null], []],
    onCorrupt: [[1, null, true], ['ignore']],
    clock: [[null, {}, () => 1, 7, ...[Number.NaN, 5n, undefined, new Date()].map(now => ({ now: () => now }))], []],
    sizeLimit: [
      ['1GB', null, {}, 2n ** 30n],
      [-1, 0, Number.NaN, 1.5, Number.POSITIVE_INFINITY, 65_535],
    ],
    maxItems: [
      ['many', {}, 10n],
      [-1, 0, Number.NaN, 1.5],
    ],
    cullLimit: [
      ['ten', null, {}],
      [-1, Number.NaN, 0.5, Number.POSITIVE_INFINITY],
    ],
    statistics: [[1, 'on', null], []],
    tagIndex: [[1, 'on', null], []],
    evictionPolicy: [
      [7, null, {}],
      ['lru', ''],
    ],
    maxPending: [
      [7, null, 'all', { count: '1' }],
      [{ count: 0 }, { bytes: -1 }, { count: Number.NaN }],
    ],
    memory: [
      [7, null, true, [], { maxItems: '10' }, { ttl: {} }, { mode: 1 }, { maxbytes: 1 }],
      [
        { maxItems: 0 },
        { maxBytes: 65_535 },
        { maxBytes: Number.NaN },
        { ttl: 0 },
        { ttl: 'soon' },
        { mode: 'shared' },
      ],
    ],
    disk: [
      [7, null, { minFileSize: '1k' }, { fileMode: '0600' }],
      [{ minFileSize: -1 }, { directoryMode: 1e9 }, { unlinkGrace: -1 }],
    ],
    sqlite: [
      [7, null, { cacheSize: '8k' }, { journalMode: 7 }],
      [{ synchronous: 9 }, { journalMode: 'off' }, { mmapSize: -1 }, { autoVacuum: 3 }],
    ],
  }

  for (const [name, [types, ranges]] of Object.entries(wrong)) {
    it(`the constructors throw for a bad ${name}, and name it`, () => {
      for (const make of [Cache, FanoutCache]) {
        const construct = (value: unknown) => () => new make(temporaryDirectory(), { [name]: value })
        for (const value of types) {
          expect(construct(value), String(value)).toThrow(TypeError)
          expect(construct(value), String(value)).toThrow(new RegExp(name))
        }
        for (const value of ranges) {
          expect(construct(value), String(value)).toThrow(RangeError)
          expect(construct(value), String(value)).toThrow(new RegExp(name.replace('maxPending', '')))
        }
      }
    })
  }

  it('the constructors say how large a number may be when it is too large', () => {
    for (const options of [
      { sizeLimit: 2 ** 53 },
      { maxItems: 1e20 },
      { memory: { maxBytes: Number.POSITIVE_INFINITY } },
    ]) {
      expect(() => new Cache(temporaryDirectory(), options)).toThrow(/from \d+ to 9007199254740991, got/)
    }
  })

  it('the constructor of FanoutCache throws for a bad number of shards', () => {
    const construct = (shards: unknown) => () => new FanoutCache(temporaryDirectory(), { shards } as never)
    for (const shards of ['8', null, {}]) expect(construct(shards)).toThrow(TypeError)
    for (const shards of [0, -1, 1.5, Number.NaN, 1e9]) expect(construct(shards)).toThrow(RangeError)
  })

  it('the constructors throw for a directory that is no path', () => {
    for (const make of [Cache, FanoutCache]) {
      for (const directory of [7, {}, null, true, Buffer.from('/tmp')]) {
        expect(() => new make(directory as never)).toThrow(/directory/)
        expect(() => new make(directory as never)).toThrow(TypeError)
      }
      expect(() => new make('a\u0000b')).toThrow(TypeError)
      expect(() => new make({ directory: '/tmp' } as never)).toThrow(/options are the second argument$/)
      expect(() => new make('')).toThrow(/directory/)
      for (const url of ['https://host/cache', 'file:///a%00b', 'file:///a%2Fb', 'data:,x']) {
        expect(() => new make(new URL(url)), url).toThrow(/directory/)
        expect(() => new make(new URL(url)), url).toThrow(TypeError)
      }
    }
  })

  it('a mode of -0 is one of 0, for which Node would end the process', async () => {
    const directory = join(temporaryDirectory(), 'new')
    await using cache = new Cache(directory, { disk: { directoryMode: -0, fileMode: -0 } })
    // Only root can open a directory of that mode.
    await cache.open().catch(() => undefined)
    expect(statSync(directory).mode & 0o777).toBe(0)
  })

  it('a timeout of -0 is one of 0, for check() as well', async () => {
    await using cache = new Cache(temporaryDirectory())
    await cache.set('k', 1)
    expect(await cache.check({ timeout: -0 })).toEqual([])
  })

  it('a sizeLimit of less than 64 KiB per shard is a RangeError', async () => {
    expect(() => new Cache(temporaryDirectory(), { sizeLimit: 65_535 })).toThrow(RangeError)
    const directory = temporaryDirectory()
    const fanout = (options: FanoutCacheOptions) => () => new FanoutCache(directory, options)
    expect(fanout({ shards: 4, sizeLimit: 4 * 65_536 - 4 })).toThrow(/sizeLimit/)
    expect(fanout({ sizeLimit: 8 * 65_536 - 1 })).toThrow(RangeError)
    await using cache = fanout({ shards: 2, sizeLimit: 2 * 65_536 })()
    await cache.set('k', 1)
    // Those which the directory has.
    await using other = fanout({ sizeLimit: 2 * 65_536 })()
    expect(await other.get('k')).toBe(1)
    expect(fanout({ sizeLimit: 2 * 65_536 - 1 })).toThrow(RangeError)
  })
})

describe('values of verb options', () => {
  type Verb = (options: Record<string, unknown>) => unknown
  const storing = (cache: Cache): Record<string, Verb> => ({
    set: options => cache.set('key', 1, options),
    add: options => cache.add('key', 1, options),
    incr: options => cache.incr('key', 1, options as never),
    push: options => cache.push(1, options),
    setMany: options => cache.setMany([['key', 1, options]]),
    'tx.set': options => cache.transact(tx => tx.set('key', 1, options)),
  })

  it('storing verbs reject a bad ttl, tag, tags, file or meta, name it and store nothing', async () => {
    const cache = cacheSubject('structured').make()
    const types: Record<string, readonly unknown[]> = {
      ttl: [{}, true, [], 5n],
      tag: [null, {}, true, Symbol('tag'), () => 1, Number.NaN, 'lone \uD800', new Date(0)],
      tags: ['red', null, {}, [1], ['a', undefined], ['lone \uDC00'], new Set(['a'])],
      file: ['yes', 1, null],
      meta: [() => 1, Symbol('meta'), new Date(0), { a: undefined }, { a: Number.NaN }, new Map(), 5n, [1n]],
    }
    const ranges: Record<string, readonly unknown[]> = {
      ttl: [-1, Number.NaN, Number.NEGATIVE_INFINITY, '5 minutes', '', 'm', '-5s', '1e3s'],
      tag: [2n ** 63n, -(2n ** 63n) - 1n],
      meta: ['x'.repeat(16 * 1024), { a: 'ü'.repeat(8 * 1024) }],
    }
    for (const [verb, call] of Object.entries(storing(cache))) {
      for (const [name, values] of Object.entries(types)) {
        for (const value of values)
          await expectMisuse(
            () => call({ [name]: value }),
            TypeError,
            new RegExp(name),
            `${verb} ${name} ${String(value)}`,
          )
      }
      for (const [name, values] of Object.entries(ranges)) {
        for (const value of values)
          await expectMisuse(
            () => call({ [name]: value }),
            RangeError,
            new RegExp(name),
            `${verb} ${name} ${String(value).slice(0, 20)}`,
          )
      }
    }
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('waiting verbs reject a bad retry, timeout or signal, and name it', async () => {
    const cache = fanoutSubject('structured').make()
    const { keys, entries, stats, configure, ...waiting } = VERBS
    expect([keys, entries, stats, configure]).not.toContain(undefined)
    for (const [verb, call] of Object.entries(waiting)) {
      for (const retry of ['yes', 1, null]) await expectMisuse(() => call(cache, { retry }), TypeError, /retry/, verb)
      for (const timeout of [{}, true]) await expectMisuse(() => call(cache, { timeout }), TypeError, /timeout/, verb)
      for (const timeout of [-1, Number.NaN, 'soon'])
        await expectMisuse(() => call(cache, { timeout }), RangeError, /timeout/, verb)
      for (const signal of [{}, 'abort', null])
        await expectMisuse(() => call(cache, { signal }), TypeError, /signal/, verb)
    }
    expect(await cache.count()).toBe(0)
  })

  it('a large value that is refused for a bad timeout leaves no file', async () => {
    await using cache = new Cache(temporaryDirectory())
    await using deque = Deque.from(cache)
    const large = Buffer.alloc(40_000)
    const bad = { timeout: 'soon' }
    const calls = [
      cache.set('key', large, bad),
      cache.add('key', large, bad),
      cache.setMany([['key', large]], bad),
      cache.push(large, bad),
      deque.append(large, bad),
      deque.extend([large], bad),
    ]
    for (const call of calls) await expect(call).rejects.toThrow('timeout must be')
    // Its file is written after those of the others.
    await cache.set('key', large)
    await expect.poll(() => valueFiles(cache.directory)).toHaveLength(1)
  })

  it('the other verbs reject bad values of their options, and name them', async () => {
    const cache = cacheSubject('structured').make()
    const calls: Misuse[] = [
      [/ttl/, RangeError, () => cache.touch('key', { ttl: -1 })],
      [/ttl/, TypeError, () => cache.touch('key', { ttl: {} as never })],
      [/meta/, TypeError, () => cache.touch('key', { meta: new Date(0) as never })],
      [/ifVersion/, TypeError, () => cache.touch('key', { ifVersion: 7 as never })],
      [/now/, RangeError, () => cache.expire({ now: Number.NaN })],
      [/now/, TypeError, () => cache.expire({ now: '2026-01-01' as never })],
      [/now/, RangeError, () => cache.transact(tx => tx.expire({ now: Number.NaN }))],
      [/now/, TypeError, () => cache.transact(tx => tx.expire({ now: new Date() as never }))],
      [/fix/, TypeError, () => cache.check({ fix: 1 as never })],
      [/reset/, TypeError, () => cache.stats({ reset: 'yes' as never })],
      [/prefix/, TypeError, () => collect(cache.keys({ prefix: 7 as never }))],
      [/tag/, TypeError, () => collect(cache.keys({ tag: {} as never }))],
      [/reverse/, TypeError, () => collect(cache.entries({ reverse: 1 as never }))],
      [/includeExpired/, TypeError, () => collect(cache.sortedKeys({ includeExpired: 'yes' as never }))],
      [/prefix/, TypeError, () => cache.push(1, { prefix: 7 as never })],
      [/prefix/, TypeError, () => cache.pull({ prefix: null as never })],
      [/side/, RangeError, () => cache.push(1, { side: 'left' as never })],
      [/side/, RangeError, () => cache.peek({ side: 'left' as never })],
      [/last/, TypeError, () => cache.peekItem({ last: 1 as never })],
      [/keys: prefix/, TypeError, () => cache.transact(tx => [...tx.keys({ prefix: 7 as never })])],
      [/entries: prefix/, TypeError, () => cache.transact(tx => [...tx.entries({ prefix: null as never })])],
      [/entries: unknown/, TypeError, () => cache.transact(tx => [...tx.entries({ prefx: 'a' } as never)])],
      [/reverse/, TypeError, () => cache.transact(tx => [...tx.keys({ reverse: 1 as never })])],
      [/includeExpired/, TypeError, () => cache.transact(tx => [...tx.keys({ includeExpired: 'yes' as never })])],
      [/last/, TypeError, () => cache.transact(tx => tx.peekItem({ last: 1 as never }))],
      [/keys/, TypeError, () => cache.transact(() => 1, { keys: 'key' as never })],
      [/body/, TypeError, () => cache.transact(7 as never)],
      [/tag/, TypeError, () => cache.evict(undefined as never)],
      [/tag/, TypeError, () => cache.evict(null as never)],
      [/tag/, TypeError, () => cache.evict(['red'] as never)],
      [/delta/, TypeError, () => cache.incr('key', '1' as never)],
      [/delta/, RangeError, () => cache.incr('key', Number.NaN)],
      [/delta/, RangeError, () => cache.decr('key', Number.POSITIVE_INFINITY)],
      [/default/, TypeError, () => cache.incr('key', 1, { default: '1' as never })],
      [/default/, RangeError, () => cache.incr('key', 1, { default: Number.NaN })],
    ]
    await expectAllMisuse(calls)
  })

  it('configure() rejects what the constructor would throw', async () => {
    const cache = fanoutSubject('structured').make()
    await expectMisuse(() => cache.configure({ sizeLimit: '1GB' as never }), TypeError, /sizeLimit/, 'type')
    await expectMisuse(() => cache.configure({ sizeLimit: 1000 }), RangeError, /sizeLimit/, 'range')
    await expectMisuse(() => cache.configure({ sizeLimit: 100_000 }), RangeError, /sizeLimit/, 'range per shard')
    await expectMisuse(
      () => cache.configure({ evictionPolicy: 'lru' as never }),
      RangeError,
      /evictionPolicy/,
      'choice',
    )
    await expectMisuse(
      () => cache.configure({ disk: { fileMode: 0o600 } as never }),
      TypeError,
      /fileMode/,
      'not stored',
    )
    await expectMisuse(() => cache.configure({ timeout: 5 } as never), TypeError, /timeout/, 'not stored')
    await expectMisuse(() => cache.configure(undefined as never), TypeError, /object/, 'nothing')
  })
})
