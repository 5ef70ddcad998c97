import { randomBytes } from 'node:crypto'
import { existsSync, rmdirSync } from 'node:fs'
import * as fsp from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { FileModes } from '../disk/value-folders.js'
import { DirectoryError } from '../errors.js'
import { systemCode, whyNotMade } from '../file-errors.js'
import { isAbandoned, reclaimStages, STAGE_PREFIX } from '../maintenance/import-stages.js'
import { makeDirectory } from '../make-directory.js'
import { namesIn } from '../read-directory.js'
import { countShards, hasDatabase, shardDirectory } from '../shards/layout.js'
import { modesThere } from '../shards/modes-there.js'
import { findPlaces } from '../shards/places.js'
import { removeTree } from './remove-tree.js'

/** Suffix of a new directory, which gets its final name when it is complete. */
const MAKING = '.import-'

/** The directory of an import: the target itself, or a new one that becomes the target. */
export class Home {
  /** The final directory of the cache. */
  readonly target: string
  /** The directory in which the import works. */
  readonly directory: string
  readonly #parents: readonly string[]

  private constructor(target: string, directory: string, parents: readonly string[]) {
    this.target = target
    this.directory = directory
    this.#parents = parents
  }

  /** @param target an absolute path */
  static prepare(target: string): Home {
    if (existsSync(target)) return new Home(target, target, [])
    const directory = join(dirname(target), `${basename(target)}${MAKING}${randomBytes(8).toString('hex')}`)
    const made = makeHome(directory, target)
    const parents: string[] = []
    for (let at = directory; made !== undefined && at !== made; at = dirname(at)) parents.push(dirname(at))
    return new Home(target, directory, parents)
  }

  get isNew(): boolean {
    return this.directory !== this.target
  }

  /** Gives the directory its final name. @throws DirectoryError when somebody else has created it meanwhile */
  async arrive(): Promise<void> {
    if (!this.isNew) return
    try {
      await fsp.rename(this.directory, this.target)
    } catch (error) {
      const code = systemCode(error)
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw error
      throw new DirectoryError(this.target, 'was made by somebody else meanwhile', { cause: error })
    }
  }

  /** Removes the directory that `prepare` has created, unless it has its final name. */
  async leave(): Promise<void> {
    if (!this.isNew) return
    await removeTree(this.directory)
    for (const parent of this.#parents) {
      try {
        rmdirSync(parent)
      } catch (error) {
        // Others have put something into it.
        if (systemCode(error) === undefined) throw error
        return
      }
    }
  }
}

function makeHome(directory: string, target: string): string | undefined {
  try {
    return makeDirectory(directory, { directory: 0o700, exact: false })
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    throw new DirectoryError(target, whyNotMade(code), { cause: error })
  }
}

/** Removes the remains of killed imports in a directory and beside it. */
export async function reclaimImports(target: string): Promise<void> {
  await reclaimStages(target)
  const prefix = basename(target) + MAKING
  for (const name of namesIn(dirname(target))) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) continue
    const directory = join(dirname(target), name)
    const stages = stagesIn(directory)
    await reclaimStages(directory)
    const isLeft = stages > 0 ? stagesIn(directory) === 0 : isAbandoned(directory)
    if (isLeft) await fsp.rm(directory, { recursive: true, force: true })
  }
}

/** Finds the caches, deques and indexes below the directory of a cache. Paths are relative to it. */
export function subCachesOf(directory: string): string[] {
  const below = findPlaces(directory).filter(({ role }) => role === 'below')
  return below.map(({ prefix }) => prefix.slice(0, -1))
}

/** The number of shards in a directory. `undefined`: a Cache, or nothing. */
export function shardsIn(directory: string): number | undefined {
  return hasDatabase(directory) ? undefined : countShards(directory)
}

/** The modes of existing files, for new ones beside them, so that the same users can read both. */
export function modesOf(directory: string): FileModes {
  const shard = shardsIn(directory) === undefined ? directory : shardDirectory(directory, 0)
  return modesThere(shard)
}

function stagesIn(directory: string): number {
  return namesIn(directory).filter(name => name.startsWith(STAGE_PREFIX)).length
}
