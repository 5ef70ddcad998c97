import { rmSync, statSync } from 'node:fs'
import { systemCode } from '../file-errors.js'
import { sqliteCode } from './busy.js'
import type { Connection } from './connection.js'

/** What is open, and the files that it was opened as. */
export interface OpenFiles {
  readonly db: Connection
  /** Of the database: another one at the same path is another cache. */
  readonly identity: string
  /** Of its log and of the memory that is shared by those who use it; `undefined` where there is no log. */
  readonly log: string | undefined
}

/**
 * Names the file at a path; `undefined` when there is none, or none that can be reached: why shows when it is opened.
 * Never opens it: closing would drop SQLite's locks.
 */
export function fileIdentity(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat && `${stat.dev}:${stat.ino}`
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}

/** Names the write-ahead log of a database and its shared memory; `undefined` when there are not both. */
export function logIdentity(path: string): string | undefined {
  const wal = fileIdentity(`${path}-wal`)
  const shm = wal && fileIdentity(`${path}-shm`)
  return shm && `${wal} ${shm}`
}

/** Whether what is at the path is still what was opened. */
export function isStillThere(path: string, opened: OpenFiles | undefined): boolean {
  return opened !== undefined && fileIdentity(path) === opened.identity && !hasLostLog(path, opened)
}

/**
 * Whether somebody has removed the log of an open database. Nobody who opens it from then on would see what this
 * connection writes, nor be seen by it, and both would overwrite each other's pages.
 */
function hasLostLog(path: string, { db, log }: OpenFiles): boolean {
  if (log === undefined || logIdentity(path) === log) return false
  try {
    // Who changes the journal mode removes it as well.
    return db.pragma('journal_mode', { simple: true }) === 'wal'
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    return true
  }
}

/** Closes a database. What is committed in a log that was removed meanwhile is saved, as long as nobody has made another. */
export function closeFiles(path: string, opened: OpenFiles): void {
  const { db } = opened
  const isLost = fileIdentity(path) === opened.identity && hasLostLog(path, opened)
  if (isLost && !db.readonly && logIdentity(path) === undefined) saveLostLog(path, db)
  db.close()
}

function saveLostLog(path: string, db: Connection): void {
  try {
    db.pragma('wal_checkpoint(PASSIVE)')
    // It is the index of the log that is gone: whoever used it with a new one would read the wrong pages.
    if (fileIdentity(`${path}-wal`) === undefined) rmSync(`${path}-shm`, { force: true })
  } catch (error) {
    if (systemCode(error) === undefined && sqliteCode(error) === undefined) throw error
    // What cannot be saved is lost: it was taken away.
  }
}
