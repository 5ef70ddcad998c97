import { existsSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs'
import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { isGone } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { isBusy, sqliteCode } from '../database/sqlite-errors.js'
import { parentsArePlain } from '../disk/safe-filename.js'
import { ORPHAN_MILLISECONDS, VALUE_FILE } from '../disk/value-files.js'
import { ValueFolders } from '../disk/value-folders.js'
import { namesIn } from '../read-directory.js'
import { ageOf } from '../time.js'
import { namesOfFiles } from './check-files.js'

/**
 * Prefix of the stages of imports: directories in that of the cache for data that was read and not stored yet. Python's
 * `check()` skips paths that contain `cache.db`.
 */
export const STAGE_PREFIX: string = `${DATABASE_FILE}-import-`
export const STAGE_DATABASE = 'stage.db'
/** Suffix of the name of a stage whose database is not locked yet. */
export const STAGE_UNBORN = '.new'
/** Nothing is created here, so modes do not matter. */
const NO_MODES = { directory: 0o700, file: 0o600, exact: false }
const STRANGE = "SELECT COUNT(*) FROM sqlite_schema WHERE type <> 'table'"

/** What SQLite says when it could not look whether the database of a stage is locked, as without a file descriptor. */
const CANNOT_TELL = /^SQLITE_(CANTOPEN|IOERR(?!_SHORT_READ)|NOMEM|READONLY)/

/**
 * Removes the stages of killed imports, with value files that were moved to their places already and that no row names.
 * A running import holds the lock of the database in its stage.
 *
 * @param home the directory of a cache
 */
export async function reclaimStages(home: string): Promise<void> {
  for (const name of namesIn(home)) {
    const stage = join(home, name)
    // A link leads to files that do not belong to the cache.
    if (!name.startsWith(STAGE_PREFIX) || !lstatSync(stage, { throwIfNoEntry: false })?.isDirectory()) continue
    if (name.endsWith(STAGE_UNBORN) ? isAbandoned(stage) : removePlaced(home, stage)) {
      await fsp.rm(stage, { recursive: true, force: true })
    }
  }
}

/** What an import that was killed has left. */
export interface AbandonedStage {
  readonly path: string
  readonly bytes: number
}

/**
 * Finds the stages of killed imports, without changing anything. Those that this user may not read are left out.
 *
 * @param home the directory of a cache
 */
export function abandonedStages(home: string): AbandonedStage[] {
  const stages = namesIn(home)
    .filter(name => name.startsWith(STAGE_PREFIX))
    .map(name => join(home, name))
  return stages.flatMap(path => {
    try {
      if (!lstatSync(path).isDirectory() || !(path.endsWith(STAGE_UNBORN) ? isAbandoned(path) : isUnlocked(path)))
        return []
      return [{ path, bytes: bytesIn(path) }]
    } catch {
      // It is gone by now, or belongs to another user.
      return []
    }
  })
}

/** Whether no import holds the lock of the database in its stage. */
function isUnlocked(stage: string): boolean {
  if (!readdirSync(stage).includes(STAGE_DATABASE)) return true
  let db: Connection | undefined
  try {
    db = connect(join(stage, STAGE_DATABASE), { readonly: true, mustExist: true })
    db.prepare(STRANGE).pluck().get()
  } catch (error) {
    return !isBusy(error)
  } finally {
    db?.close()
  }
  return true
}

function bytesIn(directory: string): number {
  let bytes = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    bytes += lstatSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

/** Removes the placed files of an import. Returns `false` while the import is running. */
function removePlaced(home: string, stage: string): boolean {
  const path = join(stage, STAGE_DATABASE)
  if (isGone(path)) return true
  let db: Connection | undefined
  let locked = false
  try {
    db = connect(path, { readonly: false, mustExist: true })
    db.pragma('journal_mode = OFF')
    db.exec('BEGIN EXCLUSIVE')
    locked = true
    // A view instead of the table could run for ever.
    if (db.prepare(STRANGE).pluck().get() !== 0) return true
    const rows = db.prepare('SELECT shard, filename FROM Row WHERE filename IS NOT NULL').raw().all()
    for (const [shard, names] of byShard(rows as [string, string][])) removeUnnamed(join(home, shard), names)
  } catch (error) {
    if (isBusy(error) || (!locked && CANNOT_TELL.test(sqliteCode(error) ?? ''))) return false
    // The import was killed before it wrote anything, or the stage is foreign. It names no files.
  } finally {
    db?.close()
  }
  return true
}

function byShard(rows: readonly (readonly [string, string])[]): Map<string, Set<string>> {
  const shards = new Map<string, Set<string>>()
  for (const [shard, filename] of rows) {
    if (!/^(\d{3,})?$/.test(shard) || !VALUE_FILE.test(filename)) continue
    const names = shards.get(shard) ?? new Set()
    shards.set(shard, names.add(filename))
  }
  return shards
}

function removeUnnamed(directory: string, names: Set<string>): void {
  const there = [...names].filter(name => existsSync(join(directory, name)) && parentsArePlain(directory, name))
  if (there.length === 0) return
  const db = connect(join(directory, DATABASE_FILE), { readonly: true, mustExist: true })
  try {
    const known = namesOfFiles(db, inspectSchema(db, directory).unlinkLater)
    const folders = new ValueFolders(directory, NO_MODES)
    for (const name of there) {
      if (known.has(name)) continue
      rmSync(join(directory, name), { force: true })
      folders.pruneNow(name)
    }
  } finally {
    db.close()
  }
}

/** Whether a directory is so old that nobody can be about to use it. */
export function isAbandoned(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && ageOf(stat.mtimeMs) > ORPHAN_MILLISECONDS
}
