import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Headers as HeadersOf,
  HttpException,
  Logger,
  type NestInterceptor,
  Req,
  UseInterceptors,
} from '@nestjs/common'
import { FanoutCache } from 'fanout-cache'
import { CacheInterceptor, CacheModule, CacheTTL, getDiskCacheToken } from 'fanout-cache/nest'
import { map } from 'rxjs'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Gate, nextTurn } from '../helpers/gate.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { type NestApp, startApp } from './nest-app.js'

let calls = 0
let arrived = 0
/** Connections that have ended before the answer. */
let closed = 0
let gate = new Gate()
let isPublic = false

@Controller()
@UseInterceptors(CacheInterceptor)
class Slow {
  @Get('slow')
  async slow(@Req() req: any) {
    const number = ++calls
    await gate.opened
    return { number, list: [], seen: req.headers['x-seen'] }
  }

  @Get('person')
  async person(@HeadersOf('authorization') who: string) {
    calls++
    await gate.opened
    return { who }
  }

  @Get('session')
  async session(@Req() req: any) {
    const number = ++calls
    await gate.opened
    req.res.cookie('session', String(number))
    return { number }
  }

  @Get('language')
  async language(@Req() req: any) {
    calls++
    await gate.opened
    req.res.vary('Accept-Language')
    return { language: req.headers['accept-language'] }
  }

  @Get('changing')
  async changing(@Req() req: any) {
    const number = ++calls
    if (isPublic) req.res.set('Cache-Control', 'public, max-age=60')
    await gate.opened
    return { number }
  }

  @Get('fails')
  async fails() {
    const number = ++calls
    await gate.opened
    throw new HttpException(`failure ${number}`, 503)
  }

  @Get('short')
  @CacheTTL('1h')
  async short() {
    return { number: ++calls }
  }
}

class Signing implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(
      map(body => {
        body.signatures.push('signed')
        return body
      }),
    )
  }
}

@Controller()
@UseInterceptors(Signing, CacheInterceptor)
class Signed {
  @Get('signed')
  async signed() {
    calls++
    await gate.opened
    return { signatures: [], text: 'x'.repeat(300_000) }
  }
}

let app: NestApp
let directory: string

async function start({ sizeLimit }: { readonly sizeLimit?: number } = {}): Promise<void> {
  calls = 0
  arrived = 0
  closed = 0
  gate = new Gate()
  directory = temporaryDirectory()
  const imports = [CacheModule.register({ directory, shards: 1, sizeLimit })]
  app = await startApp({ imports, controllers: [Slow, Signed] }, app =>
    app.use((_req: unknown, res: any, next: () => void) => {
      arrived++
      res.on('close', () => {
        if (!res.writableFinished) closed++
      })
      next()
    }),
  )
}

/** Requests that are all under way before the first handler may end. */
async function together(path: string, headers: readonly Record<string, string>[], begun: number) {
  const answers = headers.map(one => app.get(path, one))
  await expect.poll(() => [arrived, calls], { interval: 1 }).toEqual([headers.length, begun])
  // Those who have arrived look into the cache and begin to wait.
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  gate.open()
  return Promise.all(answers)
}

describe('Requests at the same time', () => {
  beforeEach(() => start())

  it('run the handler once', async () => {
    const answers = await together(
      '/slow',
      Array.from({ length: 8 }, () => ({})),
      1,
    )
    expect(calls).toBe(1)
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('x-cache') === 'MISS')).toHaveLength(1)
    expect(await app.cached(['/slow'])).toEqual(['HIT'])
  })

  it('get answers of their own, which others cannot change, where there is no room for one that is kept', async () => {
    await start({ sizeLimit: 2 ** 17 })
    const answers = await together('/signed', [{}, {}, {}, {}], 1)
    expect(answers.map(({ body }) => body.signatures)).toEqual(Array(4).fill(['signed']))
    expect(await app.cached(['/signed'])).toEqual(['MISS'])
  })

  it('run it each for themselves when they carry credentials', async () => {
    const names = ['alice', 'bob', 'carol']
    const answers = await together(
      '/person',
      names.map(authorization => ({ authorization })),
      3,
    )
    expect(answers.map(({ body }) => body.who)).toEqual(names)
  })

  it('do not share what turned out not to be for sharing', async () => {
    const answers = await together('/session', [{}, {}, {}], 1)
    expect(new Set(answers.map(({ headers }) => headers.get('set-cookie'))).size).toBe(3)
    expect(calls).toBe(3)
  })

  it('run it once for each variant, where only the answer tells that there are some', async () => {
    const languages = ['en', 'de', 'en', 'de', 'fr', 'en']
    const answers = await together(
      '/language',
      languages.map(one => ({ 'accept-language': one })),
      1,
    )
    expect(answers.map(({ body }) => body.language)).toEqual(languages)
    expect(calls).toBe(3)
  })

  it('get the error of the handler that they waited for, which is not kept', async () => {
    const answers = await together('/fails', [{}, {}, {}], 1)
    expect(answers.map(({ status, body }) => [status, body.message])).toEqual(Array(3).fill([503, 'failure 1']))
    await app.get('/fails')
    expect(calls).toBe(2)
  })

  it('share what was made for a client that has gone away', async () => {
    const gone = new AbortController()
    const left = app.get('/slow', {}, 'GET', gone.signal).catch(() => 'left')
    await expect.poll(() => calls, { interval: 1 }).toBe(1)
    const waiting = app.get('/slow')
    await expect.poll(() => arrived, { interval: 1 }).toBe(2)
    gone.abort()
    expect(await left).toBe('left')
    await expect.poll(() => closed, { interval: 1 }).toBe(1)
    gate.open()
    expect((await waiting).body.number).toBe(1)
    expect(await app.cached(['/slow'])).toEqual(['HIT'])
  })

  it('run it for themselves behind one that takes more than five seconds, without a word in the log', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockReturnValue()
    onTestFinished(() => logged.mockRestore())
    const answers = [app.get('/slow'), app.get('/slow')]
    await expect.poll(() => calls).toBe(2)
    gate.open()
    expect((await Promise.all(answers)).map(({ body }) => body.number).sort()).toEqual([1, 2])
    expect(logged.mock.calls).toEqual([])
  })

  it('keep nothing that was removed while it was made', async () => {
    const cache = app.app.get<FanoutCache>(getDiskCacheToken())
    const answer = app.get('/slow')
    await expect.poll(() => calls, { interval: 1 }).toBe(1)
    await app.app.get('CACHE_MANAGER').del('/slow')
    gate.open()
    expect((await answer).body.number).toBe(1)
    expect(await app.cached(['/slow'])).toEqual(['MISS'])
    await expect.poll(() => cache.count()).toBe(1)
  })
})

describe('A request with credentials that waits with others', () => {
  beforeEach(() => start())

  it('gets nothing that is theirs, and was removed before it was stored', async () => {
    const alice = { authorization: 'alice' }
    isPublic = true
    gate.open()
    // Answers of this handler may be for all.
    expect((await app.get('/changing', alice)).body.number).toBe(1)
    isPublic = false
    gate = new Gate()
    const first = app.get('/changing')
    await expect.poll(() => calls, { interval: 1 }).toBe(2)
    const waiting = app.get('/changing', alice)
    await expect.poll(() => arrived, { interval: 1 }).toBe(3)
    await nextTurn()
    expect(calls).toBe(2)
    await app.app.get('CACHE_MANAGER').del('/changing')
    gate.open()
    expect([(await first).body.number, (await waiting).body.number]).toEqual([2, 3])
  })
})

describe('A request of another host at the same time', () => {
  beforeEach(() => start())

  it('keeps nothing where the key was removed while its answer was made', async () => {
    gate.open()
    await app.raw('/slow', { host: 'a.test' })
    gate = new Gate()
    const answer = app.raw('/slow', { host: 'b.test' })
    await expect.poll(() => calls, { interval: 1 }).toBe(2)
    await app.app.get('CACHE_MANAGER').del('/slow')
    gate.open()
    expect((await answer).headers['x-cache']).toBe('MISS')
    for (const host of ['b.test', 'a.test'])
      expect((await app.raw('/slow', { host })).headers['x-cache'], host).toBe('MISS')
  })
})

describe('Trouble in the cache', () => {
  beforeEach(() => start())

  it('behaves as if there were none', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 1 })
    onTestFinished(() => cache.close())
    const broken = new Set<PropertyKey>()
    // One of another build of the package, which is reached by its verbs.
    const store = new Proxy({} as FanoutCache, {
      get: (_, name) => {
        if (broken.has(name)) return () => Promise.reject(new Error('broken'))
        const member: unknown = Reflect.get(cache, name)
        return typeof member === 'function' ? member.bind(cache) : member
      },
    })
    app = await startApp({ imports: [CacheModule.register({ store })], controllers: [Slow] })
    expect(await app.cached(['/short'], ['/short'])).toEqual(['MISS', 'HIT'])
    broken.add('getItem').add('getOrSet')
    expect((await app.get('/short')).body).toEqual({ number: 2 })
    broken.delete('getItem')
    await cache.clear()
    expect((await app.get('/short')).body).toEqual({ number: 3 })
  })

  it('does not let a request wait for a lock that others hold', async () => {
    await app.get('/short')
    const others = rawDatabase(`${directory}/000`)
    others.exec('BEGIN IMMEDIATE')
    try {
      gate.open()
      expect((await app.get('/short')).body).toEqual({ number: 1 })
      expect((await app.get('/slow')).body.number).toBe(2)
    } finally {
      others.exec('ROLLBACK')
    }
    expect(await app.cached(['/slow'], ['/slow'])).toEqual(['MISS', 'HIT'])
  })

  it('does not send what somebody else has made up', async () => {
    const cache = new FanoutCache(directory)
    await cache.set(':/short', {
      'fanout-cache:kept': 'answer',
      body: 'x',
      fields: [['X-Evil', 'a\r\nSet-Cookie: b=1']],
      reach: 2,
    })
    const { status, headers, body } = await app.get('/short')
    expect([status, headers.get('set-cookie'), body]).toEqual([200, null, { number: 1 }])
    await cache.set(':/short', { 'fanout-cache:kept': 'variants' })
    expect((await app.get('/short')).body).toEqual({ number: 2 })
    await cache.close()
  })
})
