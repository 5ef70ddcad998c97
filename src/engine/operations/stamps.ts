import type { Session } from '../database/session.js'
import { acquireLease, leaseOf } from './leases.js'

/**
 * What was removed, for those who began before it and store after it: their news is older than the removal. A stamp is
 * a row among the leases, and its fencing number tells what was taken before it.
 */
export interface RemovalScope {
  /** The entry of exactly this name. */
  readonly keys?: readonly string[]
  /** Entries whose names begin so. */
  readonly prefixes?: readonly string[]
  readonly tags?: readonly string[]
}

/** How long a stamp is kept. Who has been at it for longer stores nothing. Seconds. */
export const STAMP_SECONDS = 3600

const PREFIXES = 'purged:p:'
const AFTER_PREFIXES = 'purged:p;'

/** Leaves a stamp for each part of a scope. */
export function stampRemoval(session: Session, scope: RemovalScope): void {
  for (const name of namesOf(scope)) acquireLease(session, name, 'purged', STAMP_SECONDS)
}

/** Whether something was removed that concerns an entry, after the lease with this fencing number was granted. */
export function removedSince(
  session: Session,
  entry: { readonly key: string; readonly tags: readonly string[] },
  fence: number,
): boolean {
  if (!session.has('leases')) return false
  const exact = namesOf({ keys: [entry.key], tags: entry.tags })
  if (exact.some(name => (leaseOf(session, name)?.fence ?? 0) > fence)) return true
  const stamps = session.statements.all<readonly [string, number]>('laterLeases', PREFIXES, AFTER_PREFIXES, fence)
  return stamps.some(([name]) => entry.key.startsWith(name.slice(PREFIXES.length)))
}

function namesOf({ keys = [], prefixes = [], tags = [] }: RemovalScope): string[] {
  return [
    ...keys.map(key => `purged:k:${key}`),
    ...prefixes.map(prefix => `${PREFIXES}${prefix}`),
    ...tags.map(tag => `purged:t:${tag}`),
  ]
}
