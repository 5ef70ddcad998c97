import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CacheModule as OfficialModule, CacheTTL as OfficialTTL } from '@nestjs/cache-manager'
import {
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  Scope,
  type Type,
  UseInterceptors,
} from '@nestjs/common'
import { Cacheable, type CacheableOptions, CacheInterceptor, CacheModule, CacheName } from 'fanout-cache/nest'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { createApp } from './nest-app.js'

describe('A wrong decorator', () => {
  let made = 0

  @Injectable({ scope: Scope.REQUEST })
  class Made {
    constructor() {
      made++
    }
  }

  class Base {
    @Get('inherited')
    @CacheName('reprots')
    page(): string {
      return 'page'
    }
  }

  @Controller()
  class OnHandler extends Base {
    constructor(@Inject(Made) readonly made: Made) {
      super()
    }
  }

  @Controller()
  @CacheName('nobody')
  class OnClass {}

  class OnProvider {
    @CacheName('pages')
    resolve(): void {}
  }

  @Controller()
  class OfTheOfficial {
    @Get()
    @OfficialTTL(-1)
    page(): void {}
  }

  @Controller()
  class Overrides extends Base {
    @Get('own')
    @CacheName('reports')
    override page(): string {
      return 'page'
    }
  }

  const reports = (): DynamicModule => CacheModule.register({ name: 'reports', isGlobal: true })
  const app = (...parts: ModuleMetadata[]): Promise<unknown> => {
    const features = parts.map(part => {
      class Feature {}
      Module(part)(Feature)
      return Feature
    })
    return createApp({ imports: [reports(), ...features] })
  }

  it.each<[string, ModuleMetadata, RegExp]>([
    [
      'a name on an inherited handler of a class for each request',
      { controllers: [OnHandler], providers: [Made] },
      /@CacheName\('reprots'\) of OnHandler.page: no cache has this name; did you mean reports\?.*register\(\{ name: 'reprots'/,
    ],
    ['a name on a controller', { controllers: [OnClass] }, /@CacheName\('nobody'\) of OnClass: .*known are reports/],
    ['a name on a method of a provider', { providers: [OnProvider] }, /@CacheName\('pages'\) of OnProvider.resolve/],
    [
      'a name on a class given as another',
      { providers: [{ provide: 'x', useClass: OnProvider }] },
      /of OnProvider.resolve/,
    ],
    ['a time of the official decorator', { controllers: [OfTheOfficial] }, /@CacheTTL of OfTheOfficial.page must be/],
  ])('keeps the app from starting, with no instance made: %s', async (_, feature, message) => {
    made = 0
    await expect(app(feature)).rejects.toThrow(message)
    expect(made).toBe(0)
  })

  it('leaves alone what is right, whichever module has the cache', async () => {
    const values = [
      { provide: 'a value', useValue: Object.create(null) },
      { provide: 'a factory', useFactory: () => new OnProvider() },
    ]
    await expect(app({ controllers: [Overrides], providers: values })).resolves.toBeDefined()
  })

  describe('that keeps results by the names of class and method', () => {
    const service = (options?: CacheableOptions): Type => {
      class Service {
        @Cacheable(options)
        async find(id: number): Promise<number> {
          return id
        }
      }
      Injectable()(Service)
      return Service
    }
    const both = (first: Type, second: Type): Promise<unknown> =>
      app({ providers: [first] }, { providers: [first, { provide: 'other', useClass: second }] })

    it('keeps an app from starting with two classes of one name', async () => {
      const options = { cache: 'reports' }
      await expect(both(service(options), service(options))).rejects.toThrow(
        /@Cacheable of Service.find: two classes have this name, .*tell them apart with a key/,
      )
    })

    it('is right on one class in two modules, with a key, in another cache, and below subclasses', async () => {
      const one = service({ cache: 'reports' })
      await expect(both(one, one)).resolves.toBeDefined()
      await expect(both(one, service({ cache: 'reports', key: 'a' }))).resolves.toBeDefined()
      await expect(both(one, class Other extends one {})).resolves.toBeDefined()
      await expect(
        app({ imports: [CacheModule.register({ isGlobal: true })] }, { providers: [one] }, { providers: [service()] }),
      ).resolves.toBeDefined()
    })
  })

  it('opens nothing', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const imports = [CacheModule.register({ directory }), reports()]
    await expect(createApp({ imports, controllers: [OnClass] })).rejects.toThrow('no cache has this name')
    expect(existsSync(directory)).toBe(false)
  })

  it.each<[string, ModuleMetadata]>([
    ['is registered but by the official module', { imports: [OfficialModule.register()] }],
    ['cannot be reached', { imports: [OfficialModule.register(), hidden()] }],
  ])('keeps an app with an interceptor from starting whose cache %s', async (_, { imports = [] }) => {
    @Controller()
    @UseInterceptors(CacheInterceptor)
    class Pages {}
    await expect(createApp({ imports, controllers: [Pages] })).rejects.toThrow(
      /CacheInterceptor of fanout-cache\/nest found no cache: import CacheModule from fanout-cache\/nest too/,
    )
  })
})

function hidden(): Type {
  class Hidden {}
  Module({ imports: [CacheModule.register()] })(Hidden)
  return Hidden
}
