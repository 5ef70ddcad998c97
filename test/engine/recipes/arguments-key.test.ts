import { Cache, jsonCodec, type Key, type MemoizeOptions, memoize, structuredCodec } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

type Options = MemoizeOptions<unknown, unknown[]>

/** The key of a call of a function named f. */
function keyOf(args: unknown[], options: Options = {}): Key {
  return memoize(new Cache(temporaryDirectory()), (..._args: unknown[]) => 1, { name: 'f', ...options }).cacheKey(
    ...args,
  )
}

function sameKey(one: unknown[], other: unknown[], options?: Options): boolean {
  const [a, b] = [one, other].map(args => structuredCodec.encodeKey(keyOf(args, options)).data as Buffer)
  return a?.equals(b as Buffer) ?? false
}

describe('the key of a call', () => {
  it('has the form of Python: the name, the arguments by position, null', () => {
    expect(keyOf([1, 'two', null, true, [3], { four: 4 }])).toEqual(['f', 1, 'two', null, true, [3], { four: 4 }, null])
    expect(keyOf([])).toEqual(['f', null])
  })

  it('leaves out undefined arguments at the end', () => {
    expect(sameKey([1], [1, undefined, undefined])).toBe(true)
    expect(sameKey([], [undefined])).toBe(true)
    expect(sameKey([1], [1, null])).toBe(false)
  })

  it('tells undefined arguments from null and from those that are not there', () => {
    const calls = [
      [undefined, 1],
      [null, 1],
      [1],
      [undefined, undefined, 1],
      [null, undefined, 1],
      [undefined, null, 1],
    ]
    for (const [at, one] of calls.entries()) {
      for (const other of calls.slice(at + 1)) {
        expect(sameKey(one, other), JSON.stringify([one, other])).toBe(false)
        expect(sameKey(one, other, { typed: true }), JSON.stringify([one, other])).toBe(false)
      }
    }
  })

  it('leaves out undefined properties, at any depth', () => {
    expect(sameKey([{ page: 1, filter: undefined }], [{ page: 1 }])).toBe(true)
    expect(sameKey([{ where: { name: undefined, id: 1 } }], [{ where: { id: 1 } }])).toBe(true)
    expect(sameKey([[{ a: undefined }]], [[{}]])).toBe(true)
    expect(sameKey([{ page: 1, filter: null }], [{ page: 1 }])).toBe(false)
  })

  it('does not depend on the order of properties', () => {
    expect(sameKey([{ a: 1, b: 2 }], [{ b: 2, a: 1 }])).toBe(true)
  })

  it('takes 1 and 1n for one, and true for another, unless typed', () => {
    expect(sameKey([1], [1n])).toBe(true)
    expect(sameKey([1], [true])).toBe(false)
    const calls = [[1], [1n], [true], ['1'], [null], [Buffer.from('1')], [[1]], [{ a: 1 }]]
    for (const [at, one] of calls.entries()) {
      for (const other of calls.slice(at + 1)) expect(sameKey(one, other, { typed: true })).toBe(false)
    }
  })

  it('leaves out arguments by position, and properties by name', () => {
    expect(sameKey([1, 2, 3], [1, 'any', 3], { ignore: [1] })).toBe(true)
    expect(sameKey([1, 2, 3], [1, 2, 4], { ignore: [1] })).toBe(false)
    expect(sameKey([1, { trace: 'a', id: 1 }], [1, { trace: 'b', id: 1 }], { ignore: ['trace'] })).toBe(true)
    expect(sameKey([1, { trace: 'a', id: 1 }], [1, { id: 1 }], { ignore: ['trace'] })).toBe(true)
    expect(sameKey([{ inner: { trace: 'a' } }], [{ inner: { trace: 'b' } }], { ignore: ['trace'] })).toBe(false)
    expect(sameKey([{ id: 1 }, { id: 1 }], [{ id: 2 }, { id: 1 }], { ignore: ['trace', 0] })).toBe(true)
    expect(sameKey([1, undefined], [1, 5], { ignore: new Set([1]) })).toBe(true)
  })

  it('can leave out what cannot be a key', () => {
    expect(keyOf([1, new Date(), { signal: new AbortController().signal }], { ignore: [1, 'signal'] })).toEqual([
      'f',
      1,
      {},
      null,
    ])
  })

  it('is equal exactly for calls with equal arguments', () => {
    const part = fc.oneof(fc.constant(null), fc.boolean(), fc.integer({ min: -3, max: 3 }), fc.string({ maxLength: 1 }))
    const arg = fc.oneof(
      part,
      fc.constant(undefined),
      fc.array(part, { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b'), part, { maxKeys: 2, noNullPrototype: true }),
    )
    const call = fc.array(arg, { maxLength: 3 })
    const options: fc.Arbitrary<Options> = fc.record({ typed: fc.boolean() })
    fc.assert(
      fc.property(call, call, options, (one, other, rules) => {
        expect(sameKey(one, other, rules)).toBe(canonical(one) === canonical(other))
      }),
    )
  })

  it('is one that Python can have made under jsonCodec, too', async () => {
    await using cache = new Cache(temporaryDirectory(), { codec: jsonCodec })
    const typed = memoize(cache, (id: number | string) => String(id), { name: 'typed', typed: true })
    expect([await typed(1), await typed('1')]).toEqual(['1', '1'])
    expect(await cache.count()).toBe(2)
  })
})

/** An object whose paths double with every level. */
function holdingItself(): object {
  const object = {}
  return Object.assign(object, { one: object, other: [object] })
}

describe('arguments that cannot be part of a key', () => {
  class User {}
  const cases: readonly (readonly [what: string, value: unknown, kind: RegExp])[] = [
    ['a Date', new Date(0), /a Date/],
    ['a Map', new Map(), /a Map/],
    ['a Set', new Set(), /a Set/],
    ['a function', () => 1, /a function/],
    ['a symbol', Symbol('s'), /a symbol/],
    ['an instance of a class', new User(), /an instance of User/],
    ['NaN', Number.NaN, /NaN/],
    ['half a character', '\ud800', /surrogate/],
    ['a promise', Promise.resolve(1), /a Promise/],
    ['an object that holds itself twice', holdingItself(), /holds itself/],
  ]

  it.each(cases)('are refused with their position: %s', async (_what, value, kind) => {
    await using cache = new Cache(temporaryDirectory())
    const find = memoize(cache, (..._args: unknown[]) => 1, { name: 'find' })
    for (const call of [() => find(1, value), async () => find.cacheKey(1, value)]) {
      await expect(call()).rejects.toThrow(TypeError)
      await expect(call()).rejects.toThrow(/find: .*args\[1\].*key: /)
      await expect(call()).rejects.toThrow(kind)
    }
  })

  it('are refused with their place in an object or array', async () => {
    await using cache = new Cache(temporaryDirectory())
    const find = memoize(cache, (..._args: unknown[]) => 1, { name: 'find' })
    await expect(find({ where: { since: new Date(0) } })).rejects.toThrow(/args\[0\]\.where\.since.*a Date/)
    await expect(find('x', [1, [undefined]])).rejects.toThrow(/args\[1\]\[1\]\[0\].*undefined/)
    const holdsItself: unknown[] = []
    holdsItself.push(holdsItself)
    await expect(find(holdsItself)).rejects.toThrow(/nested too deeply/)
  })

  it('do not hide what the function itself throws', async () => {
    await using cache = new Cache(temporaryDirectory())
    const error = new TypeError('of the function')
    const find = memoize(cache, (_id: number) => Promise.reject(error), { name: 'find' })
    await expect(find(1)).rejects.toBe(error)
  })
})

/** Equal text for equal arguments. */
function canonical(args: readonly unknown[]): string {
  const end = args.findLastIndex(arg => arg !== undefined) + 1
  return JSON.stringify(args.slice(0, end), (_name, part: unknown) => {
    if (part === undefined) return { undefined: true }
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return { object: Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)) }
  })
}
