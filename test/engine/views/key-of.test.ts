import { isDeepStrictEqual } from 'node:util'
import { Cache, keyBuilder, keyOf } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'

/** Structured arguments of every kind that keyOf takes, likely to be nearly equal. */
const part: fc.Arbitrary<unknown> = fc.letrec(tie => ({
  leaf: fc.oneof(
    fc.constantFrom<unknown>(...['', 'a', 'b', '1', 'true', 'null', '-0', 'a:b', '"a"', '[]', '\ud800', '\\ud800']),
    fc.constantFrom<unknown>(null, undefined, true, false, 0, -0, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1n, 0n),
    fc.constantFrom<unknown>(new Date(0), new Date(1), new Date(Number.NaN), /a/g, /a/, new URL('http://a/b')),
    fc.constantFrom<unknown>(new Uint8Array([1]), new Int8Array([1]), new Uint16Array([1]), new Float64Array([-0])),
    fc.string({ maxLength: 3, unit: 'grapheme' }),
    fc.double(),
    fc.bigInt(),
  ),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'a:b', '__proto', '1', ''), tie('node'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    fc.array(fc.tuple(tie('leaf'), tie('node')), { maxLength: 3 }).map(entries => new Map(entries)),
    fc.array(tie('leaf'), { maxLength: 3 }).map(members => new Set(members)),
  ),
})).node

/** The same value with the parts of objects, Maps and Sets in another order, and copied. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled)
  if (value instanceof Map) return new Map([...value].reverse().map(([key, item]) => [key, shuffled(item)]))
  if (value instanceof Set) return new Set([...value].reverse())
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, shuffled(item)]),
  )
}

const own = <T extends object>(value: T, property: PropertyKey): T => Object.assign(value, { [property]: 1 })
const cyclic: { a: { b?: unknown }[] } = { a: [{}] }
cyclic.a[0] = { b: cyclic }
let deep: unknown = 1
for (let at = 0; at < 5000; at++) deep = [deep]

describe('keyOf()', () => {
  it.each([
    ['user:42', ['user', 42]],
    ['user:"42"', ['user', '42']],
    ['"a:b"', ['a:b']],
    ['{page:1,tags:[a,"b c"]}', [{ page: 1, tags: ['a', 'b c'] }]],
    ['{a:2,b:1}', [{ b: 1, a: 2 }]],
    ['null:undefined:true:"true"', [null, undefined, true, 'true']],
    ['1n:-0:0:NaN', [1n, -0, 0, Number.NaN]],
    ['Date(1970-01-01T00:00:00.000Z):Date(NaN)', [new Date(0), new Date(Number.NaN)]],
    ['Map{k=>Set{1,2}}', [new Map([['k', new Set([2, 1])]])]],
    ['Uint8Array(6869):Float32Array(0.5)', [Buffer.from('hi'), new Float32Array([0.5])]],
    // biome-ignore lint/suspicious/noSparseArray: a hole is not undefined
    ['[<hole>,undefined]', [[, undefined]]],
    ['()', []],
    ['"()"', ['()']],
  ])('writes %s so that people can read it', (key, parts) => {
    expect(keyOf(...parts)).toBe(key)
  })

  it('gives equal keys exactly to equal arguments', () => {
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        (a, b) => {
          expect(keyOf(...a) === keyOf(...b)).toBe(isDeepStrictEqual(a, b))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('gives the same key whatever the order of properties, entries and members', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), parts => {
        expect(keyOf(...(shuffled(parts) as unknown[]))).toBe(keyOf(...parts))
      }),
      { numRuns: 1000 },
    )
  })

  it('takes the bytes of a Buffer, a slice and a Uint8Array for the same', () => {
    const bytes = new Uint8Array([9, 1, 2, 9])
    expect(keyOf(bytes.subarray(1, 3))).toBe(keyOf(Buffer.from([1, 2])))
    expect(keyOf(new DataView(bytes.buffer, 1, 2))).toBe('DataView(0102)')
  })

  it('lets one object stand in several places', () => {
    const shared = { a: 1 }
    expect(keyOf([shared, shared])).toBe(keyOf([{ a: 1 }, { a: 1 }]))
  })

  it('makes keys that a cache takes', async () => {
    const cache = new Cache()
    onTestFinished(() => cache.close())
    const key = keyOf('\ud800', { at: new Date(0) })
    await cache.set(key, 1)
    expect(await cache.get(key)).toBe(1)
  })

  it.each([
    [[() => 1], /keyOf\[0\].*got a function/],
    [['a', { b: [1, Symbol('x')] }], /keyOf\[1\]\.b\[1\].*got a symbol/],
    [[new Map([['k', { f: () => 1 }]])], /keyOf\[0\]\[0\]\.f.*got a function/],
    [[{ a: new (class User {})() }], /keyOf\[0\]\.a.*got an instance of User/],
    [[new Error('x')], /got an Error/],
    [[Promise.resolve(1)], /await it first/],
    [[new WeakMap()], /got a WeakMap/],
    [[cyclic], /keyOf\[0\]\.a\[0\]\.b: an object that holds itself/],
    [[deep], /deep/],
    [[own({}, Symbol('s'))], /Symbol\(s\)/],
    [[own([1], 'extra')], /properties of its own/],
    [[own([1], 4_294_967_295)], /properties of its own/],
    [[own(new Map(), 'extra')], /properties of its own/],
    [[own(new Date(0), Symbol('s'))], /Symbol\(s\)/],
  ])('refuses %# with a TypeError that says where', (parts, message) => {
    expect(() => keyOf(...parts)).toThrow(TypeError)
    expect(() => keyOf(...parts)).toThrow(message)
  })
})

describe('keyBuilder()', () => {
  it('shortens what is longer than maxLength, and keeps it apart', () => {
    const short = keyBuilder({ maxLength: 64 })
    const long = 'x'.repeat(64)
    expect(short('user', 1)).toBe('user:1')
    expect(short(long)).toBe(long)
    expect(short(`${long}y`)).toMatch(/^#[\w-]{43}:x{19}$/)
    expect(short(`${long}y`)).not.toBe(short(`${long}z`))
    expect(short(short(`${long}y`))).not.toBe(short(`${long}y`))
    expect(short('😀'.repeat(60)).isWellFormed()).toBe(true)
  })

  it.each([
    [{ maxLength: 63 }, RangeError, /maxLength must be a whole number of at least 64, got 63/],
    [{ maxLength: 64.5 }, RangeError, /maxLength/],
    [{ maxLength: '64' }, TypeError, /maxLength must be a whole number, got '64'/],
    [{ maxlength: 64 }, TypeError, /did you mean maxLength/],
    [null, TypeError, /options must be an object/],
  ])('refuses %j', (options, type, message) => {
    expect(() => keyBuilder(options as object)).toThrow(type)
    expect(() => keyBuilder(options as object)).toThrow(message)
  })
})
