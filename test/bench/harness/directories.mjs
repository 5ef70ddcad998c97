import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Directories for the contestants below one temporary directory, which goes at the end whatever happens. */
export class Directories {
  #base
  #count = 0

  constructor(parent = tmpdir()) {
    mkdirSync(parent, { recursive: true })
    this.#base = mkdtempSync(join(parent, 'fanout-cache-bench-'))
    process.on('exit', () => this.removeAll())
    // Without this an interrupt would end the process past the exit handlers.
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  }

  fresh(name) {
    const directory = join(this.#base, `${this.#count++}-${name.replace(/\W+/g, '-')}`)
    mkdirSync(directory)
    return directory
  }

  copyOf(directory, name) {
    const copy = this.fresh(name)
    cpSync(directory, copy, { recursive: true })
    return copy
  }

  remove(directory) {
    rmSync(directory, { recursive: true, force: true })
  }

  removeAll() {
    rmSync(this.#base, { recursive: true, force: true, maxRetries: 3 })
  }
}
