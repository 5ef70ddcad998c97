import type { Connection } from './connection.js'
import { EVICTION_POLICIES } from './eviction-policies.js'
import { CACHE_TABLE, INDEXES, SETTINGS_TABLE, TAG_INDEX, TRIGGERS } from './schema.js'
import { inspectSchema } from './schema-check.js'
import { METADATA, type StoredSettings, settingRows, writeSettingRow } from './settings.js'

/**
 * Creates the missing parts of the schema in one transaction, so that others see all of it or nothing. Existing
 * settings stay.
 */
export function createSchema(db: Connection, directory: string, settings: StoredSettings): void {
  db.prepare('BEGIN IMMEDIATE').run()
  try {
    // Another process may have created it while this one waited for the lock.
    if (inspectSchema(db, directory).incomplete) {
      for (const sql of [SETTINGS_TABLE, CACHE_TABLE, ...Object.values(INDEXES), ...Object.values(TRIGGERS)]) {
        db.exec(sql)
      }
      const insert = db.prepare('INSERT OR IGNORE INTO Settings (key, value) VALUES (?, ?)')
      for (const [key, value] of settingRows(settings)) insert.run(key, value)
      for (const key of METADATA) insert.run(key, 0n)
      const policy = EVICTION_POLICIES[settings.evictionPolicy].index
      if (policy) db.exec(policy.sql)
      if (settings.tagIndex) db.exec(TAG_INDEX)
      db.exec(
        `UPDATE Settings SET value = (SELECT COUNT(key) FROM Cache) WHERE key = 'count';
         UPDATE Settings SET value = (SELECT COALESCE(SUM(size), 0) FROM Cache) WHERE key = 'size';`,
      )
    }
    db.prepare('COMMIT').run()
  } catch (error) {
    if (db.inTransaction) db.prepare('ROLLBACK').run()
    throw error
  }
}

/** Rewrites Python's triggers under their own names. Runs inside a write transaction. */
export function rewriteTriggers(db: Connection): void {
  for (const [name, sql] of Object.entries(TRIGGERS)) {
    db.exec(`DROP TRIGGER IF EXISTS ${name}`)
    db.exec(sql)
  }
}

/** Stores settings that were given at opening. Runs inside a write transaction. */
export function storeSettings(db: Connection, change: Partial<StoredSettings>): void {
  for (const [key, value] of settingRows(change)) writeSettingRow(db, key, value)
}

/** Creates a side table with its indexes and triggers. Runs inside a write transaction. */
export function createSideTable(db: Connection, statements: Readonly<Record<string, string>>): void {
  for (const sql of Object.values(statements)) db.exec(sql)
}
