import type { Cache as CacheManager } from 'cache-manager'
import { ownRequire } from '../engine/own-place.js'
import { CACHE_HOST, CACHE_MANAGER } from './cache.constants.js'

/**
 * The cache manager, as a type and as an injection token. If `@nestjs/cache-manager` is installed, it is the class of
 * that package, so that providers that inject it get this cache.
 *
 * @example
 * constructor(private readonly cache: Cache) {}
 */
export interface Cache extends CacheManager {}
export const Cache: abstract new () => Cache = officialClass() ?? ownClass()

/**
 * The injection token of the engine of a registration, a `DiskCache`.
 *
 * @param name the `name` of the registration, if it has one
 */
export function getDiskCacheToken(name?: string): string {
  return name === undefined ? 'DiskCache' : `DiskCache:${name}`
}

/**
 * The injection token of the cache manager of a registration: `CACHE_MANAGER` for the one without a name.
 *
 * @param name the `name` of the registration, if it has one
 */
export function getCacheManagerToken(name?: string): string {
  return name === undefined ? CACHE_MANAGER : `${CACHE_MANAGER}:${name}`
}

function officialClass(): typeof Cache | undefined {
  try {
    const official: unknown = ownRequire()('@nestjs/cache-manager')
    const token = (official as { readonly Cache?: unknown }).Cache
    return typeof token === 'function' ? (token as typeof Cache) : undefined
  } catch {
    // Not installed, or not loadable: Jest cannot require the ES modules of version 12.
    return undefined
  }
}

function ownClass(): typeof Cache {
  abstract class Cache {}
  return Cache as typeof Cache & (abstract new () => CacheManager)
}

/** The injection token of the `CacheHost` of a registration, for the interceptor and the decorators of methods. */
export function getCacheHostToken(name?: string): string {
  return name === undefined ? CACHE_HOST : `${CACHE_HOST}:${name}`
}
