import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { isLeftJournal, isReadonly } from './sqlite-errors.js'

/**
 * Whether a new connection could write where this one cannot. SQLite opens a database for reading when it may not write
 * it at that moment, and never tries again. A corrected mode or mount would then have no effect until the process ends.
 */
export function isOutOfDate(error: unknown, path: string, readonly: boolean): boolean {
  if (readonly) return isLeftJournal(error)
  return isReadonly(error) && isWritable(path) && isWritable(dirname(path))
}

/** Whether this user may now write a file, or create files in a directory. */
export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
