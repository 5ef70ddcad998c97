import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

export interface DirectoryModes {
  readonly directory: number
  /** Modes that were asked for are set with chmod, since a umask cuts what mkdir() is given. */
  readonly exact: boolean
}

/**
 * Makes a directory and those that lead to it. What is there already keeps its mode: it may be that of another user, who
 * shares the cache.
 */
export function makeDirectory(path: string, { directory, exact }: DirectoryModes): void {
  const made = mkdirSync(path, { recursive: true, mode: directory })
  if (made === undefined || !exact) return
  for (let at = path; at.length >= made.length; at = dirname(at)) chmodSync(at, directory)
}
