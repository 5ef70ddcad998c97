import { isDiskFull } from '../file-errors.js'
import { isBusy, isLostSchema, sqliteCode } from './busy.js'
import type { Job } from './job.js'
import type { CommitTask, Session } from './session.js'

interface Steps {
  prologue(session: Session): void
  epilogue(session: Session): void
  makeRoom(grew: boolean): boolean
  committed(jobs: readonly { readonly job: Job }[]): void
}

interface Done {
  readonly job: Job
  readonly result: unknown
  readonly tasks: readonly Promise<void>[]
}

interface Failure {
  readonly job: Job
  readonly error: unknown
}

/** What became of a batch whose transaction has begun. It is over when this is returned. */
export interface Outcome {
  readonly done: readonly Done[]
  readonly failed: readonly Failure[]
  /** Jobs that had no turn, or that an error of the whole batch undid. */
  readonly notRun: Job[]
  /** An error which is of no single job: the lock, a damaged database. */
  readonly error?: unknown
}

/** A job that has run; after the commit it is what is done, so that a batch of thousands makes no second set. */
interface Ran {
  readonly job: Job
  readonly result: unknown
  /** How many tasks for after the commit there were before it. */
  readonly from: number
  tasks: readonly Promise<void>[]
}

const NONE: readonly Promise<void>[] = []

interface Limits {
  readonly milliseconds: number
  readonly bytes: number
}

/** The clock is read once in so many jobs. */
const STRIDE = 8

/** Fractions of a millisecond for which a COMMIT is tried again at once, in journal modes where readers block it. */
const COMMIT_SPIN_MILLISECONDS = 2

/**
 * Runs a batch in the open transaction and commits it.
 *
 * Operations run bare, since a savepoint for each costs a fifth of the rate; when one fails, everything is rolled
 * back and run again with a savepoint each, so that it fails alone. The body of a user runs once, alone.
 */
export function commitTogether(host: Steps, session: Session, batch: readonly Job[], limits: Limits): Outcome {
  const ran: Ran[] = []
  try {
    host.prologue(session)
    runSome(session, batch, ran, limits)
    return commit(host, session, batch, ran)
  } catch (error) {
    const { grew } = session
    rollBack(session)
    const tried = batch.slice(0, ran.length + 1)
    const rest = batch.slice(tried.length)
    // The body of a user has run, and runs once, whatever the error says.
    if (isWhole(error) && !tried[0]?.work.alone) return { done: [], failed: [], notRun: [...batch], error }
    if (isFull(error)) return retryFull(host, session, { tried, rest, grew, error }, limits)
    if (tried[0]?.work.alone) return failure(tried, error, rest)
    return commitApart(host, session, tried, rest)
  }
}

interface FullBatch {
  readonly tried: readonly Job[]
  readonly rest: Job[]
  readonly grew: boolean
  readonly error: unknown
}

/** The disk is full: what only removes gets through, what grows needs room, and marks of reads are worth none. */
function retryFull(host: Steps, session: Session, batch: FullBatch, limits: Limits): Outcome {
  const { tried, rest, grew, error } = batch
  const [only] = tried
  if (tried.every(job => job.work.optional)) return failure(tried, error, rest)
  if (tried.length > 1) return commitOneByOne(host, session, tried, rest, limits)
  const roomMade = host.makeRoom(grew)
  if (!roomMade || !only || only.work.alone) return failure(tried, error, rest)
  return commitApart(host, session, tried, rest)
}

function commitOneByOne(host: Steps, session: Session, jobs: readonly Job[], rest: Job[], limits: Limits): Outcome {
  const done: Done[] = []
  const failed: Failure[] = []
  for (const [at, job] of jobs.entries()) {
    try {
      session.statements.run('begin')
    } catch (error) {
      return { done, failed, notRun: [...jobs.slice(at), ...rest], error }
    }
    const outcome = commitTogether(host, session, [job], limits)
    done.push(...outcome.done)
    failed.push(...outcome.failed)
    if (outcome.error !== undefined) {
      return { done, failed, notRun: [...outcome.notRun, ...jobs.slice(at + 1), ...rest], error: outcome.error }
    }
  }
  return { done, failed, notRun: rest }
}

function failure(jobs: readonly Job[], error: unknown, rest: Job[]): Outcome {
  return { done: [], failed: jobs.map(job => ({ job, error })), notRun: rest }
}

function runSome(session: Session, batch: readonly Job[], ran: Ran[], limits: Limits): void {
  const until = batch.length < STRIDE ? 0 : performance.now() + limits.milliseconds
  let bytes = 0
  for (const job of batch) {
    const from = session.commitTasks
    ran.push({ job, result: job.work.run(session), from, tasks: NONE })
    bytes += job.bytes
    if (bytes > limits.bytes || (ran.length % STRIDE === 0 && performance.now() > until)) return
  }
}

function commit(host: Steps, session: Session, batch: readonly Job[], ran: readonly Ran[]): Outcome {
  host.epilogue(session)
  commitSpinning(session)
  host.committed(ran)
  const tasks = session.takeCommitTasks(ran.length)
  if (tasks.length > 0) {
    for (const [at, one] of ran.entries()) {
      // What rode along before the first job is waited for by it, and the files of evicted rows by the last.
      const to = at + 1 < ran.length ? (ran[at + 1] as Ran).from : tasks.length
      one.tasks = start(tasks, at === 0 ? 0 : one.from, to)
    }
  }
  return { done: ran, failed: [], notRun: batch.slice(ran.length) }
}

/** Begins what follows a commit. What is committed stays, whatever becomes of it: an error is a promise's, too. */
export function start(tasks: readonly CommitTask[], from: number, to: number): Promise<void>[] {
  const started: Promise<void>[] = []
  for (const task of tasks.slice(from, to)) {
    try {
      const outcome = task()
      if (outcome) started.push(outcome)
    } catch (error) {
      started.push(Promise.reject(error))
    }
  }
  return started
}

/** One savepoint for each operation: those that fail are left out. */
function commitApart(host: Steps, session: Session, retried: readonly Job[], rest: Job[]): Outcome {
  const failed: Failure[] = []
  let candidates = [...retried]
  for (;;) {
    try {
      session.statements.run('begin')
      host.prologue(session)
      const ran = runApart(session, candidates, failed)
      const outcome = commit(
        host,
        session,
        ran.map(({ job }) => job),
        ran,
      )
      return { done: outcome.done, failed, notRun: rest }
    } catch (error) {
      rollBack(session)
      candidates = candidates.filter(job => !failed.some(failure => failure.job === job))
      if (isWhole(error)) return { done: [], failed, notRun: [...candidates, ...rest], error }
      if (error instanceof TransactionLost) continue
      failed.push(...candidates.map(job => ({ job, error })))
      return { done: [], failed, notRun: rest }
    }
  }
}

/** SQLite has rolled the whole transaction back because of one statement. */
class TransactionLost extends Error {}

function runApart(session: Session, jobs: readonly Job[], failed: Failure[]): Ran[] {
  const ran: Ran[] = []
  for (const job of jobs) {
    const from = session.mark()
    session.statements.run('savepoint')
    try {
      ran.push({ job, result: job.work.run(session), from: from.commits, tasks: NONE })
    } catch (error) {
      if (isWhole(error)) throw error
      failed.push({ job, error })
      if (!session.db.inTransaction) throw new TransactionLost()
      session.statements.run('rollbackTo')
      session.undoTo(from)
    }
    session.statements.run('release')
  }
  return ran
}

/** Commits, and tries it again at once for a moment while others who read hold it up. */
export function commitSpinning(session: Session): void {
  let until: number | undefined
  for (;;) {
    try {
      session.statements.run('commit')
      return
    } catch (error) {
      until ??= performance.now() + COMMIT_SPIN_MILLISECONDS
      if (!isBusy(error) || performance.now() > until) throw error
    }
  }
}

/** SQLITE_FULL and some others have rolled back by themselves; everything else leaves the transaction open. */
export function rollBack(session: Session): void {
  if (session.db.inTransaction) session.statements.run('rollback')
  session.rolledBack()
}

/** Errors that say nothing about the operation which met them. */
function isWhole(error: unknown): boolean {
  const code = sqliteCode(error)
  if (code === undefined) return false
  return isBusy(error) || isLostSchema(error) || /^SQLITE_(CORRUPT|NOTADB|IOERR|READONLY|CANTOPEN)/.test(code)
}

function isFull(error: unknown): boolean {
  if (sqliteCode(error) === 'SQLITE_FULL') return true
  return isDiskFull(error)
}
