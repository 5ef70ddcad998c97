import type { Session } from '../database/session.js'
import { acquireLease, holdsLease, leaseOf, releaseLease, revokeLease } from '../operations/leases.js'
import { removedSince } from '../operations/stamps.js'

/** The right to store something for a key, as long as it is held and nothing relevant was removed. */
export interface DoorLease {
  /** The key that is computed. The lease lies in its shard. */
  readonly key: string
  readonly name: string
  readonly token: string
  readonly fence: number
}

/** Takes a lease for `ttl` milliseconds. Returns its fencing number, or `undefined` while another process has it. */
export function takeLease(
  session: Session,
  { key, name, token }: Omit<DoorLease, 'fence'>,
  ttl: number,
): number | undefined {
  const held = leaseOf(session, name)
  // The result of the present holder was invalidated meanwhile, so nobody should wait for it.
  if (held && removedSince(session, { key, tags: [] }, held.fence)) revokeLease(session, name)
  return acquireLease(session, name, token, ttl / 1000)
}

/** Whether the result of a lease may be stored: it is still held, and nothing relevant was removed. */
export function isCurrent(session: Session, { key, name, token, fence }: DoorLease, tags: readonly string[]): boolean {
  return holdsLease(session, name, token) && !removedSince(session, { key, tags }, fence)
}

/** Ends a lease. Returns whether its result may be stored. */
export function endLease(session: Session, lease: DoorLease, tags: readonly string[]): boolean {
  const isOurs = isCurrent(session, lease, tags)
  releaseLease(session, lease.name, lease.token)
  return isOurs
}
