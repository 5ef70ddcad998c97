import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { isDiskFull } from '../file-errors.js'
import { sqliteCode } from './sqlite-errors.js'

/** More than the write that failed: a page with its header in the log. */
const PROBE = Buffer.alloc(64 * 1024)
/** What was found out about errors. Asked again after room was made, the disk would answer otherwise. */
const known: WeakMap<object, boolean> = new WeakMap()

/**
 * Whether an error means that the disk, or the quota of this user, is full.
 *
 * SQLite knows a full disk by ENOSPC alone. A quota that is met is a write that failed, as of a broken disk, so that it
 * takes another write to tell the two apart.
 */
export function meansFull(error: unknown, directory: string): boolean {
  if (isDiskFull(error)) return true
  const code = sqliteCode(error)
  if (code !== 'SQLITE_IOERR_WRITE') return code === 'SQLITE_FULL'
  let full = known.get(error as Error)
  if (full === undefined) {
    full = !hasRoom(directory)
    known.set(error as Error, full)
  }
  return full
}

function hasRoom(directory: string): boolean {
  const path = join(directory, `cache.db-tmp-${randomBytes(16).toString('hex')}`)
  try {
    fs.writeFileSync(path, PROBE, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    return !isDiskFull(error)
  } finally {
    removeQuietly(path)
  }
}

function removeQuietly(path: string): void {
  try {
    fs.rmSync(path, { force: true })
  } catch {
    // It is reclaimed with other temporary files.
  }
}
