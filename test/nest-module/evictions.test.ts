import { Controller, Get, Injectable, Param, Put, Req, UseInterceptors } from '@nestjs/common'
import { Cache, type DiskCache, FanoutCache } from 'fanout-cache'
import {
  Cacheable,
  CacheEvict,
  CacheInterceptor,
  CacheKey,
  CacheModule,
  CacheName,
  CacheTags,
  getDiskCacheToken,
} from 'fanout-cache/nest'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { Gate } from '../helpers/gate.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { type NestApp, startApp } from './nest-app.js'

const LEASES = "SELECT name FROM Lease WHERE name GLOB 'purged:*'"

/** What the handlers read before they wait for the gate. */
let stored = 0
let calls = 0
let gate = new Gate()

/** Reads, and answers later what it has read. */
async function slowly(): Promise<{ value: number }> {
  const value = stored
  const { opened } = gate
  calls++
  await opened
  return { value }
}

@Injectable()
class Service {
  @Cacheable({ key: 'cats', tags: ['cats'] })
  read(): Promise<{ value: number }> {
    return slowly()
  }
}

@Controller()
@UseInterceptors(CacheInterceptor)
class Cats {
  constructor(readonly service: Service) {}

  @Get('slow')
  @CacheTags('cats')
  slow(): Promise<object> {
    return slowly()
  }

  @Get('keyed')
  @CacheKey('all-cats')
  @CacheTags('cats')
  keyed(): Promise<object> {
    return slowly()
  }

  @Get('language')
  @CacheTags('cats')
  language(@Req() req: any): Promise<object> {
    req.res.vary('Accept-Language')
    return slowly()
  }

  @Get('other')
  @CacheTags('cats')
  @CacheName('other')
  other(): Promise<object> {
    return slowly()
  }

  @Get('by-host')
  @CacheTags(context => [context.switchToHttp().getRequest().headers['x-tag'] ?? 'none'])
  byHost(): Promise<object> {
    return slowly()
  }
}

@Controller('service')
class Services {
  constructor(readonly service: Service) {}

  @Get()
  read(): Promise<object> {
    return this.service.read()
  }
}

@Controller()
class Changes {
  @Put('cats/:value')
  @CacheEvict({ tags: ['cats'] })
  byTag(@Param('value') value: string): void {
    stored = Number(value)
  }

  @Put('all/:value')
  @CacheEvict({ all: true })
  all(@Param('value') value: string): void {
    stored = Number(value)
  }
}

type Place = 'FanoutCache' | 'Cache' | 'namespace'

async function start(place: Place = 'FanoutCache', directory = temporaryDirectory()): Promise<NestApp> {
  stored = 1
  calls = 0
  gate = new Gate()
  const cache = place === 'Cache' ? new Cache(directory) : new FanoutCache(directory)
  onTestFinished(() => cache.close())
  const store = place === 'namespace' ? cache.namespace('app').namespace('inner') : cache
  return startApp({
    imports: [
      CacheModule.register({ store: () => store }),
      CacheModule.register({ name: 'other', store: () => cache }),
    ],
    controllers: [Cats, Services, Changes],
    providers: [Service],
  })
}

/** Opens the gate for those who wait, and lets later ones through. */
function letGo(): void {
  gate.open()
}

/** A request whose handler has read and waits. */
async function underWay(app: NestApp, path: string, headers?: Record<string, string>) {
  const before = calls
  const answer = app.get(path, headers)
  await expect.poll(() => calls, { interval: 1 }).toBe(before + 1)
  return { answer }
}

/** The values of answers and whether they were kept. */
async function seen(app: NestApp, path: string, headers?: Record<string, string>): Promise<unknown[]> {
  const { body, headers: fields } = await app.get(path, headers)
  return [body.value, fields.get('x-cache')]
}

describe('An eviction', () => {
  const places: Place[] = ['FanoutCache', 'Cache', 'namespace']
  const both = ['/cats/2', '/all/2']
  const cases = places.flatMap(place =>
    both.flatMap(by => ['/slow', '/keyed', '/language'].map(path => [place, by, path] as const)),
  )

  it.each(cases)('in a %s by PUT %s reaches the handler of %s that is under way', async (place, by, path) => {
    const app = await start(place)
    const { answer } = await underWay(app, path)
    await app.get(by, {}, 'PUT')
    letGo()
    expect((await answer).body).toEqual({ value: 1 })
    expect(await seen(app, path)).toEqual([2, 'MISS'])
    expect(await seen(app, path)).toEqual([2, 'HIT'])
  })

  it.each(places.flatMap(place => both.map(by => [place, by] as const)))(
    'in a %s by PUT %s reaches a method of @Cacheable that is under way',
    async (place, by) => {
      const app = await start(place)
      const { answer } = await underWay(app, '/service')
      await app.get(by, {}, 'PUT')
      letGo()
      expect((await answer).body).toEqual({ value: 1 })
      expect((await app.get('/service')).body).toEqual({ value: 2 })
      await app.get('/service')
      expect(calls).toBe(2)
    },
  )

  it.each(['/slow', '/service'])(
    'lets later requests for %s run anew instead of waiting for what was begun',
    async path => {
      const app = await start()
      const old = gate
      const { answer } = await underWay(app, path)
      await app.get('/cats/2', {}, 'PUT')
      gate = new Gate()
      letGo()
      expect((await app.get(path)).body).toEqual({ value: 2 })
      old.open()
      expect((await answer).body).toEqual({ value: 1 })
      expect((await app.get(path)).body).toEqual({ value: 2 })
      expect(calls).toBe(2)
    },
  )

  it('reaches the handler of a further variant and of another host', async () => {
    const app = await start()
    letGo()
    await app.get('/language', { 'accept-language': 'en' })
    await app.get('/by-host', { 'x-tag': 'dogs' })
    gate = new Gate()
    const variant = await underWay(app, '/language', { 'accept-language': 'de' })
    const request = app.raw('/by-host', { host: 'other.example', 'x-tag': 'cats' })
    await expect.poll(() => calls, { interval: 1 }).toBe(4)
    await app.get('/cats/2', {}, 'PUT')
    letGo()
    await Promise.all([variant.answer, request])
    expect(await seen(app, '/language', { 'accept-language': 'de' })).toEqual([2, 'MISS'])
    const again = await app.raw('/by-host', { host: 'other.example', 'x-tag': 'cats' })
    expect(again.headers['x-cache']).toBe('MISS')
  })

  it('in a namespace leaves handlers alone whose answers lie elsewhere', async () => {
    const app = await start('namespace')
    const { answer } = await underWay(app, '/other')
    await app.get('/cats/2', {}, 'PUT')
    await app.get('/all/2', {}, 'PUT')
    letGo()
    await answer
    expect(await seen(app, '/other')).toEqual([1, 'HIT'])
  })

  it('leaves nothing in the directory where nothing is under way', async () => {
    const app = await start('Cache')
    letGo()
    await app.get('/slow')
    await app.get('/cats/2', {}, 'PUT')
    const { directory } = app.app.get<DiskCache>(getDiskCacheToken())
    const left = rawDatabase(directory).prepare(LEASES).all()
    expect(left).toEqual([])
  })

  it('reaches the handler of another process, for which nobody waits any more', async () => {
    const directory = temporaryDirectory()
    const app = await start('FanoutCache', directory)
    const other = new FixtureProcess(new URL('fixtures/cats-app.mjs', import.meta.url), { directory, value: 1 })
    const url = (await other.line('listening ')).slice('listening '.length)
    const answer = fetch(`${url}/slow`)
    await other.line('begun')
    await app.get('/cats/2', {}, 'PUT')
    letGo()
    expect(await seen(app, '/slow')).toEqual([2, 'MISS'])
    other.send('go')
    expect(await (await answer).json()).toEqual({ value: 1 })
    expect(await seen(app, '/slow')).toEqual([2, 'HIT'])
    expect(await (await fetch(`${url}/slow`)).json()).toEqual({ value: 2 })
  })
})
