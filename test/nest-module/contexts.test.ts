import { AsyncLocalStorage } from 'node:async_hooks'
import { Readable } from 'node:stream'
import {
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Logger,
  Param,
  Scope,
  StreamableFile,
  UseInterceptors,
  VersioningType,
} from '@nestjs/common'
import { APP_INTERCEPTOR, ExternalContextCreator, REQUEST } from '@nestjs/core'
import type { FanoutCache } from 'fanout-cache'
import {
  CACHE_MANAGER,
  Cacheable,
  CacheEvict,
  CacheInterceptor,
  CacheKey,
  CacheModule,
  CacheTTL,
  getDiskCacheToken,
} from 'fanout-cache/nest'
import { EMPTY, from, lastValueFrom, type Observable, of, Subject, toArray } from 'rxjs'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { createApp, startApp } from './nest-app.js'

let calls = 0

beforeEach(() => {
  calls = 0
})

const registered = (directory = temporaryDirectory()) => CacheModule.register({ directory, shards: 1 })

/** Handlers of transports that are not HTTP. */
@Injectable()
@UseInterceptors(CacheInterceptor)
class Messages {
  plain(_root: unknown, args: object) {
    return { args, calls: ++calls }
  }

  nothing(): void {
    calls++
  }

  async *subscription() {
    calls++
    yield 1
  }

  fails(): never {
    calls++
    throw new RangeError('no such thing')
  }

  @CacheKey('kept')
  kept() {
    return { calls: ++calls }
  }

  @CacheKey('kept-nothing')
  keptNothing(): void {
    calls++
  }

  @CacheKey('kept-fails')
  keptFails(): never {
    calls++
    throw new RangeError('no such thing')
  }

  @CacheKey('kept-subscription')
  async *keptSubscription() {
    calls++
    yield 1
  }

  @CacheKey((context: ExecutionContext) => `by ${context.getArgByIndex(1).id}`)
  chosen(_root: unknown, { id }: { id: string }) {
    return { id, calls: ++calls }
  }

  @CacheKey('never')
  @CacheTTL(0)
  never() {
    return ++calls
  }
}

/** What a handler answers through guards, interceptors and pipes, as `@nestjs/graphql` and others call theirs. */
async function callerOf(transport: string) {
  const app = await createApp({ imports: [registered()], providers: [Messages] })
  const creator = app.get(ExternalContextCreator)
  const messages = app.get(Messages)
  const call = async (method: keyof Messages, args: object = {}): Promise<any> => {
    const run = creator.create(
      messages,
      messages[method] as (...args: unknown[]) => unknown,
      method,
      undefined,
      undefined,
      undefined,
      undefined,
      { guards: true, interceptors: true, filters: false },
      transport,
    )
    return run(undefined, args, {}, {})
  }
  return { app, call, cache: app.get<FanoutCache>(getDiskCacheToken()) }
}

describe.each(['graphql', 'rpc', 'ws'])('CacheInterceptor on handlers of %s', transport => {
  it('lets through what has no @CacheKey', async () => {
    const { call, cache } = await callerOf(transport)
    expect(await call('plain', { id: 1 })).toEqual({ args: { id: 1 }, calls: 1 })
    expect(await call('plain', { id: 2 })).toEqual({ args: { id: 2 }, calls: 2 })
    expect(await call('nothing')).toBeUndefined()
    await expect(call('fails')).rejects.toThrow(RangeError)
    const iterated: unknown[] = []
    for await (const one of await call('subscription')) iterated.push(one)
    expect(iterated).toEqual([1])
    expect([calls, await cache.count()]).toEqual([5, 0])
  })

  it('keeps what has one, for all who ask', async () => {
    const { app, call } = await callerOf(transport)
    expect([await call('kept'), await call('kept')]).toEqual([{ calls: 1 }, { calls: 1 }])
    expect(await app.get(CACHE_MANAGER).get('kept')).toEqual({ calls: 1 })
    for (const id of ['a', 'b', 'a', 'b']) expect((await call('chosen', { id })).id).toBe(id)
    expect(calls).toBe(3)
  })

  it('keeps neither nothing, errors nor streams', async () => {
    const { call, cache } = await callerOf(transport)
    for (const _ of [1, 2]) {
      expect(await call('keptNothing')).toBeUndefined()
      await expect(call('keptFails')).rejects.toThrow(RangeError)
      for await (const one of await call('keptSubscription')) expect(one).toBe(1)
    }
    expect([await call('never'), await call('never')]).toEqual([7, 8])
    expect(await cache.count()).toBe(0)
  })
})

describe('CacheInterceptor on an Observable outside of HTTP', () => {
  /** Listens as a gateway or a microservice does, to what the handler emits. */
  async function listener() {
    const app = await createApp({ imports: [registered()], providers: [Messages, CacheInterceptor] })
    const interceptor = app.get(CacheInterceptor)
    const context = {
      getType: () => 'ws',
      getHandler: () => Messages.prototype.kept,
      getClass: () => Messages,
    } as unknown as ExecutionContext
    return {
      listen: (handled: Observable<unknown>) => interceptor.intercept(context, { handle: () => handled }),
      cache: app.get<FanoutCache>(getDiskCacheToken()),
    }
  }

  it('keeps its one value', async () => {
    const { listen } = await listener()
    for (const handled of [of('first'), of('second')]) {
      expect(await lastValueFrom((await listen(handled)).pipe(toArray()))).toEqual(['first'])
    }
  })

  it.each<[string, unknown]>([
    ['a stream', Readable.from(['a'])],
    ['a web stream', new Blob(['a']).stream()],
    ['a Blob', new Blob(['a'])],
    ['a response', new Response('a')],
    ['a file to be streamed', new StreamableFile(Buffer.from('a'))],
  ])('keeps nothing of %s, and does not try to', async (_what, value) => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockReturnValue()
    onTestFinished(() => logged.mockRestore())
    const { listen, cache } = await listener()
    for (const _ of [1, 2]) expect(await lastValueFrom(await listen(of(value)))).toBe(value)
    expect([await cache.count(), logged.mock.calls]).toEqual([0, []])
  })

  it.each<[string, Observable<unknown>, unknown[]]>([
    ['several values', from(['a', 'b', 'c']), ['a', 'b', 'c']],
    ['none', EMPTY, []],
  ])('passes on %s, and keeps none', async (_, handled, values) => {
    const { listen, cache } = await listener()
    for (const __ of [1, 2]) expect(await lastValueFrom((await listen(handled)).pipe(toArray()))).toEqual(values)
    expect(await cache.count()).toBe(0)
  })

  it('passes on each value when it comes, the error at the end, and that nobody listens any more', async () => {
    const { listen } = await listener()
    const source = new Subject<unknown>()
    const answered = listen(source)
    await expect.poll(() => source.observed, { interval: 1 }).toBe(true)
    source.next('a')
    const seen: unknown[] = []
    const listening = (await answered).subscribe({ next: value => seen.push(value), error: error => seen.push(error) })
    expect(seen).toEqual(['a'])
    source.next('b')
    expect(seen).toEqual(['a', 'b'])
    source.error('broken')
    expect(seen).toEqual(['a', 'b', 'broken'])
    listening.unsubscribe()

    const other = new Subject<unknown>()
    const again = listen(other)
    await expect.poll(() => other.observed, { interval: 1 }).toBe(true)
    other.next('a')
    const second = (await again).subscribe()
    second.unsubscribe()
    expect(other.observed).toBe(false)
  })
})

describe('CacheInterceptor for a whole app', () => {
  const contexts = new AsyncLocalStorage<string>()

  @Controller('items')
  class Items {
    @Get('context/:id')
    async context(@Param('id') id: string) {
      await null
      return { id, context: contexts.getStore(), calls: ++calls }
    }

    @Get('number')
    number() {
      return { number: ++calls }
    }
  }

  const start = (configure?: (app: INestApplication) => unknown) =>
    startApp(
      {
        imports: [registered()],
        controllers: [Items],
        providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
      },
      configure,
    )

  it('runs handlers in the async context of their request', async () => {
    const app = await start(app =>
      app.use((req: { url: string }, _res: unknown, next: () => void) => contexts.run(req.url, next)),
    )
    const paths = Array.from({ length: 8 }, (_, at) => `/items/context/${at}`)
    const answers = await Promise.all(paths.map(path => app.get(path)))
    expect(answers.map(({ body }) => body.context)).toEqual(paths)
    expect(await app.cached(...paths.map(path => [path] as const))).toEqual(paths.map(() => 'HIT'))
  })

  it('knows answers by the URL that clients ask for, with its prefix and version', async () => {
    const app = await start(app => {
      app.setGlobalPrefix('api')
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: ['1', '2'] })
    })
    const paths = ['/api/v1/items/number', '/api/v2/items/number'] as const
    expect(await app.cached(...[...paths, ...paths].map(path => [path] as const))).toEqual([
      'MISS',
      'MISS',
      'HIT',
      'HIT',
    ])
    await app.app.get(CACHE_MANAGER).del('/api/v1/items/number')
    expect(await app.cached([paths[0]], [paths[1]])).toEqual(['MISS', 'HIT'])
  })

  it('leaves a URL without a handler to Nest', async () => {
    const app = await start()
    for (const _ of [1, 2]) expect((await app.get('/items/none')).status).toBe(404)
  })
})

describe('A provider for each request', () => {
  @Injectable({ scope: Scope.REQUEST })
  class Reader {
    readonly #request: { readonly url: string }

    constructor(@Inject(REQUEST) request: { readonly url: string }) {
      this.#request = request
    }

    @Cacheable({ key: (id: string) => `book:${id}`, tags: ['books'] })
    async book(id: string): Promise<object> {
      return { id, url: this.#request.url, calls: ++calls }
    }

    @CacheEvict({ tags: ['books'] })
    async forget(): Promise<string> {
      return this.#request.url
    }
  }

  @Controller()
  class Books {
    readonly #reader: Reader

    constructor(@Inject(Reader) reader: Reader) {
      this.#reader = reader
    }

    @Get('book/:id')
    book(@Param('id') id: string) {
      return this.#reader.book(id)
    }

    @Get('page')
    @UseInterceptors(CacheInterceptor)
    page() {
      return { number: ++calls }
    }

    @Get('forget')
    forget() {
      return this.#reader.forget()
    }
  }

  it('shares with the others what its methods keep, and has its own request where they run', async () => {
    const app = await startApp({ imports: [registered()], controllers: [Books], providers: [Reader] })
    const first = (await app.get('/book/1?first')).body
    expect(first).toEqual({ id: '1', url: '/book/1?first', calls: 1 })
    expect((await app.get('/book/1?second')).body).toEqual(first)
    expect((await app.get('/forget')).body).toBe('/forget')
    expect((await app.get('/book/1?third')).body).toEqual({ id: '1', url: '/book/1?third', calls: 2 })
    expect(await app.cached(['/page'], ['/page'])).toEqual(['MISS', 'HIT'])
  })
})
