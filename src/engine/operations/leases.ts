import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { ensureSideTable } from './side-tables.js'

/** What a lease is for. One name is one lease per kind. */
export type LeaseKind = 'flight' | 'lock' | 'semaphore' | 'taken' | 'purged' | 'upkeep'

/** Leases that ended so long ago are forgotten. Seconds. */
const FORGET_AFTER = 60

/** As many as milliseconds in a second: see nextFence. */
const RESERVED_FENCES = 1000

type LeaseRow = readonly [token: string, due: number, fence: number]

/** A lease as others see it. `due` is in seconds since the epoch. */
export interface LeaseState {
  readonly token: string
  readonly due: number
  readonly fence: number
}

/** The name of the lease that belongs to a key: equal exactly for keys that are one row. */
export function leaseName(kind: LeaseKind, key: EncodedKey): string {
  const { data, raw } = key
  if (typeof data === 'string') return `${kind}:${raw ? 't' : 'p'}${data}`
  if (Buffer.isBuffer(data)) return `${kind}:${raw ? 'b' : 'q'}${data.toString('hex')}`
  // 2 ** 62 and 2n ** 62n are one row, and are printed differently.
  const identity = keyIdentity(key)
  return `${kind}:n${typeof identity === 'number' ? identity : data}`
}

/** What the names of leases of a group begin with, where many may hold something that belongs to a key. */
export function leaseGroup(kind: LeaseKind, key: EncodedKey): string {
  const name = leaseName(kind, key)
  // The length keeps apart keys of which one begins with the other.
  return `${kind}:${name.length}:${name}:`
}

/**
 * Takes a lease, or takes one over that has ended. Answers its fencing number; `undefined` while somebody else has it.
 * The same token may take its own lease again, which gives a new number.
 *
 * @param seconds how long it lasts from now, unless it is extended
 */
export function acquireLease(session: Session, name: string, token: string, seconds: number): number | undefined {
  ensureSideTable(session, 'leases')
  const now = session.disk.now()
  const held = leaseOf(session, name)
  if (held && held.due > now && held.token !== token) return undefined
  const fence = nextFence(session, now)
  session.statements.run('forgetLeases', now - FORGET_AFTER)
  session.statements.run('grantLease', name, token, now + seconds, BigInt(fence))
  return fence
}

/** Answers false when the lease was taken over, revoked or released. */
export function extendLease(session: Session, name: string, token: string, seconds: number): boolean {
  if (!session.has('leases')) return false
  return session.statements.run('extendLease', session.disk.now() + seconds, name, token) > 0
}

/** Writes a lease down without asking: it is a copy of one that was taken elsewhere. It has no fencing number. */
export function noteLease(session: Session, name: string, token: string, seconds: number): void {
  ensureSideTable(session, 'leases')
  session.statements.run('grantLease', name, token, session.disk.now() + seconds, 0n)
}

/** Answers false when it was not this token's any more. */
export function releaseLease(session: Session, name: string, token: string): boolean {
  if (!session.has('leases')) return false
  return session.statements.run('releaseLease', name, token) > 0
}

/** Takes a lease away from whoever has it, who learns of it when it looks. */
export function revokeLease(session: Session, name: string): void {
  if (session.leases) session.statements.run('revokeLease', name)
}

/** Whether this token still has the lease, also past its end when nobody has taken it over. */
export function holdsLease(session: Session, name: string, token: string): boolean {
  return leaseOf(session, name)?.token === token
}

/** How many leases of a group have not ended. */
export function countLeases(session: Session, group: string): number {
  if (!session.has('leases')) return 0
  return session.statements.get<number>('leasesOf', group, afterGroup(group), session.disk.now()) ?? 0
}

/** Removes the leases of a group that have ended: their holders learn of it when they look. */
export function dropEndedLeases(session: Session, group: string): void {
  if (session.has('leases')) session.statements.run('dropEnded', group, afterGroup(group), session.disk.now())
}

/** The lease of a name, ended or not. */
export function leaseOf(session: Session, name: string): LeaseState | undefined {
  if (!session.has('leases')) return undefined
  const row = session.statements.get<LeaseRow>('lease', name)
  return row && { token: row[0], due: row[1], fence: row[2] }
}

/**
 * A number that grows with every call, over all processes: who protects a resource can refuse those who come with a
 * smaller number than it has seen. It is no less than the time in milliseconds, so that it also grows when the
 * directory was removed meanwhile.
 *
 * What is stored is a number beyond all that were given: a process that is alone reserves some, so that most of its
 * acquisitions write one page less.
 *
 * Source: Kleppmann, How to do distributed locking (2016).
 */
export function nextFence(session: Session, now: number): number {
  ensureSideTable(session, 'leases')
  const { fences } = session
  const stored = Number(session.statements.get('fence') ?? 0)
  // Nobody has reserved numbers since this process did.
  const isOwn = stored === fences.upTo
  const fence = Math.max((isOwn ? fences.last : stored) + 1, Math.floor(now * 1000))
  fences.last = fence
  if (isOwn && fence <= fences.upTo) return fence
  // Who takes turns with others reserves none, or the numbers would run away from the time.
  fences.upTo = isOwn ? fence + RESERVED_FENCES : fence
  session.statements.run('setFence', BigInt(fences.upTo))
  session.afterRollback(() => {
    fences.upTo = Number.NaN
  })
  return fence
}

/** The first text beyond all that begin with a group's, which ends in a colon. */
function afterGroup(group: string): string {
  return `${group.slice(0, -1)};`
}
