import { createRequire } from 'node:module'
import Database from 'better-sqlite3'
import { DriverError } from '../errors.js'
import { fieldOf } from '../file-errors.js'

export type Connection = Database.Database

/** N-API of the first better-sqlite3 that is built on it; on an older Node it ends the process at `new Database`. */
const NAPI_OF_VERSION_13 = 10

export interface ConnectOptions {
  readonly readonly: boolean
  readonly mustExist: boolean
  /** Milliseconds that SQLite itself waits for a lock: only for threads of their own. @default 0 */
  readonly timeout?: number
}

let checked = false

/** Opens a database with SQLite's own waiting switched off: whoever meets a lock waits outside of SQLite. */
export function connect(path: string, options: ConnectOptions): Connection {
  checkDriver()
  let db: Connection
  try {
    db = new Database(path, {
      timeout: options.timeout ?? 0,
      readonly: options.readonly,
      fileMustExist: options.mustExist,
    })
  } catch (error) {
    throw bindingMissing(error) ?? directoryMissing(error) ?? error
  }
  try {
    // Views and triggers of a tampered database may then call nothing that has side effects.
    db.pragma('trusted_schema = OFF')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * A connection that may only read. The journal that a killed process has left must be played back before anybody can
 * read, by somebody who may write: that is done first, where it may be.
 */
export function connectReadonly(path: string, timeout?: number): Connection {
  const options = { mustExist: true, ...(timeout !== undefined && { timeout }) }
  const db = connect(path, { ...options, readonly: true })
  try {
    lookInto(db)
    return db
  } catch (error) {
    db.close()
    if (!isLeftJournal(error)) throw error
  }
  const writer = connect(path, { ...options, readonly: false })
  try {
    lookInto(writer)
  } finally {
    writer.close()
  }
  return connect(path, { ...options, readonly: true })
}

/** Whether a connection that may only read has met the journal of a process that was killed. */
export function isLeftJournal(error: unknown): boolean {
  return fieldOf(error, 'code') === 'SQLITE_READONLY_ROLLBACK'
}

function lookInto(db: Connection): void {
  db.pragma('schema_version')
}

/** The driver looks for the directory itself, and says in words of its own what SQLite has a code for. */
function directoryMissing(error: unknown): Error | undefined {
  if (!(error instanceof TypeError && error.message.includes('directory does not exist'))) return undefined
  return Object.assign(new Error(error.message, { cause: error }), { code: 'SQLITE_CANTOPEN' })
}

function checkDriver(): void {
  if (checked) return
  const version = driverVersion()
  const napi = Number(process.versions['napi'] ?? 0)
  if (version !== undefined && Number.parseInt(version, 10) >= 13 && napi < NAPI_OF_VERSION_13) {
    throw new DriverError(
      `better-sqlite3 ${version} needs Node 22 or later and would crash Node ${process.versions.node}: ` +
        'install better-sqlite3@^12.11.1, or a newer Node',
    )
  }
  checked = true
}

function driverVersion(): string | undefined {
  try {
    const manifest: unknown = createRequire(import.meta.url)('better-sqlite3/package.json')
    if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  } catch (error) {
    // A bundler or an `exports` map may hide the manifest; then the driver speaks for itself.
    if (!isModuleError(error)) throw error
  }
  return undefined
}

/** What SQLite and the driver call themselves; `undefined`: the driver does not say. */
export function driverVersions(): { readonly driver: string | undefined; readonly sqlite: string } {
  const db = connect(':memory:', { readonly: false, mustExist: false })
  try {
    return { driver: driverVersion(), sqlite: String(db.prepare('SELECT sqlite_version()').pluck().get()) }
  } finally {
    db.close()
  }
}

function isModuleError(error: unknown): boolean {
  const code = fieldOf(error, 'code')
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
}

/** npm 12 runs no install scripts unless the app allows them, and better-sqlite3 12 is built by one. */
function bindingMissing(error: unknown): DriverError | undefined {
  const wrongVersion = fieldOf(error, 'code') === 'ERR_DLOPEN_FAILED'
  if (!wrongVersion && !fieldOf(error, 'message')?.includes('Could not locate the bindings file')) return undefined
  return new DriverError(
    'the native part of better-sqlite3 is missing or was built for another Node: allow its install script ' +
      '("allowScripts": { "better-sqlite3": true } in package.json) and run "npm rebuild better-sqlite3"',
    { cause: error },
  )
}
