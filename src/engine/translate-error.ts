import { isBusy, sqliteCode } from './database/busy.js'
import {
  CorruptError,
  DirectoryError,
  DiskCacheError,
  DiskFullError,
  ReadonlyError,
  StorageError,
  TimeoutError,
} from './errors.js'
import { fieldOf, isDiskFull, isMissing, systemCode } from './file-errors.js'

/** A link that leads to itself or a file where a directory should be, and what a system may forbid. */
const UNUSABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ELOOP', 'EEXIST'])

/** Readers meet it as well, where nobody has the database open. */
const NO_FILES_BESIDE =
  'can neither be read nor written: SQLite needs files beside the database (-wal, -shm), and this user may not make them'

/** The error as callers see it: what SQLite and the file system throw becomes an error of the cache with its cause. */
export function translateError(error: unknown, directory: string): unknown {
  if (error instanceof DiskCacheError) return error
  const options = { cause: error }
  const code = sqliteCode(error)
  if (code !== undefined) return translateSqlite(code, error as Error, directory)
  // Sources of streams and bodies of transactions read files as well: their errors are not the cache's.
  if (isElsewhere(error, directory)) return error
  if (isDiskFull(error)) return new DiskFullError(directory, options)
  // A thread that cannot be started, for want of memory or of files that may be open.
  if (fieldOf(error, 'code')?.startsWith('ERR_WORKER_')) {
    return new StorageError(directory, (error as Error).message, options)
  }
  const call = systemCode(error)
  if (call === undefined) return error
  if (isMissing(error) || UNUSABLE.has(call)) {
    return new DirectoryError(directory, (error as Error).message, options)
  }
  return new StorageError(directory, (error as Error).message, options)
}

function isElsewhere(error: unknown, directory: string): boolean {
  const path = fieldOf(error, 'path')
  return path !== undefined && !path.startsWith(directory) && !directory.startsWith(path)
}

/** Whether the database file itself is damaged. */
export function isCorruption(error: unknown): boolean {
  const code = sqliteCode(error)
  // A log that was truncated shows as a short read.
  return code !== undefined && /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(code)
}

function translateSqlite(code: string, error: Error, directory: string): DiskCacheError {
  const options = { cause: error }
  if (isBusy(error)) return new TimeoutError(directory, 0, options)
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE') return new DiskFullError(directory, options)
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
  return new StorageError(directory, `${code}: ${error.message}`, options)
}
