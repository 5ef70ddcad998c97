import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileModes } from '../disk/value-folders.js'
import { DirectoryError, SchemaError, TimeoutError } from '../errors.js'
import { systemCode } from '../file-errors.js'
import { makeDirectory } from '../make-directory.js'
import { type Connection, connect, connectReadonly } from './connection.js'
import { fileIdentity, logIdentity, type OpenFiles } from './open-files.js'
import { inspectSchema, type SchemaState } from './schema-check.js'
import { createSchema } from './schema-write.js'
import { applyPragmas, DEFAULT_SETTINGS, JOURNAL_MODES, readSettings, type StoredSettings } from './settings.js'
import { Statements } from './statements.js'

export const DATABASE_FILE = 'cache.db'

/** Bytes of the database in a directory: known without opening it. */
export function databaseBytes(directory: string): number {
  return statSync(join(directory, DATABASE_FILE), { throwIfNoEntry: false })?.size ?? 0
}

/** Bytes of its write-ahead log. */
export function logBytes(directory: string): number {
  return statSync(join(directory, `${DATABASE_FILE}-wal`), { throwIfNoEntry: false })?.size ?? 0
}

export interface OpeningOptions {
  readonly directory: string
  readonly readonly: boolean
  readonly modes: FileModes
  /** Databases over which the cache is spread, by which memory is divided. */
  readonly shards: number
  /** Settings of a new database, where they differ from DiskCache's defaults. */
  readonly initial: Partial<StoredSettings>
  /** Settings given by the user, in force over the stored ones. */
  readonly given: Partial<StoredSettings>
}

export interface Opened extends OpenFiles {
  readonly statements: Statements
  readonly schema: SchemaState
  readonly settings: StoredSettings
  /** Given settings that differ from the stored ones: they are stored with the first write. */
  readonly unsaved: Partial<StoredSettings>
}

/**
 * One attempt to open a database, and to make it where there is none.
 *
 * Throws SQLITE_BUSY when somebody else makes it. @throws TimeoutError when it was moved aside, or replaced, meanwhile
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
    // Its log may be that of the other one.
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
    // A file that others shorten kills a process which has it mapped: mapping is for those who ask for it.
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
 * SQLite gives rowids from 1 up; after a greater one than a number holds exactly it would give random ones, which nothing
 * here could tell apart.
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
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error
    throw new DirectoryError(directory, `does not exist and could not be created (${code})`, { cause: error })
  }
}

function create(db: Connection, options: OpeningOptions, schema: SchemaState, isNew: boolean): void {
  const { directory, modes } = options
  const settings = { ...DEFAULT_SETTINGS, ...options.initial, ...options.given }
  if (isNew) chmodSync(join(directory, DATABASE_FILE), modes.file)
  if (schema.empty) {
    // The order matters: the first page that is written fixes auto_vacuum.
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
