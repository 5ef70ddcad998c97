export type { CacheSource, DoorOptions } from '../open-cache.js'
export type {
  CacheControl,
  CacheValue,
  FoundValue,
  GetContext,
  HandlerContext,
  NextCacheHandler,
  NextCacheHandlerClass,
  SetContext,
} from './cache-handler.js'
export { type NextHandlers, type NextHandlersOptions, nextHandlers } from './next-handlers.js'
export type { Durations } from './revalidations.js'
export type { NextUseCacheHandler, UseCacheEntry, UseCacheFields } from './use-cache-handler.js'
