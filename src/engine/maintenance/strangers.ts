import { existsSync, readdirSync } from 'node:fs'
import type { Finding } from '../options.js'

/** Reports files beside the shards, which belong to no entry. They are never touched. */
export function strangersBesideShards(directory: string): Finding[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true })
    .filter(entry => !entry.isDirectory() && !entry.name.includes('cache.db'))
    .map(({ name }) => ({ kind: 'unknown-file', message: `no entry names the file ${name}`, path: name, fixed: false }))
}
