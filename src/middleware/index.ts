export type { ResponseCacheOptions } from './options.js'
export { type PurgeOptions, purge } from './purge.js'
export { type Middleware, responseCache } from './response-cache.js'
