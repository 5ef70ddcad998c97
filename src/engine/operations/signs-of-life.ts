import { randomUUID } from 'node:crypto'
import type { Session } from '../database/session.js'
import { performance } from '../timers.js'

/** What is stored of a holder. Seconds. */
export interface Holder {
  /** What changes with each sign of life. */
  readonly sign: string
  /** How long its lease lasts without one. */
  readonly lasts: number
  /** When that ends, by the clock of the holder. */
  readonly due: number
}

/** Limit of holders that are remembered. Those who are forgotten are watched anew. */
const MOST_KNOWN = 1000
const SEPARATOR = '~'

/** Makes a token for a lease, which tells how long the lease lasts without a sign of life. */
export function newToken(milliseconds: number): string {
  return `${randomUUID()}${SEPARATOR}${milliseconds}`
}

/** How long the lease of a token lasts without a sign of life. Seconds. `undefined`: the token does not tell. */
export function lastsOf(token: string): number | undefined {
  const at = token.indexOf(SEPARATOR)
  const lasts = at < 0 ? Number.NaN : Number(token.slice(at + 1)) / 1000
  return lasts > 0 ? lasts : undefined
}

/**
 * Whether a holder has given no sign of life for as long as its lease lasts, although the lease goes on by its end. That
 * is so when the holder died while its clock was ahead of ours: a clock that was set back by a year would otherwise
 * leave its lease in force for a year. Each look is an observation, and the time between them is taken by a clock that
 * is never set.
 */
export function isSilent(session: Session, name: string, { sign, lasts, due }: Holder): boolean {
  const { signs } = session
  // A lease whose end is near ends by itself. All leases of those whose clocks agree with ours are of this kind.
  if (due - session.disk.now() <= 2 * lasts) return false
  const now = performance.now()
  const seen = signs.get(name)
  if (seen?.sign === sign) return now - seen.since > lasts * 1000
  if (signs.size >= MOST_KNOWN) signs.clear()
  signs.set(name, { sign, since: now })
  return false
}
