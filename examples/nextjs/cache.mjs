// @ts-check
/** One cache for all processes of the app, opened once by the first handler that Next.js makes. */
import { nextHandlers } from 'fanout-cache/next'

export const { CacheHandler, useCacheHandler } = nextHandlers(
  process.env.NEXT_CACHE_DIRECTORY ?? '.next/cache/fanout-cache',
  {
    sizeLimit: 2 * 1024 ** 3,
    evictionPolicy: 'least-recently-used',
    onError: error => console.error('The cache cannot be used:', error),
  },
)
