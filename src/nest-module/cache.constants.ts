/**
 * The token of the cache manager. The same string as in `@nestjs/cache-manager`, so that existing code keeps working.
 */
export const CACHE_MANAGER = 'CACHE_MANAGER'

/** Metadata key of `@CacheKey`: that of `@nestjs/cache-manager`, whose decorator works too. */
export const CACHE_KEY_METADATA = 'cache_module:cache_key'
/** Metadata key of `@CacheTTL`: that of `@nestjs/cache-manager`, whose decorator works too. */
export const CACHE_TTL_METADATA = 'cache_module:cache_ttl'
/** Metadata keys of the other decorators. */
export const CACHE_TAGS_METADATA = 'fanout-cache:cache_tags'
export const CACHE_AUDIENCE_METADATA = 'fanout-cache:cache_audience'
export const CACHE_NAME_METADATA = 'fanout-cache:cache_name'
/** The cache of a method whose results are kept under the names of its class and its own. Empty: without a name. */
export const CACHEABLE_BY_NAME_METADATA = 'fanout-cache:cacheable_by_name'

/** The token of the options of a registration, inside its module. */
export const CACHE_MODULE_OPTIONS = 'CACHE_MODULE_OPTIONS'
/** The token of the `CacheHost` of a registration, inside its module. */
export const CACHE_HOST = 'FANOUT_CACHE_HOST'
/** The token of the provider that links a registration with the cache manager of the app. */
export const CACHE_LINK = 'FANOUT_CACHE_LINK'
