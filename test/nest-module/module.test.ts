import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Cache as OfficialCache, CacheModule as OfficialModule } from '@nestjs/cache-manager'
import { Controller, Get, Inject, Injectable, Module, type ModuleMetadata, UseInterceptors } from '@nestjs/common'
import { Cache as Engine, FanoutCache, type Namespace, startUpkeep } from 'fanout-cache'
import { diskStore } from 'fanout-cache/cache-manager'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import {
  CACHE_MANAGER,
  Cache,
  Cacheable,
  CacheEvict,
  CacheInterceptor,
  CacheModule,
  type CacheModuleOptions,
  type CacheOptionsFactory,
  getCacheManagerToken,
  getDiskCacheToken,
  InjectCacheManager,
  InjectDiskCache,
} from 'fanout-cache/nest'
import { Keyv } from 'keyv'
import { describe, expect, it } from 'vitest'
import { hostInstalled } from '../helpers/host.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { createApp, startApp } from './nest-app.js'

async function managerOf(imports: ModuleMetadata['imports']) {
  const app = await createApp({ imports: imports ?? [] })
  return { app, manager: app.get(CACHE_MANAGER), engine: app.get<FanoutCache>(getDiskCacheToken(), { strict: false }) }
}

describe('CacheModule.register', () => {
  const forms: [string, (directory: string) => CacheModuleOptions][] = [
    ['a directory alone', directory => ({ directory, shards: 1 })],
    ['diskStore', directory => ({ store: diskStore, directory, shards: 1 })],
    ['diskStore with options of older stores', directory => ({ store: diskStore, directory, ttl: '5m', max: 100 })],
    ['an object with create', directory => ({ store: { create: diskStore.create }, directory })],
    ['a factory of the app', directory => ({ store: () => diskStore({ directory, shards: 1 }) })],
    ['a store', directory => ({ store: diskStore({ directory, shards: 1 }) })],
    ['the promise of a store', directory => ({ store: Promise.resolve(diskStore({ directory, shards: 1 })) })],
    ['a Keyv', directory => ({ store: diskStore.keyv({ directory, shards: 1 }) })],
    ['an open cache', directory => ({ store: new FanoutCache(directory, { shards: 1 }) })],
    ['stores with a store', directory => ({ stores: [diskStore({ directory, shards: 1 })] })],
    ['stores with createKeyv', directory => ({ stores: [createKeyv(directory, { shards: 1 })] })],
    ['stores with one store', directory => ({ stores: createKeyv({ directory, shards: 1 }) })],
    ['stores with a storage adapter', directory => ({ stores: [new KeyvDiskStore({ directory, shards: 1 })] })],
    [
      'stores with an ordinary Keyv',
      directory => ({ stores: [new Keyv({ store: new KeyvDiskStore({ directory, shards: 1 }) })] }),
    ],
    ['stores with a memory in front', directory => ({ stores: [new Keyv(), createKeyv(directory, { shards: 1 })] })],
  ]

  it.each(forms)('takes %s', async (_, options) => {
    const directory = temporaryDirectory()
    const { app, manager, engine } = await managerOf([CacheModule.register(options(directory))])
    await manager.set('key', { at: 1 })
    expect(await manager.get('key')).toEqual({ at: 1 })
    expect(await manager.wrap('wrapped', () => 'made')).toBe('made')
    expect(engine.directory).toBe(directory)
    expect(await engine.count()).toBe(2)
    await app.close()
    const after = new FanoutCache(directory)
    expect(await after.count()).toBe(2)
    await after.close()
  })

  it.each<[string, (cache: Namespace) => CacheModuleOptions]>([
    ['store', cache => ({ store: cache })],
    ['stores', cache => ({ stores: [cache] })],
    ['diskStore in store', cache => ({ store: diskStore({ cache }) })],
    ['createKeyv in stores', cache => ({ stores: [createKeyv(cache)] })],
  ])('takes a namespace of a cache as %s', async (_, options) => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 1 })
    await cache.set('outside', 1)
    const { app, manager } = await managerOf([CacheModule.register(options(cache.namespace('app')))])
    await manager.set('key', { at: 5n })
    expect(await manager.get('key')).toEqual({ at: 5n })
    expect(await manager.wrap('wrapped', () => 5n)).toBe(5n)
    expect(await manager.wrap('wrapped', () => 'again')).toBe(5n)
    expect(await cache.namespace('app').count()).toBe(2)
    await manager.clear()
    expect(await cache.count()).toBe(1)
    await app.close()
    expect(await cache.get('outside')).toBe(1)
    await cache.close()
  })

  it('takes the option memory', async () => {
    const directory = temporaryDirectory()
    const { app, manager, engine } = await managerOf([CacheModule.register({ directory, shards: 1, memory: {} })])
    await manager.set('key', 1)
    for (let read = 0; read < 3; read++) expect(await manager.get('key')).toBe(1)
    expect((await engine.stats()).memory).toMatchObject({ hits: 2 })
    await app.close()
  })

  it.each([
    ['a directory', (directory: string) => ({ directory })],
    ['a store', (directory: string) => ({ store: diskStore, directory })],
  ])('keeps the directory up until the app is closed, with %s', async (_, options) => {
    const directory = temporaryDirectory()
    const { app, engine } = await managerOf([CacheModule.register({ ...options(directory), upkeep: { every: '7s' } })])
    await engine.set('key', 1)
    // There is one upkeep of a directory in a process: the same options join it, and others are refused.
    expect(() => startUpkeep(engine, { every: '8s' })).toThrow(/with other options: upkeep\.every$/)
    await app.close()
    const cache = await new FanoutCache(directory).open()
    await startUpkeep(cache, { every: '8s' }).stop()
    await cache.close()
  })

  it('works without a directory, in a directory that goes with the app', async () => {
    const { app, manager, engine } = await managerOf([CacheModule.register({ shards: 1 })])
    await manager.set('key', 'value')
    expect(await manager.get('key')).toBe('value')
    const { directory } = engine
    expect(existsSync(directory)).toBe(true)
    await app.close()
    expect(existsSync(directory)).toBe(false)
  })

  it('opens a directory of one database as what it is', async () => {
    const directory = temporaryDirectory()
    const before = new Engine(directory)
    await before.set(':key', 'from before')
    await before.close()
    const { manager, engine } = await managerOf([CacheModule.register({ directory, shards: 1 })])
    expect(engine).toBeInstanceOf(Engine)
    expect(await manager.get('key')).toBe('from before')
  })

  it('gives the time to live of the module to what has none', async () => {
    let now = 1_800_000_000_000
    const clock = { now: () => now }
    const { manager, engine } = await managerOf([
      CacheModule.register({ directory: temporaryDirectory(), shards: 1, ttl: '1m', clock }),
    ])
    await manager.set('key', 'value')
    await manager.set('long', 'value', 120_000)
    expect((await engine.info(':key'))?.expiresAt).toBe(now + 60_000)
    now += 60_000
    expect([await engine.has(':key'), await engine.has(':long')]).toEqual([false, true])
  })

  it('has the tokens of @nestjs/cache-manager', async () => {
    @Injectable()
    class Existing {
      readonly byToken: unknown
      readonly byClass: unknown
      readonly byOfficialClass: unknown
      constructor(@Inject(CACHE_MANAGER) byToken: unknown, byClass: Cache, byOfficialClass: OfficialCache) {
        this.byToken = byToken
        this.byClass = byClass
        this.byOfficialClass = byOfficialClass
      }
    }
    const app = await createApp({
      imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1 })],
      providers: [Existing],
    })
    const { byToken, byClass, byOfficialClass } = app.get(Existing)
    expect(byToken).toBe(app.get('CACHE_MANAGER'))
    expect([byClass, byOfficialClass]).toEqual([byToken, byToken])
    expect(Cache).toBe(OfficialCache)
  })

  it('reaches other modules only when it is global', async () => {
    @Injectable()
    class Service {
      readonly cache: FanoutCache
      constructor(@InjectDiskCache() cache: FanoutCache) {
        this.cache = cache
      }
    }
    class Feature {}
    Module({ providers: [Service] })(Feature)
    const directory = temporaryDirectory()
    const app = await createApp({ imports: [CacheModule.register({ directory, shards: 1, isGlobal: true }), Feature] })
    expect(app.get(Service, { strict: false }).cache.directory).toBe(directory)
    const alone = createApp({ imports: [CacheModule.register({ directory, shards: 1 }), Feature] })
    await expect(alone).rejects.toThrow(/DiskCache/)
  })

  it('registers several by name, also in one directory', async () => {
    @Injectable()
    class Service {
      readonly managers: any[]
      readonly engines: FanoutCache[]
      constructor(
        @InjectCacheManager() usual: unknown,
        @InjectCacheManager('reports') reports: unknown,
        @InjectDiskCache() usualEngine: FanoutCache,
        @InjectDiskCache('reports') reportsEngine: FanoutCache,
      ) {
        this.managers = [usual, reports]
        this.engines = [usualEngine, reportsEngine]
      }
    }
    const directory = temporaryDirectory()
    const app = await createApp({
      imports: [
        CacheModule.register({ directory, shards: 1 }),
        CacheModule.register({ directory, shards: 1, name: 'reports' }),
      ],
      providers: [Service],
    })
    const [usual, reports] = app.get(Service).managers
    await usual.set('key', 'usual')
    await reports.set('key', 'report')
    expect([await usual.get('key'), await reports.get('key')]).toEqual(['usual', 'report'])
    await reports.clear()
    expect([await usual.get('key'), await reports.get('key')]).toEqual(['usual', undefined])
    expect(app.get(getCacheManagerToken('reports'))).toBe(reports)
  })
})

describe('CacheModule.registerAsync', () => {
  class Settings {
    readonly directory = temporaryDirectory()
  }
  class SettingsModule {}
  Module({ providers: [Settings], exports: [Settings] })(SettingsModule)

  @Injectable()
  class Factory implements CacheOptionsFactory {
    readonly #settings: Settings
    constructor(@Inject(Settings) settings: Settings) {
      this.#settings = settings
    }
    async createCacheOptions() {
      return { store: diskStore, directory: this.#settings.directory, shards: 1 }
    }
  }
  class FactoryModule {}
  Module({ imports: [SettingsModule], providers: [Factory], exports: [Factory] })(FactoryModule)

  it.each([
    [
      'useFactory',
      () =>
        CacheModule.registerAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: async (settings: Settings) => ({
            store: diskStore,
            directory: settings.directory,
            shards: 1,
            ttl: '5m',
          }),
        }),
    ],
    ['useClass', () => CacheModule.registerAsync({ imports: [SettingsModule], useClass: Factory })],
    ['useExisting', () => CacheModule.registerAsync({ imports: [FactoryModule], useExisting: Factory })],
  ])('takes options from %s', async (_, register) => {
    const { app, manager, engine } = await managerOf([register()])
    await manager.set('key', 'value')
    expect(await manager.get('key')).toBe('value')
    expect(engine.directory).toBe(app.get(Settings, { strict: false }).directory)
  })

  it('takes isGlobal, a name and further providers', async () => {
    const directory = temporaryDirectory()
    const app = await createApp({
      imports: [
        CacheModule.registerAsync({
          isGlobal: true,
          name: 'reports',
          extraProviders: [{ provide: 'PLACE', useValue: directory }],
          inject: ['PLACE'],
          useFactory: (place: string) => ({ directory: place, shards: 1 }),
        }),
      ],
    })
    expect(app.get<FanoutCache>(getDiskCacheToken('reports'), { strict: false }).directory).toBe(directory)
  })
})

describe('A wrong configuration', () => {
  const file = new URL(import.meta.url).pathname
  const wrong: [string, unknown, RegExp][] = [
    ['store and stores', { store: diskStore, stores: [new Keyv()] }, /store or stores, not both/],
    ['diskStore without a directory', { store: diskStore }, /write store: diskStore, directory: '\/var\/cache\/app'/],
    ['a slip in an option', { directory: '/tmp/x', tttl: 1 }, /unknown option tttl; did you mean ttl\?/],
    ['options of Redis', { store: diskStore, directory: '/tmp/x', socket: {} }, /unknown option socket/],
    ['stores without a disk', { stores: [new Keyv()] }, /write stores: \[createKeyv\('\/var\/cache\/app'\)\]/],
    ['a store without a disk', { store: new Map() }, /write store: diskStore/],
    ['no store', { store: 'memory' }, /store must be diskStore, a store or a factory of one, got 'memory'/],
    ['a factory in stores', { stores: [diskStore] }, /stores takes Keyv instances/],
    ['a directory beside stores', { stores: [new Keyv()], directory: '/tmp/x' }, /directory belongs to store/],
    ['a ttl that cannot be read', { directory: '/tmp/x', ttl: 'soon' }, /ttl must be milliseconds or a string/],
    ['a limit that is too small', { directory: temporaryDirectoryName(), sizeLimit: 1 }, /sizeLimit/],
    ['a directory that is a file', { directory: file }, /ENOTDIR|is a file|not a directory|EEXIST/i],
    [
      'an upkeep with a slip',
      { directory: temporaryDirectoryName(), upkeep: { evry: 1 } },
      /upkeep: unknown option evry; did you mean every/,
    ],
    [
      'an option of the cache beside stores',
      { stores: [new Keyv()], sizeLimit: 2 ** 20 },
      /sizeLimit belongs to store/,
    ],
    [
      'a directory beside a store that has one',
      { store: diskStore.create({ directory: temporaryDirectoryName() }), directory: '/tmp/x' },
      /directory belongs to store: diskStore/,
    ],
    [
      'an option of the cache beside an open cache',
      { store: Promise.resolve(new FanoutCache(temporaryDirectoryName())), sizeLimit: 2 ** 20 },
      /sizeLimit belongs to store: diskStore/,
    ],
    ['a namespace that is no text', { directory: '/tmp/x', namespace: 5 }, /namespace must be a well-formed string/],
    [
      'half a character in a namespace',
      { directory: '/tmp/x', namespace: '\ud800' },
      /namespace must be a well-formed/,
    ],
    ['a directory that is no path', { directory: 5 }, /directory must be a path, got 5/],
    ['a flag that is none', { directory: '/tmp/x', ignoreCookies: 'yes' }, /ignoreCookies must be true or false/],
  ]

  it.each(wrong)('keeps the app from starting: %s', async (_, options, message) => {
    await expect(createApp({ imports: [CacheModule.register(options as CacheModuleOptions)] })).rejects.toThrow(message)
  })

  it.runIf(hostInstalled('keyv6'))('keeps the app from starting: a Keyv 6', async () => {
    const place = new URL('../hosts/keyv6/node_modules/keyv/dist/index.mjs', import.meta.url)
    const { Keyv: Keyv6 } = (await import(place.href)) as { readonly Keyv: new () => object }
    for (const options of [{ stores: [createKeyv(temporaryDirectory()), new Keyv6()] }, { stores: new Keyv6() }]) {
      await expect(createApp({ imports: [CacheModule.register(options)] })).rejects.toThrow(
        /works with Keyv 5, and this is a Keyv 6: npm install keyv@5, and import createKeyv from fanout-cache\/keyv/,
      )
    }
  })

  it.each([
    [
      'no source of options',
      () => CacheModule.registerAsync({}),
      /needs one of useFactory, useClass and useExisting, got none/,
    ],
    ['two', () => CacheModule.registerAsync({ useFactory: () => ({}), useClass: class {} as never }), /got 2/],
    [
      'a slip',
      () => CacheModule.registerAsync({ useFactory: () => ({}), isglobal: true } as never),
      /unknown option isglobal; did you mean isGlobal/,
    ],
    [
      'options beside the function',
      () => CacheModule.registerAsync({ useFactory: () => ({}), ttl: 5 } as never),
      /unknown option ttl; known are/,
    ],
    [
      'what is no function',
      () => CacheModule.registerAsync({ useFactory: { ttl: 5 } } as never),
      /useFactory must be a function, got an object/,
    ],
    ['a flag that is none', () => CacheModule.register({ isGlobal: 'yes' as never }), /isGlobal must be true or false/],
    ['an empty name', () => CacheModule.register({ name: '' }), /name must be a string/],
    ['a text', () => CacheModule.register('/var/cache' as never), /options must be an object/],
  ])('is told where it is written: %s', (_, register, message) => {
    expect(register).toThrow(message)
  })
})

describe('A class that makes no options', () => {
  class Idle {}
  class IdleModule {}
  Module({ providers: [Idle], exports: [Idle] })(IdleModule)

  it.each([
    ['useClass', { useClass: Idle }],
    ['useExisting', { imports: [IdleModule], useExisting: Idle }],
  ])('keeps the app from starting with a sentence: %s', async (name, options) => {
    await expect(createApp({ imports: [CacheModule.registerAsync(options as never)] })).rejects.toThrow(
      `${name} must name a class with the method createCacheOptions(), got an object`,
    )
  })
})

describe('Options that a function makes', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['nothing', () => undefined, /options must be an object, got undefined/],
    ['a text', () => '/var/cache', /options must be an object, got '\/var\/cache'/],
    ['a slip', () => ({ directory: '/tmp/x', sizelimit: 1 }), /unknown option sizelimit; did you mean sizeLimit/],
  ])('keep the app from starting when they are %s', async (_, useFactory, message) => {
    const module = CacheModule.registerAsync({ useFactory: useFactory as never })
    await expect(createApp({ imports: [module] })).rejects.toThrow(message)
  })

  it('keep the app from starting with its error, and leave nothing open', async () => {
    const directory = temporaryDirectory()
    const failing = CacheModule.registerAsync({
      name: 'failing',
      useFactory: () => Promise.reject(new Error('no settings yet')),
    })
    await expect(createApp({ imports: [failing] })).rejects.toThrow('no settings yet')
    const wrong = CacheModule.register({ stores: [createKeyv(directory, { shards: 1 })], upkeep: { every: 'x' } })
    await expect(createApp({ imports: [wrong] })).rejects.toThrow('upkeep')
    // Other options than those of the first open are refused while it is open.
    const cache = new FanoutCache(directory, { timeout: 5000 })
    await cache.open()
    await cache.close()
  })
})

describe('A cache manager that a test has put in the place of ours', () => {
  it('takes interceptor and methods along: nothing is kept on disk, and its keys are removed', async () => {
    const removed: string[] = []
    const mock = { get: () => undefined, set: () => undefined, del: (key: string) => removed.push(key) }
    let calls = 0

    @Controller()
    @UseInterceptors(CacheInterceptor)
    class Pages {
      @Get('page')
      page(): object {
        return { call: ++calls }
      }

      @Cacheable({ key: 'made' })
      async made(): Promise<number> {
        return ++calls
      }

      @CacheEvict({ key: 'made' })
      async forget(): Promise<void> {}
    }

    // As overrideProvider of @nestjs/testing does it.
    const module = CacheModule.register({ directory: temporaryDirectory(), shards: 1 })
    const providers = module.providers?.map(provider =>
      'provide' in provider && provider.provide === CACHE_MANAGER
        ? { provide: CACHE_MANAGER, useValue: mock }
        : provider,
    )
    const app = await startApp({ imports: [{ ...module, providers: providers ?? [] }], controllers: [Pages] })
    expect([(await app.get('/page')).body, (await app.get('/page')).body]).toEqual([{ call: 1 }, { call: 2 }])
    const pages = app.app.get(Pages)
    expect([await pages.made(), await pages.made()]).toEqual([3, 4])
    await pages.forget()
    expect(removed).toEqual(['made'])
    expect(await app.app.get<FanoutCache>(getDiskCacheToken(), { strict: false }).count()).toBe(0)
  })
})

describe('Two modules on one directory', () => {
  it('share what they keep, and the engine until both are closed', async () => {
    const directory = temporaryDirectory()
    const [one, two] = [
      await managerOf([CacheModule.register({ directory, shards: 1 })]),
      await managerOf([CacheModule.register({ directory: pathToFileURL(directory), ttl: '1m' })]),
    ]
    await one.manager.set('key', 'value')
    expect(await two.manager.get('key')).toBe('value')
    await one.app.close()
    await one.app.close()
    expect(existsSync(join(directory, '000', 'cache.db-wal'))).toBe(true)
    expect(await two.manager.get('key')).toBe('value')
    await two.app.close()
    expect(existsSync(join(directory, '000', 'cache.db-wal'))).toBe(false)
  })

  it('may be of two features of one app, which reach their own', async () => {
    const directory = temporaryDirectory()
    const features = ['5m', '1h'].map(ttl => {
      class Feature {}
      const cache = CacheModule.register({ directory, shards: 1, ttl })
      Module({ imports: [cache], exports: [cache] })(Feature)
      return Feature
    })
    const app = await createApp({ imports: features })
    const managers = features.map(feature => app.select(feature).get<OfficialCache>(CACHE_MANAGER, { strict: false }))
    for (const [at, manager] of managers.entries()) await manager.set(`of ${at}`, at)
    for (const manager of managers) expect(await manager.mget(['of 0', 'of 1'])).toEqual([0, 1])
  })

  it('may not say different things of it', async () => {
    const directory = temporaryDirectory()
    const imports = [2 ** 24, 2 ** 25].map((sizeLimit, at) =>
      CacheModule.register({ directory, shards: 1, sizeLimit, name: `of ${at}` }),
    )
    await expect(createApp({ imports })).rejects.toThrow(/sizeLimit/)
  })
})

describe('The module of @nestjs/cache-manager', () => {
  it('takes createKeyv in its stores', async () => {
    const directory = temporaryDirectory()
    const app = await createApp({
      imports: [OfficialModule.register({ stores: [createKeyv(directory, { shards: 1 })], ttl: 60_000 })],
    })
    const manager = app.get<OfficialCache>(CACHE_MANAGER)
    await manager.set('key', new Map([[1, new Date(0)]]))
    expect(await manager.get('key')).toEqual(new Map([[1, new Date(0)]]))
    await app.close()
    const { manager: again } = await managerOf([CacheModule.register({ directory, shards: 1 })])
    expect(await again.get('key')).toEqual(new Map([[1, new Date(0)]]))
  })
})

function temporaryDirectoryName(): string {
  return join('/tmp', `fanout-cache-none-${process.pid}`)
}
