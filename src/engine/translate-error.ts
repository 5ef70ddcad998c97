import { sep } from 'node:path'
import { meansFull } from './database/full-disk.js'
import { isBusy, isCorruption, sqliteCode } from './database/sqlite-errors.js'
import {
  CorruptError,
  DirectoryError,
  DiskCacheError,
  DiskFullError,
  ReadonlyError,
  StorageError,
  TimeoutError,
} from './errors.js'
import { fieldOf, isDiskFull, isMissing, systemCode, whyNotMade } from './file-errors.js'

/** Codes of a path that cannot be used: forbidden, a circular link, or a file where a directory should be. */
const UNUSABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ELOOP', 'EEXIST'])

/** Readers get this message as well, when nobody has the database open. */
const NO_FILES_BESIDE =
  'can neither be read nor written: SQLite needs files beside the database (-wal, -shm), and this user may not make them'

/** Turns errors of SQLite and of the file system into errors of the cache, with the original as `cause`. */
export function translateError(error: unknown, directory: string): unknown {
  if (error instanceof DiskCacheError) return error
  const options = { cause: error }
  const code = sqliteCode(error)
  if (code !== undefined) return translateSqlite(code, error as Error, directory)
  // Errors of files elsewhere come from the user's streams and transaction bodies, and stay as they are.
  if (isElsewhere(error, directory)) return error
  if (isDiskFull(error)) return new DiskFullError(directory, options)
  // A thread could not be started, for lack of memory or of file descriptors.
  if (fieldOf(error, 'code')?.startsWith('ERR_WORKER_')) {
    return new StorageError(directory, (error as Error).message, options)
  }
  if (fieldOf(error, 'code') === 'ERR_ACCESS_DENIED') {
    const why = `cannot be used: Node may not touch ${fieldOf(error, 'resource')}, see --allow-fs-read and --allow-fs-write`
    return new DirectoryError(directory, why, options)
  }
  const call = systemCode(error)
  if (call === undefined) return error
  if (isMissing(error) || UNUSABLE.has(call)) {
    return new DirectoryError(directory, (error as Error).message, options)
  }
  return new StorageError(directory, (error as Error).message, options)
}

/** Like `translateError`, for `makeDirectory`, which fails where a file is in the way. */
export function translateMaking(error: unknown, directory: string): unknown {
  const code = systemCode(error)
  if (code !== 'EEXIST' && code !== 'ENOTDIR') return translateError(error, directory)
  return new DirectoryError(directory, whyNotMade(code), { cause: error })
}

function isElsewhere(error: unknown, directory: string): boolean {
  const path = fieldOf(error, 'path') ?? fieldOf(error, 'resource')
  return path !== undefined && !isWithin(path, directory) && !isWithin(directory, path)
}

/** Whether a path is that of a directory or leads into it. `/data/cache-2` is not within `/data/cache`. */
function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
}

function translateSqlite(code: string, error: Error, directory: string): DiskCacheError {
  const options = { cause: error }
  if (isBusy(error)) return new TimeoutError(directory, 0, options)
  if (meansFull(error, directory) || code === 'SQLITE_IOERR_SHMSIZE') return new DiskFullError(directory, options)
  if (isCorruption(error)) return new CorruptError(directory, error.message, options)
  if (code.startsWith('SQLITE_READONLY_CANTINIT') || code.startsWith('SQLITE_READONLY_RECOVERY')) {
    return new DirectoryError(
      directory,
      'is read-only, and its write-ahead log needs files that cannot be made',
      options,
    )
  }
  if (code === 'SQLITE_READONLY_DIRECTORY') return new ReadonlyError(directory, options, NO_FILES_BESIDE)
  if (code.startsWith('SQLITE_READONLY')) return new ReadonlyError(directory, options)
  if (code.startsWith('SQLITE_CANTOPEN')) {
    const why =
      'its database cannot be opened: it must be readable, and writable unless readonly is set, and the process must not ' +
      'have too many files open; on a read-only file ' +
      'system a database in WAL mode opens only beside its -wal and -shm files'
    return new DirectoryError(directory, why, options)
  }
  // A vacuum, or the sort of a large index. The message of SQLite is that of a broken disk.
  if (code === 'SQLITE_IOERR_GETTEMPPATH') {
    const why = 'SQLite finds no directory for temporary files: set TMPDIR to one that can be written'
    return new StorageError(directory, why, options)
  }
  return new StorageError(directory, `${code}: ${error.message}`, options)
}
