import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { RefusalReason } from '../errors.js'
import type { Key } from '../options.js'

/** The part of every message that names the cache. */
interface AboutDirectory {
  /** The real path of the directory of the cache. */
  readonly directory: string
}

/** The part of messages that concern one database. */
interface AboutShard extends AboutDirectory {
  /** Number of the shard; 0 in a `Cache`. */
  readonly shard: number
}

/**
 * The messages of all caches of the process on `node:diagnostics_channel`, by the name of the channel. They are built
 * only while somebody listens. A listener that throws causes an uncaught exception and does not disturb the cache.
 */
export interface CacheDiagnostics {
  /** A value was read. `source`: where the result came from. */
  readonly 'fanout-cache:get': AboutShard & {
    readonly key: Key
    readonly hit: boolean
    readonly source: 'memory' | 'database'
  }
  /** An entry was stored and committed. */
  readonly 'fanout-cache:set': AboutShard & { readonly key: Key }
  /** A transaction was committed. `writes`: how many calls shared it; `milliseconds`: how long it held the lock. */
  readonly 'fanout-cache:commit': AboutShard & { readonly writes: number; readonly milliseconds: number }
  /** The lock of a database was held by others. `acquired`: whether it was free before all waiters gave up. */
  readonly 'fanout-cache:lock-wait': AboutShard & { readonly milliseconds: number; readonly acquired: boolean }
  /** A write was refused; see the event `refused`. */
  readonly 'fanout-cache:refused': AboutDirectory & {
    readonly key?: Key
    readonly reason: RefusalReason
    readonly error: Error
  }
  /** An entry was evicted to stay under a limit; see the event `evict`. */
  readonly 'fanout-cache:evict': AboutDirectory & {
    readonly key: Key
    readonly size: number
    readonly reason: 'size' | 'items' | 'full'
  }
  /** A verb gave up waiting for a lock; see the event `timeout`. */
  readonly 'fanout-cache:timeout': AboutDirectory & { readonly key?: Key }
  /** A damaged database was moved aside; see the event `quarantine`. */
  readonly 'fanout-cache:quarantine': AboutDirectory & { readonly path: string; readonly error: Error }
  /**
   * The function of `getOrSet` or `memoize` has run for `milliseconds`. `outcome`: its value was stored, or returned
   * but not stored, or it threw `error`.
   */
  readonly 'fanout-cache:compute': AboutShard & {
    readonly key: Key
    readonly milliseconds: number
    readonly outcome: ComputeOutcome
    readonly error?: unknown
  }
}

/** The outcome of a computation. `'unstored'`: its value was returned but not stored. */
export type ComputeOutcome = 'stored' | 'unstored' | 'failed'

/** The context of the tracing channel `fanout-cache:verb`: one call of a verb that returns a promise. */
export interface VerbTrace extends AboutDirectory {
  /** The name of the method, such as `get`. */
  readonly verb: string
  /** The key in the cache; that of a namespace has its prefix. Absent when the verb concerns several keys. */
  readonly key?: Key
  /** The result. Set when the call has ended. */
  result?: unknown
  /** The error. Set when the call was rejected. */
  error?: unknown
}

function channelOf<N extends keyof CacheDiagnostics>(name: N): Channel<unknown, CacheDiagnostics[N]> {
  return channel(name) as Channel<unknown, CacheDiagnostics[N]>
}

/** The channels. They are referenced for good, since a channel without references is collected with its subscribers. */
export const channels: {
  readonly [N in keyof CacheDiagnostics as ShortName<N>]: Channel<unknown, CacheDiagnostics[N]>
} = {
  get: channelOf('fanout-cache:get'),
  set: channelOf('fanout-cache:set'),
  commit: channelOf('fanout-cache:commit'),
  'lock-wait': channelOf('fanout-cache:lock-wait'),
  refused: channelOf('fanout-cache:refused'),
  evict: channelOf('fanout-cache:evict'),
  timeout: channelOf('fanout-cache:timeout'),
  quarantine: channelOf('fanout-cache:quarantine'),
  compute: channelOf('fanout-cache:compute'),
}

type ShortName<N extends string> = N extends `fanout-cache:${infer Short}` ? Short : never

export const verbChannel: TracingChannel<unknown, VerbTrace> = tracingChannel('fanout-cache:verb')
