import type { Session } from '../database/session.js'
import { WINDOW_ROWS } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import { isLarge, isLive } from './entries.js'

/** The columns that a listing reads. */
export type KeyRow = readonly [rowid: number, key: SqlValue, raw: number, expireTime: number | null]

/** The part of a session that listings need. They need no transaction. */
export type ReadSession = Pick<Session, 'statements' | 'tagIndex' | 'has'>

/** The direction of a listing. */
export interface Direction {
  readonly reverse: boolean
}

/** The last row. A listing ends there, so that it does not see rows added later. */
export function lastRow(session: ReadSession): number {
  return Number(session.statements.get('lastRowid') ?? 0)
}

/** Reads pages of rows in stored order, up to `last`. */
export function* pages(session: ReadSession, last: number, { reverse }: Direction): Generator<KeyRow[]> {
  let at = reverse ? last + 1 : 0
  for (;;) {
    const rows = reverse ? exact(session, 'pageBackward', at) : exact(session, 'pageForward', at, last)
    if (rows.length === 0) return
    at = Number((rows.at(-1) as KeyRow)[0])
    yield rows
  }
}

/** Reads pages of rowids of string keys that begin with a prefix, in the order of the keys. */
export function* rowidsByPrefix(session: ReadSession, prefix: string): Generator<number[]> {
  const end = prefixEnd(prefix)
  let at: SqlValue = prefix
  const own = session.statements.get<readonly [number]>('state', prefix, 1)
  if (own) yield [own[0]]
  for (;;) {
    const rows: (readonly [number, SqlValue])[] = session.statements.all('prefixPage', at, end)
    if (rows.length === 0) return
    at = (rows.at(-1) as readonly [number, SqlValue])[1]
    yield rows.map(([rowid]) => rowid)
  }
}

/** A range of rowids that one step scans: those above `after`, up to `until`. */
export interface ScanWindow {
  readonly after: number
  readonly until: number
}

/**
 * The next window of a scan. It begins at an existing row, since there may be millions of unused rowids between two
 * rows. `undefined`: no row is left up to `last`.
 */
export function nextWindow(
  { statements }: Pick<ReadSession, 'statements'>,
  after: number,
  last: number,
): ScanWindow | undefined {
  const first = statements.get<number>('nextRowid', after)
  if (first === undefined || first > last) return undefined
  return { after: first - 1, until: Math.min(first - 1 + WINDOW_ROWS, last) }
}

/** Reads pages of rowids of entries with a tag. A row may occur twice, for its tag and for a further tag. */
export function* rowidsByTag(session: ReadSession, tag: SqlValue): Generator<number[]> {
  const { statements } = session
  const last = lastRow(session)
  for (let at = 0; at < last; ) {
    if (session.tagIndex) {
      const page = statements.all<number>('tagPageByIndex', tag, at)
      at = page.length < WINDOW_ROWS ? last : (page.at(-1) as number)
      yield page
    } else {
      const window = nextWindow(session, at, last)
      if (!window) break
      yield statements.all<number>('tagPageByScan', tag, window.after, window.until)
      at = window.until
    }
  }
  if (!session.has('entryTags') || typeof tag !== 'string') return
  for (let at = 0; ; ) {
    const page = statements.all<number>('tagPageFurther', tag, at)
    if (page.length > 0) yield page
    if (page.length < WINDOW_ROWS) return
    at = page.at(-1) as number
  }
}

/** The conditions of a listing. */
export interface Choice {
  /** Prefix of string keys. Also absent when the codec compresses keys. */
  readonly prefix: string | undefined
  readonly tag: SqlValue | undefined
}

/** Reads rows by rowid and checks the conditions again, since a rowid may belong to another entry by now. */
export function chosenRows(session: ReadSession, rowids: readonly number[], choice: Choice): KeyRow[] {
  return rowids.flatMap(rowid => exact(session, 'keyRowById', rowid).filter(row => isChosen(session, row, choice)))
}

export function isChosen(session: ReadSession, [rowid, key, raw]: KeyRow, { prefix, tag }: Choice): boolean {
  if (prefix !== undefined && !(raw !== 0 && typeof key === 'string' && key.startsWith(prefix))) return false
  if (tag === undefined || session.statements.get('hasTag', rowid, tag) !== undefined) return true
  if (typeof tag !== 'string' || !session.has('entryTags')) return false
  return session.statements.get('hasFurtherTag', rowid, tag) !== undefined
}

/** Reads pages of rows in SQLite's order of keys: null, numbers, strings, bytes. It sees later changes. */
export function* sortedPages(session: ReadSession, { reverse }: Direction): Generator<KeyRow[]> {
  const first = exact(session, reverse ? 'sortedLast' : 'sortedFirst')
  let row = first[0]
  if (!row) return
  yield first
  while (row) {
    const rows: KeyRow[] = exact(session, reverse ? 'sortedBackward' : 'sortedForward', row[1], row[2])
    if (rows.length === 0) return
    row = rows.at(-1)
    yield rows
  }
}

export function isListed(row: KeyRow, now: number, includeExpired: boolean): boolean {
  return includeExpired || isLive(row[3], now)
}

/** The smallest string that is greater than all strings with a prefix. SQLite compares the bytes of UTF-8. */
export function prefixEnd(prefix: string): SqlValue {
  const points = [...prefix].map(character => character.codePointAt(0) as number)
  while (points.length > 0) {
    const last = points.pop() as number
    if (last === 0x10ffff) continue
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  // No string is greater than all of them, but every BLOB is greater than every string.
  return Buffer.alloc(0)
}

type PageName =
  | 'pageForward'
  | 'pageBackward'
  | 'sortedFirst'
  | 'sortedLast'
  | 'sortedForward'
  | 'sortedBackward'
  | 'keyRowById'

function exact(session: ReadSession, name: PageName, ...values: unknown[]): KeyRow[] {
  const rows = session.statements.all<KeyRow>(name, ...values)
  if (!rows.some(row => isLarge(row[1]))) return rows
  return session.statements
    .allExact<readonly [bigint, SqlValue, bigint, number | null]>(name, ...values)
    .map(([rowid, key, raw, expire]) => [Number(rowid), key, Number(raw), expire])
}
