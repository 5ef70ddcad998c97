import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { DirectoryError, DriverError } from '../errors.js'
import { fieldOf } from '../file-errors.js'
import { ownRequire } from '../own-place.js'
import { LONGEST_TIMER } from '../time.js'
import { isLeftJournal } from './sqlite-errors.js'

export type Connection = Database.Database

/** Bytes of the longest path that SQLite takes: its 512, less those of the longest suffix, `-journal`. */
const LONGEST_PATH = 504
/** The N-API version that better-sqlite3 13 needs. With an older one `new Database` ends the process. */
const NAPI_OF_VERSION_13 = 10

export interface ConnectOptions {
  readonly readonly: boolean
  readonly mustExist: boolean
  /** How long SQLite itself waits for a lock, which only worker threads may do. Milliseconds. @default 0 */
  readonly timeout?: number
}

let checked = false
let readsRows = false

/** Opens a database with SQLite's own waiting switched off, so that waiting for locks happens outside of SQLite. */
export function connect(path: string, options: ConnectOptions): Connection {
  checkDriver()
  checkPath(path)
  let db: Connection
  const { prepareStackTrace } = Error
  try {
    db = new Database(path, {
      // better-sqlite3 takes whole milliseconds.
      timeout: Math.min(Math.ceil(options.timeout ?? 0), LONGEST_TIMER),
      readonly: options.readonly,
      fileMustExist: options.mustExist,
    })
  } catch (error) {
    // The search of version 12 for its native part leaves its own where it fails, and every stack would fail after it.
    if (Error.prepareStackTrace !== prepareStackTrace) Error.prepareStackTrace = prepareStackTrace
    throw directoryMissing(error) ?? bindingMissing(error) ?? error
  }
  try {
    // Views and triggers of a tampered database can then call no function with side effects.
    db.pragma('trusted_schema = OFF')
    checkRows(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Opens a read-only connection. The journal of a killed process must first be played back by a connection that may
 * write, which is done if possible.
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

function lookInto(db: Connection): void {
  db.pragma('schema_version')
}

/** Recognises the driver's own error for a missing directory, which has no code of SQLite. */
function directoryMissing(error: unknown): Error | undefined {
  if (!(error instanceof TypeError && error.message.includes('directory does not exist'))) return undefined
  return Object.assign(new Error(error.message, { cause: error }), { code: 'SQLITE_CANTOPEN' })
}

/** SQLite would wait in a pipe for its other end and hold the loop, and says nothing of the length of a path. */
function checkPath(path: string): void {
  const refuse = (why: string): never => {
    throw new DirectoryError(dirname(path), `its database cannot be opened: ${why}`)
  }
  if (Buffer.byteLength(path) > LONGEST_PATH) refuse(`SQLite takes paths of up to ${LONGEST_PATH} bytes`)
  let isFile: boolean | undefined
  try {
    isFile = statSync(path, { throwIfNoEntry: false })?.isFile()
  } catch {
    // SQLite tells why the path leads nowhere.
  }
  if (isFile === false) refuse('it is no plain file')
}

function checkDriver(): void {
  if (checked) return
  const version = driverVersion()
  const obstacle = version === undefined ? undefined : obstacleTo(version)
  if (obstacle) throw new DriverError(`better-sqlite3 ${version} ${obstacle}`)
  checked = true
}

/** Why a version of the driver does not run here, and what to do. */
function obstacleTo(version: string): string | undefined {
  const { bun, deno, napi, node } = process.versions
  if (Number.parseInt(version, 10) < 13) {
    return bun || deno ? 'is for Node alone: install better-sqlite3@^13.2.0 for Bun and Deno' : undefined
  }
  if (Number(napi ?? 0) >= NAPI_OF_VERSION_13) return undefined
  return (
    `needs Node 22 or later and would crash Node ${node}: install better-sqlite3@^12.11.1, ` +
    'with yarn by "resolutions" and with pnpm by "overrides", or a newer Node'
  )
}

/** Version 13 of the driver makes functions of text, which read rows. A process may have been told to make none. */
function checkRows(db: Connection): void {
  if (readsRows) return
  try {
    db.prepare('SELECT 1').get()
  } catch (error) {
    if (fieldOf(error, 'name') !== 'EvalError') throw error
    throw new DriverError(
      'better-sqlite3 13 makes code of strings, and this Node was told to make none: start it without ' +
        '--disallow-code-generation-from-strings',
      { cause: error },
    )
  }
  readsRows = true
}

function driverVersion(): string | undefined {
  try {
    const manifest: unknown = ownRequire()('better-sqlite3/package.json')
    if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  } catch (error) {
    // A bundler or an `exports` map may hide the manifest. The driver then reports its own errors.
    if (!isModuleError(error)) throw error
  }
  return undefined
}

/** The versions of SQLite and of the driver. `undefined`: the manifest of the driver cannot be read. */
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

/** Recognises a missing binding: npm 12 runs install scripts, such as that of better-sqlite3 12, only if allowed. */
function bindingMissing(error: unknown): DriverError | undefined {
  const code = fieldOf(error, 'code')
  if (code === 'ERR_DLOPEN_DISABLED') {
    return new DriverError(
      'better-sqlite3 is native code, and this Node was told to load none: start it with --allow-addons ' +
        'where it has a permission model, and without --no-addons',
      { cause: error },
    )
  }
  const built = 'allow its install script ("allowScripts": { "better-sqlite3": true } in package.json) and run '
  if (code === 'ERR_DLOPEN_FAILED') {
    const cure = process.versions['electron'] ? 'run "npx @electron/rebuild"' : `${built}"npm rebuild better-sqlite3"`
    return new DriverError(`the native part of better-sqlite3 was built for another Node or system: ${cure}`, {
      cause: error,
    })
  }
  // The search of version 12 for its native part changes `Error`.
  if (Object.isFrozen(Error) && code === undefined) {
    return new DriverError(
      'better-sqlite3 12 does not load with --frozen-intrinsics: start Node without it, or take Node 22 or later, ' +
        'and better-sqlite3 13',
      { cause: error },
    )
  }
  const message = fieldOf(error, 'message') ?? ''
  const outside = 'leave better-sqlite3 out of the bundle and install it beside'
  if (message.includes('__filename is not defined')) {
    return new DriverError(`better-sqlite3 is native code, and cannot be bundled: ${outside}`, { cause: error })
  }
  if (!message.includes('Could not locate the bindings file')) return undefined
  return new DriverError(
    `the native part of better-sqlite3 is missing: ${built}"npm rebuild better-sqlite3"; in a bundled app, ${outside}`,
    { cause: error },
  )
}
