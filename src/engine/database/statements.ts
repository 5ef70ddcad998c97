import type { Statement } from 'better-sqlite3'
import type { Connection } from './connection.js'
import { DEQUE_SQL, type DequeStatement } from './deque-statements.js'
import { RANGE_SQL, type RangeStatement } from './range-statements.js'

export type * from './rows.js'

/** Rows of one page in the statements below that end in LIMIT 100 and LIMIT 2000. */
export const PAGE_ROWS = 100
export const WINDOW_ROWS = 2000

/**
 * Every statement on rows, by name. Limits of hot statements are literals: SQLite plans a statement anew whenever a
 * bound limit may have changed, which takes longer than running it. `raw` returns arrays, `pluck` the first column.
 * Times are seconds. Keys of queues lie in a range of 15 digits, see operations/queue.ts.
 */
const SQL = {
  // Each column costs as much as a comparison, so columns for noting accesses are read only when needed.
  bareValue: `raw SELECT mode, filename, value FROM Cache
    WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  value: `raw SELECT mode, filename, value, rowid, access_time FROM Cache
    WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  // A value with its version, for the memory tier, and the version alone.
  versionedValue: `raw SELECT mode, filename, value, rowid, access_time, store_time, expire_time FROM Cache
    WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  // The same of a row that is known: where others write, each look reads pages anew, and this needs none of the index.
  versionedRow: `raw SELECT mode, filename, value, rowid, access_time, store_time, expire_time FROM Cache
    WHERE rowid = ? AND +key = ? AND +raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  version: 'raw SELECT rowid, store_time, expire_time FROM Cache WHERE key = ? AND raw = ?',
  bareExpiringValue: `raw SELECT mode, filename, value, expire_time FROM Cache
    WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  expiringValue: `raw SELECT mode, filename, value, expire_time, rowid, access_time FROM Cache
    WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  // The facts about a computed entry, if they apply to its present version.
  computation: `raw SELECT Cache.expire_time, due, seconds, Cache.rowid, Cache.store_time FROM Cache
    JOIN Freshness ON Freshness.rowid = Cache.rowid AND Freshness.store_time = Cache.store_time
      AND Freshness.expire_time IS Cache.expire_time
    WHERE key = ? AND raw = ?`,
  freshnessOf: 'raw SELECT due, seconds FROM Freshness WHERE rowid = ? AND store_time = ? AND expire_time IS ?',
  setFreshness: `run INSERT OR REPLACE INTO Freshness (rowid, store_time, expire_time, due, seconds)
    SELECT rowid, store_time, expire_time, ?, ? FROM Cache WHERE key = ? AND raw = ?`,
  entry: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache WHERE key = ? AND raw = ?`,
  entryById: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache WHERE rowid = ?`,
  // The size of an inline value, and metadata, but not the value.
  info: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag,
  CASE WHEN filename IS NOT NULL THEN size WHEN TYPEOF(value) IN ('integer', 'real') THEN 8 ELSE LENGTH(CAST(value AS BLOB)) END, mode, filename,
  CASE WHEN filename IS NULL THEN NULL ELSE value END FROM Cache WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  has: `pluck SELECT 1 FROM Cache WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)`,
  state: `raw SELECT rowid, filename, size, expire_time, store_time, mode FROM Cache WHERE key = ? AND raw = ?`,

  // OR FAIL avoids the statement journal that SQLite keeps because of the triggers. Nothing is written before a
  // failure.
  insert: `run INSERT OR FAIL INTO Cache
    (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
    VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`,
  update: `run UPDATE Cache SET
    store_time = MAX(?, store_time + 0.000001), expire_time = ?, access_time = ?, access_count = 0,
    tag = ?, size = ?, mode = ?, filename = ?, value = ?
    WHERE rowid = ?`,
  // The common write in one statement: a value in the database over another one. The filename is set to itself, for the
  // trigger that cleans further tags. The size is not set: with its trigger, SQLite first copies each page to a
  // statement journal, a sixth of the time of a write in a batch.
  updateInline: `run UPDATE Cache SET
    store_time = MAX(?, store_time + 0.000001), expire_time = ?, access_time = ?, access_count = 0,
    tag = ?, mode = ?, filename = NULL, value = ?
    WHERE key = ? AND raw = ? AND filename IS NULL AND size = 0`,
  insertInline: `run INSERT OR IGNORE INTO Cache
    (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
    VALUES (?, ?, ?, ?, ?, 0, ?, 0, ?, NULL, ?)`,
  // Of the two access columns only the one of the eviction policy is set.
  count: `run UPDATE Cache SET store_time = MAX(?, store_time + 0.000001), access_time = COALESCE(?, access_time), access_count = access_count + ?,
    mode = ?, value = ? WHERE rowid = ?`,
  touch: 'run UPDATE Cache SET store_time = store_time + 0.000001, expire_time = ? WHERE rowid = ?',
  touchMeta: 'run UPDATE Cache SET store_time = store_time + 0.000001, value = ? WHERE rowid = ?',
  delete: 'run DELETE FROM Cache WHERE rowid = ?',
  // RETURNING takes a microsecond: for those who have not read the row.
  deleteUnseen: 'pluck DELETE FROM Cache WHERE rowid = ? RETURNING store_time',
  // Needs the value, which only the owner of a lock knows.
  touchOwn: `run UPDATE Cache SET store_time = MAX(?, store_time + 0.000001), expire_time = ?
    WHERE key = ? AND raw = ? AND mode = ? AND value = ? AND filename IS NULL`,
  takeReleased: `run UPDATE Cache SET store_time = MAX(?, store_time + 0.000001), expire_time = ?, access_time = ?,
    access_count = 0, mode = ?, value = ? WHERE key = ? AND raw = ? AND expire_time = ? AND filename IS NULL`,
  deleteReleased: 'run DELETE FROM Cache WHERE key = ? AND raw = ? AND expire_time = ? AND filename IS NULL',
  deleteOwn:
    'pluck DELETE FROM Cache WHERE key = ? AND raw = ? AND mode = ? AND value = ? AND filename IS NULL RETURNING store_time',
  deleteFile: 'raw SELECT rowid, filename, size FROM Cache WHERE rowid = ? AND filename = ?',

  tags: 'pluck SELECT tag FROM EntryTag WHERE rowid = ? ORDER BY _rowid_',
  insertTag: 'run INSERT OR IGNORE INTO EntryTag (rowid, tag) VALUES (?, ?)',

  expired: `raw SELECT rowid, filename, size FROM Cache
    WHERE expire_time IS NOT NULL AND expire_time <= ? ORDER BY expire_time LIMIT 100`,
  cleared: `raw SELECT rowid, filename, size FROM Cache
    WHERE rowid > ? AND rowid <= ? AND (IFNULL(store_time, 0) <= ? OR store_time > ?) ORDER BY rowid LIMIT 100`,
  taggedByIndex: `raw SELECT rowid, filename, size FROM Cache
    WHERE tag = ? AND rowid > ? AND (IFNULL(store_time, 0) <= ? OR store_time > ?) ORDER BY rowid LIMIT 100`,
  // The plus makes the planner use the rowids, which bound the page.
  taggedByScan: `raw SELECT rowid, filename, size FROM Cache
    WHERE +tag = ? AND rowid > ? AND rowid <= ? AND (IFNULL(store_time, 0) <= ? OR store_time > ?)
    ORDER BY rowid LIMIT 100`,
  taggedFurther: `raw SELECT Cache.rowid, Cache.filename, Cache.size
    FROM EntryTag CROSS JOIN Cache ON Cache.rowid = EntryTag.rowid
    WHERE EntryTag.tag = ? AND EntryTag.rowid > ? AND (IFNULL(Cache.store_time, 0) <= ? OR Cache.store_time > ?)
    ORDER BY EntryTag.rowid LIMIT 100`,
  victimsByStoreTime: `raw SELECT rowid, filename, size, key, raw FROM Cache ORDER BY store_time LIMIT ?`,
  victimsByAccessTime: `raw SELECT rowid, filename, size, key, raw, access_time FROM Cache ORDER BY access_time LIMIT ?`,
  aheadByStoreTime: `raw SELECT rowid, filename, size, key, raw FROM Cache WHERE store_time > ? ORDER BY store_time LIMIT 16`,
  aheadByAccessTime: `raw SELECT rowid, filename, size, key, raw, access_time FROM Cache WHERE access_time > ?
    ORDER BY access_time LIMIT 16`,
  victimsByAccessCount: `raw SELECT rowid, filename, size, key, raw FROM Cache ORDER BY access_count LIMIT ?`,
  lastRowid: 'pluck SELECT MAX(rowid) FROM Cache',
  nextRowid: 'pluck SELECT rowid FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT 1',

  pageForward: `raw SELECT rowid, key, raw, expire_time FROM Cache
    WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT 100`,
  pageBackward: `raw SELECT rowid, key, raw, expire_time FROM Cache
    WHERE rowid < ? ORDER BY rowid DESC LIMIT 100`,
  prefixPage: `raw SELECT rowid, key FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 2000`,
  tagPageByIndex: 'pluck SELECT rowid FROM Cache WHERE tag = ? AND rowid > ? ORDER BY rowid LIMIT 2000',
  tagPageByScan: 'pluck SELECT rowid FROM Cache WHERE +tag = ? AND rowid > ? AND rowid <= ? ORDER BY rowid',
  tagPageFurther: 'pluck SELECT rowid FROM EntryTag WHERE tag = ? AND rowid > ? ORDER BY rowid LIMIT 2000',
  // The present state of a row that was chosen before, and whether it has a tag.
  keyRowById: 'raw SELECT rowid, key, raw, expire_time FROM Cache WHERE rowid = ?',
  hasTag: 'pluck SELECT 1 FROM Cache WHERE rowid = ? AND tag = ?',
  hasFurtherTag: 'pluck SELECT 1 FROM EntryTag WHERE rowid = ? AND tag = ?',
  sortedFirst: 'raw SELECT rowid, key, raw, expire_time FROM Cache WHERE key IS NOT NULL ORDER BY key, raw LIMIT 1',
  sortedLast:
    'raw SELECT rowid, key, raw, expire_time FROM Cache WHERE key IS NOT NULL ORDER BY key DESC, raw DESC LIMIT 1',
  sortedForward: `raw SELECT rowid, key, raw, expire_time FROM Cache
    WHERE (key, raw) > (?, ?) ORDER BY key, raw LIMIT 100`,
  sortedBackward: `raw SELECT rowid, key, raw, expire_time FROM Cache
    WHERE (key, raw) < (?, ?) ORDER BY key DESC, raw DESC LIMIT 100`,
  firstByRowid: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache ORDER BY rowid LIMIT 1`,
  lastByRowid: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache ORDER BY rowid DESC LIMIT 1`,

  queueFront: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 AND typeof(key) = 'integer' ORDER BY key LIMIT 1`,
  queueBack: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 AND typeof(key) = 'integer' ORDER BY key DESC LIMIT 1`,
  prefixFront: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 AND LENGTH(CAST(key AS BLOB)) = ? AND CAST(SUBSTR(CAST(key AS BLOB), -15) AS TEXT) NOT GLOB '*[^0-9]*'
    ORDER BY key LIMIT 1`,
  prefixBack: `raw SELECT rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 AND LENGTH(CAST(key AS BLOB)) = ? AND CAST(SUBSTR(CAST(key AS BLOB), -15) AS TEXT) NOT GLOB '*[^0-9]*'
    ORDER BY key DESC LIMIT 1`,

  setAccess: 'run UPDATE Cache SET access_time = ?, access_count = ? WHERE rowid = ?',
  markAccessTime: 'run UPDATE Cache SET access_time = ? WHERE rowid = ? AND access_time < ?',
  markAccessCount: 'run UPDATE Cache SET access_count = access_count + ? WHERE rowid = ?',
  addHits: "run UPDATE Settings SET value = value + ? WHERE key = 'hits'",
  addMisses: "run UPDATE Settings SET value = value + ? WHERE key = 'misses'",
  addEvictions: `run INSERT INTO Settings (key, value) VALUES ('evictions', ?)
    ON CONFLICT (key) DO UPDATE SET value = value + excluded.value`,
  resetHits: "run UPDATE Settings SET value = 0 WHERE key IN ('hits', 'misses', 'evictions')",
  storedSince: 'pluck SELECT COUNT(*) FROM Cache WHERE store_time > ?',
  setting: 'pluck SELECT value FROM Settings WHERE key = ?',

  schemaVersion: 'pluck PRAGMA schema_version',
  // Changes when another connection has committed.
  dataVersion: 'pluck PRAGMA data_version',
  // Copies nothing: busy, pages in the log, pages of them that are copied.
  logState: 'raw PRAGMA wal_checkpoint(NOOP)',
  pageCount: 'pluck PRAGMA page_count',
  pageSize: 'pluck PRAGMA page_size',
  freePages: 'pluck PRAGMA freelist_count',

  later: 'run INSERT OR REPLACE INTO UnlinkLater (filename, size, due) VALUES (?, ?, ?)',
  laterDue: 'raw SELECT filename, size FROM UnlinkLater WHERE due <= ? ORDER BY due LIMIT 64',
  laterOldest: 'raw SELECT filename, size FROM UnlinkLater ORDER BY due LIMIT 64',
  laterDone: 'run DELETE FROM UnlinkLater WHERE filename = ?',
  laterSize: 'pluck SELECT COALESCE(SUM(size), 0) FROM UnlinkLater',

  laterNames: 'pluck SELECT filename FROM UnlinkLater',
  filenames: 'pluck SELECT filename FROM Cache WHERE rowid > ? AND rowid <= ? AND filename IS NOT NULL',

  lease: 'raw SELECT token, due, fence FROM Lease WHERE name = ?',
  grantLease: 'run INSERT OR REPLACE INTO Lease (name, token, due, fence) VALUES (?, ?, ?, ?)',
  extendLease: 'run UPDATE Lease SET due = ? WHERE name = ? AND token = ?',
  releaseLease: 'run DELETE FROM Lease WHERE name = ? AND token = ?',
  revokeLease: 'run DELETE FROM Lease WHERE name = ?',
  leasesOf: 'pluck SELECT COUNT(*) FROM Lease WHERE name > ? AND name < ? AND due > ?',
  otherLease: 'pluck SELECT 1 FROM Lease WHERE name > ? AND name < ? AND due > ? AND token <> ? LIMIT 1',
  dropEnded: 'run DELETE FROM Lease WHERE name > ? AND name < ? AND due <= ?',
  laterLeases: 'raw SELECT name, fence FROM Lease WHERE name >= ? AND name < ? AND fence > ?',
  // Leases that a killed process left behind. Taken items of a queue are returned instead.
  forgetLeases: "run DELETE FROM Lease WHERE due < ? AND name NOT GLOB 'taken:*'",
  takenDue: "raw SELECT name, token FROM Lease WHERE due <= ? AND name GLOB 'taken:*' ORDER BY name DESC LIMIT 100",
  fence: 'pluck SELECT number FROM Fence WHERE id = 1',
  setFence: 'run INSERT INTO Fence (id, number) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET number = excluded.number',

  begin: 'run BEGIN IMMEDIATE',
  beginReading: 'run BEGIN',
  commit: 'run COMMIT',
  rollback: 'run ROLLBACK',
  savepoint: 'run SAVEPOINT operation',
  release: 'run RELEASE operation',
  rollbackTo: 'run ROLLBACK TO operation',
} as const

export type StatementName = keyof typeof SQL | DequeStatement | RangeStatement

const ALL: Readonly<Record<StatementName, string>> = { ...SQL, ...DEQUE_SQL, ...RANGE_SQL }

type Bound = Statement<unknown[], unknown>

/** The statements of one connection, prepared on first use. */
export class Statements {
  readonly #db: Connection
  readonly #prepared = new Map<StatementName, Bound>()

  constructor(db: Connection) {
    this.#db = db
  }

  /** Reads one row. `undefined` when there is none. */
  get<Row>(name: StatementName, ...values: unknown[]): Row | undefined {
    return this.prepare(name).get(...values) as Row | undefined
  }

  all<Row>(name: StatementName, ...values: unknown[]): Row[] {
    return this.prepare(name).all(...values) as Row[]
  }

  /** Runs a statement and returns the number of changed rows. */
  run(name: StatementName, ...values: unknown[]): number {
    return this.prepare(name).run(...values).changes
  }

  /** Inserts a row and returns its rowid. */
  insert(name: StatementName, ...values: unknown[]): number {
    return Number(this.prepare(name).run(...values).lastInsertRowid)
  }

  /**
   * Reads one row with whole numbers as bigint. A number at or beyond 2^53 may be an int64 that lost digits in the
   * conversion.
   */
  getExact<Row>(name: StatementName, ...values: unknown[]): Row | undefined {
    const statement = this.#compile(name)
    statement.safeIntegers(true)
    return statement.get(...values) as Row | undefined
  }

  allExact<Row>(name: StatementName, ...values: unknown[]): Row[] {
    const statement = this.#compile(name)
    statement.safeIntegers(true)
    return statement.all(...values) as Row[]
  }

  /** The prepared statement, for loops and hot paths. */
  prepare(name: StatementName): Bound {
    const known = this.#prepared.get(name)
    if (known) return known
    const statement = this.#compile(name)
    this.#prepared.set(name, statement)
    return statement
  }

  #compile(name: StatementName): Bound {
    const text = ALL[name]
    const space = text.indexOf(' ')
    const statement = this.#db.prepare(text.slice(space + 1))
    const mode = text.slice(0, space)
    if (mode === 'raw') statement.raw()
    if (mode === 'pluck') statement.pluck()
    return statement
  }
}
