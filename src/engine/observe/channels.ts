import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { RefusalReason } from '../errors.js'
import type { Key } from '../options.js'

/** What is said of the directory in every message. */
interface AboutDirectory {
  /** The real path of the directory of the cache. */
  readonly directory: string
}

/** And of what belongs to one database of it. */
interface AboutShard extends AboutDirectory {
  /** Number of the shard; 0 in a `Cache`. */
  readonly shard: number
}

/**
 * The messages of the channels of `node:diagnostics_channel`, by their names. They are of all caches of the process, and made only
 * while somebody listens. A listener that throws is an uncaught exception, and harms nothing that the cache does.
 */
export interface CacheDiagnostics {
  /** A value was asked for. `source`: what gave the answer. */
  readonly 'fanout-cache:get': AboutShard & {
    readonly key: Key
    readonly hit: boolean
    readonly source: 'memory' | 'database'
  }
  /** An entry was stored, and is committed. */
  readonly 'fanout-cache:set': AboutShard & { readonly key: Key }
  /** A transaction was committed. `writes`: the calls that shared it; `milliseconds`: how long it had the lock. */
  readonly 'fanout-cache:commit': AboutShard & { readonly writes: number; readonly milliseconds: number }
  /** The lock of a database was held by others. `acquired`: whether it was free before all who waited gave up. */
  readonly 'fanout-cache:lock-wait': AboutShard & { readonly milliseconds: number; readonly acquired: boolean }
  /** A write was turned down; see the event `refused`. */
  readonly 'fanout-cache:refused': AboutDirectory & {
    readonly key?: Key
    readonly reason: RefusalReason
    readonly error: Error
  }
  /** An entry was removed to stay under a limit; see the event `evict`. */
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
   * The function of `getOrSet` or `memoize` has run, for as long as `milliseconds` says. `outcome`: its value was stored, or
   * answered and not stored, or it threw `error`.
   */
  readonly 'fanout-cache:compute': AboutShard & {
    readonly key: Key
    readonly milliseconds: number
    readonly outcome: ComputeOutcome
    readonly error?: unknown
  }
}

/** What became of a computation. */
export type ComputeOutcome = 'stored' | 'unstored' | 'failed'

/** The context of the tracing channel `fanout-cache:verb`: one call of a verb that answers a promise. */
export interface VerbTrace extends AboutDirectory {
  /** The name of the method, such as `get`. */
  readonly verb: string
  /** The key as the cache knows it; of a namespace: with its prefix. Absent where a verb concerns many. */
  readonly key?: Key
  /** Set when it has ended. */
  result?: unknown
  /** Set when it was rejected. */
  error?: unknown
}

function channelOf<N extends keyof CacheDiagnostics>(name: N): Channel<unknown, CacheDiagnostics[N]> {
  return channel(name) as Channel<unknown, CacheDiagnostics[N]>
}

/** Held for good: a channel that nobody holds is forgotten together with its subscribers. */
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
