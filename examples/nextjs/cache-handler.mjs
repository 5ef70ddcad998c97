/** For pages, route handlers, `fetch`, `unstable_cache` and images. */
export { CacheHandler as default } from './cache.mjs'
