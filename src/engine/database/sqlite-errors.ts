import { fieldOf } from '../file-errors.js'

/** Whether SQLite failed because somebody else holds a lock. Only this failure is retried. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  // SQLITE_PROTOCOL is a race for the locks of a WAL that is being opened, on which SQLite gives up too soon.
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code === 'SQLITE_PROTOCOL')
}

/** The `code` of an error of better-sqlite3, such as 'SQLITE_FULL'. `undefined` for any other error. */
export function sqliteCode(error: unknown): string | undefined {
  const code = fieldOf(error, 'code')
  return code?.startsWith('SQLITE_') ? code : undefined
}

/** Whether the tables of an open database are gone, because it was truncated or somebody dropped them. */
export function isLostSchema(error: unknown): boolean {
  return (
    sqliteCode(error) === 'SQLITE_ERROR' &&
    /^no such table: (main\.)?(Cache|Settings|EntryTag|UnlinkLater|Lease|Fence|Freshness)$/.test(
      (error as Error).message,
    )
  )
}

/** Whether SQLite refused a write because it may only read. */
export function isReadonly(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_READONLY') ?? false
}

/** Whether a read-only connection met the journal of a killed process. */
export function isLeftJournal(error: unknown): boolean {
  return sqliteCode(error) === 'SQLITE_READONLY_ROLLBACK'
}

/** Whether the database file itself is damaged. */
export function isCorruption(error: unknown): boolean {
  const code = sqliteCode(error)
  // A truncated log shows as a short read.
  return code !== undefined && /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(code)
}
