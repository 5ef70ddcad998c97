import { type CustomDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common'
import type { Duration } from '../../engine/index.js'
import {
  CACHE_AUDIENCE_METADATA,
  CACHE_KEY_METADATA,
  CACHE_NAME_METADATA,
  CACHE_TAGS_METADATA,
  CACHE_TTL_METADATA,
} from '../cache.constants.js'
import { lifeOf } from '../cache-life.js'
import { isText, unexpected } from './check-arguments.js'

/** Returns the key of a request. `undefined` or `null`: it is not cached. */
export type CacheKeyFactory = (
  context: ExecutionContext,
) => string | Promise<string | null | undefined> | null | undefined
/** Returns a time to live. 0: not cached. */
export type CacheTTLFactory = (context: ExecutionContext) => Duration | Promise<Duration>
/** Returns the tags of an answer that is about to be computed. */
export type CacheTagsFactory = (context: ExecutionContext) => readonly string[] | Promise<readonly string[]>
/** Returns for whom an answer is, such as the id of a user. `undefined`: for all requests without credentials. */
export type CacheAudienceFactory = (
  context: ExecutionContext,
) => string | number | undefined | Promise<string | number | undefined>

/**
 * Sets the key under which `CacheInterceptor` keeps the answer of a handler, instead of its URL.
 * `cacheManager.del(key)` takes the same key. Required outside of HTTP.
 *
 * @throws TypeError for an empty string, and for a value that is neither a string nor a function
 * @example
 * @CacheKey('cats')
 */
export function CacheKey(key: string | CacheKeyFactory): CustomDecorator<string> {
  if (!isText(key) && typeof key !== 'function')
    throw unexpected('@CacheKey', 'a text or a function of the context', key)
  return SetMetadata(CACHE_KEY_METADATA, key)
}

/**
 * Sets how long an answer is kept: milliseconds or a string such as `'5m'`; 0: not cached. For handlers and
 * controllers.
 *
 * @throws TypeError or RangeError for a wrong time to live
 */
export function CacheTTL(ttl: Duration | CacheTTLFactory): CustomDecorator<string> {
  if (ttl === undefined || ttl === null)
    throw unexpected('@CacheTTL', 'a time to live or a function of the context', ttl)
  if (typeof ttl !== 'function') lifeOf(ttl, '@CacheTTL')
  return SetMetadata(CACHE_TTL_METADATA, ttl)
}

/**
 * Sets tags by which answers are removed together, with `@CacheEvict({ tags })` or `evict` of the engine. For handlers
 * and controllers.
 *
 * @throws TypeError for anything but strings or one function
 */
export function CacheTags(...tags: readonly string[] | readonly [CacheTagsFactory]): CustomDecorator<string> {
  const isFunction = typeof tags[0] === 'function' && tags.length === 1
  const wrong = isFunction ? undefined : tags.findIndex(tag => typeof tag !== 'string')
  if (wrong !== undefined && wrong >= 0)
    throw unexpected('@CacheTags', 'texts or one function of the context', tags[wrong])
  return SetMetadata(CACHE_TAGS_METADATA, typeof tags[0] === 'function' ? tags[0] : tags)
}

/**
 * Sets who may share an answer. Without it, requests with credentials (`Authorization`, `Cookie`, a `user` set by a
 * guard) neither get a kept answer nor leave one, unless its Cache-Control allows that (RFC 9111 §3.5).
 *
 * - `'everyone'`: the answer is the same for all requests, whatever they contain.
 * - a function: requests for which it returns the same string, such as the id of a user, share an answer.
 *
 * @throws TypeError for anything else
 * @example
 * @CacheAudience(context => context.switchToHttp().getRequest().user.id)
 */
export function CacheAudience(audience: 'everyone' | CacheAudienceFactory): CustomDecorator<string> {
  if (audience !== 'everyone' && typeof audience !== 'function') {
    throw unexpected('@CacheAudience', "'everyone' or a function of the context", audience)
  }
  return SetMetadata(CACHE_AUDIENCE_METADATA, audience)
}

/**
 * Keeps the answers of a handler or controller in the cache that was registered with this name.
 *
 * @throws TypeError for an empty string and for a value that is no string
 */
export function CacheName(name: string): CustomDecorator<string> {
  if (!isText(name)) throw unexpected('@CacheName', 'a text', name)
  return SetMetadata(CACHE_NAME_METADATA, name)
}
