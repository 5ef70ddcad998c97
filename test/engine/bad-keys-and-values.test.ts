import { Cache, ClosedError, type DiskCache, FanoutCache, type Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, everySubject } from '../contract/subjects.js'
import { collect } from '../helpers/collect.js'
import { misuse } from './misuse.js'

class Point {
  readonly x = 1
}

function cycle(): unknown[] {
  const list: unknown[] = []
  list.push(list)
  return list
}

const BAD_KEYS: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  'a function': () => 1,
  'a symbol': Symbol('key'),
  NaN: Number.NaN,
  'a lone surrogate': 'lone \uD800',
  'a promise': Promise.resolve('key'),
  'a Date': new Date(0),
  'a Map': new Map(),
  'an object of a class': new Point(),
  'NaN in an array': [1, [Number.NaN]],
  'undefined in an array': ['a', undefined],
  'a hole in an array': new Array(2),
  'undefined in an object': { a: undefined },
  'a lone surrogate as the name of a property': { '\uDC00': 1 },
  'a symbol in an object': { a: Symbol('inside') },
  'a cycle': cycle(),
}

const KEY_VERBS: Readonly<Record<string, (cache: DiskCache, key: Key) => unknown>> = {
  get: (cache, key) => cache.get(key),
  getItem: (cache, key) => cache.getItem(key),
  info: (cache, key) => cache.info(key),
  getMany: (cache, key) => cache.getMany(['fine', key]),
  has: (cache, key) => cache.has(key),
  read: (cache, key) => cache.read(key),
  set: (cache, key) => cache.set(key, 1),
  setMany: (cache, key) =>
    cache.setMany([
      ['fine', 1],
      [key, 1],
    ]),
  add: (cache, key) => cache.add(key, 1),
  getOrSet: (cache, key) => cache.getOrSet(key, () => 1),
  touch: (cache, key) => cache.touch(key, { ttl: 1 }),
  delete: (cache, key) => cache.delete(key),
  deleteMany: (cache, key) => cache.deleteMany(['fine', key]),
  pop: (cache, key) => cache.pop(key),
  popItem: (cache, key) => cache.popItem(key),
  incr: (cache, key) => cache.incr(key),
  decr: (cache, key) => cache.decr(key),
  transact: (cache, key) => cache.transact(() => 1, { keys: ['fine', key] }),
  'tx.get': (cache, key) => cache.transact(tx => tx.get(key)),
  'tx.set': (cache, key) => cache.transact(tx => tx.set(key, 1)),
}

describe('bad keys', () => {
  for (const subject of everySubject()) {
    it(`every verb of ${subject.name} rejects what is no key with TypeError, and stores nothing`, async () => {
      const cache = subject.make()
      for (const [verb, call] of Object.entries(KEY_VERBS)) {
        for (const [name, key] of Object.entries(BAD_KEYS)) {
          const error = await misuse(() => call(cache, key as Key))
          expect(error, `${verb} of ${name}`).toBeInstanceOf(TypeError)
          expect((error as Error).message, `${verb} of ${name}`).toMatch(/key/i)
        }
      }
      expect(await cache.count()).toBe(0)
    })
  }

  it('a key that codecs do not carry is a TypeError of that codec', async () => {
    const cache = cacheSubject('json').make()
    for (const key of [Buffer.from('bytes'), ['a', new Uint8Array(1)]]) {
      await expect(cache.set(key, 1)).rejects.toThrow(TypeError)
    }
  })
})

const BAD_VALUES: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  'a function': () => 1,
  'a class': Point,
  'a symbol': Symbol('value'),
  'a promise': Promise.resolve(1),
  'a thenable': { then: () => undefined },
  'a function inside an object': { a: { b: () => 1 } },
  'a symbol inside an array': [Symbol('inside')],
  'a WeakMap': new WeakMap(),
}

describe('bad values', () => {
  for (const subject of everySubject()) {
    it(`storing verbs of ${subject.name} reject what is no value with TypeError, and store nothing`, async () => {
      const cache = subject.make()
      await cache.set('old', 'value')
      const verbs: Record<string, (value: unknown) => unknown> = {
        set: value => cache.set('old', value),
        add: value => cache.add('key', value),
        setMany: value =>
          cache.setMany([
            ['first', 1],
            ['key', value],
          ]),
        'set with file': value => cache.set('key', value, { file: true }),
        'tx.set': value => cache.transact(tx => tx.set('key', value)),
        ...(cache instanceof Cache ? { push: (value: unknown) => cache.push(value) } : {}),
      }
      for (const [verb, call] of Object.entries(verbs)) {
        for (const [name, value] of Object.entries(BAD_VALUES)) {
          expect(await misuse(() => call(value)), `${verb} of ${name}`).toBeInstanceOf(TypeError)
        }
      }
      expect(await collect(cache.entries())).toEqual([['old', 'value']])
      expect(await cache.check()).toEqual([])
    })
  }

  it('the message says what was given and what is missing', async () => {
    const cache = cacheSubject('structured').make()
    await expect(cache.set('key', undefined)).rejects.toThrow(/undefined/)
    await expect(cache.set('key', () => 1)).rejects.toThrow(/function/)
    await expect(cache.set('key', Symbol('s'))).rejects.toThrow(/symbol/)
    await expect(cache.set('key', Promise.resolve(1))).rejects.toThrow(/promise.*await|await.*promise/i)
    await expect(cache.get(Number.NaN)).rejects.toThrow(/NaN/)
  })

  it("a promise that is refused as a value and rejects is nobody else's unhandled rejection", async () => {
    const cache = cacheSubject('structured').make()
    await expect(cache.set('key', Promise.reject(new Error('of the caller')))).rejects.toThrow(TypeError)
    await new Promise(resolve => setImmediate(resolve))
  })

  it('values that jsonCodec and pickleCodec do not carry are a TypeError', async () => {
    const json = cacheSubject('json').make()
    for (const value of [new Map(), new Date(0), Buffer.from('x'), cycle()]) {
      await expect(json.set('key', value), String(value)).rejects.toThrow(TypeError)
    }
    const pickle = cacheSubject('pickle').make()
    for (const value of [new Point(), /re/]) await expect(pickle.set('key', value)).rejects.toThrow(TypeError)
    expect([await json.count(), await pickle.count()]).toEqual([0, 0])
  })

  it('read() streams reject ranges that are none', async () => {
    const cache = cacheSubject('structured').make()
    await cache.set('key', Buffer.alloc(100), { file: true })
    for (const range of [{ start: -1 }, { start: Number.NaN }, { end: -1 }, { start: 1.5 }, { start: 5, end: 3 }]) {
      const file = await cache.read('key')
      expect(() => file?.stream(range)).toThrow(RangeError)
      await file?.close()
    }
    const file = await cache.read('key')
    expect(() => file?.stream({ ends: 5 } as never)).toThrow('stream: unknown option ends; did you mean end?')
    expect(() => file?.stream('0-5' as never)).toThrow("stream: options must be an object, got '0-5'")
    await file?.close()
  })

  it('bulk verbs reject what is not iterable', async () => {
    const cache = cacheSubject('structured').make()
    for (const keys of [7, null, undefined, {}]) {
      await expect(cache.getMany(keys as never)).rejects.toThrow(TypeError)
      await expect(cache.deleteMany(keys as never)).rejects.toThrow(TypeError)
      await expect(cache.setMany(keys as never)).rejects.toThrow(TypeError)
    }
    await expect(cache.setMany([7] as never)).rejects.toThrow(TypeError)
    await expect(cache.setMany(['ab'] as never)).rejects.toThrow(TypeError)
    await expect(cache.transact(tx => tx.setMany(['ab'] as never))).rejects.toThrow(TypeError)
    await expect(cache.transact(tx => tx.setMany(7 as never))).rejects.toThrow(TypeError)
    await expect(cache.transact(tx => tx.deleteMany('ab'))).rejects.toThrow(TypeError)
    await expect(cache.transact(tx => tx.getMany('ab'))).rejects.toThrow(/getMany needs an array/)
  })
})

describe('use after close', () => {
  for (const make of [Cache, FanoutCache]) {
    it(`every verb of a temporary ${make.name} rejects with ClosedError after close()`, async () => {
      const cache = new make()
      await cache.set('key', 1)
      await cache.close()
      await cache.close()
      const calls: (() => unknown)[] = [
        ...Object.values(KEY_VERBS).map(call => () => call(cache, 'key')),
        () => cache.open(),
        () => collect(cache.keys()),
        () => collect(cache.entries()),
        () => cache.count(),
        () => cache.volume(),
        () => cache.expire(),
        () => cache.evict('red'),
        () => cache.cull(),
        () => cache.clear(),
        () => cache.check(),
        () => cache.stats(),
        () => cache.settings(),
        () => cache.configure({ cullLimit: 1 }),
        () => cache.createTagIndex(),
        () => cache.dropTagIndex(),
        () => cache.transact(() => 1),
        ...(cache instanceof Cache ? [() => cache.push(1), () => cache.pull(), () => cache.peekItem()] : []),
      ]
      for (const call of calls) {
        const error = await misuse(call)
        expect(error, String(call)).toBeInstanceOf(ClosedError)
        expect(error).toBeInstanceOf(TypeError)
        expect(error).toHaveProperty('code', 'ERR_CACHE_CLOSED')
      }
    })
  }
})
