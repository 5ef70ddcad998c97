import { Cache, type DiskCache, Index, memoize } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { everySubject, type Subject, withClock } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

for (const subject of everySubject()) {
  describe(`memoize on a ${subject.name}`, () => {
    answering(subject)
    storing(subject)
  })
}

function answering(subject: Subject): void {
  it('computes once for the same arguments', async () => {
    const compute = vi.fn(async (id: number, kind: string) => ({ id, kind }))
    const find = memoize(subject.make(), compute, { name: 'find' })
    expect(await find(1, 'user')).toEqual({ id: 1, kind: 'user' })
    expect(await find(1, 'user')).toEqual({ id: 1, kind: 'user' })
    expect(await find(2, 'user')).toEqual({ id: 2, kind: 'user' })
    expect(compute).toHaveBeenCalledTimes(2)
  })

  it('computes once for calls at the same time', async () => {
    const compute = vi.fn(async (id: number) => id * 2)
    const double = memoize(subject.make(), compute, { name: 'double' })
    expect(await Promise.all(Array.from({ length: 20 }, () => double(21)))).toEqual(Array(20).fill(42))
    expect(compute).toHaveBeenCalledTimes(1)
  })

  it('counts the hits and misses of recursive functions exactly', async () => {
    const cache = subject.make({ statistics: true })
    const fibonacci = memoize(cache, async function fibonacci(n: number): Promise<number> {
      return n < 2 ? n : (await again(n - 1)) + (await again(n - 2))
    })
    const again: (n: number) => Promise<number> = fibonacci
    const values: number[] = []
    for (let n = 0; n < 60; n++) values.push(await fibonacci(n))
    expect(values.slice(0, 8)).toEqual([0, 1, 1, 2, 3, 5, 8, 13])
    const first = await cache.stats()
    expect(first.misses).toBe(60)
    for (let n = 0; n < 60; n++) expect(await fibonacci(n)).toBe(values[n])
    const second = await cache.stats()
    expect(second.hits - first.hits).toBe(60)
    expect(second.misses).toBe(60)
  })

  it('computes with the arguments of the call, whatever becomes of them afterwards', async () => {
    const find = memoize(subject.make(), async ({ pages }: { pages: number[] }) => `page ${pages}`, { name: 'find' })
    const query = { pages: [1] }
    const first = find(query)
    query.pages[0] = 2
    const second = find(query)
    query.pages.push(3)
    expect([await first, await second]).toEqual(['page 1', 'page 2'])
    expect([await find({ pages: [1] }), await find({ pages: [2] })]).toEqual(['page 1', 'page 2'])
  })

  it('gives a function the very arguments that do not count', async () => {
    const given = { signal: new AbortController().signal, seen: { times: 0 }, page: 1 }
    const log: number[] = []
    const find = memoize(
      subject.make(),
      (query: typeof given, numbers: number[]) => {
        query.seen.times++
        numbers.push(query.page)
        return query.signal === given.signal
      },
      { name: 'find', ignore: [1, 'signal', 'seen'] },
    )
    expect(await find(given, log)).toBe(true)
    expect([given.seen.times, log]).toEqual([1, [1]])
  })

  it('takes functions that are not asynchronous', async () => {
    const compute = vi.fn((word: string) => word.length)
    const lengthOf = memoize(subject.make(), compute, { name: 'lengthOf' })
    expect(await lengthOf('four')).toBe(4)
    expect(await lengthOf('four')).toBe(4)
    expect(compute).toHaveBeenCalledTimes(1)
  })

  it('hands on this and all arguments', async () => {
    const meter = {
      unit: 'km',
      read: memoize(subject.make(), function read(this: { unit: string }, ...numbers: number[]) {
        return `${numbers.join('+')} ${this.unit}`
      }),
    }
    expect(await meter.read(1, 2, 3)).toBe('1+2+3 km')
  })

  it('rejects with what the function throws, and stores nothing', async () => {
    const compute = vi.fn((id: number) => {
      if (compute.mock.calls.length === 1) throw new RangeError(`no ${id}`)
      return id
    })
    const find = memoize(subject.make(), compute, { name: 'find' })
    await expect(find(7)).rejects.toThrow(new RangeError('no 7'))
    expect(await find(7)).toBe(7)
    expect(await find(7)).toBe(7)
    expect(compute).toHaveBeenCalledTimes(2)
  })

  it('gives every kind of call a key of its own, which iteration finds', async () => {
    const cache = subject.make()
    const list = memoize(cache, (...args: (number | string | { page: number })[]) => args.length, { name: 'list' })
    await list()
    await list(1)
    await list('1', { page: 2 })
    const keys = await collect(cache.keys())
    expect(keys).toHaveLength(3)
    expect((await cache.getMany<number>(keys)).sort()).toEqual([0, 1, 2])
  })
}

function storing(subject: Subject): void {
  it('keeps null and false, but not undefined', async () => {
    const results = [null, false, undefined]
    const compute = vi.fn((at: number) => results[at])
    const pick = memoize(subject.make(), compute, { name: 'pick' })
    for (let call = 0; call < 2; call++) {
      for (const [at, result] of results.entries()) expect(await pick(at)).toBe(result)
    }
    expect(compute.mock.calls.map(([at]) => at)).toEqual([0, 1, 2, 2])
  })

  it('computes anew when ttl is over', async () => {
    const { cache, clock } = withClock(subject)
    const compute = vi.fn((id: number) => id)
    const find = memoize(cache, compute, { name: 'find', ttl: '1m' })
    await find(1)
    clock.advance(59_999)
    await find(1)
    expect(compute).toHaveBeenCalledTimes(1)
    clock.advance(1)
    await find(1)
    expect(compute).toHaveBeenCalledTimes(2)
  })

  it.each([0, '0s'])('looks up but does not store with ttl %j', async ttl => {
    const cache = subject.make()
    const compute = vi.fn((id: number) => id * 2)
    const double = memoize(cache, compute, { name: 'double', ttl })
    expect([await double(1), await double(1)]).toEqual([2, 2])
    expect(compute).toHaveBeenCalledTimes(2)
    expect(await cache.count()).toBe(0)
    await cache.set(double.cacheKey(1), 'stored')
    expect(await double(1)).toBe('stored')
  })

  it('uses the defaultTtl of the cache, unless ttl is null', async () => {
    const { cache, clock } = withClock(subject, { defaultTtl: '1s' })
    const compute = vi.fn((id: number) => id)
    const brief = memoize(cache, compute, { name: 'brief' })
    const lasting = memoize(cache, compute, { name: 'lasting', ttl: null })
    await Promise.all([brief(1), lasting(1)])
    clock.advance(1000)
    await Promise.all([brief(1), lasting(1)])
    expect(compute).toHaveBeenCalledTimes(3)
  })

  it('gives results a tag to be evicted by', async () => {
    const cache = subject.make()
    const compute = vi.fn((id: number) => id)
    const find = memoize(cache, compute, { name: 'find', tag: 'finds' })
    await Promise.all([find(1), find(2)])
    expect(await cache.evict('finds')).toBe(2)
    await find(1)
    expect(compute).toHaveBeenCalledTimes(3)
  })

  it('names the entry of a call by cacheKey', async () => {
    const cache = subject.make()
    const compute = vi.fn((id: number) => id)
    const find = memoize(cache, compute, { name: 'find' })
    await find(1)
    expect(await cache.get(find.cacheKey(1))).toBe(1)
    expect(await cache.delete(find.cacheKey(1))).toBe(true)
    await find(1)
    expect(compute).toHaveBeenCalledTimes(2)
  })
}

describe('memoize', () => {
  const cache = (): Cache => new Cache(temporaryDirectory())

  it('keeps name, length and the function itself', () => {
    async function find(id: number, kind: string): Promise<string> {
      return kind + id
    }
    const found = memoize(cache(), find)
    expect(found.name).toBe('find')
    expect(found).toHaveLength(2)
    expect(found.original).toBe(find)
  })

  it('takes the key from the option key', async () => {
    await using store = cache()
    const compute = vi.fn((user: { id: number; seen: Date }) => user.id)
    const find = memoize(store, compute, { key: user => ['user', user.id] })
    await find({ id: 1, seen: new Date(0) })
    await find({ id: 1, seen: new Date(1) })
    expect(compute).toHaveBeenCalledTimes(1)
    expect(find.cacheKey({ id: 1, seen: new Date(2) })).toEqual(['user', 1])
    expect(await store.get(['user', 1])).toBe(1)
  })

  it('lets key see this', async () => {
    await using store = cache()
    class Shop {
      readonly city: string
      constructor(city: string) {
        this.city = city
      }
      price = memoize(store, Shop.prototype.ask, {
        key(article) {
          return ['price', this.city, article]
        },
      })
      ask(this: Shop, article: string): string {
        return `${article} in ${this.city}`
      }
    }
    const [rome, oslo] = [new Shop('Rome'), new Shop('Oslo')]
    expect(await rome.price('bread')).toBe('bread in Rome')
    expect(await oslo.price('bread')).toBe('bread in Oslo')
    expect(rome.price.cacheKey.call(rome, 'bread')).toEqual(['price', 'Rome', 'bread'])
  })

  it('takes what keeps a cache under the name cache', async () => {
    await using store = cache()
    const find = memoize({ cache: store }, (id: number) => id, { name: 'find' })
    await find(1)
    expect(await store.has(find.cacheKey(1))).toBe(true)
  })

  it('keeps results as entries of an Index', async () => {
    await using index = new Index<unknown>(temporaryDirectory())
    await index.cache.configure({ statistics: true })
    const squareOf = memoize(index, (number: number) => number ** 2, { name: 'squareOf' })
    for (let number = 0; number < 20; number++) await squareOf(number)
    expect(await index.cache.stats()).toMatchObject({ hits: 0, misses: 20 })
    for (let number = 0; number < 20; number++) expect(await squareOf(number)).toBe(number ** 2)
    expect(await index.cache.stats()).toMatchObject({ hits: 20, misses: 20 })
    expect(await index.get(squareOf.cacheKey(5))).toBe(25)
    expect(await index.size()).toBe(20)
  })

  it('takes a cache that somebody else has made', async () => {
    await using store = cache()
    const asked: string[] = []
    const watched = new Proxy<DiskCache>(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        asked.push(String(name))
        return value.bind(target)
      },
    })
    const find = memoize(watched, (id: number) => id, { name: 'find' })
    expect([await find(1), await find(1)]).toEqual([1, 1])
    expect(asked).toContain('getOrSet')
    expect(await store.has(find.cacheKey(1))).toBe(true)
  })

  it('shares results between functions of one name and source', async () => {
    await using store = cache()
    const compute = vi.fn((id: number) => id)
    const make = () =>
      memoize(store, async function find(id: number) {
        return compute(id)
      })
    await make()(1)
    await make()(1)
    expect(compute).toHaveBeenCalledTimes(1)
  })

  it('refuses another function of the same name, unless names are given', async () => {
    await using store = cache()
    const finds = [
      function find(id: number) {
        return id
      },
      function find(id: number) {
        return -id
      },
    ] as const
    memoize(store, finds[0])
    expect(() => memoize(store, finds[1])).toThrow(/another function.*find.*name/)
    expect(() => memoize(store, finds[1])).toThrow(TypeError)
    const other = memoize(store, finds[1], { name: 'negative' })
    const same = memoize(store, finds[1], { name: 'find' })
    expect(await other(1)).toBe(-1)
    expect(await same(1)).toBe(-1)
    await using elsewhere = cache()
    expect(await memoize(elsewhere, finds[1])(1)).toBe(-1)
  })

  it('computes with the bytes of the call, whatever becomes of them afterwards', async () => {
    await using store = cache()
    const read = memoize(store, async (bytes: Buffer) => bytes.toString(), { name: 'read' })
    const bytes = Buffer.from('tea')
    const reading = read(bytes)
    bytes.write('oak')
    expect(await reading).toBe('tea')
    expect([await read(Buffer.from('tea')), await read(bytes)]).toEqual(['tea', 'oak'])
  })
})
