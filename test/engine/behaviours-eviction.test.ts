import { type Cache, type CacheOptions, type EvictionPolicy, ValueTooLargeError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, fanoutSubject, withClock } from '../contract/subjects.js'
import type { ManualClock } from '../helpers/manual-clock.js'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'

// What upstream's tests/test_core.py shows about expiry and size; the name of the test stands above.

const MEGABYTE = Buffer.alloc(1_000_000)
const structured = cacheSubject('structured')

/** Room for ten values of a megabyte and the pages of the database. */
function forTen(evictionPolicy: EvictionPolicy, options?: CacheOptions): { cache: Cache; clock: ManualClock } {
  return withClock(structured, { sizeLimit: 10_400_000, cullLimit: 2, evictionPolicy, ...options })
}

async function present(cache: Cache, keys: readonly number[]): Promise<number[]> {
  const found = await Promise.all(keys.map(key => cache.has(key)))
  return keys.filter((_, index) => found[index])
}

async function fill({ cache, clock }: { cache: Cache; clock: ManualClock }, keys: readonly number[]): Promise<void> {
  for (const key of keys) {
    clock.advance(60_000)
    await cache.set(key, MEGABYTE)
  }
}

const TEN = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

describe('a listener that is told of an eviction', () => {
  it('may give up a write that was called before and has not been made', async () => {
    // The first write fills a batch, so that the second has no turn in it.
    const cache = structured.make({ maxItems: 1, disk: { minFileSize: 2 ** 25 } })
    await cache.set('old', 1)
    const abort = new AbortController()
    cache.on('evict', () => abort.abort(new Error('enough')))
    const large = cache.set('large', Buffer.alloc(9_000_000))
    const ended = await Promise.allSettled([large, cache.set('late', 1, { signal: abort.signal })])
    expect(ended).toMatchObject([{ value: true }, { reason: abort.signal.reason }])
    expect(await cache.has('late')).toBe(false)
  })
})

describe('eviction by policy', () => {
  // test_least_recently_stored
  it('least-recently-stored lets the items stored first go, and no more than must', async () => {
    const made = forTen('least-recently-stored')
    await fill(made, TEN)
    expect(await present(made.cache, TEN)).toEqual(TEN)
    await fill(made, [10, 11, 12])
    expect(await present(made.cache, [...TEN, 10, 11, 12])).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    made.clock.advance(60_000)
    await made.cache.set('twice as large', Buffer.alloc(2_000_000))
    expect(await present(made.cache, [3, 4, 5])).toEqual([5])
    expect(await made.cache.count()).toBe(9)
    expect(await made.cache.check()).toEqual([])
  })

  // test_least_recently_stored
  it('least-recently-stored takes a set() of an old key for storing', async () => {
    const made = forTen('least-recently-stored')
    await fill(made, TEN)
    await fill(made, [0, 10])
    expect(await present(made.cache, [...TEN, 10])).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it.each<readonly [string, (at: number) => Parameters<Cache['set']>]>([
    ['values that leave half of their pages free', at => [at, 'v'.repeat(2100)]],
    ['text of three bytes a character', at => [at, '字'.repeat(2000)]],
    ['long keys', at => [`${at}${'k'.repeat(9000)}`, at]],
    ['long tags', at => [at, at, { tag: 't'.repeat(9000) }]],
    ['several tags', at => [at, at, { tags: ['t'.repeat(5000), 'u'.repeat(5000)] }]],
    ['metadata', at => [at, at, { meta: 'm'.repeat(9000) }]],
  ])('the limit holds after each write of %s', async (_, written) => {
    const { cache } = withClock(structured, { sizeLimit: 300_000 })
    for (let at = 0; at < 120; at++) {
      await cache.set(...written(at))
      expect(await cache.volume(), `after write ${at}`).toBeLessThanOrEqual(300_000)
    }
  })

  it('the limit holds after metadata has grown', async () => {
    const { cache } = withClock(structured, { sizeLimit: 300_000 })
    for (let at = 0; at < 60; at++) await cache.set(at, at, { meta: 'small' })
    for (let at = 0; at < 60; at++) {
      const changed = await cache.touch(at, { meta: 'm'.repeat(9000) })
      expect(await cache.volume(), `after change ${at}`).toBeLessThanOrEqual(300_000)
      // A change never evicts its own entry.
      expect(await cache.has(at)).toBe(changed)
    }
  })

  // test_least_recently_used
  it('least-recently-used keeps what was read', async () => {
    const made = forTen('least-recently-used')
    await fill(made, TEN)
    for (const key of [0, 2, 4, 6, 8]) {
      made.clock.advance(60_000)
      await made.cache.get(key)
    }
    await fill(made, [10, 11, 12, 13, 14])
    expect(await present(made.cache, TEN)).toEqual([0, 2, 4, 6, 8])
    await fill(made, [15])
    expect(await present(made.cache, TEN)).toEqual([2, 4, 6, 8])
  })

  // test_least_frequently_used
  it('least-frequently-used keeps what was read most', async () => {
    const made = forTen('least-frequently-used')
    await fill(made, TEN)
    for (const key of [1, 3, 5, 7, 9]) {
      for (let read = 0; read < 3; read += 1) {
        made.clock.advance(60_000)
        await made.cache.get(key)
      }
    }
    await fill(made, [10, 11, 12, 13, 14])
    expect(await present(made.cache, [1, 3, 5, 7, 9])).toEqual([1, 3, 5, 7, 9])
    expect(await made.cache.has(14)).toBe(true)
  })

  for (const policy of ['least-recently-used', 'least-frequently-used'] as const) {
    it(`getMany(), getItem(), read() and the reads of transact() count as reading under ${policy}`, async () => {
      const made = forTen(policy)
      await fill(made, TEN)
      made.clock.advance(60_000)
      await made.cache.getMany([0, 1])
      await made.cache.getItem(2)
      await (await made.cache.read(3))?.bytes()
      await made.cache.transact(tx => [tx.get(4), tx.getItem(5), tx.has(6)])
      await fill(made, [10, 11, 12, 13])
      expect(await present(made.cache, TEN)).toEqual([0, 1, 2, 3, 4, 5])
    })
  }

  it.each([
    ['least-recently-stored', 0, 0],
    ['least-recently-used', 60_000, 0],
    ['least-frequently-used', 0, 1],
    ['none', 0, 0],
  ] as const)('incr() counts as reading as %s goes by it', async (evictionPolicy, later, counted) => {
    const { cache, clock } = withClock(structured, { evictionPolicy })
    await cache.incr('counter')
    const begun = clock.now()
    clock.advance(60_000)
    await cache.incr('counter')
    expect(await cache.info('counter')).toMatchObject({
      storedAt: begun + 60_000,
      accessedAt: begun + later,
      accessCount: counted,
    })
  })

  it('none evicts nothing, whatever the size', async () => {
    const made = forTen('none')
    await fill(made, [...TEN, 10, 11, 12])
    expect(await made.cache.count()).toBe(13)
  })

  // test_least_recently_stored
  it('a write evicts a bounded number of items, and later writes go on', async () => {
    const { cache } = withClock(structured, { sizeLimit: 30_000_000, disk: { minFileSize: 1000 } })
    for (let key = 0; key < 2000; key += 1) await cache.set(key, Buffer.alloc(5000))
    await cache.configure({ sizeLimit: 2_000_000 })
    await cache.set('first', 1)
    expect(await cache.count()).toBeGreaterThan(500)
    for (let write = 0; write < 500 && (await cache.volume()) > 2_000_000; write += 1)
      await cache.set(`more ${write}`, 1)
    expect(await cache.volume()).toBeLessThanOrEqual(2_000_000)
    expect(await cache.get('first')).toBe(1)
  })
})

describe('size limits', () => {
  // test_size_limit_with_files
  it('cull() brings value files under the limit', async () => {
    const cache = structured.make({ cullLimit: 0 })
    for (let key = 0; key < 40; key += 1) await cache.set(key, Buffer.alloc(32_768))
    await cache.configure({ sizeLimit: 30 * 32_768 })
    expect(await cache.volume()).toBeGreaterThan(30 * 32_768)
    const removed = await cache.cull()
    expect(removed).toBeGreaterThanOrEqual(10)
    expect(await cache.count()).toBe(40 - removed)
    expect(await cache.volume()).toBeLessThanOrEqual(30 * 32_768)
    expect(await cache.check()).toEqual([])
  })

  // test_size_limit_with_database
  it('cull() brings values in the database under the limit', async () => {
    const cache = structured.make({ cullLimit: 0 })
    for (let key = 0; key < 400; key += 1) await cache.set(key, Buffer.alloc(4000))
    await cache.configure({ sizeLimit: 800_000 })
    expect(await cache.volume()).toBeGreaterThan(800_000)
    expect(await cache.cull()).toBeGreaterThan(100)
    expect(await cache.volume()).toBeLessThanOrEqual(800_000)
    expect(await cache.count()).toBeGreaterThan(50)
    expect(await cache.check()).toEqual([])
  })

  // test_cull_eviction_policy_none
  it('cull() evicts nothing under none', async () => {
    const cache = structured.make({ cullLimit: 0, evictionPolicy: 'none' })
    for (let key = 0; key < 40; key += 1) await cache.set(key, Buffer.alloc(32_768))
    await cache.configure({ sizeLimit: 30 * 32_768 })
    expect(await cache.cull()).toBe(0)
    expect(await cache.count()).toBe(40)
  })

  // test_cull_size_limit_0
  it('cull() does what it can where the limit has no room for the tables themselves', async () => {
    const cache = structured.make({ cullLimit: 0 })
    for (let key = 0; key < 40; key += 1) await cache.set(key, Buffer.alloc(32_768))
    const before = await cache.volume()
    await cache.configure({ sizeLimit: 65_536 })
    await cache.cull()
    expect(await cache.volume()).toBeLessThan(before)
    expect(await cache.volume()).toBeLessThanOrEqual(65_536)
    expect(await cache.check()).toEqual([])
  })

  // test_expire_rows
  it('a write with cullLimit 0 removes nothing, neither expired nor above the limit', async () => {
    const { cache, clock } = withClock(structured, { cullLimit: 0, sizeLimit: 300_000 })
    for (let key = 0; key < 20; key += 1) await cache.set(key, Buffer.alloc(32_768), { ttl: 1000 })
    clock.advance(1000)
    await cache.set('key', 1)
    expect(await cache.count()).toBe(21)
    expect(valueFiles(cache.directory)).toHaveLength(20)
  })

  it('a write removes as many expired entries as cullLimit says', async () => {
    const { cache, clock } = withClock(structured, { cullLimit: 3 })
    for (let key = 0; key < 20; key += 1) await cache.set(key, key, { ttl: 1000 })
    clock.advance(1000)
    for (const left of [18, 16]) {
      await cache.set(`one of ${left}`, 1)
      expect(await cache.count()).toBe(left)
    }
    await cache.setMany([
      ['two', 1],
      ['three', 1],
    ])
    expect(await cache.count()).toBe(12)
  })

  it('what has expired goes before what lives', async () => {
    const { cache, clock } = forTen('least-recently-stored', { cullLimit: 10 })
    for (const key of TEN) await cache.set(key, MEGABYTE, key >= 7 ? { ttl: 1000 } : {})
    clock.advance(1000)
    for (const key of [10, 11, 12]) await cache.set(key, MEGABYTE)
    expect(await present(cache, [...TEN, 10, 11, 12])).toEqual([0, 1, 2, 3, 4, 5, 6, 10, 11, 12])
  })

  it('maxItems evicts by policy and spares the item just written', async () => {
    const { cache, clock } = withClock(structured, { maxItems: 5, evictionPolicy: 'least-frequently-used' })
    for (const key of [0, 1, 2, 3, 4]) await cache.set(key, key)
    for (const key of [0, 1, 2, 3]) {
      clock.advance(60_000)
      await cache.get(key)
    }
    for (const key of [5, 6, 7]) {
      await cache.set(key, key)
      expect(await cache.has(key)).toBe(true)
      expect(await cache.count()).toBe(5)
    }
    expect(await present(cache, [0, 1, 2, 3])).toEqual([0, 1, 2, 3])
  })
})

describe('a limit', () => {
  type Stores = (cache: Cache, keys: readonly string[], value: unknown) => Promise<unknown>
  const ways: Record<string, Stores> = {
    'by calls that are not awaited': (cache, keys, value) => Promise.all(keys.map(key => cache.set(key, value))),
    'by setMany()': (cache, keys, value) => cache.setMany(keys.map(key => [key, value] as const)),
    'in one transaction': (cache, keys, value) => cache.transact(tx => keys.map(key => tx.set(key, value))),
  }
  const policies: EvictionPolicy[] = ['least-recently-stored', 'least-recently-used', 'least-frequently-used']
  const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`)

  for (const [way, store] of Object.entries(ways)) {
    for (const evictionPolicy of policies) {
      it(`of entries holds for those stored together ${way}, and spares the last: ${evictionPolicy}`, async () => {
        const cache = structured.make({ maxItems: 5, evictionPolicy })
        await cache.set('old', 0)
        await store(cache, keys, 1)
        await expect.poll(() => cache.count()).toBe(5)
        expect(await cache.has('key 199')).toBe(true)
      })

      it(`of bytes holds for those stored together ${way}, and spares the last: ${evictionPolicy}`, async () => {
        const cache = structured.make({ sizeLimit: 1_000_000, evictionPolicy })
        await store(cache, keys, Buffer.alloc(40_000))
        await expect.poll(() => cache.volume()).toBeLessThanOrEqual(1_000_000)
        expect(await cache.count()).toBeGreaterThan(10)
        expect(await cache.has('key 199')).toBe(true)
        await expect.poll(() => cache.check()).toEqual([])
      })
    }
  }
})

describe('a limit that is lowered far below what is stored', () => {
  it('holds after the next write, without waiting for more of them', async () => {
    const cache = structured.make({ evictionPolicy: 'least-recently-stored' })
    await cache.setMany(Array.from({ length: 20_000 }, (_, key) => [key, key] as const))
    await cache.configure({ maxItems: 5 })
    await cache.set('last', 1)
    await expect.poll(() => cache.count()).toBe(5)
    expect(await cache.has('last')).toBe(true)
  })
})

describe('values larger than the limit', () => {
  for (const large of [Buffer.alloc(1_000_001), 'x'.repeat(1_000_001), () => new Blob([Buffer.alloc(1_000_001)])]) {
    const made = (): unknown => (typeof large === 'function' ? large() : large)
    const kind = typeof large === 'function' ? 'a Blob' : typeof large === 'string' ? 'text' : 'bytes'

    it(`a Cache rejects ${kind} larger than its limit, names the limit and keeps the old value`, async () => {
      const cache = structured.make({ sizeLimit: 1_000_000 })
      await cache.set('key', 'old')
      await expect(cache.set('key', made())).rejects.toThrow(ValueTooLargeError)
      await expect(cache.add('other', made())).rejects.toThrow(/1000000/)
      expect(await cache.get('key')).toBe('old')
      expect(await cache.count()).toBe(1)
      await expectNoValueFiles(cache.directory)
    })

    it(`a FanoutCache refuses ${kind} larger than the limit of a shard, and tells it`, async () => {
      const cache = fanoutSubject('structured').make({ sizeLimit: 3_000_000 })
      const refused: unknown[] = []
      cache.on('refused', ({ key, reason }) => refused.push([key, reason]))
      expect(await cache.set('key', made())).toBe(false)
      expect(await cache.add('key', made())).toBe(false)
      expect(refused).toEqual([
        ['key', 'too-large'],
        ['key', 'too-large'],
      ])
      expect(await cache.has('key')).toBe(false)
      await expectNoValueFiles(cache.directory)
    })
  }
})
