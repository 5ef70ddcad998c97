import { type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DiskCache } from '../engine/index.js'

/** Whether others than the owner may pass through a directory. */
const PASS = 0o011
/** Whether others than the owner may read a file. */
const READ = 0o044

const warned = new Set<string>()

/**
 * Looks whether a web server that runs as another user could read the files of a cache at all. If it cannot, every answer
 * goes a long way round, or is an error, and nobody would know why.
 */
export class ModeWatch {
  readonly #directory: string
  #isDone = process.platform === 'win32'

  constructor(directory: string) {
    this.#directory = directory
    if (!this.#isDone) this.#begin()
  }

  /** Looks at a value file and the directories on the way to it, once. */
  look(path: string): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#walk(path).catch(() => undefined)
  }

  /** The directory and those above it, as far as they are there. */
  #begin(): void {
    for (const directory of ancestors(this.#directory)) {
      const stats = statSync(directory, { throwIfNoEntry: false })
      if (stats && (stats.mode & PASS) === 0) this.#warn(directory, stats)
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

/** Lets replaced files stay where they are for a while, for answers that are on their way. */
export async function setGrace(cache: DiskCache, grace: number, isOpen: () => boolean): Promise<void> {
  try {
    const { disk } = await cache.settings()
    if (disk.unlinkGrace < grace) await cache.configure({ disk: { unlinkGrace: grace } })
  } catch (error) {
    // Closed meanwhile: nobody is served any more.
    if (!isOpen()) return
    process.emitWarning(`sendFile: the grace of replaced files could not be set in ${cache.directory}: ${error}`)
  }
}

/** From the root down. */
function ancestors(directory: string): string[] {
  const above = dirname(directory)
  return above === directory ? [directory] : [...ancestors(above), directory]
}
