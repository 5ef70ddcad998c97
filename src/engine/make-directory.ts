import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from './file-errors.js'

export interface DirectoryModes {
  readonly directory: number
  /** Modes that were asked for are set with chmod, since a umask cuts what mkdir() is given. */
  readonly exact: boolean
}

/** Others may remove what is empty, between our two calls. */
const TRIES = 10

/**
 * Makes a directory and those that lead to it, and answers the outermost that was made. What is there already keeps its
 * mode: it may be that of another user, who shares the cache.
 */
export function makeDirectory(path: string, { directory, exact }: DirectoryModes): string | undefined {
  // Nearly always it is there, and an exception takes longer than a look: FanoutCaches make all shards for each of
  // them.
  if (isDirectory(path)) return undefined
  const made = makeMissing(path, directory)
  if (made === undefined || !exact) return made
  for (let at = path; at.length >= made.length; at = dirname(at)) chmodSync(at, directory)
  return made
}

/** `mkdir` of Node with `recursive` never ends where a directory that exists takes no new one, as below /proc. */
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
