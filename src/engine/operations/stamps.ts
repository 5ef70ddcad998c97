import type { Session } from '../database/session.js'
import { acquireLease, leaseOf } from './leases.js'

/**
 * The scope of a removal stamp. A stamp prevents that a computation which began before a removal is stored after it. It
 * is a row among the leases: leases with a smaller fencing number were taken before it.
 */
export interface RemovalScope {
  /** Exact names of entries. */
  readonly keys?: readonly string[]
  /** Prefixes of names of entries. */
  readonly prefixes?: readonly string[]
  readonly tags?: readonly string[]
}

/** How long a stamp is kept. A computation that takes longer is not stored. Seconds. */
const STAMP_SECONDS = 3600

const PREFIXES = 'purged:p:'
const AFTER_PREFIXES = 'purged:p;'

/** Leaves a stamp for each part of a scope. */
export function stampRemoval(session: Session, scope: RemovalScope): void {
  for (const name of namesOf(scope)) acquireLease(session, name, 'purged', STAMP_SECONDS)
}

/** Whether an entry was affected by a removal after the lease with this fencing number was granted. */
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
