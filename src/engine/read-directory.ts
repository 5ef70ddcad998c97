import { type Dirent, readdirSync } from 'node:fs'
import { isMissing } from './file-errors.js'

/** The names in a directory. None when it does not exist. */
export function namesIn(directory: string): string[] {
  return unlessMissing(() => readdirSync(directory))
}

/** The entries of a directory. None when it does not exist. */
export function entriesIn(directory: string): Dirent[] {
  return unlessMissing(() => readdirSync(directory, { withFileTypes: true }))
}

function unlessMissing<T>(read: () => T[]): T[] {
  try {
    return read()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
