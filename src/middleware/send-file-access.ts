import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DiskCache } from '../engine/index.js'

/** The permissions of group and others to enter a directory. */
const PASS = 0o011
/** The permissions of group and others to read a file. */
const READ = 0o044

const warned = new Set<string>()

/**
 * Checks whether a web server that runs as another user can read the files of a cache, and warns if not. Without the
 * warning nobody would know why every answer takes a detour or is an error.
 */
export class ModeWatch {
  readonly #directory: string
  #isDone = process.platform === 'win32'

  constructor(directory: string) {
    this.#directory = directory
    if (!this.#isDone) this.#begin()
  }

  /** Checks a value file and its parent directories, once. */
  look(path: string): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#walk(path).catch(() => undefined)
  }

  /** Checks the directory and its parents, as far as they exist. */
  #begin(): void {
    try {
      for (const directory of ancestors(this.#directory)) {
        const stats = statSync(directory, { throwIfNoEntry: false })
        if (stats && (stats.mode & PASS) === 0) this.#warn(directory, stats)
      }
    } catch {
      // The directory cannot be examined. Opening the cache will report why.
    }
  }

  async #walk(path: string): Promise<void> {
    const file = join(this.#directory, path)
    for (const directory of ancestors(dirname(file))) {
      const stats = await stat(directory)
      if ((stats.mode & PASS) === 0) return this.#warn(directory, stats)
    }
    const stats = await stat(file)
    if ((stats.mode & READ) === 0) this.#warn(file, stats)
  }

  #warn(path: string, { mode, uid }: Stats): void {
    this.#isDone = true
    if (warned.has(this.#directory)) return
    warned.add(this.#directory)
    const modes = (mode & 0o777).toString(8).padStart(4, '0')
    process.emitWarning(
      `sendFile: ${path} has the mode ${modes}: a web server that does not run as its owner (uid ${uid}) cannot read the ` +
        `files of ${this.#directory}, and acceleration has no effect`,
      {
        code: 'FANOUT_CACHE_ACCEL_MODES',
        detail:
          'Open the cache with { disk: { directoryMode: 0o2750, fileMode: 0o640 } }, and give the directory to a group of the web server.',
      },
    )
  }
}

/** Sets the grace of replaced files, for answers that are on their way to the web server. */
export async function setGrace(cache: DiskCache, grace: number, isOpen: () => boolean): Promise<void> {
  try {
    const { disk } = await cache.settings()
    if (disk.unlinkGrace < grace) await cache.configure({ disk: { unlinkGrace: grace } })
  } catch (error) {
    // The cache was closed meanwhile, so nobody is served any more.
    if (!isOpen()) return
    process.emitWarning(`sendFile: the grace of replaced files could not be set in ${cache.directory}: ${error}`)
  }
}

/** A directory and all above it, from the root down. */
function ancestors(directory: string): string[] {
  const above = dirname(directory)
  return above === directory ? [directory] : [...ancestors(above), directory]
}
