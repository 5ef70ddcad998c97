import { join } from 'node:path'
import { Controller, Delete, Get, Header, HttpCode, Injectable, Logger, Param, UseInterceptors } from '@nestjs/common'
import type { FanoutCache } from 'fanout-cache'
import {
  CACHE_MANAGER,
  CacheAudience,
  Cacheable,
  CacheEvict,
  CacheInterceptor,
  CacheKey,
  CacheModule,
  CacheName,
  CacheTags,
  CacheTTL,
  getCacheManagerToken,
  getDiskCacheToken,
} from 'fanout-cache/nest'
import { of } from 'rxjs'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Gate, nextTurn } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { createApp, startApp } from './nest-app.js'

let calls = 0
let gate = new Gate()
const NOTHING = Symbol('nothing')
let result: unknown = NOTHING

@Injectable()
class Users {
  readonly prefix = 'user'

  @Cacheable()
  async plain(..._args: unknown[]): Promise<unknown> {
    calls++
    return result === NOTHING ? { prefix: this.prefix, calls } : result
  }

  @Cacheable({ key: (id: string) => `user:${id}`, ttl: '5m', tags: (id: string) => ['users', `user-${id}`] })
  async find(id: string): Promise<object> {
    calls++
    return { id, calls }
  }

  @Cacheable({ key: 'slow' })
  async slow(): Promise<number> {
    const call = ++calls
    await gate.opened
    return call
  }

  @Cacheable({ key: 'later' })
  async later(): Promise<unknown> {
    await nextTurn()
    return result
  }

  @Cacheable({ key: 'fails' })
  async fails(): Promise<never> {
    calls++
    throw new RangeError('no such user')
  }

  @Cacheable({ key: 'unless', unless: (found: unknown[]) => found.length === 0 })
  async search(): Promise<unknown[]> {
    calls++
    return calls > 2 ? [1] : []
  }

  @Cacheable({ ttl: 0 })
  async never(): Promise<number> {
    return ++calls
  }

  @Cacheable({ key: 'report', cache: 'reports' })
  async report(): Promise<number> {
    return ++calls
  }

  @CacheEvict({ key: (id: string) => `user:${id}` })
  async update(id: string): Promise<string> {
    return `updated ${id}`
  }

  @CacheEvict({ tags: ['users'] })
  updateAll(): string {
    return 'updated all'
  }

  @CacheEvict({ key: ['user:1', 'user:2'], cache: 'reports' })
  elsewhere(): void {}

  @CacheEvict({ all: true })
  clear(): unknown {
    return of('a', 'b')
  }

  @CacheEvict({ tags: ['users'] })
  failing(): never {
    throw new Error('nothing was changed')
  }
}

async function start(ttl?: string) {
  const directory = temporaryDirectory()
  const imports = [
    CacheModule.register({ directory, shards: 1, ttl }),
    CacheModule.register({ directory, shards: 1, name: 'reports' }),
  ]
  const app = await createApp({ imports, providers: [Users] })
  return { app, users: app.get(Users), cache: app.get<FanoutCache>(getDiskCacheToken()) }
}

beforeEach(() => {
  calls = 0
  gate = new Gate()
  result = NOTHING
})

describe('@Cacheable', () => {
  it('keeps for as long as the module says, where it says nothing itself', async () => {
    const { users, cache } = await start('1h')
    const before = Date.now()
    await Promise.all([users.plain(), users.find('1')])
    const left = async (key: string): Promise<number> => ((await cache.info(key))?.expiresAt ?? 0) - before
    expect(Math.round((await left(':Users.plain()')) / 60_000)).toBe(60)
    expect(Math.round((await left(':user:1')) / 60_000)).toBe(5)
  })

  it('keeps what a method answers, by class, method and arguments', async () => {
    const { users, cache } = await start()
    const made = await users.plain('a', { b: 1, c: [2n, null] }, undefined)
    expect(made).toEqual({ prefix: 'user', calls: 1 })
    expect(await users.plain('a', { c: [2n, null], b: 1 }, undefined)).toEqual(made)
    expect(await cache.has(':Users.plain(a:{b:1,c:[2n,null]}:undefined)')).toBe(true)
  })

  it('says in the log why a new value could not be computed behind an old one', async () => {
    class Reports {
      @Cacheable({ key: 'report', ttl: '1m', staleFor: '1h' })
      async make(): Promise<number> {
        if (++calls > 1) throw new RangeError('no such report')
        return calls
      }
    }
    const clock = new ManualClock()
    const imports = [CacheModule.register({ directory: temporaryDirectory(), shards: 1, clock })]
    const reports = (await createApp({ imports, providers: [Reports] })).get(Reports)
    const logged = vi.spyOn(Logger.prototype, 'warn').mockReturnValue()
    expect(await reports.make()).toBe(1)
    clock.advance(90_000)
    expect(await reports.make()).toBe(1)
    await vi.waitFor(() => expect(logged.mock.calls).toEqual([[expect.stringContaining('no such report')]]))
  })

  it('tells arguments apart', async () => {
    const { users } = await start()
    const different = [
      [],
      [undefined],
      [null],
      [1],
      ['1'],
      [1n],
      [0],
      [-0],
      [[1]],
      [{ 0: 1 }],
      [new Date(1)],
      [new Map([[1, 2]])],
      [Buffer.from('a')],
      ['1', '2'],
      ['1,2'],
    ]
    for (const args of different) await users.plain(...args)
    expect(calls).toBe(different.length)
    for (const args of different) await users.plain(...args)
    expect(calls).toBe(different.length)
  })

  it.each([
    ['an instance of a class', new Users()],
    ['a function', () => {}],
    ['a symbol', Symbol('a')],
  ])('makes no key of %s', async (_, argument) => {
    const { users } = await start()
    await expect(users.plain(argument)).rejects.toThrow(/say which with key: \(\.\.\.args\) => string/)
  })

  it.each([
    ['null', null],
    ['false', false],
    ['text like JSON', '{"value":1}'],
    ['a Map', new Map([[1, 2]])],
  ])('keeps %s', async (_, value) => {
    const { users } = await start()
    result = value
    expect([await users.plain(), await users.plain(), calls]).toEqual([value, value, 1])
  })

  it('does not keep undefined, nor streams', async () => {
    const { users } = await start()
    for (const value of [undefined, new Blob(['a']).stream()]) {
      calls = 0
      result = value
      expect([await users.plain(), await users.plain(), calls]).toEqual([value, value, 2])
    }
  })

  it.each<[string, unknown]>([
    ['a function', { run: () => 1 }],
    ['a toJSON that throws', { toJSON: () => new URL('nowhere') }],
  ])(
    'hands on a value with %s to all who ask at the same time, and says in the log why it is not kept',
    async (_, value) => {
      const logged = vi.spyOn(Logger.prototype, 'error').mockReturnValue()
      onTestFinished(() => logged.mockRestore())
      const { users } = await start()
      result = value
      for (const answer of await Promise.all([users.later(), users.later(), users.later()])) expect(answer).toBe(value)
      expect(logged.mock.calls[0]).toEqual([
        expect.stringMatching(/^@Cacheable of Users\.later went on without the cache: /),
      ])
    },
  )

  it('keeps it under the key of the cache manager, with time to live and tags', async () => {
    const { app, users, cache } = await start()
    const found = await users.find('1')
    expect(await app.get(CACHE_MANAGER).get('user:1')).toEqual(found)
    const info = await cache.info(':user:1')
    expect([info?.tags, Math.round(((info?.expiresAt ?? 0) - (info?.storedAt ?? 0)) / 1000)]).toEqual([
      ['users', 'user-1'],
      300,
    ])
    await app.get(CACHE_MANAGER).del('user:1')
    expect(await users.find('1')).toEqual({ id: '1', calls: 2 })
  })

  it('runs once for those who ask at the same time', async () => {
    const { users } = await start()
    const asked = Promise.all([users.slow(), users.slow(), users.slow()])
    await expect.poll(() => calls, { interval: 1 }).toBe(1)
    gate.open()
    expect(await asked).toEqual([1, 1, 1])
  })

  it('passes errors on as they are, and keeps none', async () => {
    const { users } = await start()
    const errors = await Promise.allSettled([users.fails(), users.fails()])
    for (const error of errors) expect(error).toMatchObject({ reason: new RangeError('no such user') })
    await expect(users.fails()).rejects.toThrow(RangeError)
    expect(calls).toBe(2)
  })

  it('keeps nothing that `unless` names, nor with a time to live of 0', async () => {
    const { users } = await start()
    expect([await users.search(), await users.search(), await users.search(), await users.search()]).toEqual([
      [],
      [],
      [1],
      [1],
    ])
    expect([await users.never(), await users.never()]).toEqual([4, 5])
  })

  it('uses the cache of a name', async () => {
    const { app, users } = await start()
    expect([await users.report(), await users.report()]).toEqual([1, 1])
    expect(await app.get(getCacheManagerToken('reports')).get('report')).toBe(1)
    expect(await app.get(CACHE_MANAGER).get('report')).toBeUndefined()
  })

  it('lets the method run where Nest did not make the class', async () => {
    const users = new Users()
    expect([await users.find('1'), await users.find('1')]).toEqual([
      { id: '1', calls: 1 },
      { id: '1', calls: 2 },
    ])
  })

  it('lets the method run when the cache fails', async () => {
    const { users, cache } = await start()
    await users.find('1')
    Object.assign(cache, { getOrSet: () => Promise.reject(new Error('broken')) })
    expect(await users.find('1')).toEqual({ id: '1', calls: 2 })
    await expect(users.fails()).rejects.toThrow('no such user')
    expect(calls).toBe(3)
  })

  it('keeps an app from starting whose module has no cache', async () => {
    await expect(createApp({ providers: [Users] })).rejects.toThrow(/CacheModule\.register\(\) of fanout-cache\/nest/)
  })

  it.each([
    ['an unknown option', () => Cacheable({ keys: 'a' } as never), /unknown option keys; did you mean key\?/],
    ['a ttl', () => Cacheable({ ttl: 'soon' }), /ttl must be/],
    [
      'an audience',
      () => CacheAudience('user' as never),
      /expected 'everyone' or a function of the context, got 'user'/,
    ],
    ['a time to live', () => CacheTTL('soon'), /@CacheTTL must be milliseconds or a string/],
    ['no time to live', () => CacheTTL(undefined as never), /@CacheTTL: expected a time to live .*, got undefined/],
    ['a number as key', () => Cacheable({ key: 5 as never }), /@Cacheable: key: expected a text or a function/],
    ['one tag', () => Cacheable({ tags: 'users' as never }), /@Cacheable: tags: expected texts in an array/],
    ['no function', () => Cacheable({ unless: true as never }), /@Cacheable: unless: expected a function/],
    ['a cache', () => Cacheable({ cache: '' }), /@Cacheable: cache: expected the name of a registration, got ''/],
    ['a lease', () => Cacheable({ lease: 5 }), /@Cacheable: lease must be at least 20/],
    ['a grace', () => Cacheable({ staleFor: 'long' }), /@Cacheable: staleFor must be/],
    ['a weight', () => Cacheable({ beta: -1 }), /@Cacheable: beta must be/],
    ['keys to evict', () => CacheEvict({ key: [5] as never }), /@CacheEvict: key: expected a text, texts or/],
    ['a tag to evict', () => CacheEvict({ tags: 'users' as never }), /@CacheEvict: tags: expected texts in an array/],
    ['half of all', () => CacheEvict({ key: 'a', all: 'yes' as never }), /@CacheEvict: all: expected true or false/],
    ['the cache of an eviction', () => CacheEvict({ all: true, cache: 5 as never }), /@CacheEvict: cache: expected/],
    ['a negative time to live', () => CacheTTL(-1), /@CacheTTL must be a duration of 0 or more/],
    ['a key', () => CacheKey(5 as never), /@CacheKey: expected a text or a function of the context, got 5/],
    ['an empty key', () => CacheKey(''), /@CacheKey: expected a text or a function of the context, got ''/],
    ['a tag', () => CacheTags('cats', 5 as never), /@CacheTags: expected texts or one function of the context, got 5/],
    ['a list of tags', () => CacheTags(['cats'] as never), /@CacheTags: expected texts .* got an array/],
    ['a name', () => CacheName('' as never), /@CacheName: expected a text, got ''/],
    ['nothing to evict', () => CacheEvict({}), /say what is removed/],
    ['not all to evict', () => CacheEvict({ all: false }), /say what is removed/],
    ['an unknown option of @CacheEvict', () => CacheEvict({ tag: 'a' } as never), /did you mean tags\?/],
    [
      'a property',
      () => (Cacheable() as unknown as (target: object, name: string) => void)({}, 'name'),
      /belongs on a method/,
    ],
  ])('is refused where it is written: %s', (_, write, message) => {
    expect(write).toThrow(message)
  })
})

describe('@CacheEvict', () => {
  it('removes by key, by tag, and all, after the method has succeeded', async () => {
    const { users, cache } = await start()
    await Promise.all([users.find('1'), users.find('2'), users.plain(), users.report()])
    expect(await cache.count()).toBe(4)
    expect(await users.update('1')).toBe('updated 1')
    expect([await cache.has(':user:1'), await cache.has(':user:2')]).toEqual([false, true])
    expect(() => users.failing()).toThrow('nothing was changed')
    await users.elsewhere()
    expect(await cache.has(':user:2')).toBe(true)
    expect(await users.updateAll()).toBe('updated all')
    expect([await cache.has(':user:2'), await cache.count()]).toEqual([false, 2])
  })

  it('says in the log what it could not remove, of a FanoutCache too', { timeout: 30_000 }, async () => {
    const { users, cache } = await start()
    await users.find('2')
    const logged = vi.spyOn(Logger.prototype, 'error').mockReturnValue()
    rawDatabase(join(cache.directory, '000')).exec('BEGIN IMMEDIATE')
    expect(await users.updateAll()).toBe('updated all')
    expect(logged.mock.calls).toEqual([
      [expect.stringMatching(/^@CacheEvict of Users\.updateAll went on without the cache: .*locked/)],
    ])
  })

  it.each([
    ['key', { key: () => 5 as never }, /@CacheEvict: key of Wrong.change: expected texts, got 5/],
    ['tags', { tags: () => 'users' as never }, /@CacheEvict: tags of Wrong.change: expected texts, got 'users'/],
  ])('says what is wrong with the %s that a function answers', async (_, options, message) => {
    class Wrong {
      @CacheEvict(options)
      async change(): Promise<void> {}
    }
    const app = await createApp({ imports: [CacheModule.register()], providers: [Wrong] })
    await expect(app.get(Wrong).change()).rejects.toThrow(message)
  })

  it('removes when an Observable has ended', async () => {
    const { users, cache } = await start()
    await Promise.all([users.find('1'), users.report()])
    const seen: unknown[] = []
    await ((await users.clear()) as ReturnType<typeof of>).forEach(value => seen.push(value))
    expect(seen).toEqual(['a', 'b'])
    expect([await cache.has(':user:1'), await cache.count()]).toEqual([false, 1])
  })

  it('leaves handlers what other decorators have noted', async () => {
    @Controller('cats')
    @UseInterceptors(CacheInterceptor)
    class Cats {
      @Get()
      @CacheTags('cats')
      all(): object {
        return { calls: ++calls }
      }

      @Get(':id')
      @CacheTags(context => ['cats', `cat-${context.switchToHttp().getRequest().params.id}`])
      @CacheName('reports')
      one(@Param('id') id: string): object {
        return { id, calls: ++calls }
      }

      @CacheEvict({ tags: (id: string) => [`cat-${id}`] })
      @Delete(':id')
      @HttpCode(202)
      @Header('X-Done', 'yes')
      remove(@Param('id') id: string): object {
        return { id }
      }

      @Delete()
      @CacheEvict({ key: '/cats' })
      removeAll(): void {}
    }
    const directory = temporaryDirectory()
    const app = await startApp({
      imports: [
        CacheModule.register({ directory, shards: 1 }),
        CacheModule.register({ directory, shards: 1, name: 'reports' }),
      ],
      controllers: [Cats],
    })
    await app.cached(['/cats'], ['/cats/1'], ['/cats/2'])
    const removed = await app.get('/cats/1', {}, 'DELETE')
    expect([removed.status, removed.headers.get('x-done'), removed.body]).toEqual([202, 'yes', { id: '1' }])
    expect(await app.cached(['/cats'], ['/cats/1'], ['/cats/2'])).toEqual(['HIT', 'MISS', 'HIT'])
    await app.get('/cats', {}, 'DELETE')
    expect(await app.cached(['/cats'], ['/cats/1'])).toEqual(['MISS', 'HIT'])
    await app.app.get(getCacheManagerToken('reports')).clear()
    expect(await app.cached(['/cats'], ['/cats/1'])).toEqual(['HIT', 'MISS'])
  })
})
