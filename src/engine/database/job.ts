import type { KeyIdentity } from '../disk/keys.js'
import { rejectInTurn } from '../fairness.js'
import { keepShape } from '../kept-shapes.js'
import type { Session } from './session.js'

/** One operation for the writer. */
export interface Work<T> {
  /** Runs inside a transaction, possibly more than once. Only the last run counts. */
  readonly run: (session: Session) => T
  /** Identity of its key. Reads and writes of that key keep their order with it. */
  readonly identity?: KeyIdentity | undefined
  /** Keeps its order with all jobs: those called before it run before it. */
  readonly barrier?: boolean
  /** Never shares a transaction and runs only once, as the body of a user must. */
  readonly alone?: boolean
  /** Bytes that it holds in memory while it waits. */
  readonly bytes?: number
  /** Settles when the work can run, for example when its value file is written. */
  readonly readiness?: Promise<unknown> | undefined
  /** Used instead of `run`: takes the writer exclusively until `release` is called. */
  readonly hold?: (release: () => void) => void
  /** Removes at most `session.pageRows` rows, so that fewer may fit where the log of more finds no room. */
  readonly inPages?: boolean
  /** Not worth making room for: it fails on a full disk. */
  readonly optional?: boolean
  /** Called when the work failed or was refused. Removes the value file that no row will name. */
  readonly discard?: (() => void) | undefined
}

/** The limits of a wait for a lock. `deadline` is on the clock of `performance.now()`. */
export interface Patience {
  readonly deadline: number
  readonly signal?: AbortSignal | undefined
}

/** A work in the queue, with the callbacks of its promise. */
export class Job {
  readonly work: Work<unknown>
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  readonly bytes: number
  ready: boolean
  /** How often the database was quarantined while the job waited. */
  quarantines = 0
  // Not private: V8 initialises private fields several times more slowly, and every write has a job.
  readonly fulfil: (value: unknown) => void
  readonly fail: (error: unknown) => void
  /** Ends the watching of its signal. */
  unwatch: (() => void) | undefined

  constructor(
    work: Work<unknown>,
    patience: Patience,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.work = work
    this.deadline = patience.deadline
    this.signal = patience.signal
    this.bytes = work.bytes ?? 0
    this.ready = work.readiness === undefined
    this.fulfil = resolve
    this.fail = reject
    this.unwatch = undefined
  }

  resolve(value: unknown): void {
    this.unwatch?.()
    this.fulfil(value)
  }

  reject(error: unknown): void {
    this.work.discard?.()
    // A job that was refused at once never awaited it.
    this.work.readiness?.catch(() => undefined)
    this.unwatch?.()
    this.fail(error)
  }
}

keepShape(
  new Job(
    { run: () => undefined },
    { deadline: 0.5 },
    () => undefined,
    () => undefined,
  ),
)

/** Rejects a write that never gets into a queue, and removes the file that is being written for it. */
export function turnDown(work: Work<unknown>, error: unknown): Promise<never> {
  work.discard?.()
  // Nobody awaits it any more.
  work.readiness?.catch(() => undefined)
  return rejectInTurn(error)
}
