import { performance } from '../timers.js'
import { meansFull } from './full-disk.js'
import type { Job } from './job.js'
import { type CommitTask, LARGEST_PAGE_LIMIT, type Session } from './session.js'
import { isBusy, isLostSchema, sqliteCode } from './sqlite-errors.js'

interface Steps {
  readonly directory: string
  prologue(session: Session): void
  epilogue(session: Session): void
  makeRoom(grows: boolean): boolean
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

/** The outcome of a batch whose transaction had begun. The transaction is over when it is returned. */
export interface Outcome {
  readonly done: readonly Done[]
  readonly failed: readonly Failure[]
  /** Jobs that did not run, or that an error of the whole batch undid. */
  readonly notRun: Job[]
  /** An error of the whole batch, such as a lock or a damaged database. */
  readonly error?: unknown
}

/**
 * A job that has run. The same objects are the result after the commit, so that large batches allocate no second set.
 */
interface Ran {
  readonly job: Job
  readonly result: unknown
  /** The number of commit tasks that existed before this job ran. */
  readonly from: number
  tasks: readonly Promise<void>[]
}

const NONE: readonly Promise<void>[] = []

interface Limits {
  readonly milliseconds: number
  readonly bytes: number
}

/** The clock is read once per this many jobs of single keys. */
const STRIDE = 8

/** How long a COMMIT is retried at once in journal modes where readers block it. */
const COMMIT_SPIN_MILLISECONDS = 2

/**
 * Runs a batch in the open transaction and commits it.
 *
 * Operations run without savepoints, which would cost a fifth of the rate. When one fails, the batch is rolled back and
 * run again with a savepoint for each, so that it fails alone. The body of a user runs once, in a batch of its own.
 */
export function commitTogether(host: Steps, session: Session, batch: readonly Job[], limits: Limits): Outcome {
  const ran: Ran[] = []
  try {
    host.prologue(session)
    runSome(session, batch, ran, limits)
    return commit(host, session, batch, ran)
  } catch (error) {
    const { grows } = session
    const isFull = meansFull(error, host.directory)
    rollBack(session)
    const tried = batch.slice(0, ran.length + 1)
    const rest = batch.slice(tried.length)
    // The body of a user must not run again, whatever the error is.
    if (!isFull && isWhole(error) && !tried[0]?.work.alone) return { done: [], failed: [], notRun: [...batch], error }
    if (isFull) return retryFull(host, session, { tried, rest, grows, error }, limits)
    if (tried[0]?.work.alone) return failure(tried, error, rest)
    return commitApart(host, session, tried, rest)
  }
}

interface FullBatch {
  readonly tried: readonly Job[]
  readonly rest: Job[]
  readonly grows: boolean
  readonly error: unknown
}

/**
 * Retries a batch on a full disk: jobs that only remove go through, others need room, and marks of reads are dropped.
 */
function retryFull(host: Steps, session: Session, batch: FullBatch, limits: Limits): Outcome {
  const { tried, rest, grows, error } = batch
  const [only] = tried
  if (tried.every(job => job.work.optional)) return failure(tried, error, rest)
  if (tried.length > 1) return commitOneByOne(host, session, tried, rest, limits)
  const roomMade = host.makeRoom(grows)
  if (only?.work.inPages) return commitPage(host, session, tried, rest)
  if (!roomMade || !only || only.work.alone) return failure(tried, error, rest)
  return commitApart(host, session, tried, rest)
}

/**
 * Removes a page with the room that was made, of as few rows as need be: SQLite moves other pages into the place of
 * those that it frees, so that the log of a hundred rows of many KB is longer than the reserve.
 */
function commitPage(host: Steps, session: Session, page: readonly Job[], rest: Job[]): Outcome {
  for (let rows = Math.min(session.pageRows, 2 * LARGEST_PAGE_LIMIT); ; ) {
    const outcome = commitApart(host, session, page, rest)
    rows = Math.floor(rows / 2)
    if (rows === 0 || !outcome.failed.some(({ error }) => meansFull(error, host.directory))) return outcome
    session.pageRows = rows
    // An empty transaction has been committed where SQLite had rolled back the page.
    host.makeRoom(false)
  }
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
  const until = batch.length === 1 ? 0 : performance.now() + limits.milliseconds
  let bytes = 0
  for (const job of batch) {
    const from = session.commitTasks
    ran.push({ job, result: job.work.run(session), from, tasks: NONE })
    bytes += job.bytes
    // A job that concerns more than one key may be a thousand entries or a page of a removal.
    const looks = job.work.barrier === true || ran.length % STRIDE === 0
    if (bytes > limits.bytes || (looks && performance.now() > until)) return
  }
}

function commit(host: Steps, session: Session, batch: readonly Job[], ran: readonly Ran[]): Outcome {
  host.epilogue(session)
  commitSpinning(session)
  host.committed(ran)
  const tasks = session.takeCommitTasks(ran.length)
  if (tasks.length > 0) {
    for (const [at, one] of ran.entries()) {
      // The first job also waits for the tasks of the prologue, and the last for the files of evicted rows.
      const to = at + 1 < ran.length ? (ran[at + 1] as Ran).from : tasks.length
      one.tasks = start(tasks, at === 0 ? 0 : one.from, to)
    }
  }
  return { done: ran, failed: [], notRun: batch.slice(ran.length) }
}

/** Starts the tasks that follow a commit. Their errors become rejections, since the commit stays in any case. */
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

/** Runs each operation in a savepoint and leaves out those that fail. */
function commitApart(host: Steps, session: Session, retried: readonly Job[], rest: Job[]): Outcome {
  const failed: Failure[] = []
  let candidates = [...retried]
  for (;;) {
    try {
      session.statements.run('begin')
      host.prologue(session)
      const ran = runApart(host, session, candidates, failed)
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
      if (isWhole(error) && !meansFull(error, host.directory))
        return { done: [], failed, notRun: [...candidates, ...rest], error }
      if (error instanceof TransactionLost) continue
      failed.push(...candidates.map(job => ({ job, error })))
      return { done: [], failed, notRun: rest }
    }
  }
}

/** Thrown when SQLite has rolled back the whole transaction because of one statement. */
class TransactionLost extends Error {}

function runApart({ directory }: Steps, session: Session, jobs: readonly Job[], failed: Failure[]): Ran[] {
  const ran: Ran[] = []
  for (const job of jobs) {
    const from = session.mark()
    session.statements.run('savepoint')
    try {
      ran.push({ job, result: job.work.run(session), from: from.commits, tasks: NONE })
    } catch (error) {
      if (isWhole(error) && !meansFull(error, directory)) throw error
      failed.push({ job, error })
      if (!session.db.inTransaction) throw new TransactionLost()
      session.statements.run('rollbackTo')
      session.undoTo(from)
    }
    session.statements.run('release')
  }
  return ran
}

/** Commits, and retries at once for a moment while readers block the COMMIT. */
export function commitSpinning(session: Session): void {
  session.disk.files.sync(session.placed)
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

/** Rolls back, unless SQLite has done so itself, as after SQLITE_FULL and some other errors. */
export function rollBack(session: Session): void {
  if (session.db.inTransaction) session.statements.run('rollback')
  session.rolledBack()
}

/** Whether an error concerns the whole batch and not the operation that met it. */
function isWhole(error: unknown): boolean {
  const code = sqliteCode(error)
  if (code === undefined) return false
  return isBusy(error) || isLostSchema(error) || /^SQLITE_(CORRUPT|NOTADB|IOERR|READONLY|CANTOPEN)/.test(code)
}
