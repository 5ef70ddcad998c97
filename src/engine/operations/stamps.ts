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
  /** The tags are those of entries whose names begin with this. @default '', all entries */
  readonly within?: string
}

/** What is to be stored: its name, if that is a text, and its tags. */
export interface Stampable {
  readonly key: string | undefined
  readonly tags: readonly string[]
}

/** How long a stamp is kept. A computation that takes longer is not stored. Seconds. */
const STAMP_SECONDS = 3600

const PREFIXES = 'purged:p:'
const AFTER_PREFIXES = 'purged:p;'
/** The names of the leases of computations. */
const FLIGHTS = 'flight:'
const AFTER_FLIGHTS = 'flight;'
/** Separates a tag from the prefix to which it is restricted. */
const WITHIN = '\n'
const AFTER_WITHIN = '\v'

/** Leaves a stamp for each part of a scope, unless nothing is being computed: what begins later computes nothing old. */
export function stampRemoval(session: Session, scope: RemovalScope): void {
  if (!session.has('leases') || session.statements.get('laterLeases', FLIGHTS, AFTER_FLIGHTS, 0) === undefined) return
  for (const name of namesOf(scope)) acquireLease(session, name, 'purged', STAMP_SECONDS)
}

/** Whether an entry was affected by a removal after the lease with this fencing number was granted. */
export function removedSince(session: Session, { key, tags }: Stampable, fence: number): boolean {
  if (!session.has('leases')) return false
  if (key !== undefined && (leaseOf(session, `purged:k:${key}`)?.fence ?? 0) > fence) return true
  const hasPrefix = (prefix: string): boolean => prefix === '' || (key?.startsWith(prefix) ?? false)
  const later = (from: string, to: string): string[] =>
    session.statements.all<readonly [string, number]>('laterLeases', from, to, fence).map(([name]) => name)
  if (later(PREFIXES, AFTER_PREFIXES).some(name => hasPrefix(name.slice(PREFIXES.length)))) return true
  return tags.some(tag => {
    const name = tagName(tag)
    const isOfTag = (stamp: string): boolean =>
      stamp === name || (stamp.startsWith(name + WITHIN) && hasPrefix(stamp.slice(name.length + 1)))
    return later(name, name + AFTER_WITHIN).some(isOfTag)
  })
}

function namesOf({ keys = [], prefixes = [], tags = [], within = '' }: RemovalScope): string[] {
  return [
    ...keys.map(key => `purged:k:${key}`),
    ...prefixes.map(prefix => `${PREFIXES}${prefix}`),
    ...tags.map(tag => (within === '' ? tagName(tag) : tagName(tag) + WITHIN + within)),
  ]
}

function tagName(tag: string): string {
  return `purged:t:${tag}`
}
