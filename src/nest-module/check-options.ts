import { diskStore } from '../adapters/cache-manager/disk-store.js'
import { prefixOf } from '../adapters/namespaced.js'
import { optionNamesOf } from '../engine/for-adapters.js'
import { checkOptionNames, kindOf } from '../engine/option-names.js'
import type { CacheManagerOptions } from './cache.options.js'

const OWN = [
  ...['directory', 'ttl', 'store', 'stores', 'namespace', 'max', 'ignoreCookies', 'upkeep'],
  ...['refreshThreshold', 'nonBlocking', 'cacheId', 'isCacheable', 'isGlobal', 'name'],
]

/**
 * Checks the options of a registration. With a store of the app, unknown options are accepted for that store.
 *
 * @throws TypeError that says what to write
 */
export function checkModuleOptions(options: CacheManagerOptions): void {
  const { store, stores, directory } = options
  if (store !== undefined && stores !== undefined) {
    throw new TypeError(
      'CacheModule: give store or stores, not both: store: diskStore is one store, stores are several',
    )
  }
  if (store === undefined || store === diskStore) {
    const engine = [...optionNamesOf('FanoutCache')].filter(name => name !== 'defaultTtl')
    checkOptionNames(options, new Set([...OWN, ...engine]), 'CacheModule')
  }
  if (store === diskStore && directory === undefined) {
    throw new TypeError("CacheModule: diskStore needs a place: write store: diskStore, directory: '/var/cache/app'")
  }
  if (stores !== undefined) refuseOptionsOfCache(options)
  if (directory !== undefined && (typeof directory !== 'string' || directory === '') && !isUrl(directory)) {
    throw new TypeError(`CacheModule: directory must be a path, got ${kindOf(directory)}`)
  }
  prefixOf(options.namespace)
  checkFlag(options.ignoreCookies, 'ignoreCookies')
}

/**
 * Refuses options of a cache beside a store that exists already.
 *
 * @throws TypeError that names the option that would have no effect
 */
export function refuseOptionsOfCache(options: CacheManagerOptions): void {
  const names = ['directory', ...optionNamesOf('FanoutCache')]
  const idle = names.find(name => (options as Readonly<Record<string, unknown>>)[name] !== undefined)
  if (idle === undefined) return
  throw new TypeError(
    `CacheModule: ${idle} belongs to store: diskStore; a store that is made already, and each in stores, has its own`,
  )
}

function isUrl(value: unknown): boolean {
  return value instanceof URL
}

export function checkFlag(value: unknown, name: string): void {
  if (value === undefined || typeof value === 'boolean') return
  throw new TypeError(`CacheModule: ${name} must be true or false, got ${kindOf(value)}`)
}
