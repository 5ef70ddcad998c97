import type * as cache from 'fanout-cache'
import type { DiskStoreOptions, SingleFlightOptions } from 'fanout-cache/cache-manager'
import type * as http from 'fanout-cache/express'
import type { CreateKeyvOptions, DoorOptions } from 'fanout-cache/keyv'
import type * as nest from 'fanout-cache/nest'
import type { InstrumentOptions } from 'fanout-cache/opentelemetry'
import type { CollectOptions } from 'fanout-cache/prom-client'
import type { ZodString } from 'zod'

/** The names of options that may be left out, but not be `undefined`, as a value is that somebody else has left out. */
type Touchy<Options> = {
  [Name in keyof Options]-?: object extends Pick<Options, Name>
    ? undefined extends Required<Options>[Name]
      ? never
      : Name
    : never
}[keyof Options]

type TouchyOfAll<All extends readonly unknown[]> = { [At in keyof All]: Touchy<All[At]> }[number] & string

type OfVerbs = [
  ...[cache.Waiting, cache.Storing, cache.Touching, cache.Counting, cache.Computing, cache.Listing, cache.Expiring],
  ...[cache.Pushing, cache.Pulling, cache.Peeking, cache.Checking, cache.Transacting, cache.StatsOptions],
  ...[cache.FileRange, cache.Putting, cache.PuttingComputed, cache.Taking, cache.Walking, cache.Acquiring],
]
type OfCaches = [
  ...[cache.FanoutCacheOptions, cache.CacheOptions, cache.DiskOptions, cache.SqliteOptions, cache.MemoryOptions],
  ...[cache.PendingLimits, cache.SettingsChange, cache.NamespaceOptions],
  ...[cache.DequeOptions, cache.LockOptions, cache.SemaphoreOptions, cache.ThrottleOptions, cache.KeyBuilderOptions],
  ...[cache.BarrierOptions<void, []>, cache.MemoizeOptions<void, []>, cache.MemoizeStampedeOptions<void, []>],
  ...[cache.UpkeepOptions, cache.ModelDefinition<ZodString>],
]
type OfDoors = [
  ...[http.ResponseCacheOptions, http.PurgeOptions, http.SendFileOptions, http.FillBody, http.DispositionParts],
  ...[http.NginxAcceleration, http.SendfileAcceleration, DoorOptions, CreateKeyvOptions, DiskStoreOptions],
  ...[SingleFlightOptions, nest.CacheManagerOptions, nest.CacheableOptions, nest.CacheEvictOptions],
  ...[nest.DiskCacheHealthOptions, InstrumentOptions, CollectOptions],
]

/** That these compile is the test: an error names the option. */
export const touchy: Record<TouchyOfAll<OfVerbs> | TouchyOfAll<OfCaches> | TouchyOfAll<OfDoors>, true> = {}
