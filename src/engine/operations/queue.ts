import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import {
  deleteRow,
  entryOf,
  isLive,
  type KeylessEntry,
  keyed,
  readRow,
  storeRow,
  type Taken,
  takeRow,
} from './entries.js'
import { lastRow, pages } from './listing.js'

/** DiskCache's first key of a queue. Keys count up at the back and down at the front. */
export const FIRST = 500_000_000_000_000

/**
 * Bounds of the keys of a queue, which have 15 digits. DiskCache accepts any number above 0, so that an ordinary key 1
 * becomes the head of its queue. In practice all keys that its queues reach have 15 digits.
 */
export const LEAST = 99_999_999_999_999
export const MOST = 999_999_999_999_999
const DIGITS = 15

export type Side = 'front' | 'back'

/**
 * Adds a value at an end of a queue and returns its key.
 *
 * @param head the text before the digits in the keys of the queue; `undefined`: the keys are numbers
 */
export function push(session: Session, entry: KeylessEntry, head: string | undefined, side: Side): string | number {
  const end = endOf(session, head, side)
  let number = FIRST
  if (end) number = numberOf(end) + (side === 'back' ? 1 : -1)
  if (number <= LEAST || number >= MOST) throw new RangeError(`push: the queue has no key left at its ${side}`)
  const key = head === undefined ? number : `${head}${number}`
  const data: EncodedKey['data'] = typeof key === 'number' ? BigInt(key) : key
  storeRow(session, keyed(entry, { data, raw: true }), undefined)
  return key
}

/** Removes the first live row of a queue, and expired rows before it. The caller owns the file of the row. */
export function pull(session: Session, head: string | undefined, side: Side, now: number): Taken | undefined {
  const row = peek(session, head, side, now)
  return row && takeRow(session, row)
}

/** Reads the first live row of a queue and removes expired rows before it. */
export function peek(session: Session, head: string | undefined, side: Side, now: number): EntryRow | undefined {
  for (;;) {
    const row = endOf(session, head, side)
    if (!row || isLive(row[4], now)) return row
    deleteRow(session, row[0], row[10], row[8])
  }
}

/** Reads the last or first live row in stored order and removes expired rows on the way. */
export function peekItem(session: Session, last: boolean, now: number): EntryRow | undefined {
  for (;;) {
    const row = outermost(session, last)
    if (!row || isLive(row[4], now)) return row
    deleteRow(session, row[0], row[10], row[8])
  }
}

/** The rows of a queue from one of its ends on, expired ones too. */
export function* queueRows(session: Session, head: string | undefined, side: Side): Generator<EntryRow, undefined> {
  let row = endOf(session, head, side)
  while (row) {
    yield row
    row = endOf(session, head, side, row[1])
  }
  return undefined
}

/** All rows in stored order from the last or the first on, expired ones too. */
export function* storedRows(session: Session, last: boolean): Generator<EntryRow, undefined> {
  const end = outermost(session, last)
  if (!end) return undefined
  yield end
  for (const page of pages(session, lastRow(session), { reverse: last })) {
    for (const [rowid, data, raw] of page) {
      const row = rowid === end[0] ? undefined : entryOf(session, { data, raw: raw !== 0 })
      if (row) yield row
    }
  }
  return undefined
}

function outermost(session: Session, last: boolean): EntryRow | undefined {
  return readRow(session, last ? 'lastByRowid' : 'firstByRowid')
}

/** @param beyond the key behind which the row must lie. Default: none */
function endOf(session: Session, head: string | undefined, side: Side, beyond?: EntryRow[1]): EntryRow | undefined {
  const name =
    head === undefined ? (side === 'back' ? 'queueBack' : 'queueFront') : side === 'back' ? 'prefixBack' : 'prefixFront'
  const range: unknown[] =
    head === undefined ? [LEAST, MOST] : [`${head}0${LEAST}`, `${head}${MOST}`, Buffer.byteLength(head) + DIGITS]
  if (beyond !== undefined) range[side === 'front' ? 0 : 1] = beyond
  return readRow(session, name, ...range)
}

function numberOf(row: EntryRow): number {
  return typeof row[1] === 'string' ? Number(row[1].slice(-DIGITS)) : Number(row[1])
}
