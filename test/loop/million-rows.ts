import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache } from 'fanout-cache'

/**
 * Fills a directory with rows as the cache writes them, in one statement instead of as many operations. The totals,
 * which the triggers keep, are written once at the end.
 */
export async function fillFast(directory: string, rows: number): Promise<void> {
  const cache = new Cache(directory, { evictionPolicy: 'none' })
  await cache.open()
  await cache.close()
  const db = new Database(join(directory, 'cache.db'))
  try {
    db.exec('BEGIN IMMEDIATE')
    const triggers = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as Trigger[]
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`)
    db.prepare(INSERT).run(BigInt(rows))
    for (const { sql } of triggers) db.exec(sql)
    db.prepare("UPDATE Settings SET value = ? WHERE key = 'count'").run(BigInt(rows))
    db.exec('COMMIT')
    db.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    db.close()
  }
}

interface Trigger {
  readonly name: string
  readonly sql: string
}

const INSERT = `
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
  INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
  SELECT i, 1, 1700000000.0 + i / 1e6, NULL, 1700000000.0 + i / 1e6, 0, 'tag-' || (i % 100), 0, 1, NULL, 'value ' || i
  FROM n`
