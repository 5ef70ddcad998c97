import type { ExecutionContext } from '@nestjs/common'
import type { Reflector } from '@nestjs/core'
import type { Duration } from '../engine/index.js'
import {
  CACHE_AUDIENCE_METADATA,
  CACHE_KEY_METADATA,
  CACHE_NAME_METADATA,
  CACHE_TAGS_METADATA,
  CACHE_TTL_METADATA,
} from './cache.constants.js'
import { lifeOf } from './cache-life.js'
import type {
  CacheAudienceFactory,
  CacheKeyFactory,
  CacheTagsFactory,
  CacheTTLFactory,
} from './decorators/answer.decorators.js'
import { isKey, unexpected } from './decorators/check-arguments.js'
import type { Audience } from './http-rules.js'

/** The metadata of one handler and its class. It is read once, since each name needs a walk through prototypes. */
export class HandlerNotes {
  readonly key: string | CacheKeyFactory | undefined
  /** The name of the registration. */
  readonly name: string | undefined
  /** The result of `settle` when no decorator has a function. */
  readonly settled: Settled | undefined
  readonly #ttl: Duration | CacheTTLFactory | undefined
  readonly #tags: readonly string[] | CacheTagsFactory | undefined
  readonly #audience: 'everyone' | CacheAudienceFactory | undefined

  private constructor(reflector: Reflector, context: ExecutionContext) {
    const targets: [ReturnType<ExecutionContext['getHandler']>, ReturnType<ExecutionContext['getClass']>] = [
      context.getHandler(),
      context.getClass(),
    ]
    const noted = <T>(name: string): T | undefined => reflector.getAllAndOverride<T | undefined>(name, targets)
    // Only of the handler: one key for all handlers of a class would mix up their answers.
    this.key = reflector.get<string | CacheKeyFactory | undefined>(CACHE_KEY_METADATA, targets[0])
    this.name = noted(CACHE_NAME_METADATA)
    this.#ttl = noted(CACHE_TTL_METADATA)
    this.#tags = noted(CACHE_TAGS_METADATA)
    this.#audience = noted(CACHE_AUDIENCE_METADATA)
    const ttl = this.#ttl
    const tags = this.#tags ?? []
    if (typeof ttl === 'function' || typeof tags === 'function' || typeof this.#audience === 'function') return
    const audience = this.#audience === undefined ? ANONYMOUS : EVERYONE
    this.settled = { ttl: lifeOf(ttl, '@CacheTTL'), tags, audience }
  }

  /** Reads the metadata. @throws TypeError or RangeError when a decorator has a wrong value */
  static of(reflector: Reflector, context: ExecutionContext): HandlerNotes {
    const handler = context.getHandler()
    const type = context.getClass()
    const ofHandler = known.get(handler) ?? new WeakMap<object, HandlerNotes>()
    known.set(handler, ofHandler)
    const found = ofHandler.get(type)
    if (found) return found
    const notes = new HandlerNotes(reflector, context)
    ofHandler.set(type, notes)
    return notes
  }

  /** Calls the functions of decorators for one request, until one shows that it is not cached. */
  async settle(context: ExecutionContext): Promise<Settled> {
    const ttl = lifeOf(typeof this.#ttl === 'function' ? await this.#ttl(context) : this.#ttl, '@CacheTTL')
    if (ttl === 0) return { ttl, tags: [], audience: ANONYMOUS }
    const tags = (typeof this.#tags === 'function' ? await this.#tags(context) : this.#tags) ?? []
    return { ttl, tags, audience: await this.#audienceFor(context) }
  }

  async #audienceFor(context: ExecutionContext): Promise<Audience> {
    if (typeof this.#audience !== 'function') return this.#audience === undefined ? ANONYMOUS : EVERYONE
    const who = await this.#audience(context)
    if (who === undefined || who === null || who === '') return ANONYMOUS
    // As a text, objects are all the same, and their answers would be for everybody.
    if (isKey(who)) return { kind: 'person', id: String(who) }
    throw unexpected('@CacheAudience', 'a text or a number, such as user.id,', who)
  }
}

/** The metadata for one request. */
export interface Settled {
  /** Time to live. Milliseconds; 0: not cached; `undefined`: not given. */
  readonly ttl: number | undefined
  readonly tags: readonly string[]
  readonly audience: Audience
}

/** The metadata by handler and class, since subclasses share handlers. */
const known = new WeakMap<object, WeakMap<object, HandlerNotes>>()

const ANONYMOUS: Audience = { kind: 'anonymous' }
const EVERYONE: Audience = { kind: 'everyone' }
