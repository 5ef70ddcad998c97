import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import type { FileModes } from '../disk/value-folders.js'
import { systemCode } from '../file-errors.js'

export const OWN_MODES: FileModes = { directory: 0o700, file: 0o600, exact: false }

const SET_GROUP = 0o2000
const OWNER = 0o700

/**
 * What those may do with a folder who may read or write a file. A volume is often open to everyone, who then could put
 * files into a folder as open as it is.
 */
function foldersFor(mode: number): number {
  const read = mode & 0o044
  return read | (read >> 2) | (mode & 0o022)
}

/** The modes of the database in a directory, for what is made beside it, so that the same users can read both. */
export function modesThere(directory: string): FileModes {
  try {
    const { mode } = statSync(join(directory, DATABASE_FILE))
    if ((mode & 0o077) === 0) return OWN_MODES
    const others = statSync(directory).mode & (SET_GROUP | foldersFor(mode))
    return { directory: OWNER | others, file: mode & 0o777, exact: process.platform !== 'win32' }
  } catch (error) {
    // There is none, or opening it shows why it cannot be seen.
    if (systemCode(error) === undefined) throw error
    return OWN_MODES
  }
}
