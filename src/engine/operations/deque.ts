import type { Session } from '../database/session.js'
import type { EntryRow, ItemRow, RemovalRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import {
  deleteRow,
  isInexact,
  isLarge,
  isLive,
  type KeylessEntry,
  keyed,
  removeRow,
  stateOf,
  storeRow,
  toEntryRow,
} from './entries.js'
import { FIRST, LEAST, MOST, type Side } from './queue.js'
import { removePages } from './removal.js'

/** What a row of a deque is stored from: its key is its place. */
export type NewItem = KeylessEntry

/** Reading is all that a look does, so that it needs no transaction. */
export type ReadSession = Pick<Session, 'statements'>

/** Keys of the ends, and how many items there are between them, both included. Absent ends: there are none. */
export interface Span {
  readonly front: number
  readonly back: number
  readonly length: number
}

type SpanRow = readonly [front: number | null, back: number | null, rows: number, foreign: number]

/** With fewer rows of others they are counted, else the items are: the limit in the statement. */
const FEW_ROWS = 1000

/** Below every item, and above. */
export const BEFORE_FRONT: number = LEAST
export const AFTER_BACK: number = MOST

/**
 * The ends and the length. Taken items, and whatever else the cache holds, are no items: where there are few of them
 * they are counted and subtracted, so that a long deque is not walked.
 */
export function spanOf(session: ReadSession): Span | undefined {
  const { statements } = session
  const [front, back, rows, foreign] = statements.get<SpanRow>('dequeSpan') as SpanRow
  if (front === null || back === null) return undefined
  const few = foreign < FEW_ROWS
  return { front, back, length: few ? Number(rows) - foreign : Number(statements.get('dequeCount')) }
}

export function lengthOf(session: ReadSession): number {
  return spanOf(session)?.length ?? 0
}

/** The key at an index, counted from the back when it is negative; `undefined` out of range. */
export function keyAt(session: ReadSession, index: number): number | undefined {
  const span = spanOf(session)
  if (!span) return undefined
  const at = index < 0 ? span.length + index : index
  return at >= 0 && at < span.length ? keyIn(session, span, at) : undefined
}

/** Keys without holes are computed; with holes SQLite counts them, in the index, from the nearer end. */
function keyIn(session: ReadSession, span: Span, at: number): number | undefined {
  const { front, back, length } = span
  if (back - front + 1 === length) return front + at
  const fromBack = length - 1 - at
  if (at <= fromBack) return session.statements.get<number>('dequeFromFront', at)
  return session.statements.get<number>('dequeFromBack', fromBack)
}

/** The next row behind a key, or before it. */
export function rowBeside(session: ReadSession, key: number, side: Side): EntryRow | undefined {
  const name = side === 'front' ? 'dequeAfter' : 'dequeBefore'
  const row = session.statements.get<EntryRow>(name, key)
  return row && isInexact(row) ? toEntryRow(session.statements.getExact(name, key)) : row
}

/** The first row of a side. Those that somebody else gave an expiry, and that have expired, are removed. */
export function endRow(session: Session, side: Side): EntryRow | undefined {
  for (;;) {
    const row = rowBeside(session, side === 'front' ? BEFORE_FRONT : AFTER_BACK, side)
    if (!row || isLive(row[4], session.disk.now())) return row
    deleteRow(session, row[0], row[10], row[8])
  }
}

/** Takes the first item of a side out of the database, and those before it that have expired. Its file is left to the caller. */
export function pop(session: Session, side: Side): ItemRow | undefined {
  const name = side === 'front' ? 'dequeFrontItem' : 'dequeBackItem'
  for (;;) {
    const row = itemRow(session, name)
    if (!row) return undefined
    const [rowid, expireTime, size, , filename] = row
    if (isLive(expireTime, session.disk.now())) {
      removeRow(session, rowid)
      return row
    }
    deleteRow(session, rowid, filename, size)
  }
}

function itemRow({ statements }: Session, name: 'dequeFrontItem' | 'dequeBackItem'): ItemRow | undefined {
  const row = statements.prepare(name).get() as ItemRow | undefined
  if (!row || !isLarge(row[5])) return row
  const [rowid, expireTime, size, mode, filename] = row
  const exact = statements.getExact<ItemRow>(name)
  return exact && [rowid, expireTime, size, mode, filename, exact[5]]
}

/** Puts items at a side, one after the other. @throws RangeError when no number of 15 digits is left */
export function pushAll(session: Session, items: readonly NewItem[], side: Side): void {
  let number = nextNumber(session, side)
  for (const item of items) {
    checkNumber(number)
    storeRow(session, keyed(item, itemKey(number)), undefined)
    number += side === 'back' ? 1 : -1
  }
}

/** The number of an item that is put at a side. */
export function nextNumber(session: Session, side: Side): number {
  const end = session.statements.get<number>(side === 'back' ? 'dequeLast' : 'dequeFirst')
  if (end === undefined) return FIRST
  return side === 'back' ? Math.floor(end) + 1 : Math.ceil(end) - 1
}

/** DiskCache reads keys of 15 digits in their numeric order, and as text; others would be out of it. @throws RangeError */
export function checkNumber(number: number): void {
  if (number > LEAST && number < MOST) return
  throw new RangeError('the deque has no number left at this side: its items are numbered with 15 digits')
}

function itemKey(number: number): EncodedKey {
  return { data: BigInt(number), raw: true }
}

/** Removes items of a side until `most` are left, a page of them. Answers whether there are more to remove. */
export function trim(session: Session, most: number, side: Side): boolean {
  if (most === Number.POSITIVE_INFINITY) return false
  let excess = lengthOf(session) - most
  if (excess <= 0) return false
  const { next } = removePages(session, () => {
    const rows = session.statements.all<RemovalRow>(side === 'front' ? 'dequeFrontRow' : 'dequeBackRow')
    excess -= rows.length
    return { rows, next: true, last: count => count === 0 || excess === 0 }
  })
  return next !== undefined
}

/** Replaces the item at an index. @throws RangeError */
export function setAt(session: Session, index: number, item: NewItem): void {
  const key = itemKeyAt(session, index)
  storeRow(session, keyed(item, key), stateOf(session, key))
}

/** Removes the item at an index. @throws RangeError */
export function deleteAt(session: Session, index: number): void {
  const state = stateOf(session, itemKeyAt(session, index))
  if (state) deleteRow(session, state[0], state[1], state[2])
}

/** Removes an item that was read before, unless it is another one now, or gone. */
export function removeSame(session: Session, rowid: number, storeTime: number): boolean {
  const row = session.statements.get<RemovalRow>('dequeSame', rowid, storeTime)
  if (!row) return false
  deleteRow(session, row[0], row[1], row[2])
  return true
}

function itemKeyAt(session: Session, index: number): EncodedKey {
  const key = keyAt(session, index)
  if (key !== undefined) return itemKey(key)
  throw new RangeError(`deque index out of range: ${index} of ${lengthOf(session)} items`)
}
