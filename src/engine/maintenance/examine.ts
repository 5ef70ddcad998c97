import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { readSettings, type StoredSettings } from '../database/settings.js'
import { isBusy, isCorruption, sqliteCode } from '../database/sqlite-errors.js'
import { SchemaError } from '../errors.js'
import { isMissing, systemCode } from '../file-errors.js'
import { namesOfFiles } from './check-files.js'
import { examineTree, type TreeFacts } from './examine-tree.js'
import { LOCK_SLICE_MILLISECONDS, type TaskControl } from './task-control.js'
import type { Place } from './worker-client.js'

/** Why a database could not be examined. */
export interface DatabaseTrouble {
  readonly kind: 'damaged' | 'schema' | 'locked' | 'closed'
  readonly message: string
}

/** Facts from the rows and pages of a database. Instants are epoch milliseconds. */
export interface RowFacts {
  readonly journalMode: string
  /** Bytes of all pages and of the free ones. */
  readonly pageBytes: number
  readonly freeBytes: number
  /** Whether the triggers are those of Python, with which only Python can write. */
  readonly pythonTriggers: boolean
  readonly settings: StoredSettings
  readonly entries: number
  readonly expired: number
  /** Bytes of value files according to the rows. */
  readonly fileBytes: number
  readonly newestEntry: number | undefined
  /** Number of leases that ended without being released. */
  readonly endedLeases: number
  /** Number of entries that look like Python's Lock, without expiry and older than an hour. */
  readonly endlessLocks: number
}

/** All facts about one database and its files. */
export interface DatabaseFacts {
  /** Path from the directory of the cache: `''`, `003/`, `cache/jobs/`. */
  readonly prefix: string
  readonly exists: boolean
  /** Bytes of its write-ahead log. */
  readonly logBytes: number
  readonly trouble: DatabaseTrouble | undefined
  readonly rows: RowFacts | undefined
  readonly tree: TreeFacts
}

/** `pickle.dumps(None)` in all protocols: the value of Python's Lock. */
const PICKLED_NONE = "X'4E2E', X'80024E2E', X'80034E2E', X'80044E2E', X'80054E2E'"
const OLD_SECONDS = 3600

/**
 * Examines one database and its files without changing them.
 *
 * @param now epoch milliseconds
 */
export function examine({ directory, prefix }: Place, now: number, control: TaskControl): DatabaseFacts {
  const path = join(directory, DATABASE_FILE)
  // Before opening, which may create a log.
  const exists = sizeOf(path) !== undefined
  const logBytes = sizeOf(`${path}-wal`) ?? 0
  const found = exists ? readDatabase(directory, now, control) : undefined
  const tree = examineTree({ directory, now, known: found?.names, control })
  return {
    prefix,
    exists,
    logBytes,
    trouble: found?.trouble,
    rows: found?.rows,
    tree,
  }
}

interface Read {
  readonly trouble?: DatabaseTrouble
  readonly rows?: RowFacts
  readonly names?: ReadonlySet<string>
}

function readDatabase(directory: string, now: number, control: TaskControl): Read {
  try {
    const db = control.patiently(() => connectQuietly(directory, control.timeout))
    try {
      const schema = control.patiently(() => inspectSchema(db, directory))
      const rows = schema.empty || schema.incomplete ? undefined : readRows(db, schema, now, control)
      if (!rows) return { trouble: { kind: 'schema', message: 'its tables are not complete' } }
      const names = control.patiently(() => namesOfFiles(db, schema.unlinkLater))
      control.expect(names.size)
      return { rows, names }
    } finally {
      db.close()
    }
  } catch (error) {
    return { trouble: troubleOf(error) }
  }
}

/**
 * Opens a connection that leaves the directory unchanged. It is read-only if there is a log. Without a log, a read-only
 * connection would create one and could not remove it.
 *
 * @param wait how long SQLite itself waits for a lock, which only worker threads may do. Milliseconds.
 */
export function connectQuietly(directory: string, wait: number): Connection {
  const path = join(directory, DATABASE_FILE)
  const timeout = Math.min(wait, LOCK_SLICE_MILLISECONDS)
  const hasLog = sizeOf(`${path}-wal`) !== undefined || sizeOf(`${path}-shm`) !== undefined
  if (!hasLog) {
    try {
      return openFor(path, { readonly: false, timeout })
    } catch (error) {
      if (isBusy(error) || isCorruption(error)) throw error
    }
  }
  return openFor(path, { readonly: true, timeout })
}

function openFor(path: string, access: { readonly readonly: boolean; readonly timeout: number }): Connection {
  const db = connect(path, { ...access, mustExist: true })
  try {
    db.pragma('query_only = ON')
    // Opens the file and its log.
    db.pragma('schema_version')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function readRows(
  db: Connection,
  { foreignTriggers, leases }: ReturnType<typeof inspectSchema>,
  now: number,
  control: TaskControl,
): RowFacts {
  const pragma = (name: string): number => Number(db.pragma(name, { simple: true }))
  const ask = (sql: string, ...values: number[]): unknown =>
    db
      .prepare(sql)
      .pluck()
      .get(...values)
  const seconds = now / 1000
  return control.patiently(() => {
    const newest = ask('SELECT MAX(store_time) FROM Cache')
    return {
      journalMode: String(db.pragma('journal_mode', { simple: true })),
      pageBytes: pragma('page_count') * pragma('page_size'),
      freeBytes: pragma('freelist_count') * pragma('page_size'),
      pythonTriggers: foreignTriggers,
      settings: readSettings(db).settings,
      entries: Number(ask("SELECT value FROM Settings WHERE key = 'count'") ?? 0),
      expired: Number(ask('SELECT COUNT(*) FROM Cache WHERE expire_time <= ?', seconds)),
      fileBytes: Number(ask("SELECT value FROM Settings WHERE key = 'size'") ?? 0),
      newestEntry: typeof newest === 'number' ? newest * 1000 : undefined,
      endedLeases: leases ? Number(ask('SELECT COUNT(*) FROM Lease WHERE due <= ?', seconds)) : 0,
      endlessLocks: Number(
        ask(
          `SELECT COUNT(*) FROM Cache
           WHERE expire_time IS NULL AND mode = 4 AND value IN (${PICKLED_NONE}) AND store_time <= ?`,
          seconds - OLD_SECONDS,
        ),
      ),
    }
  })
}

function troubleOf(error: unknown): DatabaseTrouble {
  const message = (error as Error).message
  if (error instanceof SchemaError) return { kind: 'schema', message }
  if (isCorruption(error)) return { kind: 'damaged', message }
  if (isBusy(error)) return { kind: 'locked', message }
  if (sqliteCode(error) !== undefined || systemCode(error) !== undefined) return { kind: 'closed', message }
  throw error
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size
  } catch (error) {
    // A directory that this user may not read has no file it could open either.
    if (isMissing(error) || systemCode(error) === 'EACCES') return undefined
    throw error
  }
}
