/** The token of the cache manager: the very string of `@nestjs/cache-manager`, so that `@Inject(CACHE_MANAGER)` goes on working. */
export const CACHE_MANAGER = 'CACHE_MANAGER'

/** Metadata of decorators. These two are the ones of `@nestjs/cache-manager`: decorators of either package are understood. */
export const CACHE_KEY_METADATA = 'cache_module:cache_key'
export const CACHE_TTL_METADATA = 'cache_module:cache_ttl'
export const CACHE_TAGS_METADATA = 'fanout-cache:cache_tags'
export const CACHE_AUDIENCE_METADATA = 'fanout-cache:cache_audience'
export const CACHE_NAME_METADATA = 'fanout-cache:cache_name'

/** The token of the options of one registration, inside its module. */
export const CACHE_MODULE_OPTIONS = 'CACHE_MODULE_OPTIONS'
/** The token of what one registration has opened, inside its module. */
export const CACHE_HOST = 'FANOUT_CACHE_HOST'
/** The token of what tells a registration which cache manager the app has. */
export const CACHE_LINK = 'FANOUT_CACHE_LINK'
