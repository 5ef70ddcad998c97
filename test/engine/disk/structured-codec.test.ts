import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MODE_JSON, MODE_PICKLE, MODE_RAW, MODE_V8 } from '../../../src/engine/disk/modes.js'
import { encodeOwn, structuredCodec } from '../../../src/engine/disk/structured-codec.js'
import { clonable, plain } from './arbitraries.js'

function roundTrip(value: unknown): unknown {
  const { mode, data } = structuredCodec.encodeValue(value)
  return structuredCodec.decodeValue(mode, data)
}

function modeOf(value: unknown): number {
  return structuredCodec.encodeValue(value).mode
}

describe('encodeValue() of natives', () => {
  it.each([
    ['text', 'text', MODE_RAW, 'text'],
    ['an integer as INTEGER', 5, MODE_RAW, 5n],
    ['a fraction as REAL', 5.5, MODE_RAW, 5.5],
    ['-0 as REAL', -0, MODE_RAW, -0],
    ['an integer beyond the safe range as REAL', 2 ** 53, MODE_RAW, 2 ** 53],
    ['an infinity as REAL', Number.NEGATIVE_INFINITY, MODE_RAW, Number.NEGATIVE_INFINITY],
    ['a bigint of 64 bits as INTEGER', -(2n ** 63n), MODE_RAW, -(2n ** 63n)],
    [
      'a larger bigint as a pickle',
      2n ** 63n,
      MODE_PICKLE,
      Buffer.from('8005950c000000000000008a090000000000000080002e', 'hex'),
    ],
    ['null as a pickle', null, MODE_PICKLE, Buffer.from('80054e2e', 'hex')],
    ['true as a pickle', true, MODE_PICKLE, Buffer.from('8005882e', 'hex')],
    ['false as a pickle', false, MODE_PICKLE, Buffer.from('8005892e', 'hex')],
    ['NaN as a pickle', Number.NaN, MODE_PICKLE, Buffer.from('8005950a00000000000000477ff80000000000002e', 'hex')],
    ['bytes as BLOB', Uint8Array.of(1, 2), MODE_RAW, Buffer.from([1, 2])],
  ])('stores %s', (_name, value, mode, data) => {
    expect(structuredCodec.encodeValue(value)).toEqual({ mode, data })
    expect(roundTrip(value)).toEqual(value instanceof Uint8Array ? Buffer.from(value) : value)
  })

  it('pickles text with lone surrogates, and gives it back', () => {
    for (const text of ['\ud800', 'a\udc00\ud800b', '😀\ud83d!']) {
      expect(modeOf(text)).toBe(MODE_PICKLE)
      expect(roundTrip(text)).toBe(text)
    }
  })

  it('gives back small bigints as numbers and large ones as bigint', () => {
    expect(roundTrip(5n)).toBe(5)
    expect(roundTrip(2n ** 60n)).toBe(2n ** 60n)
  })

  it('copies bytes, which the caller may change', () => {
    const bytes = Buffer.from('abc')
    const { data } = structuredCodec.encodeValue(bytes)
    bytes.fill(0)
    expect(data).toEqual(Buffer.from('abc'))
  })
})

describe('encodeValue() of objects', () => {
  it('stores plain data as JSON, and gives it back', () => {
    fc.assert(
      fc.property(plain, value => {
        const { mode, data } = encodeOwn(value)
        expect(mode).toBe(MODE_JSON)
        expect(data).toBe(JSON.stringify(value))
        expect(isDeepStrictEqual(structuredCodec.decodeValue(mode, data), value)).toBe(true)
        expect(isDeepStrictEqual(structuredCodec.decodeValue(mode, Buffer.from(String(data))), value)).toBe(true)
      }),
    )
  })

  it('stores plain data of another realm as JSON', () => {
    const value: unknown = runInNewContext('({ a: [1, { b: null }] })')
    expect(modeOf(value)).toBe(MODE_JSON)
    expect(roundTrip(value)).toEqual({ a: [1, { b: null }] })
  })

  it('gives back whatever structuredClone carries', () => {
    fc.assert(
      // In an array, for bytes alone come back as a Buffer.
      fc.property(clonable, value => {
        expect(isDeepStrictEqual(roundTrip([value]), [value])).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  const shared = { x: 1 }
  it.each([
    ['a property that is undefined', { a: undefined }],
    ['-0', { a: -0 }],
    ['NaN', [Number.NaN]],
    ['an array with further properties', 'abc'.match(/b/)],
    ['a hole', Object.assign([1], { 2: 2 })],
    ['an object that occurs twice', [shared, shared]],
    ['a bigint', { a: 1n }],
    ['a Date', { at: new Date(5) }],
    ['an array that says it is sparse', Object.assign([], { length: 100_000 })],
    ['a Map of another realm', runInNewContext('({ a: [1, new Map([[1, 2]])] })')],
    ['bytes within', { bytes: Buffer.from('abc'), array: new Uint8Array(3) }],
  ])('leaves %s to v8', (_name, value) => {
    expect(modeOf(value)).toBe(MODE_V8)
    // Of another realm only the clone is comparable; Buffers come back as Buffers, which structuredClone makes arrays.
    const back = roundTrip(value)
    expect(isDeepStrictEqual(back, value) || isDeepStrictEqual(back, structuredClone(value))).toBe(true)
  })

  it('gives back an invalid Date', () => {
    expect((roundTrip(new Date(Number.NaN)) as Date).getTime()).toBe(Number.NaN)
  })

  it('keeps what is one object one object, and cycles', () => {
    const cycle: Record<string, unknown> = { shared: [shared, shared] }
    cycle['self'] = cycle
    const back = roundTrip(cycle) as typeof cycle & { shared: unknown[] }
    expect(back['self']).toBe(back)
    expect(back.shared[0]).toBe(back.shared[1])
  })

  it('keeps name, message and cause of errors', () => {
    const error = roundTrip(new TypeError('message', { cause: new Error('cause') })) as Error
    expect([error.name, error.message, (error.cause as Error).message]).toEqual(['TypeError', 'message', 'cause'])
    expect(error).toBeInstanceOf(TypeError)
  })

  it.each<[string, unknown]>([
    ['a Response', new Response('text')],
    ['a URL', new URL('http://localhost')],
    ['Headers', new Headers({ a: '1' })],
    ['URLSearchParams', new URLSearchParams('a=1')],
  ])('refuses %s, of which V8 would write an empty object', (_, value) => {
    expect(() => structuredCodec.encodeValue(value)).toThrow(/^expected value to be data that can be stored, got a/)
  })

  it.each<[string, unknown, string]>([
    [
      'an object',
      { at: [{}, { link: new URL('http://localhost') }] },
      'value.at[1].link to be data that can be stored, got a URL',
    ],
    [
      'a Map',
      new Map<string, unknown>([
        ['a', {}],
        ['b', new Headers()],
      ]),
      'value[1] to be data that can be stored, got a Headers',
    ],
    [
      'an array with holes',
      Object.assign(new Array(3), { 2: new URL('http://localhost') }),
      'value[2] to be data that can be stored, got a URL',
    ],
    ['a Set', new Set([{}, new URLSearchParams()]), 'value[1] to be data that can be stored, got a URLSearchParams'],
  ])('refuses one inside of %s too, and says where', (_, value, message) => {
    expect(() => structuredCodec.encodeValue(value)).toThrow(`expected ${message}`)
  })

  it('takes empty objects, and those of which nothing but properties is left', () => {
    class Nothing {}
    const value = { a: {}, date: new Date(0), map: new Map(), made: new Nothing(), bare: Object.create(null) }
    expect(roundTrip(value)).toEqual({ a: {}, date: new Date(0), map: new Map(), made: {}, bare: {} })
  })

  it('refuses bytes whose memory was transferred, and takes empty ones', () => {
    const bytes = new Uint8Array(8)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    expect(() => structuredCodec.encodeValue(bytes)).toThrow(/^expected value .* whose memory was transferred$/)
    expect(roundTrip(new Uint8Array())).toEqual(Buffer.alloc(0))
  })

  it('keeps the properties of an object that has a tag', () => {
    const value = { a: 1, [Symbol.toStringTag]: 'Own' }
    expect(roundTrip(Object.assign(Object.create({ [Symbol.toStringTag]: 'Inherited' }), { a: 1 }))).toEqual({ a: 1 })
    expect(roundTrip(value)).toEqual({ a: 1 })
  })

  it('makes plain objects of instances of classes and of objects without prototype, as structuredClone does', () => {
    class User {
      name = 'Ada'
    }
    expect(isDeepStrictEqual(roundTrip(new User()), { name: 'Ada' })).toBe(true)
    expect(isDeepStrictEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 })).toBe(true)
  })

  it('does not ask toJSON', () => {
    expect(roundTrip(Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'no' }))).toEqual({ a: 1 })
  })

  it('keeps a property named __proto__ one, in both forms', () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":[1]},"a":1}']) {
      const value = JSON.parse(text) as object
      for (const whole of [value, { value, at: new Date(0) }]) {
        expect(isDeepStrictEqual(roundTrip(whole), whole)).toBe(true)
        expect((roundTrip(whole) as { x?: unknown }).x).toBe(undefined)
      }
    }
  })

  it('gives typed arrays memory of their own', () => {
    const { mode, data } = structuredCodec.encodeValue([
      Buffer.from('abc'),
      new Float64Array(2),
      new DataView(new ArrayBuffer(5)),
    ])
    const back = structuredCodec.decodeValue(mode, data) as ArrayBufferView[]
    expect(back.map(view => view.buffer.byteLength)).toEqual([3, 16, 5])
    ;(data as Buffer).fill(0)
    expect(back[0]).toEqual(Buffer.from('abc'))
  })
})

describe('encodeValue() of what cannot be stored', () => {
  let deep: unknown = []
  for (let at = 0; at < 100_000; at++) deep = [deep]

  it.each([
    ['undefined', undefined, 'expected value to be data that can be stored, got undefined'],
    ['a function', () => 1, 'got a function'],
    ['a symbol', Symbol('s'), 'got a symbol'],
    ['a promise', Promise.resolve(1), 'got a Promise (await it first)'],
    ['a thenable', { then: (): void => {} }, 'await it first'],
    [
      'a nested function',
      { a: [{ b: () => 1 }] },
      'expected value.a[0].b to be data that can be stored, got a function',
    ],
    ['a nested promise', [Promise.resolve(1)], 'value[0]'],
    ['a nested symbol', new Map([[{ x: 1 }, [Symbol('s')]]]), 'got a symbol'],
    ['a WeakMap', { 'odd name': new WeakMap() }, 'value["odd name"]'],
    ['shared memory', new SharedArrayBuffer(1), 'got a SharedArrayBuffer'],
    ['a value nested too deeply', deep, 'too deeply'],
    ['a sparse array of millions', Object.assign([], { length: 2 ** 25 }), 'sparse arrays'],
  ])('throws a TypeError for %s', (_name, value, message) => {
    expect(() => structuredCodec.encodeValue(value)).toThrow(TypeError)
    expect(() => structuredCodec.encodeValue(value)).toThrow(message)
  })

  it('reads whatever it wrote, up to the depth at which it refuses', () => {
    const nest = (levels: number, inner: unknown): unknown => (levels === 0 ? inner : { a: nest(levels - 1, inner) })
    for (const levels of [199, 200, 201, 999]) expect(roundTrip(nest(levels, 'x'))).toEqual(nest(levels, 'x'))
    expect(() => structuredCodec.encodeValue(nest(1001, 'x'))).toThrow(TypeError)
  })
})
