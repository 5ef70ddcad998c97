import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { isMissing, systemCode } from '../file-errors.js'
import { makeDirectories } from '../make-directories.js'
import { parentsArePlain } from './safe-filename.js'

export interface FileModes {
  readonly directory: number
  readonly file: number
  /** Modes that were asked for are set with chmod, since a umask cuts what open() is given. */
  readonly exact: boolean
}

/**
 * As in DiskCache a file has a folder of its own, until so many were made; then so many files share one, since making
 * and removing folders takes longer than writing a small file.
 */
const OWN_FOLDERS = 64
const FILES_PER_FOLDER = 64
/** How many folders are looked at for one in whose place stands nothing foreign. */
const LOOKS = 32

/** The folders of value files: two levels of 256, as DiskCache has them, made when needed and removed when empty. */
export class ValueFolders {
  readonly #directory: string
  readonly #modes: FileModes
  #current = ''
  #taken = 0

  constructor(directory: string, modes: FileModes) {
    this.#directory = directory
    this.#modes = modes
  }

  /** Where the next file goes, such as `1f/e2`. It need not be there. */
  next(): string {
    this.#taken++
    if (this.#taken <= OWN_FOLDERS || this.#taken % FILES_PER_FOLDER === 0) this.change()
    return this.#current
  }

  /** Takes another folder, since the one there was cannot be used. */
  change(): string {
    for (let look = 0; look < LOOKS; look++) {
      this.#current = randomFolder()
      if (this.#isOwn(this.#current)) break
    }
    return this.#current
  }

  /** Makes a folder. On a full disk the outer directory may be made and the inner one not: then neither stays. */
  make(folder: string): void {
    try {
      this.makeDirectory(folder)
    } catch (error) {
      this.pruneNow(`${folder}/none`)
      throw error
    }
  }

  makeDirectory(relative: string): void {
    const path = join(this.#directory, relative)
    makeDirectories(path, this.#modes.directory)
    if (!this.#modes.exact) return
    for (let part = relative; part !== '' && part !== '.'; part = part.split('/').slice(0, -1).join('/')) {
      fs.chmodSync(join(this.#directory, part), this.#modes.directory)
    }
  }

  /** Removes the directories on the way to a file, as far as they are empty. */
  pruneNow(name: string): void {
    for (let parent = dirname(name); parent !== '.'; parent = dirname(parent)) {
      try {
        fs.rmdirSync(join(this.#directory, parent))
      } catch (error) {
        // It holds other files: this is the end. Somebody else may have removed it, and not the one above.
        if (!isMissing(error)) return
      }
    }
  }

  prune(name: string, done: () => void): void {
    const parent = dirname(name)
    if (parent === '.') return done()
    fs.rmdir(join(this.#directory, parent), error => (error && !isMissing(error) ? done() : this.prune(parent, done)))
  }

  /** Not behind a link, which leads elsewhere, nor where nothing can be seen. */
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
