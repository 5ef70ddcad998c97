import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common'
import type { Duration, FanoutCacheOptions, UpkeepOptions } from '../engine/index.js'

/** What a cache is made from. */
export interface CacheManagerOptions extends Omit<FanoutCacheOptions, 'defaultTtl'> {
  /** Where the values are kept, for all processes. @default a temporary directory, removed when the app is closed */
  readonly directory?: string | URL
  /** Default time to live: milliseconds, or a string such as `'5m'`; 0: never expires. @default never */
  readonly ttl?: Duration
  /** `diskStore`, what `diskStore(options)` answered, or its promise. Not together with `stores`. @default diskStore */
  readonly store?: unknown
  /**
   * Keyv instances or storage adapters, as `@nestjs/cache-manager` takes them, the first one asked first. One of them must
   * keep its values on disk. Needs cache-manager 6 or 7.
   */
  readonly stores?: unknown
  /** Keeps keys apart from those of other namespaces in the directory. @default the `name`, if there is one */
  readonly namespace?: string
  /** `wrap` of the cache manager computes anew when less than these milliseconds are left. */
  readonly refreshThreshold?: number
  /** Of cache-manager 6 and 7: several stores are not waited for. */
  readonly nonBlocking?: boolean
  /** Of cache-manager 7. */
  readonly cacheId?: string
  /** Most entries, by the name that older stores had for `maxItems`. */
  readonly max?: number
  /**
   * Requests with a `Cookie` share answers whose time to live the app gave, as those without one do: for sites whose
   * cookies change nothing in any cached answer.
   *
   * @default false
   */
  readonly ignoreCookies?: boolean
  /** Keeps the directory up in a thread of one process, as `startUpkeep` does, until the app is closed. @default false */
  readonly upkeep?: boolean | UpkeepOptions
}

/** {@link CacheManagerOptions}, and what a store of the app's own takes. */
export type CacheOptions<StoreConfig extends object = object> = CacheManagerOptions & StoreConfig

/** Options of `CacheModule.register`. */
export type CacheModuleOptions<StoreConfig extends object = object> = CacheOptions<StoreConfig> & {
  /** Makes the tokens known in all modules. @default false */
  readonly isGlobal?: boolean
  /** Registers a further cache, by `getDiskCacheToken(name)` and `getCacheManagerToken(name)`. */
  readonly name?: string
}

/** A provider that makes the options. */
export interface CacheOptionsFactory<StoreConfig extends object = object> {
  createCacheOptions(): Promise<CacheOptions<StoreConfig>> | CacheOptions<StoreConfig>
}

/** Options of `CacheModule.registerAsync`: one of `useFactory`, `useClass` and `useExisting`. */
export interface CacheModuleAsyncOptions<StoreConfig extends object = object> extends Pick<ModuleMetadata, 'imports'> {
  /** Makes the options from what `inject` names. */
  readonly useFactory?: (...args: never[]) => Promise<CacheOptions<StoreConfig>> | CacheOptions<StoreConfig>
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[]
  /** A class of which Nest makes an instance. */
  readonly useClass?: Type<CacheOptionsFactory<StoreConfig>>
  /** A provider that there is. */
  readonly useExisting?: InjectionToken<CacheOptionsFactory<StoreConfig>>
  readonly extraProviders?: Provider[]
  readonly isGlobal?: boolean
  readonly name?: string
}
