/**
 * Statements of a `Deque`. Its items are the rows of the queue without a prefix, whose keys are numbers of 15 digits.
 * Bounds are literals, so that SQLite knows the range when it plans.
 */
const ITEM = 'key > 99999999999999 AND key < 999999999999999 AND raw = 1'
const COLUMNS = 'rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value'
/** Keys that begin with `fanout-cache:taken-`: the character after `-` is `.`. */
const TAKEN = "key >= 'fanout-cache:taken-' AND key < 'fanout-cache:taken.' AND raw = 1"

export type DequeStatement =
  | 'dequeSpan'
  | 'dequeCount'
  | 'dequeFirst'
  | 'dequeLast'
  | 'dequeFromFront'
  | 'dequeFromBack'
  | 'dequeAfter'
  | 'dequeBefore'
  | 'dequeSame'
  | 'dequeFrontItem'
  | 'dequeBackItem'
  | 'dequeFrontRow'
  | 'dequeBackRow'
  | 'dequeFrontRows'
  | 'dequeBackRows'
  | 'dequeCleared'
  | 'dequeShift'
  | 'dequeMirror'
  | 'dequeMirrored'
  | 'renameKey'
  | 'anyTakenDue'
  | 'takenLongest'
  | 'takenCleared'
  | 'revokeTaken'

export const DEQUE_SQL: Readonly<Record<DequeStatement, string>> = {
  // Both ends, all rows, and the rows that are no items, below, above and NULL, counted up to 1,000 of each.
  dequeSpan: `raw SELECT
    (SELECT key FROM Cache WHERE ${ITEM} ORDER BY key LIMIT 1),
    (SELECT key FROM Cache WHERE ${ITEM} ORDER BY key DESC LIMIT 1),
    (SELECT value FROM Settings WHERE key = 'count'),
    (SELECT COUNT(*) FROM (SELECT 1 FROM Cache WHERE key <= 99999999999999 LIMIT 1000)) +
    (SELECT COUNT(*) FROM (SELECT 1 FROM Cache WHERE key >= 999999999999999 LIMIT 1000)) +
    (SELECT COUNT(*) FROM (SELECT 1 FROM Cache WHERE key IS NULL LIMIT 1000))`,
  // These counts leave out `raw`, which is 1 for all numbers: reading it takes four times as long.
  dequeCount: 'pluck SELECT COUNT(*) FROM Cache WHERE key > 99999999999999 AND key < 999999999999999',
  dequeFromFront: 'pluck SELECT key FROM Cache WHERE key > 99999999999999 ORDER BY key LIMIT 1 OFFSET ?',
  dequeFromBack: 'pluck SELECT key FROM Cache WHERE key < 999999999999999 ORDER BY key DESC LIMIT 1 OFFSET ?',
  dequeFirst: `pluck SELECT key FROM Cache WHERE ${ITEM} ORDER BY key LIMIT 1`,
  dequeLast: `pluck SELECT key FROM Cache WHERE ${ITEM} ORDER BY key DESC LIMIT 1`,

  dequeAfter: `raw SELECT ${COLUMNS} FROM Cache
    WHERE key > ? AND key < 999999999999999 AND raw = 1 ORDER BY key LIMIT 1`,
  dequeBefore: `raw SELECT ${COLUMNS} FROM Cache
    WHERE key < ? AND key > 99999999999999 AND raw = 1 ORDER BY key DESC LIMIT 1`,
  dequeSame: `raw SELECT rowid, filename, size FROM Cache WHERE rowid = ? AND store_time = ? AND ${ITEM}`,

  // Each column costs as much as a comparison: who takes an item out needs these.
  dequeFrontItem: `raw SELECT rowid, expire_time, size, mode, filename, value, store_time FROM Cache
    WHERE ${ITEM} ORDER BY key LIMIT 1`,
  dequeBackItem: `raw SELECT rowid, expire_time, size, mode, filename, value, store_time FROM Cache
    WHERE ${ITEM} ORDER BY key DESC LIMIT 1`,

  dequeFrontRow: `raw SELECT rowid, filename, size FROM Cache WHERE ${ITEM} ORDER BY key LIMIT 1`,
  dequeBackRow: `raw SELECT rowid, filename, size FROM Cache WHERE ${ITEM} ORDER BY key DESC LIMIT 1`,
  dequeFrontRows: `raw SELECT rowid, filename, size FROM Cache WHERE ${ITEM} ORDER BY key LIMIT 100`,
  dequeBackRows: `raw SELECT rowid, filename, size FROM Cache WHERE ${ITEM} ORDER BY key DESC LIMIT 100`,
  dequeCleared: `raw SELECT rowid, filename, size FROM Cache
    WHERE ${ITEM} AND rowid <= ? AND (IFNULL(store_time, 0) <= ? OR store_time > ?) ORDER BY key LIMIT 100`,

  dequeShift: 'run UPDATE Cache SET key = key + ? WHERE key >= ? AND key <= ? AND raw = 1',
  dequeMirror: 'run UPDATE Cache SET key = ? - key WHERE key >= ? AND key <= ? AND raw = 1',
  dequeMirrored: `raw SELECT MIN(key), MAX(key), COUNT(*) FROM
    (SELECT key FROM Cache WHERE key > ? AND key <= ? AND raw = 1 ORDER BY key LIMIT ?)`,

  renameKey: 'run UPDATE Cache SET key = ? WHERE rowid = ?',
  // The plus makes the planner search the few due rows instead of all taken ones.
  anyTakenDue: "pluck SELECT 1 FROM Lease WHERE due <= ? AND +name GLOB 'taken:*' LIMIT 1",
  takenLongest:
    "raw SELECT name, token, due FROM Lease WHERE due > ? AND +name GLOB 'taken:*' ORDER BY due DESC LIMIT 100",
  takenCleared: `raw SELECT rowid, filename, size FROM Cache WHERE ${TAKEN} LIMIT 100`,
  revokeTaken: "run DELETE FROM Lease WHERE name GLOB 'taken:*'",
}
