import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileModes } from '../disk/value-folders.js'
import { DirectoryError, SchemaError, TimeoutError } from '../errors.js'
import { isDiskFull, systemCode, whyNotMade } from '../file-errors.js'
import { makeDirectory } from '../make-directory.js'
import { type Connection, connect, connectReadonly } from './connection.js'
import { fileIdentity, logIdentity, type OpenFiles } from './open-files.js'
import { inspectSchema, type SchemaState } from './schema-check.js'
import { createSchema } from './schema-write.js'
import {
  applyPragmas,
  DEFAULT_SETTINGS,
  JOURNAL_MODES,
  pageBytes,
  readSettings,
  type StoredSettings,
} from './settings.js'
import { Statements } from './statements.js'

export const DATABASE_FILE = 'cache.db'

/** Size of the database of a directory, without opening it. Bytes. */
export function databaseBytes(directory: string): number {
  return statSync(join(directory, DATABASE_FILE), { throwIfNoEntry: false })?.size ?? 0
}

/** A longer log is truncated when all of it is copied: SQLite uses the file again as it is. Bytes. */
export const LONGEST_LOG: number = 64 * 2 ** 20

/** Size of its write-ahead log. Bytes. */
export function logBytes(directory: string): number {
  return statSync(join(directory, `${DATABASE_FILE}-wal`), { throwIfNoEntry: false })?.size ?? 0
}

export interface OpeningOptions {
  readonly directory: string
  readonly readonly: boolean
  readonly modes: FileModes
  /** Number of shards, by which the page cache is divided. */
  readonly shards: number
  /** Settings of a new database, where they differ from DiskCache's defaults. */
  readonly initial: Partial<StoredSettings>
  /** Settings given by the user. They override the stored ones. */
  readonly given: Partial<StoredSettings>
}

export interface Opened extends OpenFiles {
  readonly statements: Statements
  readonly schema: SchemaState
  readonly settings: StoredSettings
  /** Given settings that differ from the stored ones. They are stored with the first write. */
  readonly unsaved: Partial<StoredSettings>
}

/**
 * Tries once to open a database, and creates it if there is none.
 *
 * @throws SQLITE_BUSY when somebody else is creating it; TimeoutError when it was moved aside or replaced meanwhile
 */
export function openDatabase(options: OpeningOptions): Opened {
  const { directory, readonly } = options
  prepareDirectory(options)
  const path = join(directory, DATABASE_FILE)
  const before = fileIdentity(path)
  if (readonly && before === undefined) throw new DirectoryError(directory, 'holds no cache, and readonly makes none')
  try {
    const opened = openFile(options, path, before !== undefined)
    if (before === undefined || opened.identity === before) return opened
    // The log that was opened may belong to the other database.
    opened.db.close()
  } catch (error) {
    if (before === undefined || fileIdentity(path) === before) throw error
  }
  throw new TimeoutError(directory)
}

function openFile(options: OpeningOptions, path: string, existed: boolean): Opened {
  const { directory, readonly, given } = options
  const db = readonly ? connectReadonly(path) : connect(path, { readonly, mustExist: existed })
  try {
    let schema = inspectSchema(db, directory)
    if (schema.empty || schema.incomplete) {
      if (readonly) throw new DirectoryError(directory, 'the cache in it is not complete, and readonly makes none')
      create(db, options, schema, !existed)
      schema = inspectSchema(db, directory)
    }
    checkRowids(db, directory)
    const { settings: stored } = readSettings(db)
    const settings = { ...stored, ...given }
    if (!readonly) setJournalMode(db, given.journalMode)
    // A mapped file that others shorten kills the process, so memory is mapped only on request.
    applyPragmas(db, settings, options.shards, given.mmapSize ?? 0)
    const unsaved = differences(given, stored)
    const files = { identity: fileIdentity(path) ?? '', log: logIdentity(path) }
    return { db, statements: new Statements(db), schema, settings, unsaved, ...files }
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Refuses rowids that SQLite never assigns. It counts up from 1; after one beyond 2^53, which numbers do not hold
 * exactly, it would choose random ones.
 */
function checkRowids(db: Connection, directory: string): void {
  const sql = 'SELECT (SELECT MIN(rowid) FROM Cache), (SELECT MAX(rowid) FROM Cache)'
  const [least, greatest] = db.prepare<[], [number | null, number | null]>(sql).raw().get() ?? [null, null]
  if ((least ?? 1) >= 1 && (greatest ?? 1) <= Number.MAX_SAFE_INTEGER) return
  throw new SchemaError(
    directory,
    'an entry has a rowid that SQLite has not given it; check --fix of the command line removes it',
  )
}

function prepareDirectory({ directory, readonly, modes }: OpeningOptions): void {
  if (readonly) return
  try {
    makeDirectory(directory, modes)
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    if (isDiskFull(error)) throw error
    throw new DirectoryError(directory, whyNotMade(code), { cause: error })
  }
}

function create(db: Connection, options: OpeningOptions, schema: SchemaState, isNew: boolean): void {
  const { directory, modes } = options
  const settings = { ...DEFAULT_SETTINGS, ...options.initial, ...options.given }
  if (isNew) chmodSync(join(directory, DATABASE_FILE), modes.file)
  if (schema.empty) {
    // Before anything else: the first page that is written fixes both.
    db.pragma(`page_size = ${pageBytes(settings)}`)
    db.pragma(`auto_vacuum = ${settings.autoVacuum}`)
    setJournalMode(db, settings.journalMode)
  }
  createSchema(db, directory, settings)
}

function setJournalMode(db: Connection, mode: string | undefined): void {
  if (mode === undefined || !JOURNAL_MODES.includes(mode)) return
  if (db.pragma('journal_mode', { simple: true }) !== mode) db.pragma(`journal_mode = ${mode}`)
}

function differences(given: Partial<StoredSettings>, stored: StoredSettings): Partial<StoredSettings> {
  const names = Object.keys(given) as (keyof StoredSettings)[]
  const changed = names.filter(name => name !== 'realSizeLimit' && given[name] !== stored[name])
  if (changed.length === 0) return {}
  const entries = changed.map(name => [name, given[name]])
  return { ...Object.fromEntries(entries), realSizeLimit: given.realSizeLimit ?? false }
}
