import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import { isMissing } from '../file-errors.js'
import { kindOf } from '../option-names.js'

/** DiskCache numbers the directories of shards with three digits, or more where there are more. */
const SHARD = /^\d{3,}$/
export const MOST_SHARDS = 1000
/** As DiskCache has them. */
export const DEFAULT_SHARDS = 8

/** Whether a name is that of the directory of a shard. */
export function isShardName(name: string): boolean {
  return SHARD.test(name)
}

/** The directory of a shard, such as `007`. */
export function shardDirectory(root: string, index: number): string {
  return join(root, String(index).padStart(3, '0'))
}

/**
 * How many shards a directory has: one more than the highest number, since the directories are made from the last
 * one down, so that whoever sees one of them knows how many there will be. `undefined`: none.
 */
export function countShards(root: string): number | undefined {
  let entries: string[]
  try {
    entries = readdirSync(root)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const numbers = entries.filter(isShardName).map(Number)
  return numbers.length === 0 ? undefined : Math.max(...numbers) + 1
}

export function hasDatabase(directory: string): boolean {
  return existsSync(join(directory, DATABASE_FILE))
}

/**
 * The absolute path of a directory; `~` is the home directory.
 *
 * @throws TypeError when it is no string, or an empty one
 */
export function absoluteDirectory(directory: unknown): string {
  if (directory instanceof URL && directory.protocol === 'file:') return resolve(decodeURIComponent(directory.pathname))
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    throw new TypeError(`directory must be a path, got ${kindOf(directory)}`)
  }
  const home = directory === '~' || directory.startsWith('~/') || directory.startsWith('~\\')
  return resolve(home ? join(homedir(), directory.slice(1)) : directory)
}

/** One name for a directory, through whatever links it is reached, also before it exists. */
export function canonicalDirectory(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (error) {
    if (!isMissing(error)) return directory
    const parent = dirname(directory)
    return parent === directory ? directory : join(canonicalDirectory(parent), basename(directory))
  }
}

/** A directory that is made when the cache is opened, and whose name nobody can guess. */
export function temporaryDirectory(): string {
  return join(tmpdir(), `fanout-cache-${randomBytes(12).toString('hex')}`)
}
