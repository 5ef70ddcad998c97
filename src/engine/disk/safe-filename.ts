import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing } from '../file-errors.js'

/**
 * A name from the database with the separators of this system; empty, which is no name, where somebody has put
 * something else than text.
 */
export function slashed(filename: unknown): string {
  return typeof filename === 'string' ? filename.replaceAll('\\', '/') : ''
}

/**
 * Whether a name from the database stays inside the directory and is not one of the cache's own files. A custom Disk of
 * Python may give values any relative name, so that the form of the name is not asked for.
 */
export function isSafeFilename(name: string): boolean {
  if (name === '' || name.includes('\0') || name.startsWith('/') || /^[a-zA-Z]:/.test(name)) return false
  return name.split('/').every(part => part !== '' && part !== '.' && part !== '..' && !part.includes('cache.db'))
}

/** Whether all directories on the way to a file are directories and not links to elsewhere. */
export function parentsArePlain(directory: string, name: string): boolean {
  const parts = name.split('/').slice(0, -1)
  let path = directory
  for (const part of parts) {
    path = join(path, part)
    try {
      const stat = lstatSync(path, { throwIfNoEntry: false })
      // A directory that is not there leads nowhere: the caller finds the file missing.
      if (!stat) return true
      if (!stat.isDirectory()) return false
    } catch (error) {
      if (isMissing(error)) return true
      throw error
    }
  }
  return true
}
