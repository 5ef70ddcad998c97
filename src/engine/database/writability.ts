import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { sqliteCode } from './busy.js'
import { isLeftJournal } from './connection.js'

/**
 * Whether a connection cannot do what another one could. SQLite opens for reading what it may not write at that moment, and
 * never asks again: a file system that was mounted anew, or a mode that was corrected, would be of no use until the
 * process ends.
 */
export function isOutOfDate(error: unknown, path: string, readonly: boolean): boolean {
  if (readonly) return isLeftJournal(error)
  return isReadonly(error) && isWritable(path) && isWritable(dirname(path))
}

/** Whether SQLite refused a write since it may only read. */
export function isReadonly(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_READONLY') ?? false
}

/** Whether this user may write a file, or put files into a directory, at this moment. */
export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
