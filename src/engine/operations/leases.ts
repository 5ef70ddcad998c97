import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { ensureSideTable } from './side-tables.js'
import { isSilent, lastsOf } from './signs-of-life.js'

/** The purpose of a lease. Each kind has its own names. */
export type LeaseKind = 'flight' | 'lock' | 'semaphore' | 'taken' | 'purged' | 'upkeep'

/** How long ended leases are kept. Seconds. */
const FORGET_AFTER = 60

/** How many fencing numbers a process reserves: no more than a millisecond has microseconds, see nextFence. */
const RESERVED_FENCES = 1000
const MICROSECONDS = 1_000_000
/** The year 2112: numbers do not follow a clock that is beyond it, so that they stay safe integers and grow. */
const LATEST_FENCE_TIME = 2 ** 52
const LARGEST_FENCE = 1.5 * 2 ** 52

type LeaseRow = readonly [token: string, due: number, fence: number]

/** The stored state of a lease. `due` is in seconds since the epoch. */
export interface LeaseState {
  readonly token: string
  readonly due: number
  readonly fence: number
}

/** The name of the lease of a key. Names are equal exactly for keys of the same row. */
export function leaseName(kind: LeaseKind, key: EncodedKey): string {
  const { data, raw } = key
  if (typeof data === 'string') return `${kind}:${raw ? 't' : 'p'}${data}`
  if (Buffer.isBuffer(data)) return `${kind}:${raw ? 'b' : 'q'}${data.toString('hex')}`
  // 2 ** 62 and 2n ** 62n are the same row but are printed differently.
  const identity = keyIdentity(key)
  return `${kind}:n${typeof identity === 'number' ? identity : data}`
}

/** The prefix of the names of a group of leases, for a key with several holders. */
export function leaseGroup(kind: LeaseKind, key: EncodedKey): string {
  const name = leaseName(kind, key)
  // The length distinguishes keys of which one is a prefix of the other.
  return `${kind}:${name.length}:${name}:`
}

/**
 * Takes a lease that is free or has ended. Returns its fencing number, or `undefined` while somebody else has it. The
 * same token may take its own lease again, which gives a new number.
 *
 * @param seconds how long it lasts from now unless it is extended
 */
export function acquireLease(session: Session, name: string, token: string, seconds: number): number | undefined {
  ensureSideTable(session, 'leases')
  const now = session.disk.now()
  const held = leaseOf(session, name)
  if (held && held.token !== token && !isOver(session, name, held)) return undefined
  const fence = nextFence(session, now)
  session.statements.run('forgetLeases', now - FORGET_AFTER)
  session.statements.run('grantLease', name, token, now + seconds, BigInt(fence))
  return fence
}

/** Extends a lease. Returns `false` when it was taken over, revoked or released. */
export function extendLease(session: Session, name: string, token: string, seconds: number): boolean {
  if (!session.has('leases')) return false
  return session.statements.run('extendLease', session.disk.now() + seconds, name, token) > 0
}

/** Stores a copy of a lease that was taken elsewhere, without a check and without a fencing number. */
export function noteLease(session: Session, name: string, token: string, seconds: number): void {
  ensureSideTable(session, 'leases')
  session.statements.run('grantLease', name, token, session.disk.now() + seconds, 0n)
}

/** Releases a lease. Returns `false` when this token did not hold it any more. */
export function releaseLease(session: Session, name: string, token: string): boolean {
  if (!session.has('leases')) return false
  return session.statements.run('releaseLease', name, token) > 0
}

/** Takes a lease away from its holder, who notices at the next use. */
export function revokeLease(session: Session, name: string): void {
  if (session.leases) session.statements.run('revokeLease', name)
}

/** Whether a lease has ended, this process has given it up, or its holder gives no sign of life. */
export function isOver(session: Session, name: string, { token, due }: Omit<LeaseState, 'fence'>): boolean {
  if (due <= session.disk.now() || session.givenUp.has(token)) return true
  const lasts = lastsOf(token)
  return lasts !== undefined && isSilent(session, name, { sign: `${token} ${due}`, lasts, due })
}

/** Whether this token still has the lease. After its end it has it until somebody takes it over. */
export function holdsLease(session: Session, name: string, token: string): boolean {
  return leaseOf(session, name)?.token === token
}

/** Counts the leases of a group that have not ended. */
export function countLeases(session: Session, group: string): number {
  if (!session.has('leases')) return 0
  return session.statements.get<number>('leasesOf', group, afterGroup(group), session.disk.now()) ?? 0
}

/** Whether a lease of a group that has not ended has another token. */
export function othersHold(session: Session, group: string, token: string): boolean {
  if (!session.has('leases')) return false
  const range = [group, afterGroup(group)] as const
  return session.statements.get('otherLease', ...range, session.disk.now(), token) !== undefined
}

/** Removes the leases of a group that have ended. Their holders notice at the next use. */
export function dropEndedLeases(session: Session, group: string): void {
  if (session.has('leases')) session.statements.run('dropEnded', group, afterGroup(group), session.disk.now())
}

/** Reads the lease of a name, ended or not. */
export function leaseOf(session: Session, name: string): LeaseState | undefined {
  if (!session.has('leases')) return undefined
  const row = session.statements.get<LeaseRow>('lease', name)
  return row && { token: row[0], due: row[1], fence: row[2] }
}

/**
 * Returns a number that grows with every call, over all processes. A resource can refuse holders with a smaller number
 * than the greatest it has seen. Numbers begin at the time in microseconds, faster than which nobody takes them, so that
 * they also grow when the directory was removed meanwhile.
 *
 * The stored number is no less than all that were returned. A process that is alone reserves some, so that most of its
 * acquisitions write one page less, and uses them up whatever the time is by then.
 *
 * Source: Kleppmann, How to do distributed locking (2016).
 */
export function nextFence(session: Session, now: number): number {
  return giveFence(session, lookAtFence(session, now))
}

/** A fencing number that is not given out yet. */
export interface FreeFence {
  readonly fence: number
  /** Whether nobody has reserved numbers since this process did. */
  readonly isOwn: boolean
}

/** The number that comes next in this transaction. */
export function lookAtFence(session: Session, now: number): FreeFence {
  ensureSideTable(session, 'leases')
  const { fences } = session
  const number = Number(session.statements.get('fence') ?? 0)
  // Nobody has counted to a greater one: it was tampered with, and numbers beyond 2 ** 53 do not grow.
  const stored = number <= LARGEST_FENCE ? number : 0
  const isOwn = stored === fences.upTo
  if (isOwn && fences.last < fences.upTo) return { fence: fences.last + 1, isOwn }
  return { fence: Math.max(stored + 1, Math.min(Math.floor(now * MICROSECONDS), LATEST_FENCE_TIME)), isOwn }
}

/** Gives the number out: whoever looks next sees a greater one. */
export function giveFence(session: Session, { fence, isOwn }: FreeFence): number {
  const { fences } = session
  fences.last = fence
  if (isOwn && fence <= fences.upTo) return fence
  // A process that takes turns with others reserves none. The numbers would run ahead of the time otherwise.
  fences.upTo = isOwn ? fence + RESERVED_FENCES : fence
  session.statements.run('setFence', BigInt(fences.upTo))
  session.afterRollback(() => {
    fences.upTo = Number.NaN
  })
  return fence
}

/** The smallest text after all names of a group. The prefix of a group ends in a colon. */
function afterGroup(group: string): string {
  return `${group.slice(0, -1)};`
}
