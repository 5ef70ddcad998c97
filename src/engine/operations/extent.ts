import type { Session } from '../database/session.js'

/** The precision of the clocks, and more than updates within one of their ticks put a row ahead. Seconds. */
const MILLISECOND = 1e-3

/**
 * The rows that a removal in pages concerns: those that exist when it begins. Rows that are stored between two pages
 * stay. They have a later rowid, or a store time between `until` and the time of the page: a row of a time that has not
 * come yet was stored by another clock, and nobody can tell when.
 *
 * The latest store time of the table would tell as well, but only the policy `least-recently-stored` has an index of
 * it, and a scan of a million rows takes most of a second.
 */
export interface Extent {
  /** The rowid behind which the next page begins. */
  readonly after: number
  /** The last rowid. */
  readonly last: number
  /** The end of the store times of rows that exist. Seconds. */
  readonly until: number
}

/** The whole table as it is now. */
export function wholeExtent(session: Session): Extent {
  return { after: 0, last: Number(session.statements.get('lastRowid') ?? 0), until: presentEnd(session) }
}

/** The bounds of store times that a page leaves: behind the first, up to the second. */
export function boundsOf(
  session: Session,
  { until }: Pick<Extent, 'until'>,
): readonly [until: number, present: number] {
  return [until, presentEnd(session)]
}

/** Whether a row existed when the removal began. */
export function existed(session: Session, extent: Extent, rowid: number, storeTime: number): boolean {
  const [until, present] = boundsOf(session, extent)
  return rowid <= extent.last && (storeTime <= until || storeTime > present)
}

/** Makes the writes of this process store later than the rows that the next page will remove. */
export function continueAfter(session: Session, { until }: Pick<Extent, 'until'>): void {
  session.pagedUntil = Math.max(session.pagedUntil, until)
  session.removedUntil = Math.max(session.removedUntil, until)
}

function presentEnd(session: Session): number {
  return Math.max(session.disk.now(), session.removedUntil) + MILLISECOND
}
