import { randomBytes } from 'node:crypto'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATABASE_FILE } from '../database/opening.js'
import { VALUE_FOLDER } from '../disk/value-folders.js'
import { isMissing, systemCode } from '../file-errors.js'
import { kindOf } from '../option-names.js'
import { namesIn } from '../read-directory.js'

/** Names of the directories of shards: three digits as in DiskCache, or more if needed. */
const SHARD = /^\d{3,}$/
export const MOST_SHARDS = 1000
/** DiskCache's default. */
export const DEFAULT_SHARDS = 8

/** Whether a directory of this name can be a shard. */
export function isShardName(name: string): boolean {
  return SHARD.test(name)
}

/** The directory of a shard, such as `007`. */
export function shardDirectory(root: string, index: number): string {
  return join(root, String(index).padStart(3, '0'))
}

/**
 * Counts the shards of a directory: one more than the highest number. The directories are created from the last one
 * down, so that the number is known as soon as one of them exists. `undefined`: none.
 *
 * A numeric name alone proves nothing, since years are numbers as well. The highest number counts that holds a database
 * or directly follows one; without any database, one that may be becoming a shard.
 */
export function countShards(root: string): number | undefined {
  const numbers = new Set(namesIn(root).filter(isShardName).map(Number))
  const falling = [...numbers].sort((a, b) => b - a)
  let last = falling.find(number => holdsDatabase(shardDirectory(root, number)))
  if (last === undefined) {
    const making = falling.find(number => number < MOST_SHARDS && mayBecomeShard(shardDirectory(root, number)))
    return making === undefined ? undefined : making + 1
  }
  while (numbers.has(last + 1) && mayBecomeShard(shardDirectory(root, last + 1))) last++
  return last + 1
}

/** Whether a directory holds a database, or at least its log or another file beside it. */
function holdsDatabase(directory: string): boolean {
  return hasDatabase(directory) || (namesInShard(directory) ?? []).some(name => name.startsWith(DATABASE_FILE))
}

/** Whether a directory has only what a shard has before its database is created, or after it was deleted. */
function mayBecomeShard(directory: string): boolean {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return false
  const names = namesInShard(directory)
  if (names === undefined) return true
  return names.length === 0 || names.some(name => name.startsWith(DATABASE_FILE) || VALUE_FOLDER.test(name))
}

/** Lists a directory. `undefined` when this user may not read it; opening the shard then shows why. */
function namesInShard(directory: string): readonly string[] | undefined {
  try {
    return namesIn(directory)
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}

/** The number of shards when a directory is opened without the option. Errors of reading show when it is opened. */
export function expectedShards(root: string): number {
  try {
    return countShards(root) ?? DEFAULT_SHARDS
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return 1
  }
}

export function hasDatabase(directory: string): boolean {
  return existsSync(join(directory, DATABASE_FILE))
}

/**
 * Resolves a directory to its absolute path. `~` is the home directory.
 *
 * @throws TypeError when it is neither a path nor a `file:` URL, or is empty
 */
export function absoluteDirectory(given: unknown): string {
  const directory = given instanceof URL && given.protocol === 'file:' ? pathOf(given) : given
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    // Doors take `{ directory }`, caches do not.
    const hint = isOptions(directory) ? ': options are the second argument' : ''
    throw new TypeError(`directory must be a path or a file URL, got ${kindOf(directory)}${hint}`)
  }
  const home = directory === '~' || directory.startsWith('~/') || directory.startsWith('~\\')
  return resolve(home ? join(homedir(), directory.slice(1)) : directory)
}

function isOptions(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'directory' in given
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new TypeError(`directory must be a path or a file URL, got ${url.href}`, { cause })
  }
}

/** Resolves a directory to its canonical path, whatever links lead to it, even before it exists. */
export function canonicalDirectory(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (error) {
    if (!isMissing(error)) return directory
    const parent = dirname(directory)
    return parent === directory ? directory : join(canonicalDirectory(parent), basename(directory))
  }
}

/** A path with an unpredictable name. Opening the cache creates the directory. */
export function temporaryDirectory(): string {
  return join(tmpdir(), `fanout-cache-${randomBytes(12).toString('hex')}`)
}
