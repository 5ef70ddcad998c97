import { join } from 'node:path'
import { Database } from './project.mjs'

const ITEM = 'key > 99999999999999 AND key < 999999999999999 AND raw = 1'
const FIRST = 500_000_000_000_000n

/**
 * The floor of a Deque: what somebody would write by hand with better-sqlite3 on a directory that a Deque has made. It
 * knows of no files, no codecs, no leases and no errors, and is synchronous.
 */
export class QueueFloor {
  #begin
  #commit
  #last
  #first
  #insert
  #delete

  constructor(directory) {
    this.db = new Database(join(directory, 'cache.db'), { fileMustExist: true })
    // 32 MiB, whatever the size of a page.
    this.db.pragma('cache_size = -32768')
    this.db.pragma('synchronous = 1')
    // As the package does: SQLite's own 1,000 would cost this one more.
    this.db.pragma('wal_autocheckpoint = 2000')
    this.#prepare()
  }

  #prepare() {
    const { db } = this
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#last = db.prepare(`SELECT key FROM Cache WHERE ${ITEM} ORDER BY key DESC LIMIT 1`).pluck().safeIntegers()
    this.#first = db.prepare(`SELECT rowid, value FROM Cache WHERE ${ITEM} ORDER BY key LIMIT 1`).raw()
    this.#insert = db.prepare(`INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag,
      size, mode, filename, value) VALUES (?, 1, ?, NULL, ?, 0, NULL, 0, 1, NULL, ?)`)
    this.#delete = db.prepare('DELETE FROM Cache WHERE rowid = ?')
  }

  append(value) {
    const now = Date.now() / 1000
    this.#begin.run()
    this.#insert.run((this.#last.get() ?? FIRST) + 1n, now, now, value)
    this.#commit.run()
  }

  popLeft() {
    this.#begin.run()
    const row = this.#first.get()
    if (row) this.#delete.run(row[0])
    this.#commit.run()
    return row?.[1]
  }

  extend(values) {
    for (const value of values) this.append(value)
  }

  clear() {
    this.db.exec('DELETE FROM Cache')
  }

  close() {
    this.db.close()
  }
}
