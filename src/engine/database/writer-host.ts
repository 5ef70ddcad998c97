import type { ShardWatch } from '../observe/shard-watch.js'
import type { Job } from './job.js'
import type { Session } from './session.js'

/** The database as the writer sees it. */
export interface WriterHost {
  readonly directory: string
  readonly watch: ShardWatch
  /** The open session. `undefined` while the database is being reopened; `resume` is called afterwards. */
  session(): Session | undefined
  /** Runs first in every transaction and stores what waited for a write. */
  prologue(session: Session): void
  /** Runs last in every transaction and culls, once per batch. */
  epilogue(session: Session): void
  /** Called when jobs are committed, before their promises settle. */
  committed(jobs: readonly { readonly job: Job }[]): void
  /** Makes room on a full disk, for jobs that grow or that remove. Returns whether a retry is worth it. */
  makeRoom(grows: boolean): boolean
  /** The error as callers see it. */
  translate(error: unknown): unknown
  /** Takes a damaged or moved database out of use. Returns whether the jobs may wait for another one. */
  recover(error: unknown): boolean
}
