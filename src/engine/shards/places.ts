import { join } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import { VALUE_FOLDER } from '../disk/value-folders.js'
import type { Place } from '../maintenance/worker-client.js'
import { entriesIn } from '../read-directory.js'
import { countShards, hasDatabase, shardDirectory } from './layout.js'

/** A database below the directory of a cache. */
export interface CachePlace extends Place {
  /** `shard`: of a FanoutCache. `below`: of a cache, deque, index or model in a subdirectory. */
  readonly role: 'cache' | 'shard' | 'below'
}

/** The directories in which a FanoutCache keeps named caches and collections. */
const NAMED = ['cache', 'deque', 'index']
const MODEL_PREFIX = `${DATABASE_FILE}-model-`
/** Limit of the depth of the search. No reasonable name of a cache has more parts. */
const DEEPEST = 8

/** Finds the databases of a directory and of the caches below it, including shards whose database is missing. */
export function findPlaces(root: string): readonly CachePlace[] {
  const shards = hasDatabase(root) ? undefined : countShards(root)
  if (shards === undefined) {
    return hasDatabase(root) ? [{ directory: root, prefix: '', role: 'cache' }, ...models(root, '')] : []
  }
  const places: CachePlace[] = Array.from({ length: shards }, (_, at) => {
    const directory = shardDirectory(root, at)
    return { directory, prefix: `${directory.slice(root.length + 1)}/`, role: 'shard' }
  })
  for (const name of NAMED) collect(join(root, name), `${name}/`, DEEPEST, places)
  return places
}

function collect(directory: string, prefix: string, depth: number, places: CachePlace[]): void {
  const isCache = hasDatabase(directory)
  if (isCache) places.push({ directory, prefix, role: 'below' }, ...models(directory, prefix))
  if (depth === 0) return
  for (const entry of entriesIn(directory)) {
    // Folders of value files may be very many, and contain no cache.
    if (!entry.isDirectory() || entry.name.includes(DATABASE_FILE) || (isCache && VALUE_FOLDER.test(entry.name)))
      continue
    collect(join(directory, entry.name), `${prefix}${entry.name}/`, depth - 1, places)
  }
}

function models(directory: string, prefix: string): CachePlace[] {
  return entriesIn(directory)
    .filter(entry => entry.isDirectory() && entry.name.startsWith(MODEL_PREFIX))
    .map(({ name }) => ({ directory: join(directory, name), prefix: `${prefix}${name}/`, role: 'below' as const }))
    .filter(place => hasDatabase(place.directory))
}
