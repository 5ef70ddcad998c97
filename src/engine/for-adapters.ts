import { type Kind, optionNamesOf } from './cache-options.js'
import { CacheVerbs } from './cache-verbs.js'
import type { DiskCache } from './contract.js'
import { structuredCodec } from './disk/structured-codec.js'
import { accessOf, handleOf } from './handle-of.js'
import { traced } from './observe/verbs.js'
import type { Key } from './options.js'
import { findEngine } from './shards/engine.js'
import { absoluteDirectory, countShards, hasDatabase } from './shards/layout.js'
import { systemClock } from './time.js'
import { checkComputing } from './verbs/computing.js'
import { clear as clearRange } from './verbs/ranges.js'
import { readExpiring, readManyExpiring, type Valued } from './verbs/reading-expiring.js'
import { readVersioned, type Versioned } from './verbs/reading-versioned.js'
import { evictWithin } from './verbs/removing.js'
import { stampAll } from './verbs/stamping.js'

/*
 * Functions of the engine for the adapters, for a cache or a namespace. Each also works on a cache of another build of
 * the package, through its verbs.
 */

export { RecentKeys } from './doors/recent-keys.js'
export { oncePerProcess } from './once-per-process.js'
export { checkOptionNames, checkOptionsObject, editDistance, kindOf } from './option-names.js'
export { type Clock, type Duration, milliseconds, systemClock } from './time.js'
export { startUpkeepOf } from './upkeep/start-upkeep.js'
export { isStanding } from './verbs/compute-context.js'
export type { Valued } from './verbs/reading-expiring.js'
export type { Versioned } from './verbs/reading-versioned.js'
export { checkComputing, optionNamesOf }

/** The kind of cache that lies in a directory or is open there in this process. `undefined`: none yet. */
export function kindOfDirectory(directory: string | URL): Kind | undefined {
  const path = absoluteDirectory(directory)
  const engine = findEngine(path)
  if (engine) return engine.kind
  if (hasDatabase(path)) return 'Cache'
  return countShards(path) === undefined ? undefined : 'FanoutCache'
}

/**
 * Reads a value with its expiry, which is cheaper than `getItem`. Returns no promise when the value can be read at once.
 *
 * @throws the errors with which verbs reject
 */
export function getExpiring<T>(cache: DiskCache, key: Key): Valued<T> | undefined | Promise<Valued<T> | undefined> {
  if (cache instanceof CacheVerbs) return readExpiring<T>(handleOf(cache), key)
  const access = accessOf(cache)
  return access ? readExpiring<T>(access.handle, access.hostKey(key)) : getItemOf<T>(cache, key)
}

/** Reads several values with their expiries, in the order of the keys. */
export async function getManyExpiring<T>(cache: DiskCache, keys: readonly Key[]): Promise<(Valued<T> | undefined)[]> {
  if (cache instanceof CacheVerbs) return readManyExpiring<T>(handleOf(cache), keys)
  const access = accessOf(cache)
  if (!access) return Promise.all(keys.map(key => getItemOf<T>(cache, key)))
  return readManyExpiring<T>(
    access.handle,
    keys.map(key => access.hostKey(key)),
  )
}

async function getItemOf<T>(cache: DiskCache, key: Key): Promise<Valued<T> | undefined> {
  const item = await cache.getItem<T>(key)
  return item && { value: item.value, expiresAt: item.expiresAt }
}

/**
 * Reads a value with its version, storing time and expiry. Returns no promise when the value can be read at once.
 *
 * @throws the errors with which verbs reject
 */
export function getVersioned<T>(
  cache: DiskCache,
  key: Key,
): Versioned<T> | undefined | Promise<Versioned<T> | undefined> {
  if (cache instanceof CacheVerbs) return readVersioned<T>(handleOf(cache), key)
  const access = accessOf(cache)
  return access ? readVersioned<T>(access.handle, access.hostKey(key)) : cache.getItem<T>(key)
}

/** Removes the present entries whose string keys begin with a prefix, in pages as `clear` does. */
export async function removePrefix(cache: DiskCache, prefix: string): Promise<void> {
  const access = accessOf(cache)
  const hostPrefix = access?.hostPrefix(prefix)
  if (access && hostPrefix !== undefined) {
    await clearRange(access.handle, hostPrefix, { retry: true })
    return
  }
  let page: Key[] = []
  for await (const key of cache.keys({ prefix, includeExpired: true })) {
    if (page.push(key) < KEYS_PER_PAGE) continue
    await cache.deleteMany(page, { retry: true })
    page = []
  }
  await cache.deleteMany(page, { retry: true })
}

/** The time of the clock of a cache, in epoch milliseconds. */
export function nowOf(cache: DiskCache): number {
  return (accessOf(cache)?.handle.options.clock ?? systemClock).now()
}

/** Whether objects of all kinds are read back as they were stored, which only `structuredCodec` guarantees. */
export function keepsObjects(cache: DiskCache): boolean {
  return accessOf(cache)?.handle.options.codec === structuredCodec
}

const KEYS_PER_PAGE = 500

/**
 * Removes the entries with a tag. `evict` of a FanoutCache resolves to what it has removed when a lock is not free in
 * time; this rejects.
 *
 * @param wait milliseconds
 */
export function evictWholly(cache: DiskCache, tag: string, wait: number): Promise<number> {
  if (!(cache instanceof CacheVerbs)) return cache.evict(tag, { timeout: wait })
  const handle = handleOf(cache)
  return traced(handle, 'evict', undefined, () => handle.ready(() => evictWithin(handle, tag, { wait })))
}

/**
 * Keeps from being stored what is being computed with one of the tags or for a key that begins with the prefix. Call it
 * before such a removal.
 *
 * @param wait milliseconds
 */
export async function refuseComputed(
  cache: DiskCache,
  { tags, prefix }: { readonly tags: readonly string[]; readonly prefix: string | undefined },
  wait: number,
): Promise<void> {
  const access = accessOf(cache)
  if (!access) return
  const { handle } = access
  const hostPrefix = prefix === undefined ? undefined : access.hostPrefix(prefix)
  const prefixes = hostPrefix === undefined ? [] : [hostPrefix]
  const scope = { tags, prefixes, within: String(access.hostKey('')) }
  await handle.ready(() => stampAll(handle, scope, wait))
}
