import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { ensureSideTable } from './side-tables.js'

/** What is kept of a computation, in seconds. */
export interface Computation {
  /** From then on the value is stale; `null` for never. */
  readonly due: number | null
  /** How long it took. */
  readonly seconds: number
}

/** Keeps what is known of the computation of an entry that was stored in this transaction. */
export function setFreshness(session: Session, { data, raw }: EncodedKey, { due, seconds }: Computation): void {
  ensureSideTable(session, 'freshness')
  session.statements.run('setFreshness', due, seconds, data, raw ? 1 : 0)
}

/**
 * Whether a live value should be computed anew: it is past its time, or drawn by lot before.
 *
 * The lot: -seconds · beta · ln(random) reaches the end of the value. Whoever reads often draws often, so that somebody
 * is early enough, and the longer it takes the earlier. Source: Vattani et al., Optimal Probabilistic Cache Stampede
 * Prevention, VLDB 2015, equation 1.
 *
 * @param random between 0 and 1
 */
export function isDue(row: ComputationRow, now: number, beta: number | undefined, random: () => number): boolean {
  const [expireTime, due, seconds] = row
  const end = due ?? expireTime
  if (end === null) return false
  if (now >= end) return true
  if (beta === undefined) return false
  return -seconds * beta * Math.log(random()) >= end - now
}
