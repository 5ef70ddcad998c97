import { lstatSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isSafeFilename, parentsArePlain, slashed } from '../disk/safe-filename.js'
import { isMissing } from '../file-errors.js'
import type { Finding } from '../options.js'
import type { CheckContext } from './check.js'

interface FileRow {
  readonly rowid: number
  readonly filename: string
  readonly size: number
}

type Damage = Pick<Finding, 'kind' | 'message' | 'path'>

const PAGE = 500

/** Rows that no verb finds: NaN as key, which Python stores as NULL, and rows that no version of DiskCache writes. */
const UNREACHABLE = "key IS NULL OR typeof(store_time) <> 'real' OR rowid NOT BETWEEN 1 AND 9007199254740991"

/** Checks for rows that are no entries. */
export function checkKeys({ db, fix, findings, control }: CheckContext): void {
  const count = db.prepare<[], number>(`SELECT COUNT(*) FROM Cache WHERE ${UNREACHABLE}`).pluck()
  const found = control.patiently(() => count.get()) ?? 0
  if (found === 0) return
  if (fix) control.patiently(() => db.prepare(`DELETE FROM Cache WHERE ${UNREACHABLE}`).run())
  const message = `entries without a key, a time or a rowid by which they are found: ${found}`
  findings.push({ kind: 'tampered', message, fixed: fix })
}

/** Checks the size of values in the database, which must be 0. Another size would count towards the limits. */
export function checkInlineSizes({ db, fix, findings, control }: CheckContext): void {
  const count = db.prepare<[], number>('SELECT COUNT(*) FROM Cache WHERE filename IS NULL AND size IS NOT 0').pluck()
  const found = control.patiently(() => count.get()) ?? 0
  if (found === 0) return
  const repair = 'UPDATE Cache SET size = 0 WHERE filename IS NULL AND size IS NOT 0'
  if (fix) control.patiently(() => db.prepare(repair).run())
  findings.push({ kind: 'wrong-size', message: `entries without a file that say how long it is: ${found}`, fixed: fix })
}

/** Checks the file of every row that names one: it must exist, be plain, inside the directory and complete. */
export function checkRows({ directory, db, fix, findings, control }: CheckContext): void {
  const page = db.prepare<unknown[], FileRow>(
    'SELECT rowid, filename, size FROM Cache WHERE rowid > ? AND filename IS NOT NULL ORDER BY rowid LIMIT ?',
  )
  const again = db.prepare<unknown[], FileRow>(
    'SELECT rowid, filename, size FROM Cache WHERE rowid = ? AND filename = ?',
  )
  // The row of an incomplete file is removed. DiskCache would adopt the remaining length as its size.
  const repair = db.transaction(({ rowid, filename }: FileRow) => {
    const row = again.get(rowid, filename)
    const damage = row && damageOf(directory, row)
    if (!damage) return undefined
    if (!fix) return damage
    db.prepare('DELETE FROM Cache WHERE rowid = ?').run(row.rowid)
    if (damage.kind === 'wrong-size') rmSync(join(directory, row.filename), { force: true })
    return damage
  })
  for (let at = 0; ; ) {
    const rows = control.patiently(() => page.all(at, PAGE))
    control.advance(rows.length)
    for (const row of rows) {
      if (!damageOf(directory, row)) continue
      const damage = control.patiently(() => (fix ? repair.immediate(row) : repair.deferred(row)))
      if (damage) findings.push({ ...damage, fixed: fix })
    }
    if (rows.length < PAGE) return
    at = (rows.at(-1) as FileRow).rowid
  }
}

function damageOf(directory: string, { filename, size }: FileRow): Damage | undefined {
  const name = slashed(filename)
  if (!isSafeFilename(name) || !parentsArePlain(directory, name)) {
    return { kind: 'tampered', message: `an entry names a file outside of its place: ${filename}`, path: filename }
  }
  try {
    const stat = lstatSync(join(directory, name))
    if (!stat.isFile()) return { kind: 'tampered', message: `an entry names no plain file: ${name}`, path: name }
    if (stat.size === size) return undefined
    return { kind: 'wrong-size', message: `${name} has ${stat.size} bytes, its entry says ${size}`, path: name }
  } catch (error) {
    if (!isMissing(error)) throw error
    return { kind: 'missing-file', message: `the file of an entry is missing: ${name}`, path: name }
  }
}
