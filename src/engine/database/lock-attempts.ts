import { isBusy, SPIN_MILLISECONDS } from './busy.js'
import { lockWasMet } from './giving-way.js'
import type { Session } from './session.js'

/** What came of asking for the lock. */
export interface Attempt {
  readonly attemptedAt: number
  /** Since when others had the lock, if only for a moment. */
  readonly waitedSince?: number
  /** What refused it: the lock, or another error of the database. */
  readonly error?: unknown
}

/** Enough for a few attempts more, which find out whether it is worth it again. Milliseconds. */
const SHORTEST_SPIN = 0.02
/** The last attempts count for so much of what is known. */
const MEMORY = 8

/**
 * Takes write locks without waiting inside SQLite. A lock that is met is asked for again at once, for as long as that
 * has lately been worth it: whoever holds it on another processor gives it back within a commit, and whoever was put off
 * the processor in the middle of one does not, and gets it back the later the more others spin.
 */
export class LockAttempts {
  /** How long it took lately to get a lock that was met; what was not got in time counts nothing. */
  #worth = SPIN_MILLISECONDS / 2

  /** Begins a transaction, if the lock is to be had. */
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
 * `BEGIN IMMEDIATE`, and the error that it met. The stack of that error would always say the same, and V8 takes 12 of
 * the 17 µs of a refusal to write it down, twice.
 */
export function tryBegin(session: Session): unknown {
  const begin = session.statements.prepare('begin')
  const { stackTraceLimit } = Error
  limitStacks(0)
  try {
    begin.run()
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
    // Somebody has frozen Error: then stacks are written down.
  }
}
