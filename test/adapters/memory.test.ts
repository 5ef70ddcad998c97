import { serialize } from 'node:v8'
import { FanoutCache } from 'fanout-cache'
import { diskStore } from 'fanout-cache/cache-manager'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const writer = new URL('./fixtures/keyv-reader.mjs', import.meta.url)

interface Store {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<unknown>
  disconnect(): Promise<void>
}

type Options = ConstructorParameters<typeof FanoutCache>[1] & { readonly directory: string }

/** Doors that read values with the time at which they expire. */
const DOORS: Record<string, (options: Options) => Store> = {
  createKeyv,
  'new Keyv({ store })': options => new Keyv({ store: new KeyvDiskStore(options) }),
  'Keyv 6': options => new Keyv6({ store: new KeyvDiskStore6(options) }) as Store,
  diskStore,
}

function place(more: Options | object = {}): Options {
  return { directory: temporaryDirectory(), shards: 1, memory: {}, ...more }
}

function ending<S extends Store>(store: S): S {
  onTestFinished(() => store.disconnect())
  return store
}

describe.each(Object.entries(DOORS))('%s with memory', (_name, make) => {
  it('reads from it, and sees what another handle writes', async () => {
    const options = place()
    const store = ending(make(options))
    await using cache = new FanoutCache(options.directory, { memory: {} })
    await store.set('key', { n: 1 }, 60_000)
    for (let read = 0; read < 5; read++) expect(await store.get('key')).toEqual({ n: 1 })
    expect((await cache.stats()).memory).toMatchObject({ hits: 4, misses: 1 })
    for (const key of await collect(cache.keys())) await cache.delete(key)
    expect(await store.get('key')).toBeUndefined()
  })

  it('lets values expire when their time has come', async () => {
    const clock = new ManualClock(Date.now())
    const store = ending(make(place({ clock })))
    await store.set('key', 'value', 60_000)
    for (let read = 0; read < 3; read++) expect(await store.get('key')).toBe('value')
    clock.advance(60_000)
    expect(await store.get('key')).toBeUndefined()
  })
})

it('a Keyv with memory sees what another process writes, and tells when it expires', async () => {
  const options = place()
  const keyv = ending(createKeyv(options))
  const expires = Date.now() + 60_000
  await keyv.set('key', 'old', 60_000)
  const first = (await keyv.getRaw('key'))?.expires
  expect(first).toBeGreaterThanOrEqual(expires)
  expect((await keyv.getRaw('key'))?.expires).toBe(first)
  expect(await keyv.get('added')).toBeUndefined()
  expect(await keyv.get('added')).toBeUndefined()

  const { directory } = options
  const added = serialize(new Map([[1, 2n]])).toString('base64')
  await new FixtureProcess(writer, { directory, plain: false, keys: ['key'], added }).done()
  expect(await keyv.getMany(['key', 'added'])).toEqual([undefined, new Map([[1, 2n]])])
})

it('a value in a file is not kept, and comes with its expiry', async () => {
  const keyv = ending(createKeyv(place()))
  await keyv.set('key', 'x'.repeat(100_000), 60_000)
  for (let read = 0; read < 2; read++) {
    expect(await keyv.getRaw('key')).toEqual({ value: 'x'.repeat(100_000), expires: expect.any(Number) })
  }
  const { cache } = keyv.store as KeyvDiskStore
  expect((await cache.stats()).memory).toMatchObject({ hits: 0, misses: 2 })
})

it('a Keyv with frozen memory gives all readers one value', async () => {
  const keyv = ending(createKeyv(place({ memory: { mode: 'frozen' } })))
  await keyv.set('key', { n: 1 })
  const first = await keyv.get('key')
  expect(first).toEqual({ n: 1 })
  expect(await keyv.get('key')).toBe(first)
})

it.each([
  ['createKeyv', createKeyv],
  ['diskStore', diskStore],
])('%s names what is wrong in the option memory', (_name, make) => {
  expect(() => make({ directory: temporaryDirectory(), memory: { maxItem: 1 } } as never)).toThrow(/maxItems/)
})
