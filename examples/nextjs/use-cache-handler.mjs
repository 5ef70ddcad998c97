/** For `use cache` and `use cache: remote` of Next.js 16. */
export { useCacheHandler as default } from './cache.mjs'
