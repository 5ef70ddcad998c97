import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { Session } from '../database/session.js'
import type { RemovalRow, StatementName, VictimRow } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { performance } from '../timers.js'
import { deleteRow } from './entries.js'
import { graceBytes, unlinkOldest } from './grace.js'

/** An evicted entry. */
export interface Victim {
  readonly key: VictimRow[3]
  readonly raw: boolean
  readonly size: number
  readonly reason: 'size' | 'items' | 'full'
}

export interface Culled {
  readonly victims: readonly Victim[]
  /** Whether the limits do not hold yet and something is left to evict. */
  readonly more: boolean
  /** Bytes that may be written before the limit needs another check. */
  readonly slack: number
}

const ORDER: Readonly<Record<string, StatementName>> = {
  store_time: 'victimsByStoreTime',
  access_time: 'victimsByAccessTime',
  access_count: 'victimsByAccessCount',
}
/** Entries whose time is further ahead than FAR_AHEAD. */
const AHEAD: Readonly<Record<string, StatementName>> = {
  store_time: 'aheadByStoreTime',
  access_time: 'aheadByAccessTime',
}
/** What lies further ahead than any clock should be was stored by one that was wrong, and set back since. Seconds. */
const FAR_AHEAD = 86_400
const VICTIMS = 16
/** Limit of entries of the same instant that are sorted by key. Examining more would delay every write. */
const TIES = 64

/** What makes room on a full disk and is no live entry, so that no listener hears of its eviction. */
const NO_ENTRY = { key: null, raw: true } as const

/** Bytes of used pages and of value files, including those in grace. */
export function volume(session: Session): number {
  return pageBytes(session, pagesOf(session)) + fileBytes(session)
}

function pagesOf({ statements }: Session): { readonly count: number; readonly size: number } {
  return { count: Number(statements.get('pageCount')), size: Number(statements.get('pageSize')) }
}

function pageBytes({ statements }: Session, { count, size }: ReturnType<typeof pagesOf>): number {
  return (count - Number(statements.get('freePages'))) * size
}

function fileBytes(session: Session): number {
  return Number(session.statements.get('setting', 'size') ?? 0) + graceBytes(session)
}

/** A share of the limits. */
function partOfLimits({ settings }: Session, share: number): { sizeLimit: number; maxItems: number | null } {
  const { sizeLimit, maxItems } = settings
  return { sizeLimit: sizeLimit * share, maxItems: maxItems === null ? null : Math.ceil(maxItems * share) }
}

/** Whether more than a share of a limit is in use. */
export function exceedsLimits(session: Session, share = 1): boolean {
  const { sizeLimit, maxItems } = partOfLimits(session, share)
  if (maxItems !== null && Number(session.statements.get('setting', 'count')) > maxItems) return true
  return volume(session) > sizeLimit
}

/** Removes expired rows, at most `limit` and at most one page of them. */
export function removeExpired(session: Session, now: number, limit: number): number {
  const rows = session.statements.all<RemovalRow>('expired', now)
  if (rows.length > limit) rows.length = limit
  for (const [rowid, filename, size] of rows) deleteRow(session, rowid, filename, size)
  session.expired += rows.length
  return rows.length
}

/** How `keepLimits` evicts. */
export interface Keeping {
  /** How long at most. */
  readonly milliseconds: number
  /** The share of the limits that may be in use afterwards. */
  readonly share: number
  /** The key of the row that was stored last. It stays, so that no write evicts itself. */
  readonly spared: KeyIdentity | undefined
  /** Brings the order up to date; called once when something is to be evicted. */
  sharpen(): void
}

/**
 * Evicts in the order of the policy until the limits hold. Rows stored in this transaction stay as long as there are
 * others. If they exceed the limits by themselves, only the last of them is spared.
 */
export function keepLimits(session: Session, { milliseconds, share, spared, sharpen }: Keeping): Culled {
  const { sizeLimit, maxItems } = partOfLimits(session, share)
  const victims: Victim[] = []
  const until = performance.now() + milliseconds
  let bytes = volume(session)
  if (bytes > sizeLimit && graceBytes(session) > 0) {
    unlinkOldest(session, bytes - sizeLimit)
    bytes = volume(session)
  }
  let surplus = maxItems === null ? 0 : Number(session.statements.get('setting', 'count')) - maxItems
  if (bytes > sizeLimit || surplus > 0) sharpen()
  // Looked up seldom, because each takes a statement: the one changes with no removal, the other with that of a file.
  const pages = pagesOf(session)
  let files = fileBytes(session)
  const last = spared === undefined ? [] : [spared]
  let kept: readonly KeyIdentity[] | undefined
  while (bytes > sizeLimit || surplus > 0) {
    kept ??= [...last, ...session.stored.map(keyIdentity)]
    const page = nextVictims(session, VICTIMS, kept)
    if (page.length === 0 && kept === last) return { victims, more: false, slack: sizeLimit - bytes }
    if (page.length === 0) kept = last
    for (const [rowid, filename, size, key, raw] of page) {
      if ((bytes <= sizeLimit && surplus <= 0) || victims.length >= session.pageRows) break
      deleteRow(session, rowid, filename, size)
      session.evicted++
      victims.push({ key, raw: raw !== 0, size, reason: bytes > sizeLimit ? 'size' : 'items' })
      surplus--
      if (filename !== null) files = fileBytes(session)
      // Evicting adds no bytes: where only the entries are too many, the volume need not be known exactly.
      if (bytes > sizeLimit) bytes = pageBytes(session, pages) + files
    }
    if (performance.now() > until || victims.length >= session.pageRows)
      return { victims, more: bytes > sizeLimit || surplus > 0, slack: 0 }
  }
  return { victims, more: false, slack: sizeLimit - bytes }
}

/**
 * Removes some rows because the disk is full: first files in grace, then expired rows, then rows in the order of the
 * policy. The caller unlinks the files at once.
 */
export function makeRoomByRows(
  session: Session,
  count: number,
): { readonly files: readonly string[]; readonly victims: readonly Victim[] } {
  const { statements } = session
  const files: string[] = []
  const victims: Victim[] = []
  const remove = ([rowid, filename, size]: RemovalRow, key: Pick<Victim, 'key' | 'raw'>): void => {
    statements.run('delete', rowid)
    if (filename !== null) files.push(filename)
    victims.push({ ...key, size, reason: 'full' })
  }
  if (session.unlinkLater) {
    for (const [filename, size] of statements.all<readonly [string, number]>('laterOldest')) {
      statements.run('laterDone', filename)
      files.push(filename)
      victims.push({ ...NO_ENTRY, size, reason: 'full' })
    }
  }
  for (const row of statements.all<RemovalRow>('expired', session.disk.now()).slice(0, count)) remove(row, NO_ENTRY)
  if (victims.length > 0) return { files, victims }
  for (const [rowid, filename, size, key, raw] of nextVictims(session, count, [])) {
    remove([rowid, filename, size], { key, raw: raw !== 0 })
  }
  return { files, victims }
}

/**
 * The next entries in the order of the policy, without those of the given keys, which may come first. Those of a time
 * that is far ahead go before all others: in their place they would outlive every new entry until that time has come.
 */
function nextVictims(session: Session, count: number, spared: readonly KeyIdentity[]): VictimRow[] {
  const order = EVICTION_POLICIES[session.settings.evictionPolicy].order
  const statement = order === undefined ? undefined : ORDER[order]
  if (!order || !statement) return []
  const own = new Set(spared)
  const isOwn = ([, , , key, raw]: VictimRow): boolean => own.has(keyIdentity({ data: key, raw: raw !== 0 }))
  const ahead = AHEAD[order] && session.statements.all<VictimRow>(AHEAD[order], session.disk.now() + FAR_AHEAD)
  const wrong = ahead?.filter(row => !isOwn(row)) ?? []
  if (wrong.length > 0) return wrong.slice(0, count)
  const limit = count + own.size
  const rows = inOrder(session.statements.all<VictimRow>(statement, limit), limit, () =>
    session.statements.all<VictimRow>(statement, Math.max(limit, TIES)),
  )
  return rows.filter(row => !isOwn(row))
}

/** Sorts entries of the same instant by key. A page that ends within such a group is cut before it. */
function inOrder(page: VictimRow[], limit: number, more: () => VictimRow[]): VictimRow[] {
  const last = page.at(-1)?.[5]
  if (last === undefined) return page
  const isCut = page.length === limit
  const cut = isCut ? page.filter(row => row[5] !== last) : page
  const rows = cut.length > 0 ? cut : more()
  return rows.sort((a, b) => Number(a[5]) - Number(b[5]) || compareKeys(a[3], b[3]))
}

/** Compares keys in SQLite's order: numbers, text, bytes. */
function compareKeys(a: SqlValue, b: SqlValue): number {
  const kind = kindOfKey(a) - kindOfKey(b)
  if (kind !== 0) return kind
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return Buffer.compare(a, b)
  return (a as string) < (b as string) ? -1 : 1
}

function kindOfKey(key: SqlValue): number {
  if (typeof key === 'string') return 1
  return Buffer.isBuffer(key) ? 2 : 0
}
