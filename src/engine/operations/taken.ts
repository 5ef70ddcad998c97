import type { Session } from '../database/session.js'
import { type EntryRow, PAGE_ROWS, type RemovalRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { checkNumber, endRow, nextNumber } from './deque.js'
import { deleteRow, stateOf } from './entries.js'
import { acquireLease, extendLease, holdsLease, nextFence, releaseLease, revokeLease } from './leases.js'
import type { Side } from './queue.js'
import { type Extent, type Page, removePages, wholeExtent } from './removal.js'

/**
 * Taken items keep row and file under this name and the number they had, so that nobody who pops meets them, DiskCache
 * included. Whose they are is said by a lease.
 */
const TAKEN = 'fanout-cache:taken-'
const LEASE = 'taken:'

/** Which item was taken, and by whom. */
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
  const row = endRow(session, side)
  if (!row) return undefined
  const key = takenKey(session, Math.trunc(Number(row[1])))
  session.statements.run('renameKey', key, row[0])
  acquireLease(session, LEASE + key, token, seconds)
  return { row, taking: { key, token } }
}

/** A number comes back when the deque was empty meanwhile: then a fencing number tells the items apart. */
function takenKey(session: Session, number: number): string {
  const key = `${TAKEN}${number}`
  if (!stateOf(session, encoded(key))) return key
  return `${key}-${String(nextFence(session, session.disk.now())).padStart(16, '0')}`
}

/** Removes an item that was taken. Answers false when it was somebody else's by then, or cleared. */
export function finishItem(session: Session, { key, token }: Taking): boolean {
  if (!releaseLease(session, LEASE + key, token)) return false
  const state = stateOf(session, encoded(key))
  if (!state) return false
  deleteRow(session, state[0], state[1], state[2])
  return true
}

/** Puts an item back that was taken. Answers false when it was somebody else's by then, or cleared. */
export function releaseItem(session: Session, { key, token }: Taking, side: Side): boolean {
  return releaseLease(session, LEASE + key, token) && putBack(session, key, side)
}

/** Answers false when the item is lost: it was given to somebody else, or cleared. */
export function extendItem(session: Session, { key, token }: Taking, seconds: number): boolean {
  if (!holdsLease(session, LEASE + key, token)) return false
  if (stateOf(session, encoded(key))) return extendLease(session, LEASE + key, token, seconds)
  revokeLease(session, LEASE + key)
  return false
}

/** Whether there are items whose lease has ended. */
export function hasDue(session: Session): boolean {
  return session.has('leases') && session.statements.get('anyTakenDue', session.disk.now()) !== undefined
}

/** Puts back at the front what was taken and whose lease has ended, so that the lowest number comes first. */
export function returnDue(session: Session): void {
  while (hasDue(session)) {
    // In pages from the highest name down: each goes before the one that was put back before it.
    for (const [name] of session.statements.all<readonly [string]>('takenDue', session.disk.now())) {
      revokeLease(session, name)
      putBack(session, name.slice(LEASE.length), 'front')
    }
  }
}

/** Whether a key is that of a taken item. */
export function isTakenKey(key: EncodedKey): boolean {
  return key.raw && typeof key.data === 'string' && key.data.startsWith(TAKEN)
}

/** An item that came from elsewhere without whoever had taken it: the next one that looks puts it back. */
export function takeForNobody(session: Session, key: EncodedKey, token: string): void {
  acquireLease(session, `${LEASE}${key.data}`, token, 0)
}

/** Removes all items, taken ones too, that there are at the first page; the rest of the cache stays. */
export function clearItems(session: Session, cursor?: ClearCursor): Page<ClearCursor> {
  if (!cursor && session.has('leases')) session.statements.run('revokeTaken')
  let at = cursor ?? { ...wholeExtent(session), taken: true }
  return removePages(session, () => {
    const taken = at.taken ? session.statements.all<RemovalRow>('takenCleared') : []
    if (taken.length === PAGE_ROWS) return { rows: taken, next: at, last: () => false }
    at = { ...at, taken: false }
    // In one step with the last that are taken: a short deque is cleared at once, however slow the machine is. From the
    // front each time: others may have moved items there since the last page.
    const rows = session.statements.all<RemovalRow>('dequeCleared', at.last, at.storeTime)
    return { rows: [...taken, ...rows], next: at, last: () => rows.length < PAGE_ROWS }
  })
}

export interface ClearCursor extends Pick<Extent, 'last' | 'storeTime'> {
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
