import type { Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import type { Subject } from './subjects.js'

const PLAIN: readonly Key[] = [
  '',
  'text',
  'a\u0000b',
  'grüße',
  '😀',
  'line\r\nbreak',
  'k'.repeat(5000),
  0,
  1,
  -1,
  2 ** 31,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  0.1,
  -2.5,
  1e300,
  5e-324,
  null,
  true,
  false,
  [],
  [1],
  [1, 'a', [null, true, -0.5]],
  ['a', 'a'],
  ['text'],
  {},
  { a: 1 },
  { a: [1, { b: null }], c: 'x' },
]

const BEYOND_JSON: readonly Key[] = [
  2n ** 53n,
  -(2n ** 63n),
  2n ** 63n - 1n,
  2n ** 63n,
  -(2n ** 200n),
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Buffer.from([]),
  Buffer.from([0, 255, 10]),
  Buffer.from('text'),
  [Buffer.from('text'), 2n ** 70n],
]

/** What may be a key, and which keys are one. */
export function keysSuite(subject: Subject): void {
  describe('keys', () => {
    kinds(subject)
    sameKeys(subject)
    otherKeys(subject)
  })
}

function kindsOf(subject: Subject): readonly Key[] {
  return subject.codec === 'json' ? PLAIN : [...PLAIN, ...BEYOND_JSON]
}

function kinds(subject: Subject): void {
  it('every kind of key has an item of its own and comes back from the listing', async () => {
    const cache = subject.make()
    const keys = kindsOf(subject)
    for (const [index, key] of keys.entries()) expect(await cache.add(key, index)).toBe(true)
    expect(await cache.count()).toBe(keys.length)
    for (const [index, key] of keys.entries()) expect(await cache.get(key)).toBe(index)
    const listed = await collect(cache.keys())
    for (const key of keys) expect(listed).toContainEqual(key)
    expect(await cache.check()).toEqual([])
  })

  it('every kind of key works with every verb', async () => {
    const cache = subject.make()
    for (const key of kindsOf(subject)) {
      await cache.set(key, 1)
      expect(await cache.has(key)).toBe(true)
      expect(await cache.incr(key)).toBe(2)
      expect((await cache.info(key))?.key).toEqual(key)
      expect(await cache.touch(key, { ttl: '1h' })).toBe(true)
      expect(await cache.getMany([key])).toEqual([2])
      expect(await cache.transact(tx => tx.get(key), { keys: [key] })).toBe(2)
      expect(await cache.pop(key)).toBe(2)
      expect(await cache.delete(key)).toBe(false)
    }
    expect(await cache.count()).toBe(0)
  })
}

function sameKeys(subject: Subject): void {
  it('keys are compared by value, whichever objects they are', async () => {
    const cache = subject.make()
    const twice = ['same', ['same']]
    await cache.set([twice, twice], 1)
    expect(
      await cache.get([
        ['same', ['same']],
        ['same', ['same']],
      ]),
    ).toBe(1)
    await cache.set({ a: 1, b: { c: 2, d: 3 } }, 2)
    expect(await cache.get({ a: 1, b: { c: 2, d: 3 } })).toBe(2)
  })

  // JSONDisk's keys are JSON text: there the order of properties and the sign of 0 are part of it.
  if (subject.codec === 'json') return
  it('keys are compared whatever the order of their properties', async () => {
    const cache = subject.make()
    await cache.set({ a: 1, b: { c: 2, d: 3 } }, 2)
    expect(await cache.get({ b: { d: 3, c: 2 }, a: 1 })).toBe(2)
  })

  it('0 and -0 are one key, as they are in a Map', async () => {
    const cache = subject.make()
    await cache.set(0, 'zero')
    expect(await cache.get(-0)).toBe('zero')
    await cache.set(-0, 'negative zero')
    expect(await cache.get(0)).toBe('negative zero')
    expect(await cache.count()).toBe(1)
  })

  it('a number and the bigint of the same value are one key', async () => {
    const cache = subject.make()
    for (const number of [0, 7, -1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      await cache.set(number, number)
      expect(await cache.get(BigInt(number))).toBe(number)
    }
  })

  it('a Buffer and a Uint8Array of the same bytes are one key', async () => {
    const cache = subject.make()
    await cache.set(new Uint8Array([1, 2, 3]), 'bytes')
    expect(await cache.get(Buffer.from([1, 2, 3]))).toBe('bytes')
    expect(await cache.get(new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 4))).toBe('bytes')
  })
}

function otherKeys(subject: Subject): void {
  it('keys that look alike are different keys', async () => {
    const cache = subject.make()
    const alike: Key[] = [
      '1',
      1,
      [1],
      ['1'],
      true,
      'true',
      null,
      'null',
      '',
      [],
      {},
      '[]',
      '{}',
      [null],
      [[]],
      1.5,
      '1.5',
    ]
    for (const [index, key] of alike.entries()) await cache.set(key, index)
    expect(await cache.count()).toBe(alike.length)
    for (const [index, key] of alike.entries()) expect(await cache.get(key)).toBe(index)
  })

  it('text keys are compared by code points, without normalisation or folding', async () => {
    const cache = subject.make()
    const alike = ['é', 'e\u0301', 'É', 'ß', 'ss', 'a', 'a ', 'a\u0000', 'A']
    for (const [index, key] of alike.entries()) await cache.set(key, index)
    expect(await cache.getMany(alike)).toEqual(alike.map((_, index) => index))
  })
}
