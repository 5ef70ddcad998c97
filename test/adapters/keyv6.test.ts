import { Cache, FanoutCache } from 'fanout-cache'
import { KeyvDiskStore as KeyvDiskStore5 } from 'fanout-cache/keyv'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv6'
import { Keyv } from 'keyv6'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

type Source = ConstructorParameters<typeof KeyvDiskStore>[0]

function place() {
  return { directory: temporaryDirectory(), shards: 1 }
}

function ending<K extends { disconnect(): Promise<void> }>(keyv: K): K {
  onTestFinished(() => keyv.disconnect())
  return keyv
}

async function collected(keyv: Keyv): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for await (const [key, value] of keyv.iterator()) found[key as string] = value
  return found
}

afterEach(() => {
  vi.useRealTimers()
})

// What createKeyv of this door makes is shown in hosts.test.ts, where `keyv` is Keyv 6.
describe.each([
  ['with its serializer', {}],
  ['without a serializer', { serialization: false as const }],
])('a Keyv 6 %s on a KeyvDiskStore', (_title, base) => {
  const open = (source: Source = place(), options: object = {}) =>
    ending(new Keyv({ ...base, ...options, store: new KeyvDiskStore(source) }))

  it('uses the store itself, without a bridge', () => {
    const keyv = open()
    expect(keyv.store).toBeInstanceOf(KeyvDiskStore)
    expect(keyv.namespace).toBeUndefined()
  })

  it('answers all its methods as Keyv promises', async () => {
    const keyv = open()
    expect(await keyv.set('a', 1)).toBe(true)
    expect(
      await keyv.setMany([
        { key: 'b', value: 2, ttl: 60_000 },
        { key: 'c', value: null },
      ]),
    ).toEqual([true, true])
    expect(await keyv.setMany([])).toEqual([])
    expect(await keyv.get('missing')).toBeUndefined()
    expect(await keyv.getMany(['a', 'missing', 'b', 'c'])).toEqual([1, undefined, 2, null])
    expect(((await keyv.getRaw('b')) as any)?.expires).toBeGreaterThan(0)
    expect(await keyv.getManyRaw(['a', 'missing'])).toEqual([expect.objectContaining({ value: 1 }), undefined])
    expect(await keyv.hasMany(['a', 'missing'])).toEqual([true, false])
    expect(await keyv.has('c')).toBe(true)
    expect(await keyv.deleteMany(['a', 'missing'])).toEqual([true, false])
    expect(await keyv.delete('b')).toBe(true)
    expect(await keyv.delete('b')).toBe(false)
    expect(await keyv.clear()).toBeUndefined()
    expect(await keyv.has('c')).toBe(false)
    expect(await keyv.setRaw('r', { value: 'raw', expires: 4e12 })).toBe(true)
    // The store takes a time to live: the instant may come out as late as the call took.
    const raw = (await keyv.getRaw('r')) as { value: unknown; expires: number }
    expect(raw.value).toBe('raw')
    expect(raw.expires).toBeGreaterThanOrEqual(4e12)
    expect(raw.expires).toBeLessThan(4e12 + 5000)
  })

  it('hands expiry to the cache as an instant', async () => {
    const keyv = open()
    const { cache } = keyv.store as unknown as KeyvDiskStore
    for (const ttl of [undefined, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await keyv.set('a', 1, ttl)
      expect((await cache.info(':a'))?.expiresAt).toBeUndefined()
    }
    await keyv.set('a', 1, 60_000)
    const expires = ((await keyv.getRaw('a')) as any)?.expires as number
    expect(Math.abs(((await cache.info(':a'))?.expiresAt as number) - expires)).toBeLessThan(1000)
    expect(await (keyv.store as unknown as KeyvDiskStore).set('gone', 'x', 1)).toBe(true)
    expect(await cache.info(':gone')).toBeUndefined()
    await keyv.setRaw('a', { value: 2, expires: 1 })
    expect([await keyv.get('a'), await cache.count()]).toEqual([undefined, 0])
  })

  it('lets entries expire to the millisecond', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    const keyv = open()
    await keyv.set('a', 1, 1000)
    vi.setSystemTime(1_700_000_000_999)
    expect(await keyv.get('a')).toBe(1)
    vi.setSystemTime(1_700_000_001_001)
    expect([await keyv.get('a'), await keyv.has('a'), await collected(keyv)]).toEqual([undefined, false, {}])
  })

  it('keeps namespaces apart, however they are named, and iterates over its own keys', async () => {
    const names = [undefined, 'a', 'a:b', 'a::b', 'a_', 'a%', '%61', ':', '*']
    const directory = place()
    const keyvs = names.map(namespace => open(directory, { namespace }))
    const keys = ['x', ':x', 'b:x', ':b:x']
    await Promise.all(keyvs.flatMap((keyv, at) => keys.map(key => keyv.set(key, `${names[at]}/${key}`))))
    for (const [at, keyv] of keyvs.entries()) {
      expect(await keyv.getMany(keys)).toEqual(keys.map(key => `${names[at]}/${key}`))
      expect(Object.keys(await collected(keyv)).sort()).toEqual([...keys].sort())
    }
    for (const [at, keyv] of keyvs.entries()) {
      await keyv.clear()
      expect(await keyv.getMany(keys)).toEqual(keys.map(() => undefined))
      if (keyvs[at + 1]) expect(await keyvs[at + 1]?.get('x')).toBe(`${names[at + 1]}/x`)
    }
  })

  it('refuses a second Keyv of another namespace, which would read what the first has', async () => {
    const store = new KeyvDiskStore(place())
    const a = ending(new Keyv({ ...base, store, namespace: 'a' }))
    expect(() => new Keyv({ ...base, store, namespace: 'b' })).toThrow('make a new KeyvDiskStore for each Keyv')
    await a.set('x', 1)
    expect(await new Keyv({ ...base, store, namespace: 'a' }).get('x')).toBe(1)
    const other = open()
    other.namespace = 'other'
    expect(other.namespace).toBe('other')
  })

  it('takes the namespace of the store where the Keyv has none', async () => {
    const directory = place()
    const keyv = open({ ...directory, namespace: 'own' } as Source)
    await keyv.set('x', 1)
    expect([keyv.namespace, await open(directory, { namespace: 'own' }).get('x')]).toEqual(['own', 1])
  })

  it('tells what fails by the event error', async () => {
    await using cache = new FanoutCache(temporaryDirectory(), { sizeLimit: 2 ** 20, shards: 2 })
    const keyv = open(cache)
    const errors: Error[] = []
    keyv.on('error', (error: Error) => errors.push(error))
    expect(await keyv.set('big', 'x'.repeat(2 ** 21))).toBe(false)
    expect(errors.at(-1)?.message).toMatch(/larger than the limit of its shard/)
    const unreachable = open('/dev/null/below')
    unreachable.on('error', (error: Error) => errors.push(error))
    expect([await unreachable.get('a'), errors.length]).toEqual([undefined, 2])
    await expect(open('/dev/null/below').get('a')).rejects.toThrow('cache directory')
  })
})

describe('a Keyv 6 without a serializer', () => {
  it('gives back Map, Set, Date, bigint, Buffer and typed arrays', async () => {
    const keyv = ending(new Keyv({ serialization: false, store: new KeyvDiskStore(place()) }))
    for (const value of [
      new Map([[1, 2n]]),
      new Set([1]),
      new Date(0),
      5n,
      Buffer.from('x'),
      new Uint16Array(2),
      null,
    ]) {
      await keyv.set('a', value)
      expect(await keyv.get('a')).toStrictEqual(value)
      expect(await keyv.getMany(['a'])).toStrictEqual([value])
    }
  })
})

describe('Keyv 6 and what Keyv 5 has stored', () => {
  it('read each other', async () => {
    const directory = place()
    const { Keyv: Keyv5 } = await import('keyv')
    const five = ending(new Keyv5({ store: new KeyvDiskStore5(directory), namespace: 'n' }))
    const six = ending(new Keyv({ store: new KeyvDiskStore(directory), namespace: 'n' }))
    await five.set('a', { x: [1] }, 60_000)
    await six.set('b', { y: [2] }, 60_000)
    expect([await six.get('a'), await five.get('b')]).toEqual([{ x: [1] }, { y: [2] }])
  })
})

describe('createKeyv of fanout-cache/keyv6', () => {
  it('says which door is right when Keyv 5 is installed', () => {
    expect(() => createKeyv('/x')).toThrow('fanout-cache/keyv6 is for Keyv 6, and an earlier one is installed')
  })
})

it('a KeyvDiskStore of Keyv 6 never closes a cache that it was given', async () => {
  await using cache = new Cache(temporaryDirectory())
  const keyv = new Keyv({ store: new KeyvDiskStore(cache) })
  await keyv.set('a', 1)
  await keyv.disconnect()
  expect(await cache.count()).toBe(1)
})
