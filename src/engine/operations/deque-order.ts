import type { Session } from '../database/session.js'
import { checkNumber, keyAt, spanOf } from './deque.js'

/** Limit of items that one transaction renumbers. That takes some milliseconds, in which nobody else can write. */
const ROTATED_AT_ONCE = 1000
/** Deques up to this length are reversed by one statement, longer ones in pages. */
const REVERSED_AT_ONCE = 5000
const REVERSED_PAGE = 1000

/**
 * Moves items from one end to the other by renumbering them, the shorter way round; to the right when `steps` is
 * positive. Holes between the numbers are kept. Returns the steps that are left.
 *
 * The store time of a row is kept: its value does not change, and its rowid still identifies it.
 *
 * @throws RangeError when no number of 15 digits is left
 */
export function rotate(session: Session, steps: number): number {
  const span = spanOf(session)
  if (!span || span.length < 2) return 0
  const { front, back, length } = span
  const right = ((steps % length) + length) % length
  if (right === 0) return 0
  const toFront = right <= length / 2
  const wanted = toFront ? right : length - right
  const moved = Math.min(wanted, ROTATED_AT_ONCE)
  const distance = Math.ceil(back - front) + 1
  if (toFront) {
    const first = keyAt(session, -moved) as number
    checkNumber(first - distance)
    session.statements.run('dequeShift', -BigInt(distance), first, back)
    return wanted - moved
  }
  const last = keyAt(session, moved - 1) as number
  checkNumber(last + distance)
  session.statements.run('dequeShift', BigInt(distance), front, last)
  return moved - wanted
}

/** Where the next page of a reversal continues: behind `after`, up to the back at the time when it began. */
export interface Reversal {
  readonly after: number
  readonly last: number
}

/**
 * Reverses the order, or a page of it: the first items of the rest move before the front, mirrored. Items that others
 * add between two pages are kept and may end up between them.
 *
 * @throws RangeError when no number of 15 digits is left
 */
export function reverse(session: Session, cursor?: Reversal): Reversal | undefined {
  const span = spanOf(session)
  if (!span || span.length < 2) return undefined
  const { after, last } = cursor ?? { after: span.front - 1, last: span.back }
  const most = span.length <= REVERSED_AT_ONCE ? REVERSED_AT_ONCE : REVERSED_PAGE
  const page = session.statements.get<readonly [number | null, number, number]>('dequeMirrored', after, last, most)
  if (!page || page[0] === null) return undefined
  const [begin, end, count] = page
  // Mirrored at the front: the first item of the page moves directly before it.
  const sum = Math.ceil(span.front) - 1 + begin
  checkNumber(sum - end)
  session.statements.run('dequeMirror', BigInt(sum), begin, end)
  return count < most ? undefined : { after: end, last }
}
