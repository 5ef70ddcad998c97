import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../database/connection.js'
import { VALUE_FILE } from '../disk/value-files.js'
import { isMissing, systemCode } from '../file-errors.js'
import type { CheckContext } from './check.js'

/** Between a commit and the unlinking of a file that it let go: the second look comes after that. */
const SECOND_LOOK_MILLISECONDS = 100

/** Every file against the rows. Only what looks like a value file is ever removed. */
export async function checkFiles(context: CheckContext): Promise<void> {
  const { directory, fix, findings, control } = context
  const { files, folders } = walk(directory, count => {
    control.goOn()
    control.advance(count)
  })
  let unknown = strangers(context, files)
  if (unknown.length > 0) {
    await new Promise(resolve => setTimeout(resolve, SECOND_LOOK_MILLISECONDS))
    unknown = strangers(context, unknown).filter(name => fs.existsSync(join(directory, name)))
  }
  for (const name of unknown) {
    control.goOn()
    const fixed = fix && VALUE_FILE.test(name)
    if (fixed) await fsp.rm(join(directory, name), { force: true })
    findings.push({ kind: 'unknown-file', message: `no entry names the file ${name}`, path: name, fixed })
  }
  // Deepest first, so that a parent which becomes empty is found in the same run.
  for (const folder of folders.reverse()) checkFolder(context, folder)
}

function strangers({ db, unlinkLater, control }: CheckContext, files: readonly string[]): string[] {
  if (files.length === 0) return []
  const known = control.patiently(() => namesOfFiles(db, unlinkLater))
  return files.filter(name => !known.has(name))
}

/** The files that rows name, and those that stay for a while. */
export function namesOfFiles(db: Connection, unlinkLater: boolean): ReadonlySet<string> {
  const known = new Set<string>()
  const add = (sql: string): void => {
    for (const name of db.prepare<[], string>(sql).pluck().iterate()) known.add(name.replaceAll('\\', '/'))
  }
  add('SELECT filename FROM Cache WHERE filename IS NOT NULL')
  if (unlinkLater) add('SELECT filename FROM UnlinkLater')
  return known
}

function checkFolder({ directory, fix, findings }: CheckContext, folder: string): void {
  try {
    if (fs.readdirSync(join(directory, folder)).length > 0) return
    const fixed = fix && /^[0-9a-f]{2}(\/[0-9a-f]{2})?$/.test(folder)
    if (fixed) fs.rmdirSync(join(directory, folder))
    findings.push({ kind: 'empty-directory', message: `the directory ${folder} is empty`, path: folder, fixed })
  } catch (error) {
    // Somebody was faster, with a file or with removing it.
    if (!isMissing(error) && systemCode(error) !== 'ENOTEMPTY') throw error
  }
}

/**
 * Files and directories below the cache, without the cache's own, which have `cache.db` in their names.
 *
 * @param seen hears of the number of files in each directory
 */
export function walk(
  directory: string,
  seen: (files: number) => void,
): { readonly files: string[]; readonly folders: string[] } {
  const files: string[] = []
  const folders: string[] = []
  const visit = (relative: string): void => {
    const before = files.length
    const inner: string[] = []
    for (const entry of list(join(directory, relative))) {
      if (entry.name.includes('cache.db')) continue
      const name = relative === '' ? entry.name : `${relative}/${entry.name}`
      if (!entry.isDirectory()) {
        files.push(name)
        continue
      }
      folders.push(name)
      inner.push(name)
    }
    seen(files.length - before)
    for (const name of inner) visit(name)
  }
  visit('')
  return { files, folders }
}

function list(path: string): fs.Dirent[] {
  try {
    return fs.readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
