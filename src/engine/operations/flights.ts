import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { isLive, type NewEntry, stateOf, versionOf } from './entries.js'
import { type Computation, setFreshness } from './freshness.js'
import { set } from './items.js'
import { acquireLease, holdsLease, leaseOf, releaseLease } from './leases.js'

/** The computation of the value of one key, by one process. */
export interface FlightPlan {
  readonly key: EncodedKey
  /** Name of its lease. */
  readonly name: string
  /** Who holds the lease. */
  readonly token: string
  /** How long the lease lasts without a sign of life. */
  readonly seconds: number
  /** The version of the entry that is to be replaced although it is live. */
  readonly replaced: string | undefined
}

/** What a process that would compute is told. */
export type Clearance =
  | { readonly kind: 'granted'; readonly version: string | undefined }
  /** Another process computes. */
  | { readonly kind: 'held' }
  /** A fresh value has been stored meanwhile. */
  | { readonly kind: 'stored' }

/** Takes the lease of a computation, unless it is not needed any more. */
export function takeOff(session: Session, plan: FlightPlan): Clearance {
  const { key, name, token, seconds, replaced } = plan
  const version = liveVersion(session, key)
  if (version !== undefined && version !== replaced && isFresh(session, key)) return { kind: 'stored' }
  if (acquireLease(session, name, token, seconds) === undefined) return { kind: 'held' }
  return { kind: 'granted', version }
}

/**
 * Stores what was computed and ends the lease. Stores nothing when the lease was lost or revoked, or when somebody has
 * stored another value in the meantime: what was computed is then older than what is there.
 */
export function land(
  session: Session,
  plan: FlightPlan,
  version: string | undefined,
  entry: NewEntry,
  computation: Computation | undefined,
): boolean {
  if (!holdsLease(session, plan.name, plan.token)) return false
  releaseLease(session, plan.name, plan.token)
  const current = liveVersion(session, plan.key)
  if (current !== undefined && current !== version) return false
  set(session, entry)
  if (computation) setFreshness(session, plan.key, computation)
  return true
}

/** Whether waiting is over: the lease has ended, or was released, with a value or without. */
export function isGroundFree(session: Session, name: string): boolean {
  const lease = leaseOf(session, name)
  return !lease || lease.due <= session.disk.now()
}

function liveVersion(session: Session, key: EncodedKey): string | undefined {
  const state = stateOf(session, key)
  if (!state || !isLive(state[3], session.disk.now())) return undefined
  return versionOf(state[0], state[4], state[3])
}

function isFresh(session: Session, { data, raw }: EncodedKey): boolean {
  if (!session.has('freshness')) return true
  const row = session.statements.get<ComputationRow>('computation', data, raw ? 1 : 0)
  const due = row?.[1] ?? null
  return due === null || session.disk.now() < due
}
