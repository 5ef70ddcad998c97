export { CACHE_KEY_METADATA, CACHE_MANAGER, CACHE_MODULE_OPTIONS, CACHE_TTL_METADATA } from './cache.constants.js'
export {
  type DiskCacheHealth,
  DiskCacheHealthIndicator,
  type DiskCacheHealthOptions,
  type DiskCacheStatus,
} from './cache.health.js'
export { CacheInterceptor } from './cache.interceptor.js'
export { CacheModule } from './cache.module.js'
export type {
  CacheManagerOptions,
  CacheModuleAsyncOptions,
  CacheModuleOptions,
  CacheOptions,
  CacheOptionsFactory,
  CacheRegistration,
} from './cache.options.js'
export { Cache, getCacheManagerToken, getDiskCacheToken } from './cache.tokens.js'
export {
  CacheAudience,
  type CacheAudienceFactory,
  CacheKey,
  type CacheKeyFactory,
  CacheName,
  CacheTags,
  type CacheTagsFactory,
  CacheTTL,
  type CacheTTLFactory,
} from './decorators/answer.decorators.js'
export { CacheEvict, type CacheEvictOptions } from './decorators/cache-evict.decorator.js'
export { type AsyncMethod, Cacheable, type CacheableOptions } from './decorators/cacheable.decorator.js'
export { InjectCacheManager, InjectDiskCache } from './decorators/inject.decorator.js'
export type { AnyMethod, MethodDecoratorFor } from './decorators/method-wrapper.js'
