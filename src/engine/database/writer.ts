import { PendingLimitError, TimeoutError } from '../errors.js'
import { onAbort } from '../on-abort.js'
import { performance } from '../timers.js'
import { FlushTimes } from './flush-times.js'
import { commitTogether } from './group-commit.js'
import { Job, type Patience, type Work } from './job.js'
import { backoff, LockAttempts } from './lock-attempts.js'
import { PendingJobs } from './pending-jobs.js'
import { Settling } from './settling.js'
import { isBusy } from './sqlite-errors.js'
import type { WriterHost } from './writer-host.js'

export interface PendingLimits {
  readonly count: number
  readonly bytes: number
}

/** Limits of a batch: of its time, so that the loop turns, and of its bytes, so that the WAL stays small. */
const BATCH_LIMITS = { milliseconds: 4, bytes: 8 * 2 ** 20, jobs: 4096 }
const NONE: readonly Job[] = []

/**
 * Queues the writes of one database and commits them together.
 *
 * `FlushTimes` says when. `BEGIN IMMEDIATE` never waits inside SQLite: a busy lock is retried for a fraction of
 * a millisecond, see `LockAttempts`, and then waited for with timers.
 */
export class Writer {
  readonly #host: WriterHost
  readonly #limits: PendingLimits
  readonly pending: PendingJobs = new PendingJobs()
  readonly #attempts = new LockAttempts()
  #queue: Job[] = []
  #bytes = 0
  readonly #times: FlushTimes = new FlushTimes(() => this.#flush())
  #failures = 0
  /** When the wait for the lock began. */
  #waitsSince: number | undefined
  #held = false
  /** Whether writes wait until the log is copied. */
  #resting = false
  /** Whether the database is being reopened. */
  #paused = false
  /** The jobs that are being written. */
  #batch: readonly Job[] = NONE
  readonly #settling = new Settling()

  constructor(host: WriterHost, limits: PendingLimits) {
    this.#host = host
    this.#limits = limits
  }

  /** Number of writes that wait or are being written. */
  get length(): number {
    return this.#queue.length + this.#settling.running.size
  }

  /** Whether writes wait for a lock, for a transaction or for a database that is reopened. That may take seconds. */
  get isBlocked(): boolean {
    return this.#waitsSince !== undefined || this.#held || this.#paused
  }

  /** Bytes that waiting writes hold in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Queues a work. Its place in the order is that of this call.
   *
   * @throws PendingLimitError beyond the limits of the queue; TimeoutError past the deadline
   */
  add<T>(work: Work<T>, patience: Patience): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.enqueue(new Job(work, patience, resolve as (value: unknown) => void, reject))
    })
  }

  enqueue(job: Job): void {
    if (job.signal?.aborted) return job.reject(job.signal.reason)
    if (this.#queue.length >= this.#limits.count || this.#bytes + job.bytes > Math.max(this.#limits.bytes, job.bytes)) {
      return job.reject(new PendingLimitError(this.#host.directory, this.#queue.length, this.#bytes))
    }
    this.#queue.push(job)
    this.#bytes += job.bytes
    this.pending.add(job)
    if (job.signal) this.#watchAbort(job, job.signal)
    if (job.work.readiness) this.#watchReadiness(job, job.work.readiness)
    this.#schedule()
  }

  /** Continues after the database was reopened. */
  resume(): void {
    this.#paused = false
    this.#schedule()
  }

  /** Lets further writes wait, without a timeout, until a promise settles. Not to be called during a batch. */
  pauseUntil(over: Promise<unknown>): void {
    this.#resting = true
    const goOn = (): void => {
      this.#resting = false
      this.#schedule()
    }
    over.then(goOn, goOn)
  }

  /** Refuses all waiting jobs. */
  failAll(error: unknown): void {
    const jobs = this.#queue
    this.#queue = []
    for (const job of jobs) this.#reject(job, error)
  }

  /** Resolves when the earlier writes are over and the files that they released are removed. */
  settled(): Promise<void> {
    return this.#settling.wait(this.#batch, this.#queue)
  }

  #schedule(): void {
    if (!this.#held && !this.#resting && !this.#paused && this.#queue.length > 0) this.#times.soon()
  }

  #flush(): void {
    if (this.#resting) return
    const batch = this.#takeBatch()
    this.#batch = batch
    const first = batch[0]
    if (!first) return this.#giveUpWait()
    if (first.work.hold) this.#giveHold(first, first.work.hold)
    else this.#write(batch)
    this.#batch = NONE
    this.#schedule()
  }

  #write(batch: Job[]): void {
    const session = this.#host.session()
    if (!session) {
      this.#paused = true
      return this.#putBack(batch)
    }
    const attempt = this.#attempts.begin(session)
    if (attempt.waitedSince !== undefined) this.#waitsSince ??= attempt.waitedSince
    if (attempt.error !== undefined) {
      this.#putBack(batch)
      if (isBusy(attempt.error)) this.#waitForLock(attempt.attemptedAt)
      else this.#failBatch(batch.length, attempt.error)
      return
    }
    this.#failures = 0
    const waited = this.#waitsSince === undefined ? undefined : performance.now() - this.#waitsSince
    this.#waitsSince = undefined
    const outcome = commitTogether(this.#host, session, batch, BATCH_LIMITS)
    // Published only now, since listeners must not run while others wait for this transaction.
    if (waited !== undefined) this.#host.watch.lockWaited(waited, 'acquired')
    this.#putBack(outcome.notRun)
    if (outcome.error !== undefined) {
      // A rollback journal takes its locks at COMMIT, where readers of other processes may block it.
      if (isBusy(outcome.error)) this.#waitForLock(performance.now())
      else this.#failBatch(outcome.notRun.length, outcome.error)
    }
    for (const { job, error } of outcome.failed) {
      // The body of a user runs only once, even if only another database could help.
      if (job.work.alone) this.#host.recover(error)
      this.#reject(job, this.#host.translate(error))
    }
    if (outcome.done.length > 0) this.pending.deleteAll(outcome.done)
    for (const { job, result, tasks } of outcome.done) this.#finish(job, result, tasks)
    // A listener of an eviction may have aborted jobs while they were out of the queue.
    for (const job of outcome.notRun) if (job.signal?.aborted) this.#drop(job, job.signal.reason)
  }

  /** Ends the wait for the lock, because no job waits any more. */
  #giveUpWait(): void {
    if (this.#waitsSince === undefined) return
    const milliseconds = performance.now() - this.#waitsSince
    this.#waitsSince = undefined
    this.#host.watch.lockWaited(milliseconds, 'missed')
  }

  /** Handles an error that is not the fault of the first `count` jobs: they fail, or wait for another database. */
  #failBatch(count: number, error: unknown): void {
    const jobs = this.#queue.splice(0, count)
    const mayWait = this.#host.recover(error)
    const again = mayWait ? jobs.filter(job => job.quarantines++ < 3) : []
    this.#queue.unshift(...again)
    const translated = this.#host.translate(error)
    for (const job of jobs) if (!again.includes(job)) this.#reject(job, translated)
  }

  /** Refuses jobs whose deadline had passed at the time of a failed attempt. */
  refuseLate(attemptedAt: number): void {
    const isLate = (job: Job): boolean => job.ready && job.deadline <= attemptedAt
    const late = this.#queue.filter(isLate)
    if (late.length === 0) return
    this.#queue = this.#queue.filter(job => !isLate(job))
    for (const job of late) this.#reject(job, new TimeoutError(this.#host.directory))
  }

  #waitForLock(attemptedAt: number): void {
    this.#waitsSince ??= attemptedAt
    this.refuseLate(attemptedAt)
    if (this.#queue.length === 0) return this.#giveUpWait()
    const earliest = this.#queue.reduce((least, job) => Math.min(least, job.deadline), Number.POSITIVE_INFINITY)
    const wait = Math.min(backoff(this.#failures++), Math.max(0, earliest - performance.now()))
    this.#times.after(Math.ceil(wait))
  }

  #giveHold(job: Job, hold: (release: () => void) => void): void {
    this.#held = true
    this.#settling.running.add(job)
    this.#bytes -= job.bytes
    hold(() => {
      this.#held = false
      this.pending.delete(job)
      job.resolve(undefined)
      this.#settling.over(job)
      this.#schedule()
    })
  }

  /** Takes the jobs that may run now, in order. A job whose file is still being written delays only its own key. */
  #takeBatch(): Job[] {
    const queue = this.#queue
    if (queue[0]?.work.alone) return queue.splice(0, 1)
    if (queue.length === 1 && queue[0]?.ready) {
      this.#queue = []
      return queue
    }
    const batch: Job[] = []
    const held: Job[] = []
    const blocked = new Set<unknown>()
    let index = 0
    for (; index < queue.length && batch.length < BATCH_LIMITS.jobs; index++) {
      const job = queue[index] as Job
      const { identity, barrier, alone } = job.work
      const waits = !job.ready || (identity !== undefined && blocked.has(identity))
      if (alone || (barrier && (waits || held.length > 0))) break
      if (waits) blocked.add(identity)
      ;(waits ? held : batch).push(job)
    }
    this.#queue = held.concat(queue.slice(index))
    return batch
  }

  #putBack(jobs: Job[]): void {
    if (jobs.length > 0) this.#queue = jobs.concat(this.#queue)
  }

  #finish(job: Job, result: unknown, tasks: readonly Promise<void>[]): void {
    this.#bytes -= job.bytes
    if (tasks.length === 0) return this.#end(job, result)
    this.#settling.running.add(job)
    void Promise.allSettled(tasks).then(() => this.#end(job, result))
  }

  #end(job: Job, result: unknown): void {
    job.resolve(result)
    this.#settling.over(job)
  }

  #reject(job: Job, error: unknown): void {
    this.#bytes -= job.bytes
    this.pending.delete(job)
    job.reject(error)
    this.#settling.over(job)
  }

  #drop(job: Job, error: unknown): void {
    const at = this.#queue.indexOf(job)
    if (at < 0) return
    this.#queue.splice(at, 1)
    this.#reject(job, error)
  }

  #watchAbort(job: Job, signal: AbortSignal): void {
    job.unwatch = onAbort(signal, () => this.#drop(job, signal.reason))
  }

  #watchReadiness(job: Job, readiness: Promise<unknown>): void {
    readiness.then(
      () => {
        job.ready = true
        this.#schedule()
      },
      error => {
        this.#drop(job, this.#host.translate(error))
        this.#schedule()
      },
    )
  }
}
