import type { Session } from '../database/session.js'
import { acquireLease, holdsLease, leaseOf, releaseLease, revokeLease } from '../operations/leases.js'
import { removedSince } from '../operations/stamps.js'

/** The right to store something for a key, as long as it is held and nothing was removed that concerns it. */
export interface DoorLease {
  /** The key that is computed, and in whose shard the lease lies. */
  readonly key: string
  readonly name: string
  readonly token: string
  readonly fence: number
}

/** Takes a lease; answers its fencing number, or `undefined` while another process has it. `ttl` is milliseconds. */
export function takeLease(
  session: Session,
  { key, name, token }: Omit<DoorLease, 'fence'>,
  ttl: number,
): number | undefined {
  const held = leaseOf(session, name)
  // Who has it brings what was removed since: nobody need wait for that.
  if (held && removedSince(session, { key, tags: [] }, held.fence)) revokeLease(session, name)
  return acquireLease(session, name, token, ttl / 1000)
}

/** Whether what is computed under a lease may be stored: it is still held, and nothing was removed that concerns it. */
export function isCurrent(session: Session, { key, name, token, fence }: DoorLease, tags: readonly string[]): boolean {
  return holdsLease(session, name, token) && !removedSince(session, { key, tags }, fence)
}

/** Gives a lease back. Answers whether what was computed under it may be stored. */
export function endLease(session: Session, lease: DoorLease, tags: readonly string[]): boolean {
  const isOurs = isCurrent(session, lease, tags)
  releaseLease(session, lease.name, lease.token)
  return isOurs
}
