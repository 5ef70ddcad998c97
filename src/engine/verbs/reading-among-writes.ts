import type { Session } from '../database/session.js'

/** A read in its place in a batch of writes. */
export interface ReadAmongWrites<T> {
  run(session: Session): { readonly value: T | Promise<T> }
  /** Nobody wants what was read. */
  abandon(): void
}

/**
 * A batch that is rolled back runs again, and the reads in it, too: of what they had read before, files are closed, and
 * nothing is noted.
 */
export function readAmongWrites<T>(read: () => T | Promise<T>): ReadAmongWrites<T> {
  let last: T | Promise<T> | undefined
  const abandon = (): void => {
    if (last instanceof Promise) last.then(close, () => undefined)
    else void close(last)
    last = undefined
  }
  const run = (session: Session): { readonly value: T | Promise<T> } => {
    abandon()
    session.amongWrites = true
    try {
      const value = read()
      last = value
      if (value instanceof Promise) value.catch(() => undefined)
      return { value }
    } finally {
      session.amongWrites = false
    }
  }
  return { run, abandon }
}

function close(read: unknown): unknown {
  const opened = read as Partial<AsyncDisposable> | null | undefined
  return typeof opened === 'object' ? opened?.[Symbol.asyncDispose]?.() : undefined
}

/** Whether the run of a read was in vain. */
export interface Run {
  readonly inVain: boolean
}

const LAST: Run = { inVain: false }

/** Tells who reads on when the transaction is over what became of it. */
export function runOf(session: Session): Run {
  if (!session.amongWrites) return LAST
  const run = { inVain: false }
  session.afterRollback(() => {
    run.inVain = true
  })
  return run
}
