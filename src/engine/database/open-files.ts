import { rmSync, statSync } from 'node:fs'
import { systemCode } from '../file-errors.js'
import type { Connection } from './connection.js'
import { sqliteCode } from './sqlite-errors.js'

/** An open database and the identities of its files at the time of opening. */
export interface OpenFiles {
  readonly db: Connection
  /** Identity of the database file. Another file at the same path is another cache. */
  readonly identity: string
  /** Identity of its log and of the shared memory of the log. `undefined` without a log. */
  readonly log: string | undefined
}

/**
 * Identifies the file at a path. `undefined` when there is none or it cannot be reached; opening then shows why. Never
 * opens the file: closing it would drop SQLite's locks.
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

/** Whether there is certainly no file at a path. What cannot be looked at may well be there. */
export function isGone(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return false
  }
}

/** Identifies the write-ahead log of a database and its shared memory. `undefined` unless both exist. */
export function logIdentity(path: string): string | undefined {
  const wal = fileIdentity(`${path}-wal`)
  const shm = wal && fileIdentity(`${path}-shm`)
  return shm && `${wal} ${shm}`
}

/** Whether the files at the path are still those that were opened. */
export function isStillThere(path: string, opened: OpenFiles | undefined): boolean {
  return opened !== undefined && fileIdentity(path) === opened.identity && !hasLostLog(path, opened)
}

/**
 * Whether somebody has removed the log of an open database. Later connections and this one would not see each other's
 * writes, and would overwrite each other's pages.
 */
function hasLostLog(path: string, { db, log }: OpenFiles): boolean {
  if (log === undefined) return false
  const now = logIdentity(path)
  if (now === log || (now === undefined && !isGone(`${path}-wal`) && !isGone(`${path}-shm`))) return false
  try {
    // A change of the journal mode removes the log as well.
    return db.pragma('journal_mode', { simple: true }) === 'wal'
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    return true
  }
}

/** Closes a database. Saves commits in a log that was removed meanwhile, unless somebody has created another log. */
export function closeFiles(path: string, opened: OpenFiles): void {
  const { db } = opened
  const isLost = fileIdentity(path) === opened.identity && hasLostLog(path, opened)
  if (isLost && !db.readonly && logIdentity(path) === undefined) saveLostLog(path, db)
  db.close()
}

function saveLostLog(path: string, db: Connection): void {
  try {
    db.pragma('wal_checkpoint(PASSIVE)')
    // The index of the removed log must go, since it would lead to wrong pages in a new log.
    if (isGone(`${path}-wal`)) rmSync(`${path}-shm`, { force: true })
  } catch (error) {
    if (systemCode(error) === undefined && sqliteCode(error) === undefined) throw error
    // The commits cannot be saved, since their log was removed.
  }
}
