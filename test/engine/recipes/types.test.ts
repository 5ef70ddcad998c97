import { barrier, type Cache, type Key, type Memoized, memoize, memoizeStampede, throttle } from 'fanout-cache'
import { describe, expect, expectTypeOf, it } from 'vitest'

/** What compiles, and what does not: `tsc -p test` is the test. These functions are never called. */
function memoizing(cache: Cache): void {
  const find = memoize(cache, async (id: number, kind?: string) => ({ id, kind }))
  expectTypeOf(find).parameters.toEqualTypeOf<[id: number, kind?: string]>()
  expectTypeOf(find).returns.toEqualTypeOf<Promise<{ id: number; kind: string | undefined }>>()
  expectTypeOf(find.cacheKey).parameters.toEqualTypeOf<[id: number, kind?: string]>()
  expectTypeOf(find.cacheKey(1)).toEqualTypeOf<Key>()
  expectTypeOf(find.original(1)).toEqualTypeOf<Promise<{ id: number; kind: string | undefined }>>()
  expectTypeOf(find).toExtend<Memoized<unknown, [number, string?], unknown>>()
  // @ts-expect-error: a string is no id
  void find('1')
  // @ts-expect-error: an argument is missing
  void find()
  // @ts-expect-error: as the function itself
  find.cacheKey('1')

  const lengthOf = memoize(cache, (word: string) => word.length, { name: 'lengthOf', ttl: '5m', tag: 'words' })
  expectTypeOf(lengthOf('word')).toEqualTypeOf<Promise<number>>()
  const rest = memoize(cache, (first: string, ...others: number[]) => others.length + first.length)
  expectTypeOf(rest).parameters.toEqualTypeOf<[first: string, ...others: number[]]>()

  const keyed = memoize(cache, (user: { id: number }) => user.id, { key: user => ['user', user.id] })
  expectTypeOf(keyed({ id: 1 })).toEqualTypeOf<Promise<number>>()
  const optional = memoize(cache, (id: number, kind?: string) => [id, kind], { key: (id, kind) => [id, kind ?? null] })
  expectTypeOf(optional).parameters.toEqualTypeOf<[id: number, kind?: string]>()
  // @ts-expect-error: a Date is no key
  memoize(cache, (at: Date) => at, { key: at => at })
  // @ts-expect-error: there is no such option
  memoize(cache, (id: number) => id, { expire: 5 })
  // @ts-expect-error: the function is missing
  memoize(cache, { name: 'find' })

  const method = memoize(cache, function price(this: { tax: number }, net: number) {
    return this.tax * net
  })
  const shop = { tax: 2, method }
  void shop.method(1)
  // @ts-expect-error: this is missing
  void method(1)
}

function renewing(cache: Cache): void {
  const find = memoizeStampede(cache, async (id: number) => id, { ttl: '1m', beta: 2 })
  expectTypeOf(find).toEqualTypeOf<Memoized<unknown, [id: number], Promise<number>>>()
  const optional = memoizeStampede(cache, (id: number, kind?: string) => [id, kind], {
    ttl: 5,
    key: (id, kind) => [id, kind ?? ''],
  })
  expectTypeOf(optional).parameters.toEqualTypeOf<[id: number, kind?: string]>()
  // @ts-expect-error: ttl is missing
  memoizeStampede(cache, async (id: number) => id, {})
  // @ts-expect-error: what never expires is never renewed
  memoizeStampede(cache, async (id: number) => id, { ttl: null })
}

function coordinating(cache: Cache): void {
  const ask = throttle(cache, (url: string) => url.length, { count: 10, per: '1s' })
  expectTypeOf(ask).parameters.toEqualTypeOf<[url: string]>()
  expectTypeOf(ask('/')).toEqualTypeOf<Promise<number>>()
  // @ts-expect-error: per is missing
  throttle(cache, (url: string) => url, { count: 10 })

  const build = barrier(cache, async (name: string) => ({ name }), { key: name => name })
  expectTypeOf(build('a')).toEqualTypeOf<Promise<{ name: string }>>()
  const optional = barrier(cache, (name: string, depth?: number) => [name, depth], {
    key: (name, depth) => [name, depth ?? 0],
  })
  expectTypeOf(optional).parameters.toEqualTypeOf<[name: string, depth?: number]>()
  // @ts-expect-error: a lock acquires
  barrier(cache, (name: string) => name, { lock: () => ({ lock: () => 1 }) })
}

/** What a function has besides one signature. */
function keeping(cache: Cache): void {
  async function same<T extends string | number>(value: T): Promise<T> {
    return value
  }
  function twice(value: string): Promise<string>
  function twice(value: number): Promise<number>
  async function twice(value: string | number): Promise<string | number> {
    return typeof value === 'string' ? value + value : 2 * value
  }
  const kept = [memoize(cache, same), memoizeStampede(cache, same, { ttl: 5 }), barrier(cache, same)] as const
  for (const one of [...kept, throttle(cache, same, { count: 1, per: 1 })]) {
    expectTypeOf(one('a' as const)).toEqualTypeOf<Promise<'a'>>()
  }
  for (const one of [
    memoize(cache, twice, { key: value => ['twice', value] }),
    memoizeStampede(cache, twice, { ttl: 5 }),
    barrier(cache, twice),
    throttle(cache, twice, { count: 1, per: 1 }),
  ]) {
    expectTypeOf(one('a')).toEqualTypeOf<Promise<string>>()
    expectTypeOf(one(1)).toEqualTypeOf<Promise<number>>()
  }
  expectTypeOf(kept[0].cacheKey(1)).toEqualTypeOf<Key>()

  // What the wrapper has not, it does not promise.
  const counted = Object.assign(async (id: number) => id, { calls: 0 })
  expectTypeOf(memoize(cache, counted)).toEqualTypeOf<Memoized<unknown, [id: number], Promise<number>>>()
  class Query extends Promise<number> {
    readonly sql: string = 'SELECT 1'
  }
  expectTypeOf(memoize(cache, () => new Query(() => {}))()).toEqualTypeOf<Promise<number>>()
  const wrap = <Args extends unknown[], R>(fn: (...args: Args) => R): ((...args: Args) => Promise<Awaited<R>>) =>
    memoize(cache, fn, { name: 'wrapped' })
  expectTypeOf(wrap((id: number) => id)).toEqualTypeOf<(id: number) => Promise<number>>()
}

describe('the types of recipes', () => {
  it('keep parameters, this and results', () => {
    for (const checked of [memoizing, renewing, coordinating, keeping]) expect(checked).toBeTypeOf('function')
  })
})
