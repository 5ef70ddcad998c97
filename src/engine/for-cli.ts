import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DATABASE_FILE } from './database/opening.js'
import { isMissing } from './file-errors.js'
import { absoluteDirectory, countShards } from './shards/layout.js'

/*
 * What the command line needs of the engine beyond its contract.
 */

export { editDistance, kindOf } from './option-names.js'
export { milliseconds, systemClock } from './time.js'

/** What lies at a path. */
export interface Place {
  /** Absolute. */
  readonly directory: string
  readonly kind: 'missing' | 'file' | 'empty' | 'strange' | 'Cache' | 'FanoutCache'
  /** The FanoutCache of which the directory is one shard. */
  readonly shardOf?: string
}

/**
 * Looks at what lies in a directory, and changes nothing.
 *
 * @throws an error of the file system where it may not be looked at
 */
export function placeAt(path: string): Place {
  const directory = absoluteDirectory(path)
  const stat = statIfThere(directory)
  if (!stat) return { directory, kind: 'missing' }
  if (!stat.isDirectory()) return { directory, kind: 'file' }
  const entries = readdirSync(directory)
  if (entries.includes(DATABASE_FILE)) return { directory, kind: 'Cache', ...shardOf(directory) }
  if (hasShards(directory)) return { directory, kind: 'FanoutCache' }
  return { directory, kind: entries.length === 0 ? 'empty' : 'strange' }
}

/** Numbers alone make no shards: a directory of years has them as well. */
function hasShards(directory: string): boolean {
  const count = countShards(directory)
  if (count === undefined || count > MOST_SHARDS) return false
  return readdirSync(directory).some(name => SHARD.test(name) && statIfThere(join(directory, name, DATABASE_FILE)))
}

function shardOf(directory: string): Pick<Place, 'shardOf'> {
  const parent = dirname(directory)
  if (!SHARD.test(basename(directory)) || statIfThere(join(parent, DATABASE_FILE))) return {}
  const first = directory === join(parent, '000') ? '001' : '000'
  return statIfThere(join(parent, first, DATABASE_FILE)) ? { shardOf: parent } : {}
}

function statIfThere(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    // On the way to it lies a file.
    if (isMissing(error)) return undefined
    throw error
  }
}

const SHARD = /^\d{3,}$/
const MOST_SHARDS = 1000
