import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

/**
 * How often databases in WAL mode were committed, as SQLite itself counts: the header of the WAL's index, which is the
 * file `-shm`, begins with the format, an unused word, and a counter that grows by one with every commit of a
 * transaction that wrote (WalIndexHdr.iChange).
 *
 * To be called in a process that has none of these databases open: closing a file drops the locks which SQLite holds
 * on it.
 */
export function commitsOf(directory) {
  return indexFiles(directory).reduce((sum, path) => sum + changeCounter(path), 0)
}

function indexFiles(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('cache.db-shm'))
    .map(path => join(directory, path))
}

function changeCounter(path) {
  if (!existsSync(path)) return 0
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(12)
    readSync(file, header, 0, 12, 0)
    return new Uint32Array(header.buffer, header.byteOffset, 3)[2]
  } finally {
    closeSync(file)
  }
}
