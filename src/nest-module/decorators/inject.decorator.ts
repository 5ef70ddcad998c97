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

/** Injects the cache manager of a registration. Without a name it is the same as `@Inject(CACHE_MANAGER)`. */
export function InjectCacheManager(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getCacheManagerToken(name))
}
