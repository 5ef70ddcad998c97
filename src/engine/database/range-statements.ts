/** Statements on ranges of string keys, as namespaces use them. See statements.ts. */
export const RANGE_SQL = {
  rangeCount: `raw SELECT COUNT(*), MAX(key) FROM
    (SELECT key FROM Cache WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 2000)`,
  rangeVolume: `raw SELECT COUNT(*), MAX(key), SUM(bytes) FROM (SELECT key, octet_length(key) +
    CASE WHEN filename IS NULL THEN COALESCE(octet_length(value), 0) ELSE size END AS bytes
    FROM Cache WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 2000)`,
  rangeCleared: `raw SELECT rowid, filename, size FROM Cache
    WHERE key > ? AND key < ? AND raw = 1 AND rowid <= ? AND (IFNULL(store_time, 0) <= ? OR store_time > ?) ORDER BY key LIMIT 100`,
  rangeFirst: 'pluck SELECT key FROM Cache WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 1',
  keyById: 'raw SELECT key, raw FROM Cache WHERE rowid = ?',
  bytesById: `pluck SELECT octet_length(key) +
    CASE WHEN filename IS NULL THEN COALESCE(octet_length(value), 0) ELSE size END FROM Cache WHERE rowid = ?`,
  expiredAfter: `raw SELECT rowid, filename, size, expire_time FROM Cache
    WHERE expire_time IS NOT NULL AND expire_time <= ? AND (expire_time, rowid) > (?, ?)
    ORDER BY expire_time, rowid LIMIT 100`,
} as const

export type RangeStatement = keyof typeof RANGE_SQL
