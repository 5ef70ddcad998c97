import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  Headers as HeadersOf,
  HttpCode,
  HttpException,
  Injectable,
  type NestInterceptor,
  Param,
  Redirect,
  Req,
  Res,
  Sse,
  StreamableFile,
  type Type,
  UseInterceptors,
  Version,
  VersioningType,
} from '@nestjs/common'
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import type { FanoutCache } from 'fanout-cache'
import { diskStore } from 'fanout-cache/cache-manager'
import {
  CACHE_MANAGER,
  CacheAudience,
  CacheInterceptor,
  CacheKey,
  CacheModule,
  type CacheModuleOptions,
  CacheTTL,
  getDiskCacheToken,
} from 'fanout-cache/nest'
import { EMPTY, of, retry } from 'rxjs'
import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { type NestApp, startApp } from './nest-app.js'

/** How often handlers have run. */
let calls = 0

class Account {
  readonly id = 7
  readonly password = 'secret'

  toJSON(): object {
    return { id: this.id }
  }
}

@Controller()
@UseInterceptors(CacheInterceptor)
class Pages {
  @Get('number')
  number(): object {
    return { number: ++calls }
  }

  @Get('null')
  null(): null {
    calls++
    return null
  }

  @Get('text/:text')
  text(@Param('text') text: string): string {
    calls++
    return text
  }

  @Get('large')
  large(): string {
    return `${++calls} `.repeat(100_000)
  }

  @Get('false')
  false(): boolean {
    calls++
    return false
  }

  @Get('bytes')
  bytes(): Buffer {
    calls++
    return Buffer.from('bytes')
  }

  @Get('account')
  account(): unknown {
    calls++
    return { accounts: [new Account()] }
  }

  @Get('dates')
  dates(): unknown {
    calls++
    return { at: new Date(0), nested: { list: [1, null, 'a'] } }
  }

  @Get('marked')
  marked(): unknown {
    calls++
    return { 'fanout-cache:kept': 'answer', body: 'forged' }
  }

  @Get('observable')
  observable(): unknown {
    calls++
    return of({ a: 1 }, { a: 2 })
  }

  @Get('status')
  status(@Res({ passthrough: true }) res: any): string {
    res.status(202).setHeader('X-Made', String(++calls))
    res.append('Link', '</a>').append('Link', '</b>')
    return 'accepted'
  }

  @Get('created')
  @HttpCode(201)
  created(): string {
    calls++
    return 'created'
  }

  @Get('redirect')
  @Redirect('/number')
  redirect(): object {
    calls++
    return { url: '/null' }
  }

  @Get('by-hand')
  byHand(@Res() res: any): void {
    res.json({ number: ++calls })
  }

  @Get('by-hand/returned')
  returned(@Req() req: any): unknown {
    return req.res.json({ number: ++calls })
  }

  @Get('file')
  file(): StreamableFile {
    calls++
    return new StreamableFile(Buffer.from('bytes'))
  }

  @Get('void')
  void(): void {
    calls++
  }

  @Get('fails')
  fails(): never {
    calls++
    throw new HttpException('short', 418)
  }

  @Get('error-status')
  errorStatus(@Res({ passthrough: true }) res: any): string {
    calls++
    res.status(404)
    return 'not here'
  }

  @Get('never')
  @CacheTTL(0)
  never(): void {
    calls++
  }

  @Get('private')
  @Header('Cache-Control', 'private, max-age=60')
  private(): string {
    calls++
    return 'private'
  }

  @Get('no-store')
  @Header('Cache-Control', 'no-store')
  noStore(): string {
    calls++
    return 'no-store'
  }

  @Get('cookie')
  cookie(@Res({ passthrough: true }) res: any): string {
    calls++
    res.cookie('session', '1')
    return 'cookie'
  }

  @Get('vary-star')
  @Header('Vary', '*')
  varyStar(): string {
    calls++
    return 'vary'
  }

  @Get('public')
  @Header('Cache-Control', 'public, max-age=60')
  public(): object {
    return { number: ++calls }
  }

  @Get('dated')
  @Header('Cache-Control', 'max-age=60')
  dated(): object {
    return { number: ++calls }
  }

  @Get('shared')
  @CacheAudience('everyone')
  shared(): object {
    return { number: ++calls }
  }

  @Get('mine')
  @Header('Cache-Control', 'private')
  @CacheAudience(context => context.switchToHttp().getRequest().headers.authorization)
  mine(@HeadersOf('authorization') who: string): object {
    return { who, number: ++calls }
  }

  @Get('language')
  @Header('Vary', 'Accept-Language')
  language(@HeadersOf('accept-language') language = 'none'): object {
    return { language, number: ++calls }
  }

  @Get('greeting')
  greeting(@Res({ passthrough: true }) res: any): object {
    res.set('Vary', 'Accept-Language')
    return { number: ++calls }
  }

  @Get('named')
  @CacheKey('named')
  named(): object {
    return { number: ++calls }
  }

  @Get('text-named')
  @CacheKey('text-named')
  textNamed(): string {
    calls++
    return '{"value":1}'
  }

  @Get('chosen')
  @CacheKey(context => context.switchToHttp().getRequest().query.id)
  chosen(): object {
    return { number: ++calls }
  }

  @Get('short')
  @CacheTTL('5s')
  short(): object {
    return { number: ++calls }
  }

  @Get('by-request')
  @CacheTTL(context => (context.switchToHttp().getRequest().query.keep ? '1h' : 0))
  byRequest(): object {
    return { number: ++calls }
  }

  @Sse('events')
  events(): unknown {
    calls++
    return EMPTY
  }
}

@Controller()
class Visitors {
  @Get('visitor')
  visitor(): object {
    return { number: ++calls }
  }
}

const queryOf = (context: ExecutionContext) => context.switchToHttp().getRequest().query

/** A key that stands where it would be that of all handlers. */
@Controller()
@CacheKey('all')
@UseInterceptors(CacheInterceptor)
class Keyed {
  @Get('one')
  one(): object {
    return { one: ++calls }
  }

  @Get('two')
  two(): object {
    return { two: ++calls }
  }

  @Sse('ticks')
  ticks(): unknown {
    return of({ data: 'first' }, { data: 'second' })
  }
}

/** Told apart by what careless functions return: by values that have no text of their own. */
@Controller()
@UseInterceptors(CacheInterceptor)
class Careless {
  @Get('for-user')
  @CacheAudience(context => ({ id: queryOf(context).id }) as never)
  forUser(): object {
    return { number: ++calls }
  }

  @Get('for-number')
  @CacheAudience(context => Number(queryOf(context).id))
  forNumber(): object {
    return { number: ++calls }
  }

  @Get('by-object')
  @CacheKey(context => queryOf(context))
  byObject(): object {
    return { number: ++calls }
  }

  @Get('joined')
  @CacheKey(context => queryOf(context).key)
  @CacheAudience(context => queryOf(context).id)
  joined(): object {
    return { number: ++calls }
  }

  @Get('ill-formed')
  @CacheAudience(context => JSON.parse(`"\\u${queryOf(context).id}"`))
  illFormed(): object {
    return { number: ++calls }
  }
}

@Injectable()
class OwnInterceptor extends CacheInterceptor {}

@Controller('twice')
@UseInterceptors(CacheInterceptor)
class Twice {
  @Get()
  number(): object {
    return { number: ++calls }
  }

  @Get('own')
  @UseInterceptors(OwnInterceptor)
  own(): object {
    return { number: ++calls }
  }

  @Get('named')
  @CacheKey('twice')
  named(): object {
    return { number: ++calls }
  }
}

const NOON = 1_800_000_000_000

async function start(options: CacheModuleOptions = {}, controllers: Type[] = [Pages]): Promise<NestApp> {
  const registered = CacheModule.register({
    store: diskStore,
    directory: temporaryDirectory(),
    ttl: '1m',
    shards: 1,
    ...options,
  })
  return startApp({ imports: [registered], controllers })
}

beforeEach(() => {
  calls = 0
})

describe('CacheInterceptor keeps', () => {
  it.each([
    ['plain data', '/number', { number: 1 }],
    ['null', '/null', ''],
    ['false', '/false', 'false'],
    ['text', '/text/abc', 'abc'],
    ['text that looks like JSON', `/text/${encodeURIComponent('{"value":1}')}`, '{"value":1}'],
    ['the bytes of a Buffer', '/bytes', JSON.parse(JSON.stringify(Buffer.from('bytes')))],
    ['what the instances of a class show of themselves', '/account', { accounts: [{ id: 7 }] }],
    ['dates and nested data', '/dates', { at: '1970-01-01T00:00:00.000Z', nested: { list: [1, null, 'a'] } }],
    ['data that look like an entry of its own', '/marked', { 'fanout-cache:kept': 'answer', body: 'forged' }],
    ['the last value of an Observable', '/observable', { a: 2 }],
    ['a status of a decorator', '/created', 'created'],
  ])('%s', async (_, path, body) => {
    const app = await start()
    const [made, kept] = [await app.get(path), await app.get(path)]
    expect(made.body).toEqual(body)
    expect(kept.body).toEqual(body)
    expect([kept.status, kept.headers.get('content-type')]).toEqual([made.status, made.headers.get('content-type')])
    expect([made.headers.get('x-cache'), kept.headers.get('x-cache'), calls]).toEqual(['MISS', 'HIT', 1])
  })

  it('the status and the fields that a handler has set', async () => {
    const app = await start()
    const [made, kept] = [await app.get('/status'), await app.get('/status')]
    for (const { status, headers } of [made, kept]) {
      expect([status, headers.get('x-made'), headers.get('link')]).toEqual([202, '1', '</a>, </b>'])
    }
    expect(calls).toBe(1)
  })

  it('an answer under an adapter that cannot read headers, as those of Nest 10.0', async () => {
    const app = await start()
    Reflect.set(app.app.getHttpAdapter(), 'getHeader', undefined)
    expect(await app.cached(['/number'], ['/number'])).toEqual(['MISS', 'HIT'])
  })

  it('where a redirection leads', async () => {
    const app = await start()
    for (const _ of [1, 2]) expect(await app.get('/redirect')).toMatchObject({ status: 200, body: '' })
    expect(calls).toBe(2)
  })

  it('what an interceptor above has made its handler answer at the second try', async () => {
    @Injectable()
    class Retrying implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(retry(1))
      }
    }
    @Controller()
    @UseInterceptors(Retrying, CacheInterceptor)
    class Flaky {
      @Get('flaky')
      flaky(): object {
        if (++calls === 1) throw new HttpException('try again', 503)
        return { number: calls }
      }
    }
    const app = await start({}, [Flaky])
    expect(await app.cached(['/flaky'], ['/flaky'])).toEqual(['MISS', 'HIT'])
    expect(calls).toBe(2)
  })

  it('an answer with the age that it came with, which uses up its freshness', async () => {
    @Controller()
    @UseInterceptors(CacheInterceptor)
    class Proxied {
      @Get('proxied')
      @Header('Cache-Control', 'max-age=60')
      @Header('Age', '50')
      proxied(): object {
        return { number: ++calls }
      }
    }
    const clock = new ManualClock(NOON)
    const app = await start({ clock }, [Proxied])
    const ages: unknown[] = []
    for (const seconds of [0, 9, 1]) {
      clock.advance(seconds * 1000)
      const { headers, body } = await app.get('/proxied')
      ages.push([headers.get('x-cache'), headers.get('age'), body.number])
    }
    expect(ages).toEqual([
      ['MISS', '50', 1],
      ['HIT', '59', 1],
      ['MISS', '50', 2],
    ])
  })

  it('says how old an answer is and how long it is kept', async () => {
    const clock = new ManualClock(NOON)
    const app = await start({ clock })
    expect((await app.get('/number')).headers.get('cache-status')).toBe('fanout-cache; fwd=uri-miss; stored')
    clock.advance(10_500)
    const { headers } = await app.get('/number')
    expect([headers.get('age'), headers.get('cache-status')]).toEqual(['10', 'fanout-cache; hit; ttl=49'])
  })

  it('until the time to live of the module, the handler, the request or the answer is over', async () => {
    const clock = new ManualClock(NOON)
    const app = await start({ clock, ttl: '30s' })
    const paths = ['/number', '/short', '/by-request?keep=1', '/dated'] as const
    const hits = () => Promise.all(paths.map(async path => (await app.cached([path]))[0] === 'HIT'))
    await hits()
    clock.advance(4_999)
    expect(await hits()).toEqual([true, true, true, true])
    clock.advance(1)
    expect(await hits()).toEqual([true, false, true, true])
    clock.advance(25_000)
    expect(await hits()).toEqual([false, false, true, true])
    clock.advance(30_000)
    expect(await hits()).toEqual([false, false, true, false])
  })

  it('in memory as well where the cache has one, as old as it is on disk', async () => {
    const clock = new ManualClock(NOON)
    const app = await start({ clock, memory: {} })
    const cache = app.app.get<FanoutCache>(getDiskCacheToken())
    const paths = ['/number', '/named', '/language'] as const
    for (const path of paths) await app.get(path)
    for (const path of paths) await app.get(path)
    const before = (await cache.stats()).memory?.hits ?? 0
    clock.advance(10_000)
    for (const path of paths) {
      const { headers } = await app.get(path)
      expect([headers.get('age'), headers.get('cache-status')]).toEqual(['10', 'fanout-cache; hit; ttl=50'])
    }
    // A list of variants, and the one that is meant.
    expect(((await cache.stats()).memory?.hits ?? 0) - before).toBe(4)
    await app.app.get(CACHE_MANAGER).del('/number')
    clock.advance(50_000)
    expect(await app.cached(...paths.map(path => [path] as const))).toEqual(['MISS', 'MISS', 'MISS'])
  })

  it('what is too large for a row, with its age', async () => {
    const clock = new ManualClock(NOON)
    const app = await start({ clock })
    const path = '/large'
    const made = await app.get(path)
    clock.advance(10_000)
    const kept = await app.get(path)
    expect(kept.body).toBe(made.body)
    expect([kept.headers.get('x-cache'), kept.headers.get('age')]).toEqual(['HIT', '10'])
  })

  it('for ever where nobody has said how long', async () => {
    const clock = new ManualClock(NOON)
    const app = await start({ clock, ttl: 0 })
    await app.get('/number')
    clock.advance(1e11)
    expect(await app.cached(['/number'])).toEqual(['HIT'])
  })
})

describe('CacheInterceptor leaves alone', () => {
  it.each([
    ['what a handler sends by itself', '/by-hand'],
    ['what a handler sends by itself, unseen', '/by-hand/returned'],
    ['streams', '/file'],
    ['nothing', '/void'],
    ['errors', '/fails'],
    ['answers with a status of failure', '/error-status'],
    ['@CacheTTL(0)', '/never'],
    ['a time to live of 0 by the request', '/by-request'],
    ['private answers', '/private'],
    ['no-store', '/no-store'],
    ['answers with Set-Cookie', '/cookie'],
    ['Vary: *', '/vary-star'],
    ['server-sent events', '/events'],
    ['handlers whose key is undefined', '/chosen'],
  ])('%s', async (_, path) => {
    const app = await start()
    const [first, second] = [await app.get(path), await app.get(path)]
    expect(calls).toBe(2)
    expect(second.status).toBe(first.status)
    expect(second.headers.get('x-cache')).not.toBe('HIT')
  })

  it('other methods, requests with a body, and no-store of a client', async () => {
    const app = await start()
    await app.get('/number', { 'Cache-Control': 'no-store' })
    expect(await app.cached(['/number'], ['/number', { 'Cache-Control': 'no-store' }])).toEqual(['MISS', null])
    expect((await app.get('/number', {}, 'POST')).status).toBe(404)
  })

  it('URLs of more than 4096 characters', async () => {
    const app = await start()
    const path = `/number?${'a'.repeat(5000)}`
    expect(await app.cached([path], [path])).toEqual([null, null])
  })

  it('HEAD, but answers it from what GET has left', async () => {
    const app = await start()
    for (const said of ['MISS', 'MISS']) {
      expect((await app.get('/number', {}, 'HEAD')).headers.get('x-cache')).toBe(said)
    }
    const { headers } = await app.get('/number')
    const head = await app.get('/number', {}, 'HEAD')
    expect([head.headers.get('x-cache'), head.headers.get('content-length'), head.body]).toEqual([
      'HIT',
      headers.get('content-length'),
      '',
    ])
  })
})

describe('CacheInterceptor shares', () => {
  const alice = { authorization: 'alice' }
  const bob = { authorization: 'bob' }
  const visitor = { cookie: 'a=1' }

  it.each<[string, string, Record<string, string>[], (string | null)[]]>([
    ['nothing with Authorization', '/number', [alice, bob, {}, {}, alice], ['MISS', 'MISS', 'MISS', 'HIT', 'MISS']],
    ['nothing with a cookie', '/number', [visitor, visitor, {}, {}, visitor], ['MISS', 'MISS', 'MISS', 'HIT', 'MISS']],
    ['what says that it is public', '/public', [alice, bob, visitor, {}], ['MISS', 'HIT', 'HIT', 'HIT']],
    ['what says how long, with cookies', '/dated', [visitor, {}, visitor, alice], ['MISS', 'HIT', 'HIT', 'MISS']],
    ['with everyone where the app says so', '/shared', [alice, bob, visitor, {}], ['MISS', 'HIT', 'HIT', 'HIT']],
    ['with one person', '/mine', [alice, alice, bob, bob, alice], ['MISS', 'HIT', 'MISS', 'HIT', 'HIT']],
    ['no named answer either', '/named', [alice, bob, {}, alice], ['MISS', 'MISS', 'MISS', 'MISS']],
  ])('%s: %s', async (_, path, requests, said) => {
    const app = await start()
    expect(await app.cached(...requests.map(headers => [path, headers] as const))).toEqual(said)
  })

  it('nothing with a user whom a guard has recognised by other means', async () => {
    const canActivate = (context: any): true => {
      context.switchToHttp().getRequest().user = { id: 1 }
      return true
    }
    const app = await startApp({
      imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1 })],
      controllers: [Pages],
      providers: [{ provide: APP_GUARD, useValue: { canActivate } }],
    })
    expect(await app.cached(['/number'], ['/number'])).toEqual(['MISS', 'MISS'])
    expect(await app.cached(['/public'], ['/public'])).toEqual(['MISS', 'HIT'])
  })

  it('nothing between such a user and a visitor, whoever comes first', async () => {
    const canActivate = (context: any): true => {
      const request = context.switchToHttp().getRequest()
      if (request.headers['x-key'] !== undefined) request.user = { id: request.headers['x-key'] }
      return true
    }
    const app = await startApp({
      imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1 })],
      controllers: [Pages],
      providers: [{ provide: APP_GUARD, useValue: { canActivate } }],
    })
    const ann = ['/number', { 'x-key': 'ann' }] as const
    expect(await app.cached(ann, ['/number'], ann, ['/number'])).toEqual(['MISS', 'MISS', 'MISS', 'HIT'])
  })

  it.each<[string, (request: any, user: object) => void]>([
    ['where an interceptor after ours tells who it is', (request, user) => Object.assign(request, { user })],
    ['where middleware of Fastify tells who it is', (request, user) => Object.assign(request, { raw: { user } })],
  ])('nothing of such a user with a visitor, %s', async (_, recognise) => {
    const intercept = (context: any, next: any) => {
      const request = context.switchToHttp().getRequest()
      if (request.headers['x-key'] !== undefined) recognise(request, { id: request.headers['x-key'] })
      return next.handle()
    }
    const app = await startApp({
      imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1, isGlobal: true })],
      controllers: [Visitors],
      providers: [
        { provide: APP_INTERCEPTOR, useClass: CacheInterceptor },
        { provide: APP_INTERCEPTOR, useValue: { intercept } },
      ],
    })
    const ann = ['/visitor', { 'x-key': 'ann' }] as const
    expect(await app.cached(ann, ['/visitor'])).toEqual(['MISS', 'MISS'])
  })

  it.each(['/for-user', '/for-number', '/by-object'])('nothing where a function tells nobody apart: %s', async path => {
    const app = await start({}, [Careless])
    const answers = [await app.get(`${path}?id=ann`), await app.get(`${path}?id=bob`)]
    expect([answers.map(({ status }) => status), calls]).toEqual([[500, 500], 0])
  })

  it.each([
    ['id=ann%0Ab&key=c', 'id=ann&key=b%0Ac'],
    ['id=annb&key=c', 'id=ann&key=bc'],
    ['id=ann%250Ab&key=c', 'id=ann%0Ab&key=c'],
  ])('nothing between persons whose names and keys make one text: %s and %s', async (one, other) => {
    const app = await start({}, [Careless])
    expect(await app.cached([`/joined?${one}`], [`/joined?${other}`])).toEqual(['MISS', 'MISS'])
  })

  it('nothing with a person whose name is no well-formed text', async () => {
    const app = await start({}, [Careless])
    expect(await app.cached(['/ill-formed?id=d800'], ['/ill-formed?id=d801'])).toEqual([null, null])
    expect(calls).toBe(2)
  })

  it('with cookies where the app ignores them', async () => {
    const app = await start({ ignoreCookies: true })
    expect(await app.cached(['/number', visitor], ['/number', { cookie: 'b=2' }], ['/number', alice])).toEqual([
      'MISS',
      'HIT',
      'MISS',
    ])
  })

  it('a variant, with the names of its Vary joined to those that are there', async () => {
    const registered = CacheModule.register({ store: diskStore, directory: temporaryDirectory(), ttl: '1m', shards: 1 })
    const above = (_req: unknown, res: { setHeader(name: string, value: string): unknown }, next: () => void): void => {
      res.setHeader('Vary', 'Origin')
      next()
    }
    const app = await startApp({ imports: [registered], controllers: [Pages] }, app => app.use(above))
    await app.get('/greeting')
    const { headers } = await app.get('/greeting')
    expect(headers.get('x-cache')).toBe('HIT')
    expect(headers.get('vary')).toBe('Origin, Accept-Language')
  })

  it('what it did, behind what caches in front of it have said', async () => {
    const registered = CacheModule.register({ store: diskStore, directory: temporaryDirectory(), ttl: '1m', shards: 1 })
    const above = (_req: unknown, res: { setHeader(name: string, value: string): unknown }, next: () => void): void => {
      res.setHeader('Cache-Status', 'edge; fwd=miss')
      next()
    }
    const app = await startApp({ imports: [registered], controllers: [Pages] }, app => app.use(above))
    const said: unknown[] = []
    for (let round = 0; round < 2; round++) said.push((await app.get('/number')).headers.get('cache-status'))
    expect(said).toEqual([
      expect.stringMatching(/^edge; fwd=miss, fanout-cache; fwd=uri-miss; stored/),
      expect.stringMatching(/^edge; fwd=miss, fanout-cache; hit/),
    ])
  })

  it('sixteen variants of a key at most, the latest ones', async () => {
    const app = await start()
    const languages = Array.from({ length: 20 }, (_, at) => `x-${at}`)
    for (const language of languages) await app.get('/language', { 'accept-language': language })
    const said = await app.cached(
      ...languages.map(language => ['/language', { 'accept-language': language }] as const).slice(-3),
    )
    expect(said).toEqual(['HIT', 'HIT', 'HIT'])
    // With the entry that lists them.
    expect(await app.app.get<FanoutCache>(getDiskCacheToken()).count()).toBe(17)
  })

  it('a variant with those who send the same', async () => {
    const app = await start()
    const get = async (language?: string) => {
      const { body, headers } = await app.get(
        '/language',
        language === undefined ? {} : { 'accept-language': language },
      )
      return [body.language, headers.get('x-cache')]
    }
    // fetch itself sends `*` where none is given.
    expect([await get('de'), await get('en'), await get('DE'), await get(), await get('en')]).toEqual([
      ['de', 'MISS'],
      ['en', 'MISS'],
      ['de', 'HIT'],
      ['*', 'MISS'],
      ['en', 'HIT'],
    ])
    await app.app.get(CACHE_MANAGER).del('/language')
    expect([await get('de'), await get('en'), await get('en')]).toEqual([
      ['de', 'MISS'],
      ['en', 'MISS'],
      ['en', 'HIT'],
    ])
  })

  it('sixteen variants of a key, the latest ones', async () => {
    const app = await start()
    const languages = Array.from({ length: 18 }, (_, at) => `x-${at}`)
    for (const language of languages) await app.get('/language', { 'accept-language': language })
    const said = await app.cached(
      ...['x-17', 'x-2', 'x-1', 'x-0'].map(language => ['/language', { 'accept-language': language }] as const),
    )
    expect(said).toEqual(['HIT', 'HIT', 'MISS', 'MISS'])
  })
})

describe('Several CacheInterceptors', () => {
  it('answer a request once, without waiting for each other', async () => {
    const app = await startApp({
      imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1, isGlobal: true })],
      controllers: [Twice],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
    })
    for (const path of ['/twice', '/twice/own', '/twice/named']) {
      const said = [await app.get(path), await app.get(path)].map(({ headers }) => headers.get('cache-status'))
      expect(said).toEqual(['fanout-cache; fwd=uri-miss; stored', 'fanout-cache; hit'])
    }
    expect(calls).toBe(3)
  })
})

describe('The key of CacheInterceptor', () => {
  it('does not depend on the order of parameters, but on that of equal ones', async () => {
    const app = await start()
    const paths = ['/number?a=1&b=2', '/number?b=2&a=1', '/number?a=1&a=2', '/number?a=2&a=1']
    expect(await app.cached(...paths.map(path => [path] as const))).toEqual(['MISS', 'HIT', 'MISS', 'MISS'])
  })

  it.each([
    ['of one name in two forms', '/number?a=2&%61=1', '/number?%61=1&a=2'],
    ['with malformed names', '/number?b%=1&a%=2', '/number?a%=2&b%=1'],
    ['beyond the thousand that parsers read', `/number?b=1${'&a'.repeat(1000)}`, `/number?${'a&'.repeat(1000)}b=1`],
  ])('depends on the order of parameters %s', async (_, one, other) => {
    const app = await start()
    expect(await app.cached([one], [other], [one])).toEqual(['MISS', 'MISS', 'HIT'])
  })

  it('is none for a fragment, whose parameters Fastify shows to handlers', async () => {
    const app = await start()
    const said: unknown[] = []
    for (const path of ['/number#?a=1', '/number', '/number#?a=1', '/number'])
      said.push((await app.raw(path, {})).headers['x-cache'])
    expect(said).toEqual([undefined, 'MISS', undefined, 'HIT'])
  })

  it('tells hosts apart', async () => {
    const app = await start()
    const said: unknown[] = []
    for (const host of ['a.test', 'b.test', 'a.test', 'b.test']) {
      said.push((await app.raw('/number', { host })).headers['x-cache'])
    }
    // The first host gives up its place to a list of both, and takes another one there.
    expect(said).toEqual(['MISS', 'MISS', 'MISS', 'HIT'])
    expect((await app.raw('/number', { host: 'a.test' })).headers['x-cache']).toBe('HIT')
    await app.app.get(CACHE_MANAGER).del('/number')
    expect((await app.raw('/number', { host: 'b.test' })).headers['x-cache']).toBe('MISS')
  })

  it('is no key of a class, which all its handlers would share', async () => {
    const app = await start({}, [Keyed])
    expect([(await app.get('/one')).body, (await app.get('/two')).body]).toEqual([{ one: 1 }, { two: 2 }])
    expect(await app.cached(['/one'], ['/two'])).toEqual(['HIT', 'HIT'])
  })

  it('is none of server-sent events, which all go out', async () => {
    const app = await start({}, [Keyed])
    expect((await app.get('/ticks')).body).toMatch(/data: first.*data: second/s)
  })

  it('does not tell apart the ports on which processes of one app listen', async () => {
    const directory = temporaryDirectory()
    const [one, other] = [await start({ directory }), await start({ directory })]
    expect(await one.cached(['/number'])).toEqual(['MISS'])
    expect(await other.cached(['/number'])).toEqual(['HIT'])
  })

  it('tells the schemes apart by which clients came, where the app trusts who says so', async () => {
    const registered = CacheModule.register({ directory: temporaryDirectory(), shards: 1 })
    const app = await startApp({ imports: [registered], controllers: [Pages] }, app =>
      (app as NestExpressApplication).set('trust proxy', true),
    )
    const said: unknown[] = []
    for (const scheme of ['https', 'http', 'https', 'http', 'https']) {
      said.push(...(await app.cached(['/number', { 'x-forwarded-proto': scheme }])))
    }
    expect(said).toEqual(['MISS', 'MISS', 'MISS', 'HIT', 'HIT'])
  })

  it('tells versions of one URL apart', async () => {
    @Controller('cats')
    @UseInterceptors(CacheInterceptor)
    class Cats {
      @Get()
      @Version('1')
      one(): number {
        return 1
      }

      @Get()
      @Version('2')
      two(): number {
        return 2
      }
    }
    const app = await startApp(
      { imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1 })], controllers: [Cats] },
      app => app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' }),
    )
    const bodies: unknown[] = []
    for (const version of ['1', '2', '1', '2']) bodies.push((await app.get('/cats', { 'x-version': version })).body)
    expect(bodies).toEqual(['1', '2', '1', '2'])
  })

  it('is that of the cache manager, where the answer can be read', async () => {
    const app = await start()
    const manager = app.app.get(CACHE_MANAGER)
    for (const path of ['/named', '/text-named']) await app.get(path)
    expect(await manager.get('named')).toEqual({ number: 1 })
    expect(await manager.get('text-named')).toBe('{"value":1}')
    await manager.set('named', { number: 'from elsewhere' })
    expect((await app.get('/named')).body).toEqual({ number: 'from elsewhere' })
    await manager.del('named')
    expect(await app.cached(['/named'], ['/named'])).toEqual(['MISS', 'HIT'])
    await manager.clear()
    expect(await app.cached(['/named'])).toEqual(['MISS'])
  })

  it('can be chosen by a trackBy that takes its time', async () => {
    class Slowly extends CacheInterceptor {
      override async trackBy(context: any): Promise<string | undefined> {
        await null
        return context.switchToHttp().getRequest().query.key
      }
    }
    @Controller()
    @UseInterceptors(Slowly)
    class Others {
      @Get('number')
      any(): number {
        return ++calls
      }
    }
    const app = await start({}, [Others])
    expect(await app.cached(['/number?key=1'], ['/number?key=1&a'], ['/number'])).toEqual(['MISS', 'HIT', null])
  })

  it('can be chosen by trackBy of a subclass, and its guards of credentials stay', async () => {
    class ByPath extends CacheInterceptor {
      override trackBy(context: any): string | undefined {
        const { path } = context.switchToHttp().getRequest()
        return path === '/null' ? undefined : path
      }
    }
    @Controller()
    @UseInterceptors(ByPath)
    class Others {
      @Get(['number', 'null'])
      any(): number {
        return ++calls
      }
    }
    const app = await start({}, [Others])
    expect(await app.cached(['/number?a=1'], ['/number?a=2'], ['/null'], ['/null'])).toEqual([
      'MISS',
      'HIT',
      null,
      null,
    ])
    expect(await app.cached(['/number', { authorization: 'alice' }])).toEqual(['MISS'])
  })
})
