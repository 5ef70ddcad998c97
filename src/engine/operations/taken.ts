import type { Session } from '../database/session.js'
import { type EntryRow, PAGE_ROWS, type RemovalRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { checkNumber, endRow, nextNumber } from './deque.js'
import { deleteRow, stateOf } from './entries.js'
import { boundsOf, type Extent, wholeExtent } from './extent.js'
import { acquireLease, extendLease, holdsLease, isOver, nextFence, releaseLease, revokeLease } from './leases.js'
import type { Side } from './queue.js'
import { type Page, removePages } from './removal.js'

/**
 * Taken items keep their row and file under this prefix and their number, so that no pop meets them, including that of
 * DiskCache. A lease names their holder.
 */
const TAKEN = 'fanout-cache:taken-'
const LEASE = 'taken:'

/** A taken item and the token of its holder. */
export interface Taking {
  readonly key: string
  readonly token: string
}

/** Takes the first item of a side for `seconds`. */
export function takeItem(
  session: Session,
  side: Side,
  token: string,
  seconds: number,
): { readonly row: EntryRow; readonly taking: Taking } | undefined {
  returnDue(session)
  const row = endRow(session, side) ?? (returnSilent(session) ? endRow(session, side) : undefined)
  if (!row) return undefined
  const key = takenKey(session, Math.trunc(Number(row[1])))
  session.statements.run('renameKey', key, row[0])
  acquireLease(session, LEASE + key, token, seconds)
  return { row, taking: { key, token } }
}

/**
 * The key of a taken item. A number is reused when the deque was empty; a fencing number then distinguishes the items.
 */
function takenKey(session: Session, number: number): string {
  const key = `${TAKEN}${number}`
  if (!stateOf(session, encoded(key))) return key
  return `${key}-${String(nextFence(session, session.disk.now())).padStart(16, '0')}`
}

/** Removes a taken item. Returns `false` when somebody else has it by now, or it was cleared. */
export function finishItem(session: Session, { key, token }: Taking): boolean {
  if (!releaseLease(session, LEASE + key, token)) return false
  const state = stateOf(session, encoded(key))
  if (!state) return false
  deleteRow(session, state[0], state[1], state[2])
  return true
}

/** Puts a taken item back. Returns `false` when somebody else has it by now, or it was cleared. */
export function releaseItem(session: Session, { key, token }: Taking, side: Side): boolean {
  return releaseLease(session, LEASE + key, token) && putBack(session, key, side)
}

/** Extends the lease of a taken item. Returns `false` when somebody else has it by now, or it was cleared. */
export function extendItem(session: Session, { key, token }: Taking, seconds: number): boolean {
  if (!holdsLease(session, LEASE + key, token)) return false
  if (stateOf(session, encoded(key))) return extendLease(session, LEASE + key, token, seconds)
  revokeLease(session, LEASE + key)
  return false
}

/** Whether there are taken items whose lease has ended. */
export function hasDue(session: Session): boolean {
  return session.has('leases') && session.statements.get('anyTakenDue', session.disk.now()) !== undefined
}

/** Puts taken items whose lease has ended back at the front, the lowest number first. */
export function returnDue(session: Session): void {
  while (hasDue(session)) {
    // In pages from the highest name down, since each goes before the item that was put back before it.
    for (const [name] of session.statements.all<readonly [string]>('takenDue', session.disk.now())) {
      revokeLease(session, name)
      putBack(session, name.slice(LEASE.length), 'front')
    }
  }
}

/** Puts back taken items whose holder gives no sign of life, when there are no others. Returns whether there were some. */
function returnSilent(session: Session): boolean {
  if (!session.has('leases')) return false
  const held = session.statements.all<readonly [string, string, number]>('takenLongest', session.disk.now())
  const silent = held.filter(([name, token, due]) => isOver(session, name, { token, due }))
  for (const [name] of silent.sort(([a], [b]) => (a < b ? 1 : -1))) {
    revokeLease(session, name)
    putBack(session, name.slice(LEASE.length), 'front')
  }
  return silent.length > 0
}

/** Whether a key is that of a taken item. */
export function isTakenKey(key: EncodedKey): boolean {
  return key.raw && typeof key.data === 'string' && key.data.startsWith(TAKEN)
}

/** Marks an imported item as taken by nobody. The next look for due items puts it back. */
export function takeForNobody(session: Session, key: EncodedKey, token: string): void {
  acquireLease(session, `${LEASE}${key.data}`, token, 0)
}

/** Removes all items, including taken ones, that exist at the first page. Other entries of the cache stay. */
export function clearItems(session: Session, cursor?: ClearCursor): Page<ClearCursor> {
  if (!cursor && session.has('leases')) session.statements.run('revokeTaken')
  let at = cursor ?? { ...wholeExtent(session), taken: true }
  return removePages(session, at, () => {
    const taken = at.taken ? session.statements.all<RemovalRow>('takenCleared') : []
    if (taken.length === PAGE_ROWS) return { rows: taken, next: at, extent: at, last: () => false }
    at = { ...at, taken: false }
    // In the same step as the last taken ones, so that a short deque is cleared at once on the slowest machine. From
    // the front each time, since others may have moved items there since the last page.
    const rows = session.statements.all<RemovalRow>('dequeCleared', at.last, ...boundsOf(session, at))
    return { rows: [...taken, ...rows], next: at, extent: at, last: () => rows.length < PAGE_ROWS }
  })
}

export interface ClearCursor extends Pick<Extent, 'last' | 'until'> {
  readonly taken: boolean
}

function putBack(session: Session, key: string, side: Side): boolean {
  const state = stateOf(session, encoded(key))
  if (!state) return false
  const number = nextNumber(session, side)
  checkNumber(number)
  session.statements.run('renameKey', BigInt(number), state[0])
  return true
}

function encoded(key: string): EncodedKey {
  return { data: key, raw: true }
}
