import type { KeyIdentity } from '../disk/keys.js'
import type { Session } from './session.js'

/** One operation that waits for its turn in the writer. */
export interface Work<T> {
  /** Runs inside a transaction, perhaps more than once: only the last run counts. */
  readonly run: (session: Session) => T
  /** The key it concerns; reads and writes of that key keep their order with it. */
  readonly identity?: KeyIdentity | undefined
  /** Keeps its order with everything: what was called before it runs before it. */
  readonly barrier?: boolean
  /** Never shares a transaction and runs once: the body of a user. */
  readonly alone?: boolean
  /** Bytes it keeps in memory while it waits. */
  readonly bytes?: number
  /** Settles when the work can run, such as when its value file is written. */
  readonly readiness?: Promise<unknown> | undefined
  /** Takes the writer for itself instead of running, until `release` is called. */
  readonly hold?: (release: () => void) => void
  /** Worth nothing on a full disk: it fails instead of making room. */
  readonly optional?: boolean
  /** Called when it failed or was refused: removes the value file that nobody will name. */
  readonly discard?: (() => void) | undefined
}

/** When to stop waiting for a lock. `deadline` is on the clock of `performance.now()`. */
export interface Patience {
  readonly deadline: number
  readonly signal?: AbortSignal | undefined
}

/** A work in the queue, with its promise. */
export class Job {
  readonly work: Work<unknown>
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  readonly bytes: number
  ready: boolean
  /** How often a damaged database was moved aside under it. */
  quarantines = 0
  // Not private: V8 sets up private fields several times more slowly, and there is a job for every write.
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
    // Who was refused at once never listened to it.
    this.work.readiness?.catch(() => undefined)
    this.unwatch?.()
    this.fail(error)
  }
}
