import type { Finding } from '../options.js'
import { entriesIn } from '../read-directory.js'

/** Reports files beside the shards, which belong to no entry. They are never touched. */
export function strangersBesideShards(directory: string): Finding[] {
  return entriesIn(directory)
    .filter(entry => !entry.isDirectory() && !entry.name.includes('cache.db'))
    .map(({ name }) => ({ kind: 'unknown-file', message: `no entry names the file ${name}`, path: name, fixed: false }))
}
