import { deserialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import type { CodecName, Subject } from './subjects.js'

/** What every codec carries. */
const JSON_VALUES: readonly unknown[] = [
  '',
  'text',
  'a\u0000b',
  'grüße 😀',
  'line\r\nbreak\rand\nmore',
  0,
  7,
  -1,
  2.5,
  1e300,
  5e-324,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  null,
  true,
  false,
  [],
  {},
  [1, 'a', [null, [true]], { b: [] }],
  { a: 1, b: { c: [1, 2.5, 'x', null] }, 'with space': '', ü: 'ü' },
  { constructor: 2, toString: 3, length: 4, hasOwnProperty: null },
]

/** What Python's own types carry besides. */
const PICKLE_VALUES: readonly unknown[] = [
  2n ** 53n,
  -(2n ** 63n),
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 512n,
  -(2n ** 100n),
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Buffer.from([]),
  Buffer.from([0, 255, 13, 10]),
  [Buffer.from('inside'), Number.NaN, 2n ** 80n],
]

/** What structuredClone carries besides. */
const STRUCTURED_VALUES: readonly unknown[] = [
  { a: undefined, b: 1 },
  [undefined, -0, Number.NaN],
  new Date(1_700_000_000_123),
  /re+gex/giu,
  new Map<unknown, unknown>([
    [1, { a: 1 }],
    ['b', new Set([1, 2])],
  ]),
  new Set(['a', 1, null]),
  new Uint16Array([1, 2, 65_535]),
  new Float64Array([0.5, -0]),
  new Uint8Array([1, 2, 3]).buffer,
  new RangeError('as a value'),
  { nested: { date: new Date(0), map: new Map([['k', 1n]]) } },
]

const VALUES: Readonly<Record<CodecName, readonly unknown[]>> = {
  json: JSON_VALUES,
  pickle: [...JSON_VALUES, ...PICKLE_VALUES],
  structured: [...JSON_VALUES, ...PICKLE_VALUES, ...STRUCTURED_VALUES],
}

/** What may be a value, and that it comes back equal. */
export function valuesSuite(subject: Subject): void {
  describe('values', () => {
    roundTrips(subject)
    numbers(subject)
    large(subject)
    objects(subject)
  })
}

function roundTrips(subject: Subject): void {
  it('every kind of value comes back equal, from the database and from a file', async () => {
    const cache = subject.make()
    const values = VALUES[subject.codec]
    for (const [index, value] of values.entries()) {
      await cache.set(index, value)
      await cache.set(`file ${index}`, value, { file: true })
    }
    for (const [index, value] of values.entries()) {
      for (const key of [index, `file ${index}`]) {
        const found = await cache.get(key)
        expect(found, `${String(key)}`).toEqual(value)
        expect(Object.is(found, -0)).toBe(Object.is(value, -0))
      }
    }
    expect(await cache.check()).toEqual([])
  })

  it('every kind of value passes through transact(), getMany(), entries() and pop()', async () => {
    const cache = subject.make()
    const values = VALUES[subject.codec]
    await cache.transact(tx => {
      for (const [index, value] of values.entries()) {
        tx.set(index, value)
        expect(tx.get(index)).toEqual(value)
      }
    })
    expect(await cache.getMany(values.keys())).toEqual(values)
    for await (const [key, value] of cache.entries()) expect(value).toEqual(values[Number(key)])
    for (const [index, value] of values.entries()) expect(await cache.pop(index)).toEqual(value)
  })
}

function numbers(subject: Subject): void {
  it('whole numbers come back as numbers, fractions exactly', async () => {
    const cache = subject.make()
    for (const number of [0, 1, -1, 255, 2 ** 31, 2 ** 52 + 0.5, 0.1 + 0.2, Number.MAX_VALUE, Number.EPSILON]) {
      await cache.set('key', number)
      expect(await cache.get('key')).toBe(number)
    }
  })

  if (subject.codec === 'json') return
  it('a bigint comes back as a number where numbers are exact, and as a bigint beyond', async () => {
    const cache = subject.make()
    const pairs: [bigint, number | bigint][] = [
      [7n, 7],
      [BigInt(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
      [2n ** 53n, 2n ** 53n],
      [2n ** 53n + 1n, 2n ** 53n + 1n],
    ]
    for (const [stored, found] of pairs) {
      await cache.set('key', stored)
      expect(await cache.get('key')).toBe(found)
      expect((await cache.getItem('key'))?.value).toBe(found)
    }
  })
}

function large(subject: Subject): void {
  it('large text comes back with its line ends and surrogate pairs', async () => {
    const cache = subject.make()
    for (const text of [
      '\r\n\r\n'.repeat(20_000),
      'a\rb\n'.repeat(20_000),
      '😀'.repeat(40_000),
      'ü\u0000'.repeat(40_000),
    ]) {
      await cache.set('key', text)
      expect(await cache.get('key')).toBe(text)
    }
  })

  it('large objects go to files and come back equal', async () => {
    const cache = subject.make()
    const random = (index: number) => `${Math.sin(index)}${Math.cos(index)}`
    const list = Array.from({ length: 10_000 }, (_, index) => ({ index, text: random(index) }))
    await cache.set('key', list)
    expect(await cache.info('key')).toHaveProperty('path')
    expect(await cache.get('key')).toEqual(list)
    expect(await cache.check()).toEqual([])
  })

  if (subject.codec === 'json') return
  it('large bytes come back as a Buffer', async () => {
    const cache = subject.make()
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256))
    for (const value of [bytes, new Uint8Array(bytes), bytes.subarray(100, 100_100)]) {
      await cache.set('key', value)
      const found = await cache.get<Buffer>('key')
      expect(Buffer.isBuffer(found)).toBe(true)
      expect(found?.equals(value)).toBe(true)
    }
  })
}

function objects(subject: Subject): void {
  it('deep nesting comes back equal', async () => {
    const cache = subject.make()
    let value: unknown = 'bottom'
    for (let depth = 0; depth < 200; depth += 1) value = depth % 2 ? [value] : { value }
    await cache.set('key', value)
    expect(await cache.get('key')).toEqual(value)
  })

  it('a property named __proto__ stays a property', async () => {
    const cache = subject.make()
    await cache.set('key', JSON.parse('{"__proto__":{"admin":true},"a":1}'))
    const found = await cache.get<object>('key')
    expect(Object.hasOwn(found ?? {}, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    expect(JSON.stringify(found)).toBe('{"__proto__":{"admin":true},"a":1}')
  })

  if (subject.codec !== 'structured') return
  it('cycles and shared references come back as such', async () => {
    const cache = subject.make()
    const shared = { a: 1 }
    const cyclic: Record<string, unknown> = { one: shared, two: shared }
    cyclic['self'] = cyclic
    await cache.set('key', cyclic)
    const found = await cache.get<typeof cyclic>('key')
    expect(found?.['self']).toBe(found)
    expect(found?.['one']).toBe(found?.['two'])
  })

  it('read() gives what has no JSON as it is stored', async () => {
    const cache = subject.make()
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    for (const file of [undefined, true] as const) {
      await cache.set('key', cyclic, { file })
      const found = deserialize((await (await cache.read('key'))?.bytes()) as Buffer) as typeof cyclic
      expect(found['self']).toBe(found)
    }
  })
}
