import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common'
import type { Duration, FanoutCacheOptions, UpkeepOptions } from '../engine/index.js'

/** Options of the cache of a registration. */
export interface CacheManagerOptions extends Omit<FanoutCacheOptions, 'defaultTtl'> {
  /**
   * The directory of the cache, shared by all processes.
   *
   * @default a temporary directory, removed when the app closes
   */
  readonly directory?: string | URL | undefined
  /** Default time to live: milliseconds or a string such as `'5m'`. 0: never expires. @default never */
  readonly ttl?: Duration | undefined
  /** The store: `diskStore`, the result of `diskStore(options)`, or a promise. Excludes `stores`. @default diskStore */
  readonly store?: unknown
  /**
   * Keyv instances or storage adapters as in `@nestjs/cache-manager`, in the order in which they are asked. One of them
   * must store its values on disk. Needs cache-manager 6 or 7.
   */
  readonly stores?: unknown
  /** Namespace of the keys in the directory. @default the `name` of the registration, if it has one */
  readonly namespace?: string | undefined
  /** `wrap` refreshes a value in the background when less than this is left. Milliseconds. @default no refresh */
  readonly refreshThreshold?: number | undefined
  /** Option of cache-manager 6 and 7: does not wait for all of several stores. @default false */
  readonly nonBlocking?: boolean | undefined
  /** Option of cache-manager 7: the result of `cacheManager.cacheId()`. @default a random one */
  readonly cacheId?: string | undefined
  /** Limit of entries; the name of `maxItems` in older stores. @default no limit */
  readonly max?: number | undefined
  /**
   * Lets requests with a `Cookie` share answers whose time to live the app has given, like requests without one. For
   * sites whose cookies do not affect any cached answer.
   *
   * @default false
   */
  readonly ignoreCookies?: boolean | undefined
  /** Does the upkeep of the directory in a thread of one process, as `startUpkeep` does. @default false */
  readonly upkeep?: boolean | UpkeepOptions | undefined
}

/** {@link CacheManagerOptions} and the options of a store of the app. */
export type CacheOptions<StoreConfig extends object = object> = CacheManagerOptions & StoreConfig

/** Options of `CacheModule.register`. */
export type CacheModuleOptions<StoreConfig extends object = object> = CacheOptions<StoreConfig> & CacheRegistration

/** How a cache is registered. */
export interface CacheRegistration {
  /** Makes the tokens available in all modules. @default false */
  readonly isGlobal?: boolean | undefined
  /** Registers a further cache, available by `getDiskCacheToken(name)` and `getCacheManagerToken(name)`. */
  readonly name?: string | undefined
}

/** A provider that creates the options. */
export interface CacheOptionsFactory<StoreConfig extends object = object> {
  /** Returns the options. */
  createCacheOptions(): Promise<CacheOptions<StoreConfig>> | CacheOptions<StoreConfig>
}

/** Options of `CacheModule.registerAsync`: one of `useFactory`, `useClass` and `useExisting`. */
export interface CacheModuleAsyncOptions<StoreConfig extends object = object>
  extends Pick<ModuleMetadata, 'imports'>,
    CacheRegistration {
  /** Creates the options from the providers named in `inject`. */
  readonly useFactory?: (...args: never[]) => Promise<CacheOptions<StoreConfig>> | CacheOptions<StoreConfig>
  /** Providers whose values `useFactory` gets as arguments. @default none */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[]
  /** A class that Nest instantiates. */
  readonly useClass?: Type<CacheOptionsFactory<StoreConfig>>
  /** An existing provider. */
  readonly useExisting?: InjectionToken<CacheOptionsFactory<StoreConfig>>
  /** Further providers of the module of the registration. @default none */
  readonly extraProviders?: Provider[]
}
