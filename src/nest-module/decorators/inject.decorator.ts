import { Inject } from '@nestjs/common'
import { getCacheManagerToken, getDiskCacheToken } from '../cache.tokens.js'

/**
 * Injects the engine of a registration, a `DiskCache` with all its verbs.
 *
 * @example
 * constructor(@InjectDiskCache() private readonly cache: FanoutCache) {}
 */
export function InjectDiskCache(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getDiskCacheToken(name))
}

/** Injects the cache manager of a registration: for the one without a name, `@Inject(CACHE_MANAGER)` is the same. */
export function InjectCacheManager(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getCacheManagerToken(name))
}
