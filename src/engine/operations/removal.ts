import type { Session } from '../database/session.js'
import { PAGE_ROWS, type RemovalRow } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import { performance } from '../timers.js'
import { deleteRow } from './entries.js'
import { boundsOf, continueAfter, type Extent, wholeExtent } from './extent.js'
import { nextWindow } from './listing.js'

/** The result of one page of a bulk removal. `next`: where the following page continues. */
export interface Page<Cursor> {
  readonly removed: number
  readonly next: Cursor | undefined
}

/**
 * Pages are limited by time and by the bytes of removed files, so that neither the loop nor other processes are
 * blocked.
 */
export const PAGE_MILLISECONDS = 1
const PAGE_BYTES = 64 * 2 ** 20

/** Removes the rows that have expired by `now`. */
export function expire(session: Session, now: number): Page<true> {
  const page = removePages(session, true as const, () => ({
    rows: session.statements.all<RemovalRow>('expired', now),
    next: true as const,
    last: rows => rows < PAGE_ROWS,
  }))
  session.expired += page.removed
  return page
}

export function clear(session: Session, cursor: Extent | undefined): Page<Extent> {
  let extent = cursor ?? wholeExtent(session)
  return removePages(session, extent, () => {
    const { after, last } = extent
    const rows = session.statements.all<RemovalRow>('cleared', after, last, ...boundsOf(session, extent))
    extent = { ...extent, after: rows.at(-1)?.[0] ?? last }
    return { rows, next: extent, extent, last: count => count < PAGE_ROWS }
  })
}

export interface TagCursor extends Extent {
  readonly further: boolean
}

/**
 * Removes entries with a tag, be it their tag or one of their further tags.
 *
 * @param concerns selects which of them to remove. Default: all
 */
export function evict(
  session: Session,
  tag: SqlValue,
  cursor: TagCursor | undefined,
  concerns?: (rowid: number) => boolean,
): Page<TagCursor> {
  let at = cursor ?? { ...wholeExtent(session), further: false }
  return removePages(session, at, () => {
    const page = at.further ? furtherPage(session, tag, at) : tagPage(session, tag, at)
    const firstStageEnds = page.ended && !at.further && session.has('entryTags') && typeof tag === 'string'
    at = firstStageEnds ? { ...at, after: 0, further: true } : { ...at, after: page.after }
    const rows = concerns ? page.rows.filter(([rowid]) => concerns(rowid)) : page.rows
    return { rows, next: at, extent: at, last: () => page.ended && !firstStageEnds }
  })
}

interface TagPage {
  readonly rows: RemovalRow[]
  readonly after: number
  readonly ended: boolean
}

function tagPage(session: Session, tag: SqlValue, at: Extent): TagPage {
  const { statements } = session
  const bounds = boundsOf(session, at)
  if (session.tagIndex) {
    const rows = statements.all<RemovalRow>('taggedByIndex', tag, at.after, ...bounds)
    return { rows, after: rows.at(-1)?.[0] ?? at.last, ended: rows.length < PAGE_ROWS }
  }
  const window = nextWindow(session, at.after, at.last)
  if (!window) return { rows: [], after: at.last, ended: true }
  const { after, until } = window
  const rows = statements.all<RemovalRow>('taggedByScan', tag, after, until, ...bounds)
  const isWhole = rows.length < PAGE_ROWS
  return { rows, after: isWhole ? until : (rows.at(-1)?.[0] ?? until), ended: isWhole && until >= at.last }
}

function furtherPage(session: Session, tag: SqlValue, at: Extent): TagPage {
  const rows = session.statements.all<RemovalRow>('taggedFurther', tag, at.after, ...boundsOf(session, at))
  return { rows, after: rows.at(-1)?.[0] ?? at.last, ended: rows.length < PAGE_ROWS }
}

export interface Step<Cursor> {
  readonly rows: readonly RemovalRow[]
  readonly next: Cursor
  /** The extent of a removal that leaves what is stored between its pages. */
  readonly extent?: Pick<Extent, 'until'>
  /** Whether these rows were the last ones. */
  readonly last: (rows: number) => boolean
}

/**
 * Removes the rows of step after step until the page is full.
 *
 * @param from where the first step begins. A step of which the page removes a part is done again by the next page
 */
export function removePages<Cursor>(session: Session, from: Cursor, step: () => Step<Cursor>): Page<Cursor> {
  const until = performance.now() + PAGE_MILLISECONDS
  let removed = 0
  let bytes = 0
  for (let begin = from; ; ) {
    const { rows, next, extent, last } = step()
    const room = session.pageRows - removed
    const isCut = rows.length > room
    for (const [rowid, filename, size] of isCut ? rows.slice(0, room) : rows) {
      deleteRow(session, rowid, filename, size)
      bytes += size
    }
    removed += isCut ? room : rows.length
    if (!isCut && last(rows.length)) return { removed, next: undefined }
    if (isCut || bytes > PAGE_BYTES || performance.now() > until) {
      if (extent) continueAfter(session, extent)
      return { removed, next: isCut ? begin : next }
    }
    begin = next
  }
}
