import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Cache, FanoutCache, startUpkeep } from 'fanout-cache'
import { diskStore } from 'fanout-cache/cache-manager'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const DOORS = {
  KeyvDiskStore: (source: any, options?: any) => new KeyvDiskStore(source, options),
  'KeyvDiskStore of keyv6': (source: any, options?: any) => new KeyvDiskStore6(source, options),
  createKeyv: (source: any, options?: any) => createKeyv(source, options).store as KeyvDiskStore,
  diskStore: (source: any, options?: any) => diskStore(source, options),
  'diskStore.create': (source: any, options?: any) => diskStore.create(source, options),
  'diskStore.keyv': (source: any, options?: any) => diskStore.keyv(source, options).store as KeyvDiskStore,
}

describe.each(Object.entries(DOORS))('%s', (_name, make) => {
  const open = (source: unknown) => {
    const store = make(source)
    onTestFinished(() => store.disconnect())
    return store
  }

  it('takes a directory, a URL of one, options with one, or a cache', async () => {
    const directory = temporaryDirectory()
    await using cache = new FanoutCache(join(directory, 'given'), { shards: 1 })
    for (const source of [
      join(directory, 'path'),
      pathToFileURL(join(directory, 'url')),
      { directory: join(directory, 'options'), sizeLimit: 2 ** 24, shards: 2 },
      { directory: pathToFileURL(join(directory, 'url-in-options')) },
      cache,
      { cache },
    ]) {
      const store = open(source)
      await store.set('a', 'b')
      expect(await store.cache.count()).toBeGreaterThan(0)
    }
    expect(existsSync(join(directory, 'options', '001', 'cache.db'))).toBe(true)
  })

  it('takes options behind a directory or a cache, like those beside a directory', async () => {
    const directory = join(temporaryDirectory(), 'path')
    const store = make(directory, { shards: 2, ttl: '1h', namespace: 'n' })
    onTestFinished(() => store.disconnect())
    expect(store.keyOf('a')).toBe('n:a')
    await store.set('a', 'b')
    expect(await store.cache.count()).toBe(1)
    expect(existsSync(join(directory, '001', 'cache.db'))).toBe(true)
    expect(existsSync(join(directory, '002'))).toBe(false)
    expect(() => make(directory, { shard: 2 })).toThrow('unknown option shard; did you mean shards?')
    await using cache = new Cache(temporaryDirectory())
    expect(make(cache, { namespace: 'n' }).keyOf('a')).toBe('n:a')
    expect(() => make(cache, { sizeLimit: 2 ** 24 })).toThrow('sizeLimit has no effect on a cache that is given')
  })

  it('never closes a cache that it was given', async () => {
    await using cache = new Cache(temporaryDirectory())
    const store = make(cache)
    await store.set('a', 'b')
    await store.disconnect()
    expect(await cache.count()).toBe(1)
    expect(store.cache).toBe(cache)
  })

  it('ends with it the upkeep of a cache that it was given', async () => {
    await using cache = new FanoutCache(temporaryDirectory(), { shards: 1 })
    const store = make({ cache, upkeep: { every: '7s' } })
    await store.set('a', 'b')
    await store.disconnect()
    // A second upkeep of one cache with other options is refused.
    await startUpkeep(cache, { every: '8s' }).stop()
  })

  it('opens a directory as what it is: a Cache or a FanoutCache', async () => {
    const single = temporaryDirectory()
    await using cache = new Cache(single)
    await cache.set('mine', 1)
    expect(open(single).cache).toBeInstanceOf(Cache)
    const many = temporaryDirectory()
    const first = new FanoutCache(many, { shards: 3 })
    await first.set('mine', 1)
    await first.close()
    const store = open(many)
    expect(store.cache).toBeInstanceOf(FanoutCache)
    await store.set('a', 'b')
    expect(existsSync(join(many, '003'))).toBe(false)
  })

  it('lets options of hosts pass, and tells a slip in one of its own', () => {
    const directory = temporaryDirectory()
    const host = { max: 100, store: 'x', isGlobal: true, ttl: 5, extra: 1, isCacheable: () => true, url: '' }
    expect(() => open({ directory, ...host })).not.toThrow()
    for (const [slip, meant] of [
      ['sizelimit', 'sizeLimit'],
      ['sizeLimt', 'sizeLimit'],
      ['evictionpolicy', 'evictionPolicy'],
      ['shard', 'shards'],
      ['nameSpace', 'namespace'],
      ['defaultTTL', 'defaultTtl'],
    ]) {
      expect(() => make({ directory, [slip as string]: 1 })).toThrow(`unknown option ${slip}; did you mean ${meant}?`)
    }
    expect(() => make({ directory, sizeLimit: 'x' })).toThrow('sizeLimit must be a whole number')
  })

  it('refuses options of the engine beside a cache, on which they would have no effect', () => {
    const cache = new Cache(temporaryDirectory())
    expect(() => make({ cache, max: 100, ttl: 5, sizeLimit: undefined })).not.toThrow()
    expect(() => make({ cache, sizeLimit: 2 ** 24 })).toThrow('sizeLimit has no effect on a cache')
    expect(() => make({ cache, sizeLimt: 2 ** 24 })).toThrow('unknown option sizeLimt; did you mean sizeLimit?')
  })

  it('says what to write when there is no directory', () => {
    expect(() => make({ ttl: 5 })).toThrow(/say where, with a directory: .*\(\{ directory: '\/var\/cache\/app' \}\)/)
    for (const wrong of [undefined, null, 5, ['/tmp']]) expect(() => make(wrong)).toThrow(TypeError)
    expect(() => make({ cache: {} })).toThrow('cache must be a Cache or FanoutCache')
    expect(() => make({ cache: new Cache(temporaryDirectory()), directory: '/x' })).toThrow('not both')
    expect(() => make('')).toThrow('directory must be a path')
  })

  it('refuses options that differ from those of an open cache on the directory, and names them', async () => {
    const directory = temporaryDirectory()
    const first = open({ directory, sizeLimit: 2 ** 24, shards: 1 })
    await first.set('a', 'b')
    expect(() => make({ directory, sizeLimit: 2 ** 25 })).toThrow('sizeLimit')
    expect(() => open({ directory })).not.toThrow()
  })
})

describe('doors on one directory', () => {
  it('share one engine, which the last to disconnect closes', async () => {
    const directory = temporaryDirectory()
    const keyv = createKeyv(directory, { namespace: 'k' })
    const store = diskStore({ directory, namespace: 's' })
    const cache = new FanoutCache(directory)
    const wal = join(directory, '000', 'cache.db-wal')
    await keyv.set('a', 1)
    await store.set('a', 2)
    await cache.set('a', 3)
    expect(existsSync(wal)).toBe(true)
    await keyv.disconnect()
    await keyv.disconnect()
    await cache.close()
    expect(existsSync(wal)).toBe(true)
    expect(await store.get('a')).toBe(2)
    await store.disconnect()
    expect(existsSync(wal)).toBe(false)
  })

  it('open again when they are used after disconnect', async () => {
    const keyv = createKeyv(temporaryDirectory())
    onTestFinished(() => keyv.disconnect())
    await keyv.set('a', 1)
    await keyv.disconnect()
    expect(await keyv.get('a')).toBe(1)
  })

  it('read what each other has stored when their namespace is the same', async () => {
    const directory = mkdtempSync(join(temporaryDirectory(), 'd'))
    const keyv = createKeyv(directory, { namespace: 'users' })
    const store = diskStore({ directory, namespace: 'users' })
    onTestFinished(async () => {
      await keyv.disconnect()
      await store.disconnect()
    })
    await keyv.set('a', new Map([[1, 2n]]), 60_000)
    expect(await store.get('a')).toEqual(new Map([[1, 2n]]))
    expect(await store.ttl('a')).toBeGreaterThan(50_000)
    await store.set('b', [undefined, new Date(0)])
    expect(await keyv.get('b')).toEqual([undefined, new Date(0)])
  })
})
