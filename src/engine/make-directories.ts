import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from './file-errors.js'

/** Others may remove what is empty, between our two calls. */
const TRIES = 10

/**
 * Makes a directory and those above it, and answers the outermost that was made; `undefined` when it was there.
 * `mkdir` of Node with `recursive` never ends where a directory that exists takes no new one, as below /proc.
 */
export function makeDirectories(path: string, mode: number): string | undefined {
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
      outermost = makeDirectories(parent, mode) ?? outermost
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
