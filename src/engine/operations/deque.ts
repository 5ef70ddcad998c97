import type { Session } from '../database/session.js'
import type { EntryRow, ItemRow, RemovalRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import {
  deleteRow,
  isLarge,
  isLive,
  type KeylessEntry,
  keyed,
  readRow,
  removeRow,
  stateOf,
  storeRow,
} from './entries.js'
import { FIRST, LEAST, MOST, type Side } from './queue.js'
import { removePages } from './removal.js'

/** A new item. Its key is the number of its place. */
export type NewItem = KeylessEntry

/** The part of a session that reads need. They need no transaction. */
export type ReadSession = Pick<Session, 'statements'>

/** The keys of both ends and the number of items. */
export interface Span {
  readonly front: number
  readonly back: number
  readonly length: number
}

type SpanRow = readonly [front: number | null, back: number | null, rows: number, foreign: number]

/** Up to this many other rows, those are counted, otherwise the items. Equals the limit in the statement. */
const FEW_ROWS = 1000

/** Numbers below and above every item. */
export const BEFORE_FRONT: number = LEAST
export const AFTER_BACK: number = MOST

/**
 * Reads the ends and the length. Taken items and other entries of the cache do not count. When there are few of these,
 * they are counted and subtracted, so that a long deque is not scanned.
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

/** The key at an index, counted from the back when it is negative. `undefined` out of range. */
export function keyAt(session: ReadSession, index: number): number | undefined {
  const span = spanOf(session)
  if (!span) return undefined
  const at = index < 0 ? span.length + index : index
  return at >= 0 && at < span.length ? keyIn(session, span, at) : undefined
}

/** Computes the key if the numbers have no holes. Otherwise SQLite counts in the index, from the nearer end. */
function keyIn(session: ReadSession, span: Span, at: number): number | undefined {
  const { front, back, length } = span
  if (back - front + 1 === length) return front + at
  const fromBack = length - 1 - at
  if (at <= fromBack) return session.statements.get<number>('dequeFromFront', at)
  return session.statements.get<number>('dequeFromBack', fromBack)
}

/** Reads the next row behind a key or before it. */
export function rowBeside(session: ReadSession, key: number, side: Side): EntryRow | undefined {
  return readRow(session, side === 'front' ? 'dequeAfter' : 'dequeBefore', key)
}

/** Reads the first row of a side. Removes rows that were given an expiry elsewhere and have expired. */
export function endRow(session: Session, side: Side): EntryRow | undefined {
  for (;;) {
    const row = rowBeside(session, side === 'front' ? BEFORE_FRONT : AFTER_BACK, side)
    if (!row || isLive(row[4], session.disk.now())) return row
    deleteRow(session, row[0], row[10], row[8])
  }
}

/**
 * Removes the first item of a side from the database, and expired ones before it. The caller removes the file of the
 * item that is returned.
 */
export function pop(session: Session, side: Side): ItemRow | undefined {
  const name = side === 'front' ? 'dequeFrontItem' : 'dequeBackItem'
  for (;;) {
    const row = itemRow(session, name)
    if (!row) return undefined
    const [rowid, expireTime, size, , filename, , storeTime] = row
    if (isLive(expireTime, session.disk.now())) {
      removeRow(session, rowid, storeTime)
      return row
    }
    deleteRow(session, rowid, filename, size, storeTime)
  }
}

function itemRow({ statements }: Session, name: 'dequeFrontItem' | 'dequeBackItem'): ItemRow | undefined {
  const row = statements.prepare(name).get() as ItemRow | undefined
  if (!row || !isLarge(row[5])) return row
  const [rowid, expireTime, size, mode, filename, , storeTime] = row
  const exact = statements.getExact<ItemRow>(name)
  return exact && [rowid, expireTime, size, mode, filename, exact[5], storeTime]
}

/** Adds items at a side, one after the other. @throws RangeError when no number of 15 digits is left */
export function pushAll(session: Session, items: readonly NewItem[], side: Side): void {
  let number = nextNumber(session, side)
  for (const item of items) {
    checkNumber(number)
    storeRow(session, keyed(item, itemKey(number)), undefined)
    number += side === 'back' ? 1 : -1
  }
}

/** The number of a new item at a side. */
export function nextNumber(session: Session, side: Side): number {
  const end = session.statements.get<number>(side === 'back' ? 'dequeLast' : 'dequeFirst')
  if (end === undefined) return FIRST
  return side === 'back' ? Math.floor(end) + 1 : Math.ceil(end) - 1
}

/**
 * Refuses numbers without 15 digits: DiskCache also compares keys as text, which would be out of order.
 *
 * @throws RangeError
 */
export function checkNumber(number: number): void {
  if (number > LEAST && number < MOST) return
  throw new RangeError('the deque has no number left at this side: its items are numbered with 15 digits')
}

function itemKey(number: number): EncodedKey {
  return { data: BigInt(number), raw: true }
}

/** Statements that list one row to trim, or a hundred. */
const TRIMMED = { front: ['dequeFrontRow', 'dequeFrontRows'], back: ['dequeBackRow', 'dequeBackRows'] } as const

/** Removes a page of items of a side until `most` are left. Returns whether more must be removed. */
export function trim(session: Session, most: number, side: Side): boolean {
  if (most === Number.POSITIVE_INFINITY) return false
  let excess = lengthOf(session) - most
  if (excess <= 0) return false
  const [row, page] = TRIMMED[side]
  const { next } = removePages(session, true, () => {
    // A few too many go in one step, however slow the machine is.
    const rows = session.statements.all<RemovalRow>(excess === 1 ? row : page).slice(0, excess)
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

/** Removes an item that was read before, if it is still there and unchanged. */
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
