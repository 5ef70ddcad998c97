import { singleFlight, tierOf } from '../adapters/cache-manager/single-flight.js'
import { createKeyvOf } from '../adapters/keyv/create-keyv.js'
import { prefixOf } from '../adapters/namespaced.js'
import { isDiskCache } from '../adapters/open-cache.js'
import { optionNamesOf, startUpkeepOf } from '../engine/for-adapters.js'
import { type DiskCache, FanoutCache, type Upkeep } from '../engine/index.js'
import { checkOptionsObject } from '../engine/option-names.js'
import type { CacheManagerOptions } from './cache.options.js'
import { CacheHost, type ManagerLike } from './cache-host.js'
import { lifeOf } from './cache-life.js'
import { checkModuleOptions } from './check-options.js'
import { type InstalledManager, installedManager, type ManagerSettings } from './installed-packages.js'
import { makeStore } from './make-store.js'

/** A store or Keyv with its cache. */
export interface Opened {
  readonly cache: DiskCache
  readonly manager: ManagerLike
  /** Prefix that the keys of the manager have in the cache. */
  readonly prefix: string
  readonly close: () => Promise<void>
}

/**
 * Opens the cache and the manager of a registration.
 *
 * @param name the name of the registration
 * @throws TypeError, RangeError or Error that says what to write instead; the errors of the engine when the directory
 *   cannot be opened
 */
export async function openHost(given: CacheManagerOptions, name: string | undefined): Promise<CacheHost> {
  checkOptionsObject(given, 'CacheModule')
  const options: CacheManagerOptions = { ...given, namespace: given.namespace ?? name }
  checkModuleOptions(options)
  const installed = installedManager()
  const ttl = lifeOf(options.ttl, 'CacheModule: ttl') || undefined
  const opened =
    options.stores === undefined ? await overStore(options, ttl, installed) : overStores(options, ttl, installed)
  let upkeep: Upkeep | undefined
  try {
    await opened.cache.open()
    upkeep = startUpkeepOf(opened.cache, options.upkeep)
  } catch (error) {
    await opened.close()
    throw error
  }
  return new CacheHost({
    ...opened,
    close: async () => {
      await upkeep?.stop()
      await opened.close()
    },
    // `wrap` computes once over all processes, if one of the stores supports it.
    manager: tierOf(opened.manager) ? singleFlight(opened.manager) : opened.manager,
    ttl,
    ignoreCookies: options.ignoreCookies,
  })
}

/** Opens a manager with one store, `diskStore` by default. */
async function overStore(
  options: CacheManagerOptions,
  ttl: number | undefined,
  installed: InstalledManager,
): Promise<Opened> {
  const temporary = options.store === undefined && options.directory === undefined ? temporaryCache(options) : undefined
  const store = await makeStore(options, ttl, temporary)
  const close = async (): Promise<void> => {
    await (store as { disconnect?(): Promise<void> }).disconnect?.()
    await temporary?.close()
  }
  try {
    const cache = engineOf(store)
    if (!cache) throw notOnDisk('store')
    const settings = settingsOf(options, ttl)
    const prefix = prefixIn(store)
    if (installed.takes === 'keyvs') {
      refuseLaterKeyv(store, installed)
      const keyv = isKeyv(store) ? store : createKeyvOf(installed.keyv(), cache, { namespace: namespaceOf(prefix) })
      return { cache, prefix, close, manager: installed.make({ ...settings, stores: [keyv] }) }
    }
    if (!isStore5(store))
      throw new TypeError('CacheModule: cache-manager 5 takes no Keyv: write store: diskStore, directory: …')
    return { cache, prefix, close, manager: await installed.make(store, settings) }
  } catch (error) {
    await close()
    throw error
  }
}

/** Opens a manager with several stores, of which at least one must be on disk. */
function overStores(options: CacheManagerOptions, ttl: number | undefined, installed: InstalledManager): Opened {
  if (installed.takes === 'store') {
    throw new TypeError('CacheModule: stores needs cache-manager 6 or 7; with 5, write store: diskStore, directory: …')
  }
  const given = Array.isArray(options.stores) ? (options.stores as unknown[]) : [options.stores]
  const keyvs = given.map(store => keyvOf(store, options, ttl, installed))
  const onDisk = keyvs.find(keyv => engineOf(keyv))
  const cache = engineOf(onDisk)
  if (!cache) throw notOnDisk('stores')
  const close = async (): Promise<void> => {
    // A Keyv does not know the store of version 5 that it was made from, so both are added.
    const all = new Set([...keyvs, ...given.filter(isStore5)])
    await Promise.all([...all].map(store => (store as { disconnect?(): Promise<unknown> }).disconnect?.()))
  }
  const manager = installed.make({ ...settingsOf(options, ttl), stores: keyvs })
  return { cache, prefix: prefixIn(onDisk), close, manager }
}

function keyvOf(
  store: unknown,
  { namespace }: CacheManagerOptions,
  ttl: number | undefined,
  installed: InstalledManager & { readonly takes: 'keyvs' },
): object {
  refuseLaterKeyv(store, installed)
  if (isKeyv(store)) return store
  if (typeof store !== 'object' || store === null) {
    throw new TypeError(
      'CacheModule: stores takes Keyv instances or storage adapters, such as createKeyv(directory) of fanout-cache/keyv',
    )
  }
  const engine = engineOf(store)
  if (engine && isStore5(store))
    return createKeyvOf(installed.keyv(), engine, { namespace: namespaceOf(prefixIn(store)) })
  if (isDiskCache(store)) return createKeyvOf(installed.keyv(), store, { namespace })
  const Keyv = installed.keyv() as new (options: object) => object
  return new Keyv({ store, namespace, ...(ttl !== undefined && { ttl }) })
}

/** The cache of one of our stores, or of a Keyv with one. */
function engineOf(store: unknown): DiskCache | undefined {
  if (isDiskCache(store)) return store
  const { cache, store: inner, opts } = (store ?? {}) as Layers
  return [cache, inner, inner?.cache, opts?.store, opts?.store?.cache].find(isDiskCache)
}

interface Layers {
  readonly cache?: unknown
  readonly store?: { readonly cache?: unknown; readonly namespace?: unknown }
  readonly opts?: { readonly store?: { readonly cache?: unknown; readonly namespace?: unknown } }
  readonly namespace?: unknown
  readonly keyOf?: (key: string) => string
}

function prefixIn(store: unknown): string {
  const { keyOf, store: inner, opts, namespace } = store as Layers
  if (typeof keyOf === 'function') return keyOf.call(store, '')
  return prefixOf((inner ?? opts?.store)?.namespace ?? namespace)
}

function namespaceOf(prefix: string): string | undefined {
  return prefix === ':' ? undefined : decodeURIComponent(prefix.slice(0, -1))
}

/** Whether a store is a Keyv, of whatever version. */
function isKeyv(store: unknown): store is object {
  const { get, set, getMany, opts, store: inner } = (store ?? {}) as Record<string, unknown>
  return (
    [get, set, getMany].every(verb => typeof verb === 'function') &&
    (isLayer(inner) || isLayer((opts as Layers | undefined)?.store))
  )
}

/**
 * Refuses a Keyv 6. cache-manager asks for raw values, which it does not return, so that every `wrap` would compute.
 */
function refuseLaterKeyv(store: unknown, installed: InstalledManager & { readonly takes: 'keyvs' }): void {
  if (!hasSetRaw(store) || hasSetRaw((installed.keyv() as { readonly prototype?: unknown }).prototype)) return
  throw new TypeError(
    'CacheModule: the installed cache-manager works with Keyv 5, and this is a Keyv 6: npm install keyv@5, and import ' +
      'createKeyv from fanout-cache/keyv',
  )
}

/** Whether a Keyv is of version 6. */
function hasSetRaw(keyv: unknown): boolean {
  return typeof (keyv as { readonly setRaw?: unknown } | undefined)?.setRaw === 'function'
}

function isLayer(store: unknown): boolean {
  return typeof store === 'object' && store !== null
}

function isStore5(store: unknown): store is object {
  const { mget, mset, reset } = (store ?? {}) as Record<string, unknown>
  return [mget, mset, reset].every(verb => typeof verb === 'function')
}

function settingsOf(
  { refreshThreshold, nonBlocking, cacheId }: CacheManagerOptions,
  ttl: number | undefined,
): ManagerSettings {
  const all = { ttl, refreshThreshold, nonBlocking, cacheId }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function temporaryCache(options: CacheManagerOptions): DiskCache {
  const names = optionNamesOf('FanoutCache')
  return new FanoutCache(undefined, Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name))))
}

function notOnDisk(option: 'store' | 'stores'): TypeError {
  const instead = option === 'store' ? 'store: diskStore' : "stores: [createKeyv('/var/cache/app')]"
  return new TypeError(
    `CacheModule of fanout-cache/nest keeps values on disk, and nothing in ${option} does: write ${instead}, ` +
      'or import CacheModule from @nestjs/cache-manager',
  )
}
