import 'reflect-metadata'
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type OnModuleInit,
  Optional,
} from '@nestjs/common'
import { HttpAdapterHost, ModuleRef, ModulesContainer, Reflector } from '@nestjs/core'
import { lastValueFrom, type Observable, of } from 'rxjs'
import { OwnComputation } from '../adapters/own-computation.js'
import { CACHE_MANAGER } from './cache.constants.js'
import { type Cache, getCacheHostToken } from './cache.tokens.js'
import type { CacheHost } from './cache-host.js'
import { namesIn } from './check-decorators.js'
import { computeOnce } from './compute-once.js'
import { isKey, unexpected } from './decorators/check-arguments.js'
import { emittedBy } from './emissions.js'
import { answersByItself } from './handler-kind.js'
import { HandlerNotes } from './handler-notes.js'
import { answerRequest, concernsCache } from './http-answers.js'
import { HttpExchange } from './http-exchange.js'
import { serialized } from './outer-serializers.js'
import { keyOfUrl } from './request-key.js'
import { isStreaming } from './sendable.js'

/**
 * Keeps the answers of GET handlers for all processes, and runs a handler once for concurrent requests. Outside of HTTP
 * it keeps the answers of handlers with a `@CacheKey`.
 *
 * Answers that must not be shared are not kept: see `@CacheAudience` and RFC 9111 §3. Override `trackBy` to choose
 * keys.
 *
 * @example
 * @UseInterceptors(CacheInterceptor)
 */
export class CacheInterceptor implements NestInterceptor, OnModuleInit {
  /** The cache manager of the registration without a name. */
  protected readonly cacheManager: Cache
  /** Reads what decorators note. */
  protected readonly reflector: Reflector
  /** The adapter of the HTTP server. Set by Nest. */
  protected readonly httpAdapterHost?: HttpAdapterHost
  /** Methods whose requests have a key. HEAD is answered from kept answers of GET. */
  protected allowedMethods: string[] = ['GET', 'HEAD']
  /** @internal Set by Nest. */
  protected readonly moduleRef?: ModuleRef
  /** @internal The host of the registration without a name. Set by Nest. */
  protected readonly cacheHost?: CacheHost

  /** Nest makes it. A subclass with a constructor of its own hands both on. */
  constructor(cacheManager: Cache, reflector: Reflector) {
    this.cacheManager = cacheManager
    this.reflector = reflector
  }

  /**
   * Called by Nest.
   *
   * @throws Error when no cache of this package is registered, even if there is one of `@nestjs/cache-manager`
   */
  onModuleInit(): void {
    if (this.cacheHost || !this.moduleRef) return
    // A named registration serves the handlers that name it.
    if (namesIn(this.moduleRef.get(ModulesContainer, { strict: false })).size === 0) throw noCache()
  }

  /** Answers a request from the cache, or keeps the answer of its handler. Nest calls it. */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const isHttp = context.getType<string>() === 'http'
    if (isHttp && answersByItself(context)) return next.handle()
    // Awaited only if it is a promise, which saves one for most requests.
    const tracked = this.trackBy(context)
    const key = typeof tracked === 'string' ? tracked : await tracked
    if (!key) return next.handle()
    if (!isKey(key)) throw unexpected('CacheInterceptor: the key of a request', 'a text', key)
    const notes = HandlerNotes.of(this.reflector, context)
    const host = this.#hostOf(notes)
    if (host.isReplaced) return next.handle()
    const { ttl = host.ttl, tags, audience } = notes.settled ?? (await notes.settle(context))
    if (ttl === 0) return next.handle()
    // Different ones of which would have the same key.
    if (audience.kind === 'person' && !audience.id.isWellFormed()) return next.handle()
    const place = audience.kind === 'person' ? `${encodeURIComponent(audience.id)}\n${key}` : key
    if (!isHttp || !this.httpAdapterHost?.httpAdapter) return keepValue(host, place, { ttl, tags }, next)
    const exchange = new HttpExchange(this.httpAdapterHost.httpAdapter, context)
    if (!concernsCache(exchange) || exchange.isBegun(host.keyOf(place))) return next.handle()
    const body = await answerRequest({
      host,
      exchange,
      key: place,
      isNamed: notes.key !== undefined,
      tags,
      terms: { audience, ttl: ttl ?? Number.POSITIVE_INFINITY, ignoreCookies: host.ignoreCookies },
      prepare: handlingOf(next),
      serialize: value => serialized(value, context, CacheInterceptor, this.moduleRef),
      onFound: value => this.setHeadersWhenHttp(context, value),
    })
    return of(body)
  }

  /** Returns the key of a request. Without one it is not cached. */
  protected trackBy(context: ExecutionContext): Promise<string | null | undefined> | string | null | undefined {
    const noted = HandlerNotes.of(this.reflector, context).key
    if (context.getType<string>() === 'http' && !this.isRequestCacheable(context)) return undefined
    if (noted !== undefined) return typeof noted === 'function' ? noted(context) : noted
    const adapter = this.httpAdapterHost?.httpAdapter
    if (context.getType<string>() !== 'http' || !adapter) return undefined
    return keyOfUrl(String(adapter.getRequestUrl(context.switchToHttp().getRequest())))
  }

  /** Tells whether a request has a key: whether its method is one of `allowedMethods`. */
  protected isRequestCacheable(context: ExecutionContext): boolean {
    const { method } = context.switchToHttp().getRequest<{ readonly method: string }>()
    return this.allowedMethods.includes(method)
  }

  /** Sets `X-Cache` to whether the answer was kept. @param value the kept value; `undefined` when it was not kept */
  protected setHeadersWhenHttp(context: ExecutionContext, value: unknown): void {
    const adapter = this.httpAdapterHost?.httpAdapter
    if (context.getType<string>() !== 'http' || !adapter) return
    adapter.setHeader(context.switchToHttp().getResponse(), 'X-Cache', value === undefined ? 'MISS' : 'HIT')
  }

  #hostOf({ name }: HandlerNotes): CacheHost {
    const host = name === undefined ? this.cacheHost : this.#hostNamed(name)
    if (host) return host
    throw noCache(name)
  }

  #hostNamed(name: string): CacheHost | undefined {
    try {
      return this.moduleRef?.get<CacheHost>(getCacheHostToken(name), { strict: false })
    } catch {
      return undefined
    }
  }
}

Injectable()(CacheInterceptor)
Inject(CACHE_MANAGER)(CacheInterceptor, undefined, 0)
// As a compiler emits it. A subclass with its own constructor replaces it completely.
Reflect.defineMetadata('design:paramtypes', [Object, Reflector], CacheInterceptor)
optional('httpAdapterHost', HttpAdapterHost)
optional('moduleRef', ModuleRef)
optional('cacheHost', getCacheHostToken())

function optional(property: string, token: unknown): void {
  Optional()(CacheInterceptor.prototype, property)
  Inject(token as string)(CacheInterceptor.prototype, property)
}

function noCache(name?: string): Error {
  return new Error(
    `CacheInterceptor of fanout-cache/nest found no cache${name === undefined ? '' : ` of the name ${name}`}: import ` +
      'CacheModule from fanout-cache/nest too, and register it in this module or with isGlobal: true',
  )
}

/** Binds the handler to the async context of its request, which has a cost and is therefore done only on a miss. */
function handlingOf(next: CallHandler): () => () => Promise<unknown> {
  return () => {
    const handled = next.handle()
    return () => lastValueFrom(handled)
  }
}

/** Keeps the answer of a handler outside of HTTP under the key chosen by the app. Streams are passed through. */
async function keepValue(
  host: CacheHost,
  key: string,
  { ttl, tags }: { readonly ttl: number | undefined; readonly tags: readonly string[] },
  next: CallHandler,
): Promise<Observable<unknown>> {
  let stream: Observable<unknown> | undefined
  const full = host.keyOf(key)
  const own = new OwnComputation(host.cache, full)
  // Nest binds the handler to the async context of this call.
  const handled = own.run(() => next.handle())
  const value = await computeOnce({
    cache: host.cache,
    key: full,
    options: { tags, ttl },
    compute: async () => {
      const emitted = await emittedBy(handled).finally(() => own.end())
      if ('value' in emitted) return { value: emitted.value, keep: !isStreaming(emitted.value) }
      stream = emitted.stream
      return { value: undefined, keep: false }
    },
    report: error => host.report('CacheInterceptor', error),
  })
  return stream ?? of(value)
}
