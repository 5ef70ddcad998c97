import { Averager, barrier, Cache, memoize, memoizeStampede, throttle } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectAllMisuse, type Misuse } from '../misuse.js'

/** What is refused is refused before it is opened. */
const cache = new Cache(undefined, { evictionPolicy: 'none' })

type Recipe = (target: unknown, fn: unknown, options: object) => unknown

const RATE = { count: 1, per: 1 }
const named = (): number => 1

/** Every recipe that wraps a function, with the options it must have. */
const RECIPES: Readonly<Record<string, { readonly wrap: Recipe; readonly needs: object; readonly usage: RegExp }>> = {
  memoize: { wrap: memoize as Recipe, needs: {}, usage: /memoize\(cache, fn/ },
  memoizeStampede: { wrap: memoizeStampede as Recipe, needs: { ttl: 1 }, usage: /memoizeStampede\(cache, fn/ },
  throttle: { wrap: throttle as Recipe, needs: RATE, usage: /throttle\(cache, fn/ },
  barrier: { wrap: barrier as Recipe, needs: {}, usage: /barrier\(cache, fn/ },
}

for (const [name, { wrap, needs, usage }] of Object.entries(RECIPES)) {
  describe(`${name} refuses`, () => {
    const given = (options: object) => wrap(cache, named, { ...needs, ...options })

    it('what is no cache or no function, and says how it is called', async () => {
      const wrong = [undefined, null, 7, 'cache', {}, new Map(), named, { cache: {} }]
      await expectAllMisuse([
        ...wrong.map((target): Misuse => [usage, TypeError, () => wrap(target, named, needs)]),
        ...[undefined, null, 7, 'fn', {}, { name: 'x' }].map((fn): Misuse => {
          return [usage, TypeError, () => wrap(cache, fn, needs)]
        }),
      ])
    })

    it('options that are no object or have an unknown name', async () => {
      await expectAllMisuse([
        ...[null, 7, 'x', [], named].map((options): Misuse => {
          return [new RegExp(name), TypeError, () => wrap(cache, named, options as never)]
        }),
        [/nmae.*did you mean name/, TypeError, () => given({ nmae: 'x' })],
      ])
    })

    it('a name that is none, also a function', async () => {
      await expectAllMisuse(
        [7, null, '', '\ud800', {}, named].map(
          (wrong): Misuse => [/name must be a well-formed string/, TypeError, () => given({ name: wrong })],
        ),
      )
    })

    it('functions without a name, and two of one name', () => {
      const [first, second] = [[(one: number) => one][0], [(one: number) => -one][0]]
      expect(() => wrap(cache, first, needs)).toThrow(/give the option name/)
      expect(() => wrap(cache, first, needs)).toThrow(TypeError)
      expect(() => wrap(cache, second, { ...needs, name: 'second' })).not.toThrow()
    })
  })
}

describe('memoize and memoizeStampede refuse', () => {
  it.each([
    ['memoize', memoize],
    [
      'memoizeStampede',
      ((target, fn, options) => memoizeStampede(target, fn, { ttl: 1, ...options } as never)) as typeof memoize,
    ],
  ] as [string, typeof memoize][])('values out of range: %s', async (_name, wrap) => {
    const given = (options: object) => () => wrap(cache, named, options as never)
    await expectAllMisuse([
      ...[-1, Number.NaN, 'soon', '-5s'].map((ttl): Misuse => [/ttl/, RangeError, given({ ttl })]),
      ...[{}, true, 5n].map((ttl): Misuse => [/ttl/, TypeError, given({ ttl })]),
      ...[{}, null, true].map((tag): Misuse => [/tag/, TypeError, given({ tag })]),
      ...[1, 'yes', null].map((typed): Misuse => [/typed/, TypeError, given({ typed })]),
      ...['user', 1, {}, [null], [{}], null].map((ignore): Misuse => [/ignore/, TypeError, given({ ignore })]),
      ...[[-1], [0.5], [Number.NaN]].map((ignore): Misuse => [/ignore/, RangeError, given({ ignore })]),
      ...['user', 7, {}, null].map((key): Misuse => [/key must be a function/, TypeError, given({ key })]),
      [/typed and ignore/, TypeError, given({ key: () => 1, typed: true })],
      [/typed and ignore/, TypeError, given({ key: () => 1, ignore: [0] })],
    ])
  })

  it('memoizeStampede without a ttl that ends, and a beta that is none', async () => {
    const given = (options: object) => () => memoizeStampede(cache, named, options as never)
    await expectAllMisuse([
      [/ttl is required/, TypeError, given({})],
      [/ttl is required/, TypeError, given({ ttl: null })],
      [/ttl is required/, TypeError, () => (memoizeStampede as (...args: unknown[]) => unknown)(cache, named)],
      [/ttl/, RangeError, given({ ttl: 0 })],
      [/ttl/, RangeError, given({ ttl: Number.POSITIVE_INFINITY })],
      ...[-1, Number.NaN, Number.POSITIVE_INFINITY].map(
        (beta): Misuse => [/beta/, RangeError, given({ ttl: 1, beta })],
      ),
      ...['1', null, 1n].map((beta): Misuse => [/beta/, TypeError, given({ ttl: 1, beta })]),
      [/beta/, TypeError, () => memoize(cache, named, { beta: 1 } as never)],
    ])
  })

  it('what a key function answers that is no key', async () => {
    await using store = new Cache(temporaryDirectory())
    for (const wrong of [undefined, new Date(0), Number.NaN]) {
      await expect(memoize(store, named, { key: () => wrong as never })()).rejects.toThrow(TypeError)
      await expect(memoizeStampede(store, named, { ttl: 1, key: () => wrong as never })()).rejects.toThrow(TypeError)
    }
  })
})

describe('throttle refuses', () => {
  it('rates that are none', async () => {
    const given = (options: object) => () => throttle(cache, named, { ...RATE, ...options })
    await expectAllMisuse([
      ...[0, 0.5, -1, Number.NaN, Number.POSITIVE_INFINITY].map(
        (count): Misuse => [/count/, RangeError, given({ count })],
      ),
      ...['1', null, undefined, 1n].map((count): Misuse => [/count/, TypeError, given({ count })]),
      ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 'often'].map(
        (per): Misuse => [/per/, RangeError, given({ per })],
      ),
      ...[null, undefined, {}].map((per): Misuse => [/per/, TypeError, given({ per })]),
      [/ttl must be at least per/, RangeError, given({ per: '1s', ttl: 999 })],
      [/ttl/, RangeError, given({ ttl: Number.NaN })],
      ...[1, 'yes', null].map((allowEviction): Misuse => [/allowEviction/, TypeError, given({ allowEviction })]),
      [/throttle\(cache, fn/, TypeError, () => (throttle as (...args: unknown[]) => unknown)(cache, named)],
    ])
  })
})

describe('barrier refuses', () => {
  it('what is no lock or makes none, and what is no key', async () => {
    const given = (options: object) => () => barrier(cache, named, options as never)
    await expectAllMisuse([
      ...[null, 7, 'Lock', {}].map((lock): Misuse => [/lock must be a class or function/, TypeError, given({ lock })]),
      [/acquire/, TypeError, given({ lock: () => ({}) })],
      [/acquire/, TypeError, given({ lock: () => undefined })],
      ...[null, 7, 'key'].map((key): Misuse => [/key must be a function/, TypeError, given({ key })]),
      [/key/, TypeError, () => barrier(cache, named, { key: () => Number.NaN })()],
      [/Lock needs a Cache/, TypeError, () => barrier({ getOrSet: () => 1 } as never, named)],
    ])
  })
})

describe('Averager refuses', () => {
  it('what is no cache, and what is no key', async () => {
    await expectAllMisuse([
      ...[undefined, null, 7, {}].map((target): Misuse => {
        return [/new Averager\(cache, key\)/, TypeError, () => new Averager(target as never, 'key')]
      }),
      ...[undefined, Number.NaN, new Date(0)].map(
        (key): Misuse => [/key/, TypeError, () => new Averager(cache, key as never)],
      ),
    ])
  })
})
