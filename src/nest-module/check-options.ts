import { diskStore } from '../adapters/cache-manager/disk-store.js'
import { optionNamesOf } from '../engine/for-adapters.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../engine/option-names.js'
import type { CacheManagerOptions } from './cache.options.js'

const OWN = [
  ...['directory', 'ttl', 'store', 'stores', 'namespace', 'max', 'ignoreCookies', 'upkeep'],
  ...['refreshThreshold', 'nonBlocking', 'cacheId', 'isCacheable', 'isGlobal', 'name'],
]

/**
 * Checks the options of a registration. A store of the app's own may have options that nobody knows here.
 *
 * @throws TypeError that says what to write
 */
export function checkModuleOptions(options: CacheManagerOptions): void {
  checkOptionsObject(options, 'CacheModule')
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
  if (stores !== undefined && directory !== undefined) {
    throw new TypeError(
      'CacheModule: directory belongs to store: diskStore; a store in stores has a directory of its own',
    )
  }
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw new TypeError(`CacheModule: directory must be a path, got ${kindOf(directory)}`)
  }
  for (const name of ['ignoreCookies', 'isGlobal'] as const) checkFlag((options as Record<string, unknown>)[name], name)
}

function checkFlag(value: unknown, name: string): void {
  if (value === undefined || typeof value === 'boolean') return
  throw new TypeError(`CacheModule: ${name} must be true or false, got ${kindOf(value)}`)
}
