import 'reflect-metadata'
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  Optional,
} from '@nestjs/common'
import { HttpAdapterHost, ModuleRef, Reflector } from '@nestjs/core'
import { lastValueFrom, type Observable, of } from 'rxjs'
import type { Duration } from '../engine/index.js'
import {
  CACHE_AUDIENCE_METADATA,
  CACHE_KEY_METADATA,
  CACHE_MANAGER,
  CACHE_NAME_METADATA,
  CACHE_TAGS_METADATA,
  CACHE_TTL_METADATA,
} from './cache.constants.js'
import { type Cache, getCacheHostToken } from './cache.tokens.js'
import type { CacheHost } from './cache-host.js'
import { lifeOf } from './cache-life.js'
import { computeOnce } from './compute-once.js'
import type {
  CacheAudienceFactory,
  CacheKeyFactory,
  CacheTagsFactory,
  CacheTTLFactory,
} from './decorators/answer.decorators.js'
import { answersByItself } from './handler-kind.js'
import { answerRequest, concernsCache } from './http-answers.js'
import { HttpExchange } from './http-exchange.js'
import type { Audience } from './http-rules.js'
import { keyOfUrl } from './request-key.js'
import { isStreaming } from './sendable.js'

type Tracked = string | null | undefined

/**
 * Keeps what handlers of GET answer, for all processes, and runs each handler once for those who ask at the same time.
 * Outside of HTTP it keeps what has a `@CacheKey`.
 *
 * Answers that must not be shared are not: see `@CacheAudience`, and RFC 9111 §3. `trackBy` can be overridden to choose keys.
 *
 * @example
 * @UseInterceptors(CacheInterceptor)
 */
export class CacheInterceptor implements NestInterceptor {
  protected readonly cacheManager: Cache
  protected readonly reflector: Reflector
  protected readonly httpAdapterHost?: HttpAdapterHost
  /** Methods whose requests have a key. HEAD is answered from what GET has left. */
  protected allowedMethods: string[] = ['GET', 'HEAD']
  /** Set by Nest. */
  protected readonly moduleRef?: ModuleRef
  /** Of the registration without a name; set by Nest. */
  protected readonly cacheHost?: CacheHost

  constructor(cacheManager: Cache, reflector: Reflector) {
    this.cacheManager = cacheManager
    this.reflector = reflector
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const isHttp = context.getType<string>() === 'http'
    if (isHttp && answersByItself(context)) return next.handle()
    const key = await this.trackBy(context)
    if (!key) return next.handle()
    const host = this.#hostOf(context)
    const ttl = lifeOf(await this.#noted<Duration>(CACHE_TTL_METADATA, context), '@CacheTTL') ?? host.ttl
    if (ttl === 0) return next.handle()
    const tags = (await this.#noted<readonly string[]>(CACHE_TAGS_METADATA, context)) ?? []
    const audience = await this.#audienceOf(context)
    const handled = next.handle()
    const handle = (): Promise<unknown> => lastValueFrom(handled, { defaultValue: undefined })
    const place = audience.kind === 'person' ? `${encodeURIComponent(audience.id)}\n${key}` : key
    if (!isHttp || !this.httpAdapterHost?.httpAdapter) return of(await keepValue(host, place, ttl, tags, handle))
    const exchange = new HttpExchange(this.httpAdapterHost.httpAdapter, context)
    if (!concernsCache(exchange)) return handled
    const body = await answerRequest({
      host,
      exchange,
      key: place,
      isNamed: this.#has(CACHE_KEY_METADATA, context),
      tags,
      terms: { audience, ttl: ttl ?? Number.POSITIVE_INFINITY, ignoreCookies: host.ignoreCookies },
      handle,
      onFound: value => this.setHeadersWhenHttp(context, value),
    })
    return of(body)
  }

  /** The key of a request; without one it is not cached. */
  protected trackBy(context: ExecutionContext): Promise<Tracked> | Tracked {
    const noted = this.reflector.get<string | CacheKeyFactory | undefined>(CACHE_KEY_METADATA, context.getHandler())
    if (context.getType<string>() === 'http' && !this.isRequestCacheable(context)) return undefined
    if (noted !== undefined) return typeof noted === 'function' ? noted(context) : noted
    const adapter = this.httpAdapterHost?.httpAdapter
    if (context.getType<string>() !== 'http' || !adapter) return undefined
    return keyOfUrl(String(adapter.getRequestUrl(context.switchToHttp().getRequest())))
  }

  protected isRequestCacheable(context: ExecutionContext): boolean {
    const { method } = context.switchToHttp().getRequest<{ readonly method: string }>()
    return this.allowedMethods.includes(method)
  }

  /** Says in `X-Cache` whether the answer was kept: `undefined` when it was not. */
  protected setHeadersWhenHttp(context: ExecutionContext, value: unknown): void {
    const adapter = this.httpAdapterHost?.httpAdapter
    if (context.getType<string>() !== 'http' || !adapter) return
    adapter.setHeader(context.switchToHttp().getResponse(), 'X-Cache', value === undefined ? 'MISS' : 'HIT')
  }

  #hostOf(context: ExecutionContext): CacheHost {
    const name = this.reflector.getAllAndOverride<string | undefined>(CACHE_NAME_METADATA, targetsOf(context))
    const host = name === undefined ? this.cacheHost : this.#hostNamed(name)
    if (host) return host
    throw new Error(
      `CacheInterceptor of fanout-cache/nest found no cache${name === undefined ? '' : ` of the name ${name}`}: import ` +
        'CacheModule from fanout-cache/nest too, and register it in this module or with isGlobal: true',
    )
  }

  #hostNamed(name: string): CacheHost | undefined {
    try {
      return this.moduleRef?.get<CacheHost>(getCacheHostToken(name), { strict: false })
    } catch {
      return undefined
    }
  }

  async #audienceOf(context: ExecutionContext): Promise<Audience> {
    const who = await this.#noted<string | number | undefined>(CACHE_AUDIENCE_METADATA, context)
    if (who === undefined || who === null || who === '') return { kind: 'anonymous' }
    const isFunction = typeof this.#metadata<unknown>(CACHE_AUDIENCE_METADATA, context) === 'function'
    return isFunction ? { kind: 'person', id: String(who) } : { kind: 'everyone' }
  }

  /** What a decorator of the handler or its class has noted, or what its function answers. */
  async #noted<T>(name: string, context: ExecutionContext): Promise<T | undefined> {
    type Factory = CacheAudienceFactory | CacheTagsFactory | CacheTTLFactory
    const noted = this.#metadata<T | Factory>(name, context)
    return typeof noted === 'function' ? ((await (noted as Factory)(context)) as T) : (noted as T | undefined)
  }

  #metadata<T>(name: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(name, targetsOf(context))
  }

  #has(name: string, context: ExecutionContext): boolean {
    return this.reflector.get(name, context.getHandler()) !== undefined
  }
}

Injectable()(CacheInterceptor)
Inject(CACHE_MANAGER)(CacheInterceptor, undefined, 0)
// As a compiler would note it: a subclass with a constructor of its own replaces it as a whole.
Reflect.defineMetadata('design:paramtypes', [Object, Reflector], CacheInterceptor)
optional('httpAdapterHost', HttpAdapterHost)
optional('moduleRef', ModuleRef)
optional('cacheHost', getCacheHostToken())

function optional(property: string, token: unknown): void {
  Optional()(CacheInterceptor.prototype, property)
  Inject(token as string)(CacheInterceptor.prototype, property)
}

function targetsOf(
  context: ExecutionContext,
): [ReturnType<ExecutionContext['getHandler']>, ReturnType<ExecutionContext['getClass']>] {
  return [context.getHandler(), context.getClass()]
}

/** What a handler outside of HTTP answers, under the key that the app has chosen. */
async function keepValue(
  host: CacheHost,
  key: string,
  ttl: number | undefined,
  tags: readonly string[],
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const { value } = await computeOnce<unknown>({
    cache: host.cache,
    key: host.keyOf(key),
    options: { tags, ...(ttl !== undefined && { ttl }) },
    compute: async () => {
      const value = await handle()
      return { value, keep: !isStreaming(value) }
    },
    report: error => host.report('CacheInterceptor', error),
  })
  return value
}
