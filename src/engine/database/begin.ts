import { isBusy, SPIN_MILLISECONDS } from './busy.js'
import type { Session } from './session.js'

/** A BEGIN. `waitedSince`: others had the lock from then on, if only for a moment. */
export interface Attempt {
  readonly startedAt: number
  readonly waitedSince: number | undefined
  readonly error?: unknown
}

/** Begins a transaction; while others have the lock it is tried again for a fraction of a millisecond. */
export function beginSpinning(session: Session): Attempt {
  const begin = session.statements.prepare('begin')
  const first = performance.now()
  let waitedSince: number | undefined
  for (let startedAt = first; ; startedAt = performance.now()) {
    try {
      begin.run()
      return { startedAt, waitedSince }
    } catch (error) {
      if (!isBusy(error)) return { startedAt, waitedSince, error }
      waitedSince = first
      if (startedAt - first > SPIN_MILLISECONDS) return { startedAt, waitedSince, error }
    }
  }
}
