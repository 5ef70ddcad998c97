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

/** Answers the key of a request; `undefined` or `null`: it is not cached. */
export type CacheKeyFactory = (
  context: ExecutionContext,
) => string | Promise<string | null | undefined> | null | undefined
/** Answers a time to live; 0: not cached. */
export type CacheTTLFactory = (context: ExecutionContext) => Duration | Promise<Duration>
/** Answers the tags of what is about to be computed. */
export type CacheTagsFactory = (context: ExecutionContext) => readonly string[] | Promise<readonly string[]>
/** Answers who an answer is for, such as the id of a user; `undefined`: for whoever sends no credentials. */
export type CacheAudienceFactory = (
  context: ExecutionContext,
) => string | number | undefined | Promise<string | number | undefined>

/**
 * The key under which `CacheInterceptor` keeps what a handler answers, instead of its URL: the same that
 * `cacheManager.del(key)` takes. Needed outside of HTTP.
 *
 * @throws TypeError for an empty text, and for what is neither a text nor a function
 * @example
 * @CacheKey('cats')
 */
export function CacheKey(key: string | CacheKeyFactory): CustomDecorator<string> {
  if (!isText(key) && typeof key !== 'function')
    throw unexpected('@CacheKey', 'a text or a function of the context', key)
  return SetMetadata(CACHE_KEY_METADATA, key)
}

/**
 * How long an answer is kept: milliseconds, or a string such as `'5m'`; 0: it is not cached. On handlers and controllers.
 *
 * @throws TypeError or RangeError for what is no time to live
 */
export function CacheTTL(ttl: Duration | CacheTTLFactory): CustomDecorator<string> {
  if (ttl === undefined || ttl === null)
    throw unexpected('@CacheTTL', 'a time to live or a function of the context', ttl)
  if (typeof ttl !== 'function') lifeOf(ttl, '@CacheTTL')
  return SetMetadata(CACHE_TTL_METADATA, ttl)
}

/**
 * Tags by which answers can be removed together, with `@CacheEvict({ tags })` or the engine's `evict`. On handlers and
 * controllers.
 *
 * @throws TypeError for what is neither texts nor one function
 */
export function CacheTags(...tags: readonly string[] | readonly [CacheTagsFactory]): CustomDecorator<string> {
  const isFunction = typeof tags[0] === 'function' && tags.length === 1
  const wrong = isFunction ? undefined : tags.findIndex(tag => typeof tag !== 'string')
  if (wrong !== undefined && wrong >= 0)
    throw unexpected('@CacheTags', 'texts or one function of the context', tags[wrong])
  return SetMetadata(CACHE_TAGS_METADATA, typeof tags[0] === 'function' ? tags[0] : tags)
}

/**
 * Who may share an answer. Without it, requests that carry credentials (`Authorization`, `Cookie`, a `user` that a guard
 * has set) neither get a kept answer nor leave one, unless its own Cache-Control allows it (RFC 9111 §3.5).
 *
 * - `'everyone'`: the answer is the same for all, whatever they send.
 * - a function: those for whom it answers the same text share an answer, such as one user.
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
 * @throws TypeError for an empty text, and for what is none
 */
export function CacheName(name: string): CustomDecorator<string> {
  if (!isText(name)) throw unexpected('@CacheName', 'a text', name)
  return SetMetadata(CACHE_NAME_METADATA, name)
}
