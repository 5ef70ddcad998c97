import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { EvictEvent, QuarantineEvent, RefusedEvent, TimeoutEvent } from '../events.js'
import type { Key } from '../options.js'

/** The part of every message that names the cache. */
export interface AboutDirectory {
  /** The real path of the directory of the cache. */
  readonly directory: string
}

/** The part of messages that concern one database. */
export interface AboutShard extends AboutDirectory {
  /** Number of the shard; 0 in a `Cache`. */
  readonly shard: number
}

/** The message `fanout-cache:get`. */
export interface GetMessage extends AboutShard {
  /** The key in the cache; that of a namespace has its prefix. */
  readonly key: Key
  /** Whether there was a value. */
  readonly hit: boolean
  /** Where the result came from. */
  readonly source: 'memory' | 'database'
}

/** The message `fanout-cache:set`. */
export interface SetMessage extends AboutShard {
  /** The key in the cache; that of a namespace has its prefix. */
  readonly key: Key
}

/** The message `fanout-cache:commit`. */
export interface CommitMessage extends AboutShard {
  /** How many calls shared the transaction. */
  readonly writes: number
  /** How long it held the lock. */
  readonly milliseconds: number
}

/** The message `fanout-cache:lock-wait`. */
export interface LockWaitMessage extends AboutShard {
  /** How long the wait took. */
  readonly milliseconds: number
  /** Whether the lock was free before all waiters gave up. */
  readonly acquired: boolean
}

/** The message `fanout-cache:refused`. */
export interface RefusedMessage extends AboutDirectory, RefusedEvent {}

/** The message `fanout-cache:evict`. */
export interface EvictMessage extends AboutDirectory, EvictEvent {}

/** The message `fanout-cache:timeout`. */
export interface TimeoutMessage extends AboutDirectory, Pick<TimeoutEvent, 'key'> {}

/** The message `fanout-cache:quarantine`. */
export interface QuarantineMessage extends AboutDirectory, Pick<QuarantineEvent, 'path' | 'error'> {}

/** The message `fanout-cache:compute`. */
export interface ComputeMessage extends AboutShard {
  /** The key in the cache; that of a namespace has its prefix. */
  readonly key: Key
  /** How long the function ran. */
  readonly milliseconds: number
  /** What became of its value. */
  readonly outcome: ComputeOutcome
  /** What the function threw. Present when it failed. */
  readonly error?: unknown
}

/**
 * The messages of all caches of the process on `node:diagnostics_channel`, by the name of the channel. They are built
 * only while somebody listens. A listener that throws causes an uncaught exception and does not disturb the cache.
 */
export interface CacheDiagnostics {
  /** A value was read. */
  readonly 'fanout-cache:get': GetMessage
  /** An entry was stored and committed. */
  readonly 'fanout-cache:set': SetMessage
  /** A transaction was committed. */
  readonly 'fanout-cache:commit': CommitMessage
  /** The lock of a database was held by others. */
  readonly 'fanout-cache:lock-wait': LockWaitMessage
  /** A write was refused; see the event `refused`. */
  readonly 'fanout-cache:refused': RefusedMessage
  /** An entry was evicted to stay under a limit; see the event `evict`. */
  readonly 'fanout-cache:evict': EvictMessage
  /** A verb gave up waiting for a lock; see the event `timeout`. */
  readonly 'fanout-cache:timeout': TimeoutMessage
  /** A damaged database was moved aside; see the event `quarantine`. */
  readonly 'fanout-cache:quarantine': QuarantineMessage
  /** The function of `getOrSet` or `memoize` has ended. */
  readonly 'fanout-cache:compute': ComputeMessage
}

/** What became of a computed value: it was stored, or returned but not stored, or the function threw. */
export type ComputeOutcome = 'stored' | 'unstored' | 'failed'

/**
 * The context of the tracing channel `fanout-cache:verb`: one call of a verb that returns a promise, or one step of such
 * a call or of a request, such as a wait for others.
 */
export interface VerbTrace extends AboutDirectory {
  /** The name of the method or step, such as `get`, `Lock.acquire` or `responseCache.lookup`. */
  readonly verb: string
  /** The key in the cache; that of a namespace has its prefix. Absent when the verb concerns several keys. */
  readonly key?: Key
  /** The result: of a step its outcome, such as `'hit'`; of a wait nothing. Set when the call has ended. */
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
