import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EncodedKey } from '../../../src/engine/disk/codec.js'
import { decodeKey, encodeKey, keyIdentity } from '../../../src/engine/disk/keys.js'
import { writePickle } from '../../../src/engine/disk/pickle/writer.js'
import { compositeKeys, keys } from './arbitraries.js'

const refused: readonly (readonly [string, unknown, string])[] = [
  ['undefined', undefined, 'key to be'],
  ['a function', () => 1, 'got a function'],
  ['a symbol', Symbol('s'), 'got a symbol'],
  ['NaN', Number.NaN, 'got NaN'],
  ['a lone surrogate', 'a\ud800', 'lone surrogate'],
  ['a Date', new Date(), 'got a Date'],
  ['a Map', new Map(), 'got a Map'],
  ['an instance of a class', new (class User {})(), 'got an instance of User'],
  ['NaN within', { a: [1, Number.NaN] }, 'key.a[1]'],
  ['undefined within', { a: undefined }, 'key.a'],
  ['a hole', Object.assign([1], { 2: 2 }), 'key[1]'],
  ['a lone surrogate within', ['\udc00'], 'key[0]'],
  ['a lone surrogate in a name', { '\udc00': 1 }, 'key['],
  ['a function within', [[() => 1]], 'key[0][0]'],
  ['another typed array', [new Uint16Array(1)], 'key[0]'],
]

describe('encodeKey()', () => {
  it.each(refused)('throws a TypeError for %s', (_name, key, message) => {
    expect(() => encodeKey(key)).toThrow(TypeError)
    expect(() => encodeKey(key)).toThrow(message)
  })

  it('throws a TypeError for a key that holds itself', () => {
    const key: unknown[] = []
    key.push(key)
    expect(() => encodeKey(key)).toThrow(TypeError)
  })

  it('throws a TypeError for a key that grows without bound when written by value', () => {
    let key: unknown = ['x'.repeat(1000)]
    for (let at = 0; at < 60; at++) key = [key, key]
    expect(() => encodeKey(key)).toThrow(TypeError)
  })

  it('stores equal keys alike, whatever the order of properties and the identity of parts', () => {
    const part = { x: 1, y: 'same' }
    const one = encodeKey({ b: [part, part], a: 'same' })
    const two = encodeKey({
      a: 'same',
      b: [
        { y: 'same', x: 1 },
        { x: 1n, y: 'same' },
      ],
    })
    expect(one).toEqual(two)
    expect(one.raw).toBe(false)
  })

  it('sorts names by characters as Python does, not by UTF-16 units', () => {
    const { data } = encodeKey({ '😀': 1, '\uffff': 2 })
    expect((data as Buffer).indexOf('\uffff')).toBeLessThan((data as Buffer).indexOf('😀'))
  })

  it('keeps the bytes that it was given, whatever the caller does to them afterwards', () => {
    const bytes = Buffer.from('abc')
    const { data } = encodeKey(bytes)
    const composite = encodeKey([bytes])
    bytes.fill(0)
    expect(data).toEqual(Buffer.from('abc'))
    expect(composite).toEqual(encodeKey([Buffer.from('abc')]))
  })

  it('takes objects of another realm and without prototype for what they are', () => {
    expect(encodeKey(Object.assign(Object.create(null), { a: 1 }))).toEqual(encodeKey({ a: 1 }))
  })
})

describe('decodeKey()', () => {
  it('gives back every key', () => {
    fc.assert(
      fc.property(keys, key => {
        const { data, raw } = encodeKey(key)
        expect(decodeKey(data, raw)).toEqual(key)
      }),
    )
  })

  it('reads integers beyond the safe range as bigint, others as number', () => {
    expect(decodeKey(7n, true)).toBe(7)
    expect(decodeKey(7, true)).toBe(7)
    expect(decodeKey(2n ** 60n, true)).toBe(2n ** 60n)
  })

  it('freezes composite keys, and remembers the row they came from', () => {
    fc.assert(
      fc.property(compositeKeys, key => {
        // As Python would write a list.
        const encoded: EncodedKey = { data: writePickle([key]), raw: false }
        const decoded = decodeKey(encoded.data, false)
        expect(decoded).toEqual([key])
        expect(Object.isFrozen(decoded) && Object.isFrozen((decoded as unknown[])[0])).toBe(true)
        expect(encodeKey(decoded)).toEqual(encoded)
        expect(encodeKey([key])).not.toEqual(encoded)
      }),
    )
  })

  it.each([
    ['a class of somebody', Buffer.from('80058c03666f6f8c0342617293292981'.concat('2e'), 'hex')],
    ['a set', Buffer.from('80059506000000000000008f284b01902e', 'hex')],
    ['None of another protocol', Buffer.from('80044e2e', 'hex')],
    ['a pickled str', writePickle('text')],
    ['a pickled bytearray', Buffer.from('8005960100000000000000612e', 'hex')],
    ['no pickle at all', Buffer.from('what?')],
    ['nothing', Buffer.alloc(0)],
  ])('answers for %s a frozen object that finds its row', (_name, bytes) => {
    const key = decodeKey(bytes, false)
    expect(key).toEqual({ $unreadable: bytes.toString('hex') })
    expect(Object.isFrozen(key)).toBe(true)
    expect(encodeKey(key)).toEqual({ data: bytes, raw: false })
    expect(encodeKey({ ...(key as object) })).not.toEqual({ data: bytes, raw: false })
  })

  it('answers something for every row, were it tampered with', () => {
    for (const data of ['text', 5n, 5.5, null]) expect(encodeKey(decodeKey(data, false))).toEqual({ data, raw: false })
    expect(decodeKey(null, true)).toBe(null)
  })
})

describe('keyIdentity()', () => {
  const identity = (data: EncodedKey['data'], raw = true): string | number => keyIdentity({ data, raw })

  it('is one for numbers that SQLite holds for equal', () => {
    expect(new Set([identity(1n), identity(1)]).size).toBe(1)
    expect(new Set([identity(0n), identity(0), identity(-0)]).size).toBe(1)
    expect(new Set([identity(2n ** 60n), identity(2 ** 60)]).size).toBe(1)
    expect(new Set([identity(2n ** 53n), identity(2n ** 53n + 1n), identity(2 ** 53)]).size).toBe(2)
    expect(new Set([identity(2n ** 63n - 1n), identity(2 ** 63)]).size).toBe(2)
  })

  it('is the text of text, and for the rest nothing that a text could be', () => {
    expect(identity('a')).toBe('a')
    const others = [
      identity(Buffer.from('a')),
      identity(Buffer.from('a'), false),
      identity('a', false),
      identity(2n ** 62n + 1n),
      identity(null),
    ]
    expect(new Set(others).size).toBe(others.length)
    for (const other of others) expect(String(other).isWellFormed()).toBe(false)
  })

  it('tells bytes apart exactly', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(identity(Buffer.from(a)) === identity(Buffer.from(b))).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })
})
