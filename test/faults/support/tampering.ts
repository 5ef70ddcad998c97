import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type Kind, shardsOf } from './caches.js'

/** Changes the first database of a cache behind its back, in a connection of its own. */
export function tamper(kind: Kind, directory: string, change: (db: Database.Database) => void): void {
  const db = new Database(join(directory, shardsOf(kind)[0] ?? '.', 'cache.db'))
  try {
    change(db)
  } finally {
    db.close()
  }
}
