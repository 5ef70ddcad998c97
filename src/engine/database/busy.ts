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

/** The longest time for which an attempt is repeated at once. Most commits of others take less. */
export const SPIN_MILLISECONDS = 0.3

const FIRST_WAIT = 1
const LONGEST_WAIT = 16

/**
 * Milliseconds until the next attempt after `failures` failed ones: doubling, with full jitter on the upper half, so
 * that processes that collided once do not collide again.
 */
export function backoff(failures: number): number {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 8))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}
