import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { isLive, type NewEntry, stateOf, versionOf } from './entries.js'
import { type Computation, setFreshness } from './freshness.js'
import { set } from './items.js'
import { acquireLease, isOver, leaseOf, releaseLease, revokeLease } from './leases.js'
import { removedSince } from './stamps.js'

/** The computation of the value of one key by one process. */
export interface FlightPlan {
  readonly key: EncodedKey
  /** The key as stamps of removals name it. `undefined`: it is no text. */
  readonly text: string | undefined
  /** The tags of the value that are known before it is computed. */
  readonly tags: readonly string[]
  /** The name of its lease. */
  readonly name: string
  /** The token of the holder of the lease. */
  readonly token: string
  /** How long the lease lasts without a sign of life. */
  readonly seconds: number
  /** The version of a live entry that is to be replaced. */
  readonly replaced: string | undefined
}

/** The entry that was live when a computation began. */
export interface LiveEntry {
  readonly version: string
  readonly expireTime: number | null
}

/** The answer to a process that wants to compute. */
export type Clearance =
  | { readonly kind: 'granted'; readonly found: LiveEntry | undefined }
  /** Another process computes. */
  | { readonly kind: 'held' }
  /** A fresh value has been stored meanwhile. */
  | { readonly kind: 'stored' }

/** Takes the lease of a computation, if it is still needed. */
export function takeOff(session: Session, plan: FlightPlan): Clearance {
  const { key, name, token, seconds, replaced } = plan
  const found = liveEntry(session, key)
  if (found && found.version !== replaced && isFresh(session, key)) return { kind: 'stored' }
  const held = leaseOf(session, name)
  // The value of the present holder was removed before it was there, so nobody should wait for it.
  if (held && removedSince(session, { key: plan.text, tags: plan.tags }, held.fence)) revokeLease(session, name)
  if (acquireLease(session, name, token, seconds) === undefined) return { kind: 'held' }
  return { kind: 'granted', found }
}

/** Whether a value with these tags may be stored: the lease is still held, and no removal since has left a stamp. */
export function isCurrent(session: Session, { name, token, text }: FlightPlan, tags: readonly string[]): boolean {
  const lease = leaseOf(session, name)
  return lease?.token === token && !removedSince(session, { key: text, tags }, lease.fence)
}

/**
 * Stores a computed value and ends the lease. Stores nothing when the lease was lost or revoked, or when the entry was
 * stored or removed in the meantime, because the computed value is then outdated.
 */
export function land(
  session: Session,
  plan: FlightPlan,
  found: LiveEntry | undefined,
  entry: NewEntry,
  computation: Computation | undefined,
): boolean {
  const mayStore = isCurrent(session, plan, typeof entry.tag === 'string' ? [entry.tag, ...entry.tags] : entry.tags)
  releaseLease(session, plan.name, plan.token)
  if (!mayStore) return false
  const current = liveEntry(session, plan.key)
  if (current && current.version !== found?.version) return false
  if (!current && found && isLive(found.expireTime, session.disk.now())) return false
  set(session, entry)
  if (computation) setFreshness(session, plan.key, computation)
  return true
}

/** Whether waiting is over because the lease has ended or was released, with a value or without. */
export function isGroundFree(session: Session, name: string): boolean {
  const lease = leaseOf(session, name)
  return !lease || isOver(session, name, lease)
}

function liveEntry(session: Session, key: EncodedKey): LiveEntry | undefined {
  const state = stateOf(session, key)
  if (!state || !isLive(state[3], session.disk.now())) return undefined
  return { version: versionOf(state[0], state[4], state[3]), expireTime: state[3] }
}

function isFresh(session: Session, { data, raw }: EncodedKey): boolean {
  if (!session.has('freshness')) return true
  const row = session.statements.get<ComputationRow>('computation', data, raw ? 1 : 0)
  const due = row?.[1] ?? null
  return due === null || session.disk.now() < due
}
