import { diskStore } from '../adapters/cache-manager/disk-store.js'
import { isDiskCache } from '../adapters/open-cache.js'
import type { DiskCache } from '../engine/index.js'
import { kindOf } from '../engine/option-names.js'
import type { CacheManagerOptions } from './cache.options.js'
import { refuseOptionsOfCache } from './check-options.js'

type StoreFactory = (options: object) => unknown

/** Options of the module and of the cache manager, which are not passed to the engine. */
const OF_THE_MODULE = [
  ...['store', 'stores', 'max', 'ignoreCookies', 'isGlobal', 'name', 'nonBlocking', 'cacheId', 'ttl'],
  'upkeep',
]

/**
 * Creates the store of a registration from a factory, an object with `create`, a store, or a promise of one.
 *
 * @param temporary a cache that is used instead of a directory
 * @throws TypeError when `store` is none of these
 */
export async function makeStore(
  options: CacheManagerOptions,
  ttl: number | undefined,
  temporary: DiskCache | undefined,
): Promise<object> {
  const given: unknown = await (options.store ?? diskStore)
  const factory = factoryIn(given)
  const isOurs = given === diskStore
  if (!factory) refuseOptionsOfCache(options)
  const made: unknown = factory
    ? await factory(isOurs ? ownOptions(options, ttl, temporary) : { ...options, ttl })
    : given
  if (isDiskCache(made)) return diskStore({ cache: made, namespace: options.namespace, ttl })
  if (typeof made === 'object' && made !== null) return made
  throw new TypeError(`CacheModule: store must be diskStore, a store or a factory of one, got ${kindOf(made)}`)
}

function factoryIn(store: unknown): StoreFactory | undefined {
  if (typeof store === 'function') return store as StoreFactory
  const { create, get } = (store ?? {}) as Readonly<Record<string, unknown>>
  return typeof create === 'function' && get === undefined ? (create.bind(store) as StoreFactory) : undefined
}

function ownOptions(options: CacheManagerOptions, ttl: number | undefined, temporary: DiskCache | undefined): object {
  const { max, maxItems = max, ...others } = options
  const kept = Object.entries({ ...others, maxItems, ttl }).filter(
    ([name, value]) => value !== undefined && (name === 'ttl' || !OF_THE_MODULE.includes(name)),
  )
  const all = Object.fromEntries(kept)
  if (!temporary) return all
  return { cache: temporary, ttl, namespace: options.namespace }
}
