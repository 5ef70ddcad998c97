import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { isMissing, systemCode } from '../file-errors.js'
import { type DirectoryModes, makeDirectory } from '../make-directory.js'
import { parentsArePlain } from './safe-filename.js'

export interface FileModes extends DirectoryModes {
  readonly file: number
}

/**
 * The first this many files get a folder each, as in DiskCache. After that this many files share one, because creating
 * and removing folders takes longer than writing a small file.
 */
const OWN_FOLDERS = 64
const FILES_PER_FOLDER = 64
/** How many folders are tried until one is found that nothing foreign blocks. */
const LOOKS = 32

/** The name of a folder of value files, on each of the two levels. */
export const VALUE_FOLDER: RegExp = /^[0-9a-f]{2}$/

/** The folders of value files: two levels of 256 as in DiskCache, created when needed and removed when empty. */
export class ValueFolders {
  readonly #directory: string
  readonly #modes: FileModes
  #current = ''
  #taken = 0

  constructor(directory: string, modes: FileModes) {
    this.#directory = directory
    this.#modes = modes
  }

  /** The folder of the next file, such as `1f/e2`. It need not exist yet. */
  next(): string {
    this.#taken++
    if (this.#taken <= OWN_FOLDERS || this.#taken % FILES_PER_FOLDER === 0) this.change()
    return this.#current
  }

  /** Chooses another folder, because the present one cannot be used. */
  change(): string {
    for (let look = 0; look < LOOKS; look++) {
      this.#current = randomFolder()
      if (this.#isOwn(this.#current)) break
    }
    return this.#current
  }

  /** Creates a folder. If a full disk permits only the outer directory, that one is removed again. */
  make(folder: string): void {
    try {
      this.makeDirectory(folder)
    } catch (error) {
      this.pruneNow(`${folder}/none`)
      throw error
    }
  }

  makeDirectory(relative: string): void {
    makeDirectory(join(this.#directory, relative), this.#modes)
  }

  /** Removes the parents of a file that are empty. */
  pruneNow(name: string): void {
    for (let parent = dirname(name); parent !== '.'; parent = dirname(parent)) {
      try {
        fs.rmdirSync(join(this.#directory, parent))
      } catch (error) {
        // Stop at a folder with other files. If somebody else has removed it, go on with the one above.
        if (!isMissing(error)) return
      }
    }
  }

  prune(name: string, done: () => void): void {
    const parent = dirname(name)
    if (parent === '.') return done()
    fs.rmdir(join(this.#directory, parent), error => (error && !isMissing(error) ? done() : this.prune(parent, done)))
  }

  /** Whether a folder is a plain directory and not a link, as far as this user may see it. */
  #isOwn(folder: string): boolean {
    try {
      return parentsArePlain(this.#directory, `${folder}/none`)
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return false
    }
  }
}

function randomFolder(): string {
  const name = randomBytes(2).toString('hex')
  return `${name.slice(0, 2)}/${name.slice(2)}`
}
