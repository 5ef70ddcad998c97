import { performance } from '../timers.js'
import { lockWasMet } from './giving-way.js'
import type { Session } from './session.js'
import { isBusy } from './sqlite-errors.js'

/** The outcome of an attempt to take the lock. */
export interface Attempt {
  readonly attemptedAt: number
  /** The time at which others were found to hold the lock, even if only for a moment. */
  readonly waitedSince?: number
  /** Why the attempt failed: a busy lock or another error of the database. */
  readonly error?: unknown
}

/** The longest time for which an attempt is repeated at once. Most commits of others take less. */
export const SPIN_MILLISECONDS = 0.3

/** The shortest spin: a few attempts, which find out whether spinning has become worth it again. Milliseconds. */
const SHORTEST_SPIN = 0.02
/** The weight of past attempts in the moving average. */
const MEMORY = 8
/** Keeps the shape of what `run` of a statement returns, see kept-shapes.ts. */
const last: { result: unknown } = { result: undefined }

/**
 * Takes write locks without waiting inside SQLite. A busy lock is asked for again at once, for as long as that has
 * lately been worth it. A holder on another processor releases it within a commit. A holder that was interrupted in a
 * commit does not, and gets its processor back the later, the more others spin.
 */
export class LockAttempts {
  /** Moving average of the time to get a busy lock. Locks that were not got in time count as 0. */
  #worth = SPIN_MILLISECONDS / 2

  /** Begins a transaction, if the lock is available. */
  begin(session: Session): Attempt {
    const attemptedAt = performance.now()
    const error = tryBegin(session)
    return error === undefined || !isBusy(error) ? { attemptedAt, error } : this.#spin(session, attemptedAt)
  }

  #spin(session: Session, first: number): Attempt {
    const longest = Math.min(SPIN_MILLISECONDS, SHORTEST_SPIN + 2 * this.#worth)
    for (;;) {
      const attemptedAt = performance.now()
      const error = tryBegin(session)
      const got = error === undefined
      if (got || !isBusy(error) || attemptedAt - first > longest) {
        if (!got) lockWasMet()
        this.#worth += ((got ? attemptedAt - first : 0) - this.#worth) / MEMORY
        return { attemptedAt, waitedSince: first, error }
      }
    }
  }
}

/**
 * Runs `BEGIN IMMEDIATE` and returns its error. The error has no stack: it would always be the same, and V8 spends 12
 * of the 17 µs of a refusal on writing it, twice.
 */
export function tryBegin(session: Session): unknown {
  const begin = session.statements.prepare('begin')
  const { stackTraceLimit } = Error
  limitStacks(0)
  try {
    last.result = begin.run()
    return undefined
  } catch (error) {
    return error
  } finally {
    limitStacks(stackTraceLimit)
  }
}

function limitStacks(limit: number): void {
  try {
    Error.stackTraceLimit = limit
  } catch {
    // Error is frozen, so stacks are written.
  }
}

const FIRST_WAIT = 1
const LONGEST_WAIT = 16

/**
 * Milliseconds until the next attempt after `failures` failed ones: doubling, with full jitter on the upper half, so
 * that processes that collided once do not collide again.
 */
export function backoff(failures: number): number {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 8))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}
