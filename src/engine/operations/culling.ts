import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { Session } from '../database/session.js'
import type { RemovalRow, StatementName, VictimRow } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
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
const VICTIMS = 16
/** Limit of entries of the same instant that are sorted by key. Examining more would delay every write. */
const TIES = 64

/** What makes room on a full disk and is no live entry, so that no listener hears of its eviction. */
const NO_ENTRY = { key: null, raw: true } as const

/** Bytes of used pages and of value files, including those in grace. */
export function volume(session: Session): number {
  const { statements } = session
  const pages = Number(statements.get('pageCount')) - Number(statements.get('freePages'))
  const files = Number(statements.get('setting', 'size') ?? 0)
  return pages * Number(statements.get('pageSize')) + files + graceBytes(session)
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

/**
 * Evicts in the order of the policy until the limits hold, for at most `milliseconds`. Rows stored in this transaction
 * stay, so that a write never evicts itself.
 *
 * @param sharpen brings the order up to date; called once when something is to be evicted
 * @param share the share of the limits that may be in use afterwards
 */
export function keepLimits(session: Session, milliseconds: number, sharpen: () => void, share = 1): Culled {
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
  while (bytes > sizeLimit || surplus > 0) {
    const page = nextVictims(session)
    if (page.length === 0) return { victims, more: false, slack: sizeLimit - bytes }
    for (const [rowid, filename, size, key, raw] of page) {
      if (bytes <= sizeLimit && surplus <= 0) break
      deleteRow(session, rowid, filename, size)
      session.evicted++
      victims.push({ key, raw: raw !== 0, size, reason: bytes > sizeLimit ? 'size' : 'items' })
      surplus--
      bytes = volume(session)
    }
    if (performance.now() > until) return { victims, more: bytes > sizeLimit || surplus > 0, slack: 0 }
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
  for (const [rowid, filename, size, key, raw] of nextVictims(session, count)) {
    remove([rowid, filename, size], { key, raw: raw !== 0 })
  }
  return { files, victims }
}

function nextVictims(session: Session, count = VICTIMS): VictimRow[] {
  const order = EVICTION_POLICIES[session.settings.evictionPolicy].order
  const statement = order === undefined ? undefined : ORDER[order]
  if (!statement) return []
  // Rows of this transaction may come first, as new rows do under least-frequently-used.
  const own = new Set(session.stored.map(keyIdentity))
  const limit = count + own.size
  const rows = inOrder(session.statements.all<VictimRow>(statement, limit), limit, () =>
    session.statements.all<VictimRow>(statement, Math.max(limit, TIES)),
  )
  return rows.filter(([, , , key, raw]) => !own.has(keyIdentity({ data: key, raw: raw !== 0 })))
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
