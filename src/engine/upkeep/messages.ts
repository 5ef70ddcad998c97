import type { FileModes } from '../disk/value-folders.js'
import type { Victim } from '../operations/culling.js'

/** What one round did. */
export interface UpkeepRound {
  /** Entries that had expired and were removed. */
  readonly expired: number
  /** Entries that were evicted. */
  readonly evicted: number
  /** Files that crashes had left behind and that were removed; they are looked for hourly, and by `run()`. */
  readonly orphans: number
  /** Pages copied from the write-ahead log to the database since the round before. */
  readonly checkpointed: number
  /** Free pages given back to the file system, where `autoVacuum` is 2. */
  readonly vacuumed: number
  /** How long it took, in milliseconds. */
  readonly milliseconds: number
}

/** What the thread is started with. Durations are milliseconds. */
export interface UpkeepTask {
  readonly directories: readonly string[]
  /** The directory of a cache of several shards. */
  readonly root: string | undefined
  readonly modes: FileModes
  /** Of the lease that this process has taken. */
  readonly token: string
  readonly every: number
  readonly lease: number
  readonly target: number
  /** Of a clock that is not the system's: it stands still until more is told. */
  readonly now: number | undefined
}

export type ToThread =
  | { readonly kind: 'run'; readonly id: number; readonly now: number | undefined }
  | { readonly kind: 'time'; readonly now: number }
  | { readonly kind: 'stop' }

export type FromThread =
  /** `ids`: of the calls that asked for it; `undefined`: the lease was lost. */
  | { readonly kind: 'round'; readonly ids: readonly number[]; readonly round: UpkeepRound | undefined }
  /** The lease was extended. */
  | { readonly kind: 'leads' }
  | { readonly kind: 'evicted'; readonly shard: number; readonly victims: readonly Victim[] }
  | { readonly kind: 'failed'; readonly shard: number; readonly message: string }
