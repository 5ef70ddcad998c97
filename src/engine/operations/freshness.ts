import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { ensureSideTable } from './side-tables.js'

/** The stored facts of a computation, in seconds. */
export interface Computation {
  /** The instant at which the value becomes stale. `null`: never. */
  readonly due: number | null
  /** The duration of the computation. */
  readonly seconds: number
}

/** Stores the facts of the computation of an entry that was stored in this transaction. */
export function setFreshness(session: Session, { data, raw }: EncodedKey, { due, seconds }: Computation): void {
  ensureSideTable(session, 'freshness')
  session.statements.run('setFreshness', due, seconds, data, raw ? 1 : 0)
}

/**
 * Whether a live value should be computed anew: it is stale, or chosen at random before that.
 *
 * It is chosen when -seconds · beta · ln(random) reaches the time that the value has left. Frequent reads make an early
 * choice likely, and a longer computation makes it earlier. Source: Vattani et al., Optimal Probabilistic Cache
 * Stampede Prevention, VLDB 2015, equation 1.
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
