import type { Keyv } from 'keyv'
import { type CreateKeyvOptions, createKeyvOf, installedKeyv } from '../keyv/create-keyv.js'
import type { CacheSource } from '../open-cache.js'
import { DiskStore, type DiskStoreOptions } from './cache-manager-store.js'

/** A factory of stores on disk for cache-manager, in the forms that its versions need. */
export interface DiskStoreFactory {
  /**
   * Creates a store of cache-manager 5: `caching(diskStore, { directory })` or `caching(diskStore({ directory }))`.
   *
   * @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range
   */
  (source: CacheSource | DiskStoreOptions, options?: DiskStoreOptions): DiskStore
  /** Does the same, for hosts that need an object with `create`. */
  readonly create: (source: CacheSource | DiskStoreOptions, options?: DiskStoreOptions) => DiskStore
  /**
   * Creates a Keyv for `stores` of cache-manager 6 and 7. Needs Keyv 5. The time to live of a value is that of
   * cache-manager, otherwise the option `ttl`.
   */
  readonly keyv: (source: CacheSource | CreateKeyvOptions, options?: CreateKeyvOptions) => Keyv
}

const make: DiskStoreFactory['create'] = (source, options) => new DiskStore(source, options)

const makeKeyv: DiskStoreFactory['keyv'] = (source, options) => createKeyvOf(installedKeyv(), source, options)

/**
 * Creates stores on disk for cache-manager: called for version 5, and `diskStore.keyv` for 6 and 7.
 *
 * @example
 * const cache = await caching(diskStore, { directory: '/var/cache/app' })
 * const newer = createCache({ stores: [diskStore.keyv('/var/cache/app')] })
 */
export const diskStore: DiskStoreFactory = Object.assign(make.bind(undefined), { create: make, keyv: makeKeyv })
