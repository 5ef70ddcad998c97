import { type Cache as CacheOfCachified, cachified } from '@epic-web/cachified'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import type { KeyvStoreAdapter } from 'keyv'
import type { KeyvStorageAdapter } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

// That this file compiles is half of what it shows: `tsc -p test`.
describe('doors have the types that their hosts have for such things:', () => {
  it('a store of Keyv 5', async () => {
    const store: KeyvStoreAdapter = new KeyvDiskStore(temporaryDirectory())
    onTestFinished(() => store.disconnect?.())
    await store.set('keyv:a', '{"value":1}')
    expect(await store.get<number>('keyv:a')).toBe('{"value":1}')
  })

  it('a storage adapter of Keyv 6', async () => {
    const store: KeyvStorageAdapter = new KeyvDiskStore6(temporaryDirectory())
    onTestFinished(() => store.disconnect?.())
    await store.set('a', '{"value":1}')
    expect(await store.get<number>('a')).toBe('{"value":1}')
    const heard = (): void => {}
    store.on('clear', heard)
    expect([store.listeners('clear'), store.rawListeners('clear')]).toEqual([[heard], [heard]])
  })

  it('a cache of cachified for values of one type', async () => {
    const disk = cachifiedDisk(temporaryDirectory())
    onTestFinished(() => disk.disconnect())
    const cache: CacheOfCachified<{ n: number }> = disk
    await cachified({ key: 'a', cache, getFreshValue: () => ({ n: 1 }) })
    const entry = await cache.get('a')
    expect(entry?.value.n).toBe(1)
  })
})
