import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { integerFromBytes, integerToBytes } from '../../../../src/engine/disk/pickle/integers.js'
import { readPickle } from '../../../../src/engine/disk/pickle/reader.js'
import { writePickle } from '../../../../src/engine/disk/pickle/writer.js'
import { pickleCodec } from '../../../../src/engine/disk/pickle-codec.js'
import { picklable } from '../arbitraries.js'

describe('writePickle()', () => {
  it('writes what readPickle() reads', () => {
    fc.assert(
      fc.property(picklable, value => {
        expect(isDeepStrictEqual(readPickle(writePickle(value)), value)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['a null prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['properties that are undefined', { a: undefined, b: 1 }, { b: 1 }],
    ['a small bigint', [5n], [5]],
    ['a Map of text', new Map([['a', 1]]), { a: 1 }],
    ['an array as a key', new Map([[[1, [2]], 1]]), new Map([[[1, [2]], 1]])],
    ['a Set in a Set', new Set([new Set([1])]), new Set([new Set([1])])],
    ['a property named __proto__', JSON.parse('{"__proto__":{"x":1}}'), JSON.parse('{"__proto__":{"x":1}}')],
  ])('writes %s', (_name, value, expected) => {
    expect(isDeepStrictEqual(readPickle(writePickle(value)), expected)).toBe(true)
  })

  it('keeps what is one object one object, and cycles', () => {
    const shared = { x: 1 }
    const map = new Map<unknown, unknown>([[1, shared]])
    map.set('self', map)
    const back = readPickle(writePickle([map, shared, map])) as [Map<unknown, unknown>, object, unknown]
    expect(back[0].get('self')).toBe(back[0])
    expect(back[0].get(1)).toBe(back[1])
    expect(back[2]).toBe(back[0])
  })

  it('refers to more than 256 objects', () => {
    const objects = Array.from({ length: 300 }, (_, at) => ({ at }))
    const back = readPickle(writePickle([objects, objects.toReversed()])) as [object[], object[]]
    expect(back[0][299]).toBe(back[1][0])
  })

  it.each([
    ['undefined in an array', [undefined], 'expected value[0] to be data that Python can have, got undefined'],
    ['a Date', { at: [new Date()] }, 'value.at[0]'],
    [
      'what a match has beside its texts',
      { match: 'ab'.match(/b/) },
      'value.match to be data that Python can have, got an array with properties',
    ],
    ['a function', { f: () => 1 }, 'got a function'],
    ['an instance of a class', [new (class User {})()], 'got an instance of User'],
    ['another typed array', [new Uint16Array(1)], 'got a Uint16Array'],
    ['an object as a key', new Map([[{}, 1]]), 'value[0]'],
    ['an object in a Set', new Set([1, {}]), 'value[1]'],
    ['undefined in a Map', new Map([[1, undefined]]), 'value[0]'],
  ])('throws a TypeError for %s', (_name, value, message) => {
    expect(() => pickleCodec.encodeValue(value)).toThrow(TypeError)
    expect(() => pickleCodec.encodeValue(value)).toThrow(message)
  })

  it('throws a TypeError for what is nested too deeply, and reads back the rest', () => {
    const nest = (levels: number): unknown => (levels === 0 ? 'x' : [nest(levels - 1)])
    expect(readPickle(writePickle(nest(999)))).toEqual(nest(999))
    expect(() => writePickle(nest(1001))).toThrow(TypeError)
  })
})

describe('integerToBytes()', () => {
  it('writes what integerFromBytes() reads, in as few bytes as there are', () => {
    const check = (value: bigint): void => {
      const bytes = integerToBytes(value)
      expect(integerFromBytes(bytes)).toBe(value)
      if (value !== 0n) expect(integerFromBytes(bytes.subarray(0, -1))).not.toBe(value)
    }
    for (let at = -70_000n; at < 70_000n; at += 17n) check(at)
    for (const edge of [127n, 128n, 255n, 256n, 32767n, 32768n])
      for (const value of [edge, -edge, -edge - 1n]) check(value)
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 3000n), max: 2n ** 3000n }), check))
  })
})
