import type { FileModes } from '../disk/value-folders.js'
import type { Victim } from '../operations/culling.js'

/** The result of one round of upkeep. */
export interface UpkeepRound {
  /** Number of expired entries that were removed. */
  readonly expired: number
  /** Number of entries that were evicted. */
  readonly evicted: number
  /** Number of files left by crashes that were removed. They are searched for hourly, and by `run()`. */
  readonly orphans: number
  /** Number of pages copied from the write-ahead log to the database since the previous round. */
  readonly checkpointed: number
  /** Number of free pages returned to the file system, with `autoVacuum` 2. */
  readonly vacuumed: number
  /** Duration of the round. Milliseconds. */
  readonly milliseconds: number
}

/** The data with which the thread is started. Durations are milliseconds. */
export interface UpkeepTask {
  readonly directories: readonly string[]
  /** The directory of a cache with several shards. */
  readonly root: string | undefined
  readonly modes: FileModes
  /** The token of the lease that this process has taken. */
  readonly token: string
  readonly every: number
  readonly lease: number
  readonly target: number
  /** The time of the process, which may be ahead of the clock of the system. */
  readonly now: number
  /** Whether it has a clock that the thread cannot read. The time then stands still until the next message. */
  readonly isTold: boolean
}

export type ToThread =
  | { readonly kind: 'run'; readonly id: number; readonly now: number | undefined }
  | { readonly kind: 'time'; readonly now: number }
  | { readonly kind: 'stop' }

export type FromThread =
  /** `ids`: the calls that requested the round. `round` is `undefined` when the lease was lost. */
  | { readonly kind: 'round'; readonly ids: readonly number[]; readonly round: UpkeepRound | undefined }
  /** The lease was extended. */
  | { readonly kind: 'leads' }
  | { readonly kind: 'evicted'; readonly shard: number; readonly victims: readonly Victim[] }
  | { readonly kind: 'failed'; readonly shard: number; readonly message: string }
