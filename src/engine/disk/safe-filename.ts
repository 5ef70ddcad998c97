import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, systemCode } from '../file-errors.js'

/**
 * Converts a name from the database to the separators of this system. Empty, which is no name, when it is not text.
 */
export function slashed(filename: unknown): string {
  return typeof filename === 'string' ? filename.replaceAll('\\', '/') : ''
}

/**
 * Whether a name from the database stays inside the directory and is not one of the cache's own files. Its form is not
 * checked, because a custom Disk of Python may use any relative name.
 */
export function isSafeFilename(name: string): boolean {
  if (name === '' || name.includes('\0') || name.startsWith('/') || /^[a-zA-Z]:/.test(name)) return false
  return name.split('/').every(part => part !== '' && part !== '.' && part !== '..' && !part.includes('cache.db'))
}

/** Whether all parents of a file are directories and not links. */
export function parentsArePlain(directory: string, name: string): boolean {
  const parts = name.split('/').slice(0, -1)
  let path = directory
  for (const part of parts) {
    path = join(path, part)
    try {
      const stat = lstatSync(path, { throwIfNoEntry: false })
      // A missing directory is harmless: the caller finds the file missing.
      if (!stat) return true
      if (!stat.isDirectory()) return false
    } catch (error) {
      if (isMissing(error)) return true
      throw error
    }
  }
  return true
}

/** Converts a name to the separators of this system. `undefined` when it leads out of the directory. */
export function plainName(directory: string, filename: string): string | undefined {
  const name = slashed(filename)
  return isSafeFilename(name) && parentsArePlain(directory, name) ? name : undefined
}

/** Like `plainName`, for a removal: what cannot be looked at now stays for the sweep. */
export function removableName(directory: string, filename: string): string | undefined {
  try {
    return plainName(directory, filename)
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}
