import { createCache } from 'cache-manager'
import { Cache, type DiskCache, FanoutCache, jsonCodec, type Namespace } from 'fanout-cache'
import { diskStore, singleFlight } from 'fanout-cache/cache-manager'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { diskDriver } from 'fanout-cache/unstorage'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

interface Store {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<unknown>
  clear(): Promise<unknown>
}

/** Doors on a cache or a view of one, with a namespace of their own. */
const DOORS: Record<string, (cache: DiskCache, namespace?: string) => Store> = {
  createKeyv: (cache, namespace) => createKeyv({ cache, ...(namespace && { namespace }) }),
  'new Keyv({ store })': (cache, namespace) =>
    new Keyv({ store: new KeyvDiskStore(cache), ...(namespace && { namespace }) }),
  'Keyv 6': (cache, namespace) =>
    new Keyv6({ store: new KeyvDiskStore6(cache), ...(namespace && { namespace }) }) as Store,
  diskStore: (cache, namespace) => {
    const store = diskStore({ cache, ...(namespace && { namespace }) })
    return { get: key => store.get(key), set: (...args) => store.set(...args), clear: () => store.reset() }
  },
}

const KEEPING_OBJECTS = ['createKeyv', 'diskStore']

function opened(options: ConstructorParameters<typeof FanoutCache>[1] = {}): FanoutCache {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 1, ...options })
  onTestFinished(() => cache.close())
  return cache
}

const keysOf = async (cache: DiskCache): Promise<unknown[]> => (await collect(cache.keys())).sort()

describe.each(Object.entries(DOORS))('%s over a namespace', (name, make) => {
  it('keeps its entries there, and clears no others', async () => {
    const cache = opened()
    const space: Namespace = cache.namespace('app', { version: 2 })
    const store = make(space)
    const other = make(space, 'other')
    const besides = make(cache.namespace('besides'))
    for (const one of [store, other, besides]) await one.set('key', 'value')
    await space.set('mine', 1)
    const keys = (await keysOf(cache)).map(key => String(key).replace(':keyv:', '::'))
    expect(keys.sort()).toEqual(['app:2::key', 'app:2:mine', 'app:2:other:key', 'besides:1::key'])
    await store.clear()
    expect(await Promise.all([store, other, besides].map(one => one.get('key')))).toEqual([undefined, 'value', 'value'])
    expect(await space.get('mine')).toBe(1)
    await space.clear()
    expect(await other.get('key')).toBeUndefined()
    expect(await besides.get('key')).toBe('value')
  })

  it('clears a namespace whose name begins as the keys do that are no texts', async () => {
    const cache = opened()
    const space = cache.namespace('app')
    const store = make(space, '~n5')
    await store.set('key', 'value')
    await space.set(5, 'a number')
    await space.set('~n5', 'a text')
    await store.clear()
    expect(await store.get('key')).toBeUndefined()
    expect([await space.get(5), await space.get('~n5')]).toEqual(['a number', 'a text'])
  })

  it('reads from memory, and lets values expire', async () => {
    const clock = new ManualClock(Date.now())
    const cache = opened({ clock, memory: {} })
    const store = make(cache.namespace('app', { defaultTtl: '1m' }))
    await store.set('default', 1)
    await store.set('own', 1, 120_000)
    for (let read = 0; read < 3; read++) expect([await store.get('default'), await store.get('own')]).toEqual([1, 1])
    expect((await cache.stats()).memory).toMatchObject({ hits: 4 })
    clock.advance(60_000)
    expect([await store.get('default'), await store.get('own')]).toEqual([undefined, 1])
  })

  it.runIf(KEEPING_OBJECTS.includes(name))('gives back every kind of value', async () => {
    const store = make(opened().namespace('app'))
    const values = [
      5n,
      2n ** 70n,
      new Uint8Array([1]),
      Buffer.from('b'),
      new Map([[1, 2n]]),
      new Date(0),
      { n: 5n },
      null,
    ]
    for (const [at, value] of values.entries()) await store.set(`${at}`, value)
    for (const [at, value] of values.entries()) expect(await store.get(`${at}`)).toEqual(value)
  })
})

it('a Keyv over a namespace under the codec json clears its own', async () => {
  const cache = new Cache(temporaryDirectory(), { codec: jsonCodec })
  onTestFinished(() => cache.close())
  const [one, two] = ['a', 'b'].map(name => createKeyv(cache.namespace(name)))
  await one?.set('key', 1)
  await two?.set('key', 2)
  await one?.clear()
  expect([await one?.get('key'), await two?.get('key')]).toEqual([undefined, 2])
})

it('wrap of a singleFlight cache over a namespace keeps every kind of value', async () => {
  const cache = singleFlight(createCache({ stores: [createKeyv(opened().namespace('app'))] }))
  for (let call = 0; call < 2; call++) expect(await cache.wrap('big', () => 5n, 60_000)).toBe(5n)
})

it('a driver of unstorage over a namespace clears what is below a base, or all of it', async () => {
  const cache = opened()
  await cache.set('outside', 1)
  const driver = diskDriver({ cache: cache.namespace('app') })
  await driver.setItem('a:1', 'one')
  await driver.setItem('b:1', 'two')
  await driver.clear('a:')
  expect(await driver.getKeys()).toEqual(['b:1'])
  await driver.clear()
  expect(await keysOf(cache)).toEqual(['outside'])
})
