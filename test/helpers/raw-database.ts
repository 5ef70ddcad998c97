import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'

/** A connection of the test's own to a database of a cache, closed when the test has finished. */
export function rawDatabase(directory: string): Database.Database {
  const db = new Database(join(directory, 'cache.db'), { timeout: 60_000 })
  onTestFinished(() => {
    db.close()
  })
  return db
}
