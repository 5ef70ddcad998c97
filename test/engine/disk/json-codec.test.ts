import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonCodec } from '../../../src/engine/disk/json-codec.js'
import { MODE_BINARY, MODE_RAW } from '../../../src/engine/disk/modes.js'
import { DecodeError } from '../../../src/engine/errors.js'
import type { Key } from '../../../src/engine/options.js'
import { plain } from './arbitraries.js'

function roundTrip(value: unknown): unknown {
  const { mode, data } = jsonCodec.encodeValue(value)
  return jsonCodec.decodeValue(mode, data)
}

const compressed = (text: string | Uint8Array): Buffer => deflateSync(text)

describe('the values of the json codec', () => {
  it('come back, compressed in between', () => {
    fc.assert(
      fc.property(plain, value => {
        const { mode, data } = jsonCodec.encodeValue(value)
        expect(mode).toBe(MODE_RAW)
        expect(jsonCodec.decodeValue(mode, data)).toStrictEqual(value)
        expect(jsonCodec.decodeValue(MODE_BINARY, data)).toStrictEqual(value)
      }),
    )
  })

  it.each([-0, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 100n, 1e308, 5e-324, 'lone \ud800', [null, [true]]])(
    'keep %s',
    value => {
      expect(roundTrip([value])).toStrictEqual([value])
    },
  )

  it('leave out properties that are undefined, as JSON does', () => {
    expect(roundTrip({ a: undefined, b: 1 })).toStrictEqual({ b: 1 })
  })

  it.each([
    ['undefined', undefined, 'got undefined'],
    ['undefined in an array', [undefined], 'expected value[0] to be what JSON can say exactly, got undefined'],
    ['a hole', Object.assign([1], { 2: 1 }), 'value[1]'],
    [
      'what a match has beside its texts',
      ['ab'.match(/b/)],
      'value[0] to be what JSON can say exactly, got an array with properties',
    ],
    ['a function', { a: () => 1 }, 'value.a'],
    ['a symbol', Symbol('s'), 'got a symbol'],
    ['a Date', { at: new Date() }, 'expected value.at to be what JSON can say exactly, got a Date'],
    ['a Map', new Map(), 'got a Map'],
    ['bytes', Buffer.from('a'), 'got a Uint8Array'],
    ['a promise', Promise.resolve(), 'await it first'],
    ['an instance of a class', new (class User {})(), 'got an instance of User'],
    ['an object that speaks for itself', { toJSON: (): number => 1 }, 'value'],
    ['an integer that Python would not read', 10n ** 5000n, 'a bigint of 5001 digits'],
  ])('refuse %s with a TypeError', (_name, value, message) => {
    expect(() => jsonCodec.encodeValue(value)).toThrow(TypeError)
    expect(() => jsonCodec.encodeValue(value)).toThrow(message)
  })

  it('refuse what holds itself', () => {
    const value: Record<string, unknown> = {}
    value['self'] = value
    expect(() => jsonCodec.encodeValue(value)).toThrow(TypeError)
  })

  it('are bytes when they are not compressed: a stream that went to a file', () => {
    for (const bytes of [Buffer.from('plain'), Buffer.alloc(0), Buffer.from([0x78])]) {
      expect(jsonCodec.decodeValue(MODE_BINARY, bytes)).toEqual(bytes)
    }
  })

  it.each([
    ['a stream that is cut', compressed('[1, 2, 3]').subarray(0, -3)],
    ['a wrong checksum', Buffer.concat([compressed('[1]').subarray(0, -1), Buffer.from([0])])],
    ['no JSON', compressed('[1, ]')],
    ['no UTF-8', compressed(Uint8Array.of(0x22, 0xff, 0x22))],
    ['a bomb', compressed(Buffer.alloc(70 * 1024 * 1024, 0x20))],
  ])('are refused with a DecodeError for %s', (_name, bytes) => {
    expect(() => jsonCodec.decodeValue(MODE_RAW, bytes)).toThrow(DecodeError)
  })

  it('refuse to be written when they would pass for a bomb', () => {
    expect(() => jsonCodec.encodeValue(' '.repeat(70 * 1024 * 1024))).toThrow(TypeError)
  })
})

describe('the keys of the json codec', () => {
  it('hold nothing of the pool of Buffers, since they are remembered', () => {
    const { data } = jsonCodec.encodeKey('a short key')
    expect(Buffer.isBuffer(data) && data.buffer.byteLength).toBeLessThan(100)
  })

  it.each([undefined, Number.NaN, '\ud800', ['\ud800'], { a: undefined }, Buffer.from('a'), [new Date()], new Map()])(
    'refuse %o',
    key => {
      expect(() => jsonCodec.encodeKey(key)).toThrow(TypeError)
      expect(() => jsonCodec.encodeKey(key)).toThrow('key')
    },
  )

  it('differ by the level of compression', () => {
    const key = { text: 'abc'.repeat(50) }
    const levels = [0, 1, 6, 9].map(level => jsonCodec.level(level).encodeKey(key).data as Buffer)
    expect(new Set(levels.map(bytes => bytes.toString('hex'))).size).toBeGreaterThan(2)
    expect(jsonCodec.compressLevel).toBe(1)
    expect(jsonCodec.level(6)).toBe(jsonCodec.level(6))
    expect(jsonCodec.level(1)).toBe(jsonCodec)
  })

  it.each([-1, 10, 1.5, Number.NaN])('throw a RangeError for the level %s', level => {
    expect(() => jsonCodec.level(level)).toThrow(RangeError)
  })

  it('are the same bytes however often they are asked for', () => {
    const first = jsonCodec.encodeKey(['k', 1])
    for (let at = 2; at < 5000; at++) jsonCodec.encodeKey(['k', at])
    expect(jsonCodec.encodeKey(['k', 1])).toEqual(first)
  })

  it('read what push() made of text and integers as it is', () => {
    expect(jsonCodec.decodeKey(500000000000000n, true)).toBe(500000000000000)
    expect(jsonCodec.decodeKey('jobs-500000000000000', true)).toBe('jobs-500000000000000')
    expect(jsonCodec.decodeKey(1.5, true)).toBe(1.5)
  })

  it('find their own row when Python wrote the same key in other bytes', () => {
    // Level 6, floats without fraction, another order of names.
    for (const text of ['[1.0, "a"]', '{"b": 1, "a": 2}', '[1,2]']) {
      const data = compressed(text)
      const key = jsonCodec.decodeKey(data, true)
      expect(key).toEqual(JSON.parse(text))
      expect(Object.isFrozen(key)).toBe(true)
      expect(jsonCodec.encodeKey(key)).toEqual({ data, raw: true })
    }
  })

  it('find their own row when nobody can read them', () => {
    for (const data of [Buffer.from('bytes'), compressed('no JSON'), Buffer.alloc(0)]) {
      const key = jsonCodec.decodeKey(data, true)
      expect(key).toEqual({ $unreadable: data.toString('hex') })
      expect(jsonCodec.encodeKey(key)).toEqual({ data, raw: true })
    }
  })

  it('read pickled keys of other codecs, which find their own row as well', () => {
    const data = Buffer.from('80059504000000000000004b01852e', 'hex')
    const key = jsonCodec.decodeKey(data, false)
    expect(key).toEqual([1])
    expect(jsonCodec.encodeKey(key)).toEqual({ data, raw: false })
    expect(jsonCodec.encodeKey([1])).not.toEqual({ data, raw: false })
    const none = Buffer.from('80054e2e', 'hex')
    expect(jsonCodec.encodeKey(jsonCodec.decodeKey(none, false))).toEqual({ data: none, raw: false })
  })

  it('come back', () => {
    fc.assert(
      fc.property(
        plain.filter(value => JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('\\ud')),
        value => {
          const { data, raw } = jsonCodec.encodeKey(value)
          expect(jsonCodec.decodeKey(data, raw)).toStrictEqual(value as Key)
        },
      ),
    )
  })
})
