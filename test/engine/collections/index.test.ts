import { rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { Cache, Deque, FanoutCache, Index, jsonCodec, pickleCodec, structuredCodec } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectNoValueFiles, valueFiles } from '../../helpers/value-files.js'
import { indexOf, openIndex } from './support.js'

// What upstream's tests/test_index.py shows comes first; the name of the test stands above. Where Python raises KeyError
// we answer undefined or false.

const LARGE = 'i'.repeat(40_000)
const LETTERS = [...'abcde'].map((letter, at) => [letter, at] as const)

describe('an index', () => {
  // test_init
  it('holds what it was given, in a temporary directory or a given one, for every handle', async () => {
    await using temporary = new Index<number>()
    await temporary.setMany(new Map(LETTERS))
    const directory = temporaryDirectory()
    const first = openIndex<number>(directory)
    for (const [key, value] of Object.entries(Object.fromEntries(LETTERS))) await first.set(key, value)
    const second = openIndex<number>(directory)
    for (const index of [temporary, first, second]) {
      expect(await collect(index)).toEqual(LETTERS)
      expect(await index.equals(temporary)).toBe(true)
    }
    expect(second.directory).toBe(directory)
  })

  // test_getsetdel
  it('gets, sets and deletes', async () => {
    const index = openIndex<number>()
    for (const [key, value] of LETTERS) expect(await index.set(key, value)).toBe(true)
    for (const [key, value] of LETTERS) {
      expect([await index.get(key), await index.has(key)]).toEqual([value, true])
      expect(await index.delete(key)).toBe(true)
      expect(await index.delete(key)).toBe(false)
      expect([await index.get(key), await index.has(key)]).toEqual([undefined, false])
    }
    expect(await index.size()).toBe(0)
  })

  // test_pop, test_pop_keyerror
  it('pop() takes a value out, once', async () => {
    const index = await indexOf([['a', LARGE]])
    expect(await index.pop('a')).toBe(LARGE)
    expect(await index.pop('a')).toBeUndefined()
    expect(await index.size()).toBe(0)
  })

  // test_popitem, test_popitem_keyerror
  it('popItem() takes the last entry, or the first', async () => {
    const index = await indexOf(LETTERS)
    expect(await index.popItem()).toMatchObject({ key: 'e', value: 4 })
    expect(await index.popItem({ last: true })).toMatchObject({ key: 'd', value: 3 })
    expect(await index.popItem({ last: false })).toMatchObject({ key: 'a', value: 0 })
    expect(await collect(index.keys())).toEqual(['b', 'c'])
    await index.clear()
    expect(await index.popItem()).toBeUndefined()
    expect(await index.popItem({ last: false })).toBeUndefined()
  })

  // test_setdefault
  it('setDefault() stores once, then answers what is there', async () => {
    const index = openIndex<number>()
    expect(await index.setDefault('a', 1)).toBe(1)
    expect(await index.setDefault('a', 2)).toBe(1)
    expect(await index.get('a')).toBe(1)
  })

  it('setDefault() has its place among the calls before and after it', async () => {
    const index = openIndex<unknown>()
    const large = Buffer.alloc(40_000)
    const answers = await Promise.all([
      index.setDefault('a', 1),
      index.setDefault('a', 2),
      index.get('a'),
      index.delete('a'),
      index.setDefault('a', large),
      index.setDefault('a', 3),
      index.pop('a'),
      index.has('a'),
    ])
    expect(answers).toEqual([1, 1, 1, true, large, large, large, false])
    await index.set('b', 4)
    expect(await Promise.all([index.setDefault('b', 5), index.delete('b')])).toEqual([4, true])
    expect(await index.size()).toBe(0)
    await expectNoValueFiles(index.directory)
  })

  // test_iter
  it('iterates in the order in which keys were first stored', async () => {
    const index = await indexOf(LETTERS)
    await index.set('a', 10)
    await index.delete('b')
    await index.set('b', 11)
    expect(await collect(index)).toEqual([
      ['a', 10],
      ['c', 2],
      ['d', 3],
      ['e', 4],
      ['b', 11],
    ])
    expect(await collect(index.keys())).toEqual(['a', 'c', 'd', 'e', 'b'])
    expect(await collect(index.values())).toEqual([10, 2, 3, 4, 11])
  })

  // test_reversed
  it('iterates backwards', async () => {
    const index = await indexOf(LETTERS)
    const reversed = [...LETTERS].reverse()
    expect(await collect(index.entries({ reverse: true }))).toEqual(reversed)
    expect(await collect(index.keys({ reverse: true }))).toEqual(reversed.map(([key]) => key))
    expect(await collect(index.values({ reverse: true }))).toEqual(reversed.map(([, value]) => value))
  })

  // test_state
  it('keeps what it holds when it is closed', async () => {
    const index = await indexOf(LETTERS)
    await index.close()
    expect(await collect(index)).toEqual(LETTERS)
  })

  // test_repr
  it('says what and where it is', () => {
    const index = openIndex()
    expect(String(index)).toBe(`Index('${index.directory}')`)
  })
})

describe('equals()', () => {
  it('counts the order against an Index, a Map and entries, and not against a plain object', async () => {
    const index = await indexOf(LETTERS)
    const turned = [...LETTERS].reverse()
    expect(await index.equals(new Map(LETTERS))).toBe(true)
    expect(await index.equals(new Map(turned))).toBe(false)
    expect(await index.equals(LETTERS)).toBe(true)
    expect(await index.equals(turned)).toBe(false)
    expect(await index.equals(await indexOf(LETTERS))).toBe(true)
    expect(await index.equals(await indexOf(turned))).toBe(false)
    expect(await index.equals(Object.fromEntries(turned))).toBe(true)
  })

  it('is false for other values, fewer or more entries, and what is no map', async () => {
    const index = await indexOf(LETTERS)
    for (const other of [
      LETTERS.slice(1),
      [...LETTERS, ['f', 5]],
      [['a', 9], ...LETTERS.slice(1)],
      [['z', 0], ...LETTERS.slice(1)],
      [[() => 1, 0], ...LETTERS.slice(1)],
      [['a', () => 1], ...LETTERS.slice(1)],
      { a: 0 },
      { ...Object.fromEntries(LETTERS), e: 5 },
      { z: 0, ...Object.fromEntries(LETTERS.slice(1)) },
      'abcde',
      null,
      undefined,
      7,
      {},
      [],
    ]) {
      expect(await index.equals(other), JSON.stringify(other)).toBe(false)
    }
    expect(await openIndex().equals({})).toBe(true)
  })

  it('compares keys and values as what is stored of them', async () => {
    const index = openIndex()
    await index.setMany([
      [['a', 1], Buffer.from('b')],
      [{ y: 1, x: 2 }, [1n]],
    ])
    expect(
      await index.equals([
        [['a', 1], new Uint8Array([98])],
        [{ x: 2, y: 1 }, [1n]],
      ]),
    ).toBe(true)
  })
})

describe('the directory', () => {
  it('may be a file URL', () => {
    const directory = temporaryDirectory()
    expect(new Index(pathToFileURL(directory)).directory).toBe(directory)
    expect(new Deque(pathToFileURL(directory)).directory).toBe(directory)
  })
})

describe('entries', () => {
  it('never expire, also in a cache whose entries do', async () => {
    const clock = new ManualClock()
    await using cache = new Cache(temporaryDirectory(), { defaultTtl: 1, clock })
    const index = Index.from<string>(cache)
    await index.set('set', 'a')
    await index.setMany([['many', 'b']])
    await index.setDefault('default', 'c')
    await index.push('d')
    await index.transact(tx => {
      tx.set('tx', 'e')
      tx.setMany([['tx many', 'f']])
      tx.setDefault('tx default', 'g')
      tx.push('h')
    })
    clock.advance(1e12)
    expect(await collect(index.values())).toEqual([...'abcdefgh'])
    expect((await cache.settings()).evictionPolicy).toBe('least-recently-stored')
    expect((await openIndex().cache.settings()).evictionPolicy).toBe('none')
  })

  it('of many keys are stored and read together', async () => {
    const index = openIndex<number>()
    expect(await index.setMany(LETTERS)).toEqual(LETTERS.map(() => true))
    expect(await index.getMany(['c', 'x', 'a'])).toEqual([2, undefined, 0])
    const tooMuch = [['a', 1, { ttl: 5 }]]
    await expect(index.setMany(tooMuch as never)).rejects.toThrow(/\[key, value\]/)
  })

  it('may be streams', async () => {
    const index = openIndex()
    await index.set('stream', Readable.from([Buffer.from('bytes')]))
    expect(await index.get('stream')).toEqual(Buffer.from('bytes'))
  })

  it('are taken as they are at the call', async () => {
    const index = openIndex<number[]>()
    const value = [1]
    const calls = [index.set('a', value), index.setDefault('b', value), index.setMany([['c', value]])]
    value.push(2)
    await Promise.all(calls)
    expect(await collect(index.values())).toEqual([[1], [1], [1]])
  })

  it.each([
    ['structured', structuredCodec],
    ['json', jsonCodec],
    ['pickle', pickleCodec],
  ])('have all keys of a cache under the %s codec', async (_, codec) => {
    const index = new Index(temporaryDirectory(), { codec })
    onTestFinished(() => index.close())
    for (const key of [1, 'a', null, true, ['x', 1], { b: [2] }]) {
      await index.set(key, [key])
      expect(await index.get(key)).toEqual([key])
      expect((await index.peekItem())?.key).toEqual(key)
    }
    expect((await index.popItem())?.value).toEqual([{ b: [2] }])
    expect(await index.size()).toBe(5)
  })

  it('whose file is missing are none', async () => {
    const index = await indexOf([
      ['a', LARGE],
      ['b', LARGE],
      ['c', LARGE],
    ])
    for (const file of valueFiles(index.directory)) rmSync(file)
    expect(await index.setDefault('a', 'new')).toBe('new')
    expect(await index.transact(tx => tx.setDefault('b', 'newer'))).toBe('newer')
    await index.cache.set('b', LARGE)
    for (const file of valueFiles(index.directory)) rmSync(file)
    expect(await index.popItem()).toMatchObject({ key: 'a' })
    expect(await index.popItem()).toBeUndefined()
  })
})

describe('over many callers', () => {
  it('setDefault() stores one value, and popItem() gives each entry once', async () => {
    const index = openIndex<number>()
    const other = openIndex<number>(index.directory)
    const values = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 ? index : other).setDefault('key', at)),
    )
    expect(new Set(values).size).toBe(1)
    await index.clear()
    await index.setMany(LETTERS)
    const popped = await Promise.all(Array.from({ length: 8 }, (_, at) => (at % 2 ? index : other).popItem()))
    expect(popped.flatMap(item => item?.key ?? []).sort()).toEqual([...'abcde'])
  })
})

describe('push() and pull()', () => {
  it('are queues in the key space', async () => {
    const index = openIndex<string>()
    expect(await index.push('a')).toBe(500_000_000_000_000)
    expect(await index.push('b', { prefix: 'jobs' })).toBe('jobs-500000000000000')
    expect(await index.push('c', { prefix: 'jobs', side: 'front' })).toBe('jobs-499999999999999')
    expect(await index.size()).toBe(3)
    expect((await index.pull())?.value).toBe('a')
    expect((await index.pull({ prefix: 'jobs', side: 'back' }))?.value).toBe('b')
    expect((await index.pull({ prefix: 'jobs' }))?.value).toBe('c')
    expect(await index.pull({ prefix: 'jobs' })).toBeUndefined()
  })
})

describe('transact()', () => {
  it('has the verbs of the index, synchronous', async () => {
    const index = await indexOf<unknown>(LETTERS)
    const answers = await index.transact(tx => [
      tx.set('f', 5),
      tx.get('f'),
      tx.getMany(['a', 'x']),
      tx.has('x'),
      tx.delete('a'),
      tx.pop('b'),
      tx.setDefault('c', 9),
      tx.setDefault('g', 9),
      tx.peekItem()?.key,
      tx.peekItem({ last: false })?.key,
      tx.popItem()?.key,
      tx.popItem({ last: false })?.value,
      tx.setMany([['h', LARGE]]),
      [...tx.keys({ reverse: true })],
      [...tx.values()],
      tx.push('p', { prefix: 'q' }),
      tx.pull({ prefix: 'q' })?.value,
      tx.size(),
      tx.clear(),
      [...tx.entries()],
    ])
    expect(answers).toEqual([
      ...[true, 5, [0, undefined], false, true, 1, 2, 9, 'g', 'c', 'g', 2, [true]],
      ['h', 'f', 'e', 'd'],
      [3, 4, 5, LARGE],
      ...['q-500000000000000', 'p', 4, 4, []],
    ])
  })

  it('undoes everything, or what is nested, when a body throws', async () => {
    const index = await indexOf<unknown>(LETTERS)
    await index.transact(tx => {
      tx.set('kept', 1)
      expect(() =>
        tx.transact(inner => {
          inner.clear()
          throw new Error('inner')
        }),
      ).toThrow('inner')
    })
    const outer = index.transact(tx => {
      tx.popItem()
      throw new Error('outer')
    })
    await expect(outer).rejects.toThrow('outer')
    expect(await collect(index.keys())).toEqual([...'abcde', 'kept'])
    const escaped = await index.transact(tx => tx)
    expect(() => escaped.get('a')).toThrow(/over/)
    expect(() => escaped.popItem()).toThrow(/over/)
  })
})

describe('FanoutCache.index()', () => {
  it('gives one index for each name, in DiskCache’s place, closed with the cache', async () => {
    const fanout = new FanoutCache(temporaryDirectory(), { codec: jsonCodec, shards: 2 })
    const index = fanout.index<number>('a/b')
    expect(index.directory).toBe(`${fanout.directory}/index/a/b`)
    expect(fanout.index('a/b')).toBe(index)
    await index.set(['k'], 1)
    await fanout.close()
    expect(fanout.index('a/b')).not.toBe(index)
    const second = new Index<number>(index.directory, { codec: jsonCodec, timeout: 1234 })
    onTestFinished(() => second.close())
    expect(await second.get(['k'])).toBe(1)
  })
})
