import { type DynamicModule, Module, type Provider } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import { checkOptionNames, checkOptionsObject, kindOf } from '../engine/option-names.js'
import { CACHE_LINK, CACHE_MODULE_OPTIONS } from './cache.constants.js'
import { DiskCacheHealthIndicator } from './cache.health.js'
import type {
  CacheManagerOptions,
  CacheModuleAsyncOptions,
  CacheModuleOptions,
  CacheOptionsFactory,
} from './cache.options.js'
import { Cache, getCacheHostToken, getCacheManagerToken, getDiskCacheToken } from './cache.tokens.js'
import type { CacheHost, ManagerLike } from './cache-host.js'
import { checkDecorators } from './check-decorators.js'
import { checkFlag } from './check-options.js'
import { openHost } from './open-host.js'

/**
 * Provides a cache manager over a cache on disk, and the engine itself.
 *
 * Replaces the module of `@nestjs/cache-manager` and has the same tokens.
 *
 * @example
 * CacheModule.register({ store: diskStore, directory: '/var/cache/app', ttl: '5m', isGlobal: true })
 */
// biome-ignore lint/complexity/noStaticOnlyClass: Nest's modules are classes.
export class CacheModule {
  /** Registers a cache. A wrong option or a directory that cannot be opened prevents the start of the app. */
  static register<StoreConfig extends object = object>(options?: CacheModuleOptions<StoreConfig>): DynamicModule {
    checkOptionsObject(options ?? {}, 'CacheModule.register')
    const { isGlobal, name, ...rest } = (options ?? {}) as CacheModuleOptions
    return moduleOf({ isGlobal, name }, [{ provide: CACHE_MODULE_OPTIONS, useValue: rest }])
  }

  /** Registers a cache with options from other providers. `isGlobal` and `name` are given beside the factory. */
  static registerAsync<StoreConfig extends object = object>(
    options: CacheModuleAsyncOptions<StoreConfig>,
  ): DynamicModule {
    checkOptionsObject(options, 'CacheModule.registerAsync')
    checkOptionNames(options, ASYNC_OPTIONS, 'CacheModule.registerAsync')
    const { imports = [], extraProviders = [] } = options
    return { ...moduleOf(options, [...optionProviders(options), ...extraProviders]), imports }
  }
}

Module({})(CacheModule)

const ASYNC_OPTIONS = new Set([
  ...['useFactory', 'useClass', 'useExisting', 'inject', 'imports', 'extraProviders'],
  ...['isGlobal', 'name'],
])

interface Registration {
  readonly isGlobal?: boolean | undefined
  readonly name?: string | undefined
}

function moduleOf({ isGlobal = false, name }: Registration, providers: readonly Provider[]): DynamicModule {
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw new TypeError(`CacheModule: name must be a string that is not empty, got ${kindOf(name)}`)
  }
  checkFlag(isGlobal, 'isGlobal')
  const host = getCacheHostToken(name)
  const manager = getCacheManagerToken(name)
  const engine = getDiskCacheToken(name)
  const exported: Provider[] = [
    {
      provide: host,
      useFactory: (options: CacheManagerOptions, modules: ModulesContainer) => {
        checkDecorators(modules)
        return openHost(options, name)
      },
      inject: [CACHE_MODULE_OPTIONS, ModulesContainer],
    },
    { provide: manager, useFactory: (opened: CacheHost) => opened.manager, inject: [host] },
    { provide: engine, useFactory: (opened: CacheHost) => opened.cache, inject: [host] },
    DiskCacheHealthIndicator,
  ]
  const own: Provider = {
    provide: CACHE_LINK,
    useFactory: (opened: CacheHost, used: ManagerLike) => opened.adopt(used),
    inject: [host, manager],
  }
  if (name === undefined) exported.push({ provide: Cache, useExisting: manager })
  return {
    module: CacheModule,
    global: isGlobal,
    providers: [...providers, ...exported, own],
    exports: [host, manager, engine, DiskCacheHealthIndicator, ...(name === undefined ? [Cache] : [])],
  }
}

/** The providers of the options. */
function optionProviders(options: CacheModuleAsyncOptions): Provider[] {
  const { useFactory, inject = [], useClass, useExisting } = options
  const given = [useFactory, useClass, useExisting].filter(one => one !== undefined)
  if (given.length !== 1) {
    throw new TypeError(
      `CacheModule.registerAsync needs one of useFactory, useClass and useExisting, got ${given.length === 0 ? 'none' : given.length}`,
    )
  }
  if (useFactory !== undefined && typeof useFactory !== 'function') {
    throw new TypeError(`CacheModule.registerAsync: useFactory must be a function, got ${kindOf(useFactory)}`)
  }
  if (useFactory)
    return [{ provide: CACHE_MODULE_OPTIONS, useFactory: useFactory as (...args: unknown[]) => unknown, inject }]
  const token = useExisting ?? (useClass as NonNullable<typeof useClass>)
  return [
    ...(useClass ? [useClass] : []),
    {
      provide: CACHE_MODULE_OPTIONS,
      useFactory: (made: unknown) => optionsFrom(made, useClass ? 'useClass' : 'useExisting'),
      inject: [token],
    },
  ]
}

/** @throws TypeError for something that makes no options */
function optionsFrom(made: unknown, option: string): unknown {
  const factory = made as Partial<CacheOptionsFactory> | null | undefined
  if (typeof factory?.createCacheOptions === 'function') return factory.createCacheOptions()
  throw new TypeError(
    `CacheModule.registerAsync: ${option} must name a class with the method createCacheOptions(), got ${kindOf(made)}`,
  )
}
