import { join } from 'node:path'
import { Database } from './project.mjs'

const SCHEMA = `
  CREATE TABLE Settings (key TEXT NOT NULL UNIQUE, value);
  CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL, expire_time REAL,
    access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB, size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0,
    filename TEXT, value BLOB);
  CREATE UNIQUE INDEX Cache_key_raw ON Cache(key, raw);
  CREATE INDEX Cache_expire_time ON Cache (expire_time) WHERE expire_time IS NOT NULL;
  CREATE INDEX Cache_store_time ON Cache (store_time);
  CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value + 1 WHERE key = 'count'; END;
  CREATE TRIGGER Settings_count_delete AFTER DELETE ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value - 1 WHERE key = 'count'; END;
  CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value + NEW.size WHERE key = 'size'; END;
  CREATE TRIGGER Settings_size_update AFTER UPDATE ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = 'size'; END;
  CREATE TRIGGER Settings_size_delete AFTER DELETE ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value - OLD.size WHERE key = 'size'; END;
  INSERT INTO Settings VALUES ('count', 0), ('size', 0), ('hits', 0), ('misses', 0)`

/**
 * The floor: what somebody would write by hand with better-sqlite3 over the same tables. It knows of no files, no
 * codecs, no errors, no other processes, and waits for nothing: `get` and `set` are synchronous.
 */
export class Floor {
  #get
  #begin
  #find
  #update
  #insert
  #expired
  #commit

  /** Opens a database that is there, or makes one with `create`. */
  constructor(directory, { create = false } = {}) {
    this.db = new Database(join(directory, 'cache.db'), { fileMustExist: !create })
    if (create) this.db.pragma('auto_vacuum = 1')
    // The settings with which DiskCache and the package open theirs: 8,192 pages of 4 KiB.
    this.db.pragma('cache_size = -32768')
    this.db.pragma('journal_mode = wal')
    this.db.pragma('mmap_size = 67108864')
    this.db.pragma('synchronous = 1')
    if (create) this.db.exec(SCHEMA)
    this.#prepare()
  }

  #prepare() {
    const { db } = this
    this.#get = db.prepare('SELECT mode, filename, value, expire_time FROM Cache WHERE key = ? AND raw = ?')
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#find = db.prepare('SELECT rowid, filename FROM Cache WHERE key = ? AND raw = ?')
    this.#update = db.prepare(`UPDATE Cache SET store_time = ?, expire_time = ?, access_time = ?, access_count = 0,
      tag = ?, size = ?, mode = ?, filename = ?, value = ? WHERE rowid = ?`)
    this.#insert = db.prepare(`INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag,
      size, mode, filename, value) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`)
    // A bound limit would have SQLite compile the statement anew at each call (SQLITE_ENABLE_STAT4), for 8 µs.
    this.#expired = db.prepare(`SELECT rowid, filename FROM Cache
      WHERE expire_time IS NOT NULL AND expire_time < ? ORDER BY expire_time LIMIT 10`)
    this.#commit = db.prepare('COMMIT')
  }

  get(key) {
    const row = this.#get.get(key, 1)
    if (row === undefined) return undefined
    if (row.expire_time !== null && row.expire_time <= Date.now() / 1000) return undefined
    return row.value
  }

  set(key, value) {
    const now = Date.now() / 1000
    this.#begin.run()
    this.#store(key, value, now)
    this.#expired.all(now)
    this.#commit.run()
  }

  /** Sets from one index to another in one transaction, the expired rows looked for once. */
  setTogether(order, values, from, to) {
    const now = Date.now() / 1000
    this.#begin.run()
    for (let at = from; at < to; at++) this.#store(order[at], values[at % values.length], now)
    this.#expired.all(now)
    this.#commit.run()
  }

  #store(key, value, now) {
    const row = this.#find.get(key, 1)
    if (row === undefined) this.#insert.run(key, 1, now, null, now, null, 0, 1, null, value)
    else this.#update.run(now, null, now, null, 0, 1, null, value, row.rowid)
  }

  /** Many rows in one transaction: to prepare a directory, not to be measured. */
  fill(entries) {
    const now = Date.now() / 1000
    this.#begin.run()
    for (const [key, value] of entries) this.#insert.run(key, 1, now, null, now, null, 0, 1, null, value)
    this.#commit.run()
  }

  close() {
    this.db.close()
  }
}
