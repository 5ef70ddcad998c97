import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATABASE_FILE } from '../database/opening.js'
import { isMissing } from '../file-errors.js'
import { kindOf } from '../option-names.js'

/** DiskCache numbers the directories of shards with three digits, or more where there are more. */
const SHARD = /^\d{3,}$/
/** The first part of the path of a value file. */
const VALUE_FOLDER = /^[0-9a-f]{2}$/
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
 *
 * Numbers alone make no shard, since years are numbers, too: the highest is that of a database, or of a directory that
 * follows it in line, and where there is no database yet it is one that somebody may be making a shard of.
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

/** Also when what is left of it is a log, or what lies beside it. */
function holdsDatabase(directory: string): boolean {
  return hasDatabase(directory) || namesIn(directory).some(name => name.startsWith(DATABASE_FILE))
}

/** What a shard has before its database is there, or when that was deleted. It may get one at any moment. */
function mayBecomeShard(directory: string): boolean {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return false
  const names = namesIn(directory)
  return names.length === 0 || names.some(name => name.startsWith(DATABASE_FILE) || VALUE_FOLDER.test(name))
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

export function hasDatabase(directory: string): boolean {
  return existsSync(join(directory, DATABASE_FILE))
}

/**
 * The absolute path of a directory; `~` is the home directory.
 *
 * @throws TypeError when it is neither a path nor a `file:` URL, or an empty one
 */
export function absoluteDirectory(given: unknown): string {
  const directory = given instanceof URL && given.protocol === 'file:' ? pathOf(given) : given
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    throw new TypeError(`directory must be a path or a file URL, got ${kindOf(directory)}`)
  }
  const home = directory === '~' || directory.startsWith('~/') || directory.startsWith('~\\')
  return resolve(home ? join(homedir(), directory.slice(1)) : directory)
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new TypeError(`directory must be a path or a file URL, got ${url.href}`, { cause })
  }
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
