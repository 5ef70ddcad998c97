import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from './file-errors.js'

export interface DirectoryModes {
  readonly directory: number
  /** Whether modes were given. They are then set with chmod, because the umask masks the mode of mkdir(). */
  readonly exact: boolean
}

/** Attempts: others may remove an empty directory between our two calls. */
const TRIES = 10

/**
 * Creates a directory with its parents and returns the outermost one created. Existing directories keep their mode,
 * since they may belong to another user who shares the cache.
 */
export function makeDirectory(path: string, { directory, exact }: DirectoryModes): string | undefined {
  // It nearly always exists, and a check is cheaper than an exception.
  if (isDirectory(path)) return undefined
  const made = makeMissing(path, directory)
  if (made === undefined || !exact) return made
  for (let at = path; at.length >= made.length; at = dirname(at)) chmodSync(at, directory)
  return made
}

/**
 * Our own recursion: Node's `mkdir` with `recursive` never ends below a directory that takes no new one, such as /proc.
 */
function makeMissing(path: string, mode: number): string | undefined {
  let outermost: string | undefined
  for (let attempt = 1; ; attempt++) {
    try {
      mkdirSync(path, { mode })
      return outermost ?? path
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        if (isDirectory(path)) return outermost
        throw error
      }
      const parent = dirname(path)
      if (parent === path || attempt === TRIES) throw error
      outermost = makeMissing(parent, mode) ?? outermost
    }
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return false
  }
}
