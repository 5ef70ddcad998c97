import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import type { FileModes } from '../disk/value-folders.js'
import { systemCode } from '../file-errors.js'

export const OWN_MODES: FileModes = { directory: 0o700, file: 0o600, exact: false }

/** The modes of the database in a directory, for what is made beside it, so that the same users can read both. */
export function modesThere(directory: string): FileModes {
  try {
    const { mode } = statSync(join(directory, DATABASE_FILE))
    if ((mode & 0o077) === 0) return OWN_MODES
    return { directory: statSync(directory).mode & 0o7777, file: mode & 0o777, exact: process.platform !== 'win32' }
  } catch (error) {
    // There is none, or opening it shows why it cannot be seen.
    if (systemCode(error) === undefined) throw error
    return OWN_MODES
  }
}
