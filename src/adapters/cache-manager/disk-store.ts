import type { Keyv } from 'keyv'
import { type CreateKeyvOptions, createKeyvOf, installedKeyv } from '../keyv/create-keyv.js'
import type { CacheSource } from '../open-cache.js'
import { DiskStore, type DiskStoreOptions } from './cache-manager-store.js'

/** A factory of stores on disk for cache-manager, in all forms in which its versions ask for one. */
export interface DiskStoreFactory {
  /**
   * A store of cache-manager 5: `caching(diskStore, { directory })` or `caching(diskStore({ directory }))`.
   *
   * @throws TypeError when no directory is named and for misspelt options, RangeError as the constructors of caches do
   */
  (source: CacheSource | DiskStoreOptions): DiskStore
  /** The same, for hosts that ask for an object with `create`. */
  readonly create: (source: CacheSource | DiskStoreOptions) => DiskStore
  /**
   * A Keyv for `stores` of cache-manager 6 and 7; needs Keyv 5. The time to live of a value is what cache-manager gives,
   * else `ttl`.
   */
  readonly keyv: (source: CacheSource | CreateKeyvOptions) => Keyv
}

function make(source: CacheSource | DiskStoreOptions): DiskStore {
  return new DiskStore(source)
}

export const diskStore: DiskStoreFactory = Object.assign((source: CacheSource | DiskStoreOptions) => make(source), {
  create: make,
  keyv: (source: CacheSource | CreateKeyvOptions): Keyv => createKeyvOf(installedKeyv(), source),
})
