import type { Session } from '../database/session.js'
import { PAGE_ROWS, type RemovalRow, type StateRow, WINDOW_ROWS } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import { boundsOf, type Extent, existed, wholeExtent } from './extent.js'
import { pages, prefixEnd, type ReadSession } from './listing.js'
import { evict, type Page, removePages, type TagCursor } from './removal.js'

/** The string keys that begin with a prefix. */
export interface KeyRange {
  readonly prefix: string
  /** Whether keys are compressed, as those of the JSON codec, so that the prefix shows only after decoding. */
  readonly hidden: boolean
}

/** The totals of a page of rows. */
export interface Tally {
  readonly count: number
  /** Bytes of keys and values as stored. */
  readonly bytes: number
}

/** Where a removal in the order of expiry continues. */
export interface ExpiryCursor {
  readonly time: number
  readonly rowid: number
}

/** Removes the entries of a range that exist when the removal begins. */
export function clearRange(session: Session, range: KeyRange, cursor: Extent | undefined): Page<Extent> {
  let extent = cursor ?? wholeExtent(session)
  if (range.hidden) {
    return removePages(session, extent, () => {
      const { after, last } = extent
      const rows = session.statements.all<RemovalRow>('cleared', after, last, ...boundsOf(session, extent))
      extent = { ...extent, after: rows.at(-1)?.[0] ?? last }
      const own = rows.filter(([rowid]) => isInRange(session, range, rowid))
      return { rows: own, next: extent, extent, last: () => rows.length < PAGE_ROWS }
    })
  }
  const end = prefixEnd(range.prefix)
  return removePages(session, extent, () => {
    // The rows found are removed, so that the next page starts at the same place.
    const bounds = boundsOf(session, extent)
    const rows = session.statements.all<RemovalRow>('rangeCleared', range.prefix, end, extent.last, ...bounds)
    const isLast = rows.length < PAGE_ROWS
    const own = isLast ? ownRow(session, range.prefix, extent) : undefined
    return { rows: own ? [...rows, own] : rows, next: extent, extent, last: () => isLast }
  })
}

/** The row whose key is the prefix itself, if it existed when the removal began. */
function ownRow(session: Session, prefix: string, extent: Extent): RemovalRow | undefined {
  const state = session.statements.get<StateRow>('state', prefix, 1)
  return state && existed(session, extent, state[0], state[4]) ? [state[0], state[1], state[2]] : undefined
}

/** Removes the entries of a range with a tag. */
export function evictRange(
  session: Session,
  range: KeyRange,
  tag: SqlValue,
  cursor: TagCursor | undefined,
): Page<TagCursor> {
  return evict(session, tag, cursor, rowid => isInRange(session, range, rowid))
}

/** Removes the entries of a range that have expired by `now`. */
export function expireRange(
  session: Session,
  range: KeyRange,
  now: number,
  cursor: ExpiryCursor | undefined,
): Page<ExpiryCursor> {
  let at = cursor ?? { time: Number.NEGATIVE_INFINITY, rowid: 0 }
  const page = removePages(session, at, () => {
    type Row = readonly [rowid: number, filename: string | null, size: number, expireTime: number]
    const rows = session.statements.all<Row>('expiredAfter', now, at.time, at.rowid)
    const last = rows.at(-1)
    if (last) at = { time: last[3], rowid: last[0] }
    const own = rows.flatMap(([rowid, filename, size]): RemovalRow[] =>
      isInRange(session, range, rowid) ? [[rowid, filename, size]] : [],
    )
    return { rows: own, next: at, last: () => rows.length < PAGE_ROWS }
  })
  session.expired += page.removed
  return page
}

/** What is added up: the number of entries alone, or their bytes as well, which takes longer. */
export type Figure = 'count' | 'volume'

/** Adds up a range in pages. */
export function* tallyRange(session: Session, range: KeyRange, figure: Figure): Generator<Tally> {
  const volume = figure === 'volume'
  if (range.hidden) {
    yield* tallyHidden(session, range, figure)
    return
  }
  const { statements } = session
  const own = statements.get<readonly [number]>('state', range.prefix, 1)
  if (own) yield { count: 1, bytes: volume ? Number(statements.get('bytesById', own[0]) ?? 0) : 0 }
  const end = prefixEnd(range.prefix)
  let at: SqlValue = range.prefix
  for (;;) {
    type Row = readonly [count: number, last: SqlValue, bytes?: number]
    const row: Row | undefined = statements.get(volume ? 'rangeVolume' : 'rangeCount', at, end)
    const count = row?.[0] ?? 0
    if (count === 0) return
    yield { count, bytes: row?.[2] ?? 0 }
    if (count < WINDOW_ROWS) return
    at = row?.[1] ?? null
  }
}

function* tallyHidden(session: Session, range: KeyRange, figure: Figure): Generator<Tally> {
  const last = Number(session.statements.get('lastRowid') ?? 0)
  for (const page of pages(session, last, { reverse: false })) {
    const own = page.filter(([rowid]) => isInRange(session, range, rowid))
    const measured = figure === 'volume' ? own : []
    const sizes = measured.map(([rowid]) => Number(session.statements.get('bytesById', rowid) ?? 0))
    yield { count: own.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  }
}

/** The first key in a range of strings, both ends excluded. */
export function firstKeyBetween(session: ReadSession, after: string, before: string): string | undefined {
  return session.statements.get<string>('rangeFirst', after, before)
}

function isInRange(session: Session, { prefix, hidden }: KeyRange, rowid: number): boolean {
  const row = session.statements.get<readonly [SqlValue, number]>('keyById', rowid)
  if (!row) return false
  const [data, raw] = row
  if (!hidden) return raw !== 0 && typeof data === 'string' && data.startsWith(prefix)
  const key = session.disk.decodeKey(data, raw !== 0)
  return typeof key === 'string' && key.startsWith(prefix)
}
