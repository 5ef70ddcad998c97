import type { ExecutionContext } from '@nestjs/common'
import type { Reflector } from '@nestjs/core'
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
import type { Audience } from './http-rules.js'

/** What the decorators of one handler and its class say. Read once: each name takes a walk through prototypes. */
export class HandlerNotes {
  readonly key: string | CacheKeyFactory | undefined
  /** Of the registration. */
  readonly name: string | undefined
  readonly #ttl: number | CacheTTLFactory | undefined
  readonly #tags: readonly string[] | CacheTagsFactory | undefined
  readonly #audience: 'everyone' | CacheAudienceFactory | undefined

  private constructor(reflector: Reflector, context: ExecutionContext) {
    const targets: [ReturnType<ExecutionContext['getHandler']>, ReturnType<ExecutionContext['getClass']>] = [
      context.getHandler(),
      context.getClass(),
    ]
    const noted = <T>(name: string): T | undefined => reflector.getAllAndOverride<T | undefined>(name, targets)
    // One key for all handlers of a class would mix up their answers.
    this.key = reflector.get<string | CacheKeyFactory | undefined>(CACHE_KEY_METADATA, targets[0])
    this.name = noted(CACHE_NAME_METADATA)
    const ttl = noted<unknown>(CACHE_TTL_METADATA)
    this.#ttl = typeof ttl === 'function' ? (ttl as CacheTTLFactory) : lifeOf(ttl, '@CacheTTL')
    this.#tags = noted(CACHE_TAGS_METADATA)
    this.#audience = noted(CACHE_AUDIENCE_METADATA)
  }

  /** @throws TypeError or RangeError when a decorator holds what nobody can read */
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

  /** Milliseconds; 0: not cached. `undefined`: nobody has said. */
  ttlFor(context: ExecutionContext): number | undefined | Promise<number | undefined> {
    if (typeof this.#ttl !== 'function') return this.#ttl
    return Promise.resolve(this.#ttl(context)).then(ttl => lifeOf(ttl, '@CacheTTL'))
  }

  tagsFor(context: ExecutionContext): readonly string[] | Promise<readonly string[]> {
    return (typeof this.#tags === 'function' ? this.#tags(context) : this.#tags) ?? []
  }

  audienceFor(context: ExecutionContext): Audience | Promise<Audience> {
    if (this.#audience === undefined) return ANONYMOUS
    if (typeof this.#audience !== 'function') return EVERYONE
    return Promise.resolve(this.#audience(context)).then(personOf)
  }
}

/** By handler and class: classes that extend one share its handlers. */
const known = new WeakMap<object, WeakMap<object, HandlerNotes>>()

const ANONYMOUS: Audience = { kind: 'anonymous' }
const EVERYONE: Audience = { kind: 'everyone' }

function personOf(who: string | number | null | undefined): Audience {
  return who === undefined || who === null || who === '' ? ANONYMOUS : { kind: 'person', id: String(who) }
}
