import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import type { Connection } from '../database/connection.js'
import { slashed } from '../disk/safe-filename.js'
import { VALUE_FILE } from '../disk/value-files.js'
import { isMissing, systemCode } from '../file-errors.js'
import { entriesIn } from '../read-directory.js'
import { sleep } from '../timers.js'
import type { CheckContext } from './check.js'

/** Pause before the second look at a file. A commit unlinks the files it released within this time. */
const SECOND_LOOK_MILLISECONDS = 100
/** Number of files that are removed under one lock. */
const FILES_PER_LOCK = 500
/** How often names are read without the lock, while others commit, before they are read under it. */
const TRIES_WITHOUT_LOCK = 3

/** Compares every file with the rows. Only files that look like value files are ever removed. */
export async function checkFiles(context: CheckContext): Promise<void> {
  const { directory, control } = context
  const { files, empty } = walk(directory, count => {
    control.goOn()
    control.advance(count)
  })
  const unknown = strangers(context, files)
  if (unknown.length + empty.length === 0) return
  const stamps = new Map(empty.map(folder => [folder, stampOf(directory, folder)]))
  await sleep(SECOND_LOOK_MILLISECONDS)
  const still = strangers(context, unknown)
  if (context.fix) repair(context, still)
  else for (const name of still) checkStranger(context, name)
  for (const [folder, stamp] of stamps) {
    // Others create and remove folders all the time. One that has changed meanwhile is in use.
    if (stamp === stampOf(directory, folder)) checkFolder(context, folder)
  }
}

/**
 * Removes files that no row names, in pages, each under the lock. Without it they may belong to a transaction under way,
 * which lasts as long as the body of its user. Names are read before taking the lock, and only once while nobody commits,
 * since reading those of a million rows takes a while.
 */
function repair(context: CheckContext, files: readonly string[]): void {
  const { db, control } = context
  const names = new NamesInRows(context)
  const remove = db.transaction((page: readonly string[], isLastTry: boolean) => {
    if (names.areStale && !isLastTry) return false
    const known = names.upToDate()
    for (const name of page) if (!known.has(name)) checkStranger(context, name)
    return true
  })
  for (let at = 0; at < files.length; at += FILES_PER_LOCK) {
    const page = files.slice(at, at + FILES_PER_LOCK)
    for (let tries = 1; ; tries++) {
      const isLastTry = tries > TRIES_WITHOUT_LOCK
      if (!isLastTry) control.patiently(() => names.upToDate())
      if (control.patiently(() => remove.immediate(page, isLastTry))) break
    }
  }
}

/** The names of the files that rows name, read again only after a commit of others. */
class NamesInRows {
  readonly #context: CheckContext
  #names: ReadonlySet<string> = new Set()
  #version: unknown

  constructor(context: CheckContext) {
    this.#context = context
  }

  get areStale(): boolean {
    return this.#version !== dataVersion(this.#context.db)
  }

  upToDate(): ReadonlySet<string> {
    const { db, unlinkLater } = this.#context
    const version = dataVersion(db)
    if (this.#version === version) return this.#names
    this.#names = namesOfFiles(db, unlinkLater)
    this.#version = version
    return this.#names
  }
}

/** A number that the commits of others change. */
function dataVersion(db: Connection): unknown {
  return db.pragma('data_version', { simple: true })
}

/** Reports, and with `fix` removes, a file that no row names. */
function checkStranger(context: CheckContext, name: string): void {
  const { directory, fix, findings, control } = context
  control.goOn()
  if (!fs.existsSync(join(directory, name))) return
  const fixed = fix && VALUE_FILE.test(name)
  if (fixed) fs.rmSync(join(directory, name), { force: true })
  findings.push({ kind: 'unknown-file', message: `no entry names the file ${name}`, path: name, fixed })
  // At once, so that stopping the check leaves no empty folder.
  if (fixed) checkFolder(context, dirname(name))
}

function strangers({ db, unlinkLater, control }: CheckContext, files: readonly string[]): string[] {
  if (files.length === 0) return []
  const known = control.patiently(() => namesOfFiles(db, unlinkLater))
  return files.filter(name => !known.has(name))
}

/** The names of the files that rows name and of those in grace. */
export function namesOfFiles(db: Connection, unlinkLater: boolean): ReadonlySet<string> {
  const known = new Set<string>()
  const add = (sql: string): void => {
    for (const name of db.prepare<[], string>(sql).pluck().iterate()) known.add(slashed(name))
  }
  add('SELECT filename FROM Cache WHERE filename IS NOT NULL')
  if (unlinkLater) add('SELECT filename FROM UnlinkLater')
  return known
}

/** Reports, and with `fix` removes, an empty folder, and the one above it when that becomes empty. */
function checkFolder(context: CheckContext, folder: string): void {
  const { directory, fix, findings } = context
  try {
    if (folder === '.' || fs.readdirSync(join(directory, folder)).length > 0) return
    const fixed = fix && /^[0-9a-f]{2}(\/[0-9a-f]{2})?$/.test(folder)
    if (fixed) fs.rmdirSync(join(directory, folder))
    findings.push({ kind: 'empty-directory', message: `the directory ${folder} is empty`, path: folder, fixed })
    if (fixed) checkFolder(context, dirname(folder))
  } catch (error) {
    // Somebody has meanwhile put a file into it or removed it.
    if (!isMissing(error) && systemCode(error) !== 'ENOTEMPTY') throw error
  }
}

/** Identifies a directory and the time of its last change. */
function stampOf(directory: string, folder: string): string | undefined {
  const stat = fs.statSync(join(directory, folder), { throwIfNoEntry: false })
  return stat && `${stat.ino} ${stat.mtimeMs}`
}

/**
 * Lists files and empty directories below the cache, without the cache's own, which have `cache.db` in their names.
 *
 * @param seen called with the number of files in each directory
 */
function walk(
  directory: string,
  seen: (files: number) => void,
): { readonly files: readonly string[]; readonly empty: readonly string[] } {
  const files: string[] = []
  const empty: string[] = []
  const visit = (relative: string): void => {
    const before = files.length
    const inner: string[] = []
    const entries = entriesIn(join(directory, relative))
    if (entries.length === 0 && relative !== '') empty.push(relative)
    for (const entry of entries) {
      if (entry.name.includes('cache.db')) continue
      const name = relative === '' ? entry.name : `${relative}/${entry.name}`
      if (entry.isDirectory()) inner.push(name)
      else files.push(name)
    }
    seen(files.length - before)
    for (const name of inner) visit(name)
  }
  visit('')
  return { files, empty }
}
