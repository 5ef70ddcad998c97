import { pathToFileURL } from 'node:url'
import { type Cache as CacheOfCachified, cachified } from '@epic-web/cachified'
import { diskStore } from 'fanout-cache/cache-manager'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { DiskSessionStore } from 'fanout-cache/express-session'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { diskDriver } from 'fanout-cache/unstorage'
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

  it('a URL of a directory', async () => {
    const at = pathToFileURL(temporaryDirectory())
    const doors = [
      createKeyv(at),
      new KeyvDiskStore(at),
      diskStore(at),
      diskStore.keyv(at),
      createKeyv({ directory: at }),
    ]
    for (const door of doors) await door.disconnect()
    const small = [cachifiedDisk(at), new DiskSessionStore(at)]
    for (const door of small) await door.disconnect()
    await diskDriver(at).dispose()
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
