import { join } from 'node:path'
import { type Connection, connect, connectReadonly } from '../database/connection.js'
import { isGone } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { rewriteTriggers } from '../database/schema-write.js'
import { isBusy, isCorruption } from '../database/sqlite-errors.js'
import type { Finding } from '../options.js'
import { checkFiles } from './check-files.js'
import { checkInlineSizes, checkKeys, checkRows } from './check-rows.js'
import { LOCK_SLICE_MILLISECONDS, StoppedError, type TaskControl } from './task-control.js'

/** The shared state of the steps of a check. */
export interface CheckContext {
  readonly directory: string
  readonly db: Connection
  readonly fix: boolean
  readonly findings: Finding[]
  readonly control: TaskControl
  /** Whether the side table exists. */
  readonly unlinkLater: boolean
}

/** A shard, with the number of entries that `expectCheck` has reported. */
export interface CheckedPlace {
  readonly directory: string
  readonly entries: number
  /** Whether a lock that persists is a finding instead of an error. */
  readonly goesOn: boolean
}

/**
 * Looks for damage in one shard and repairs it with `fix`. It reads without a lock, looks again at whatever seems
 * wrong, and repairs in short transactions, so that others can go on meanwhile.
 */
export async function checkShard(place: CheckedPlace, fix: boolean, control: TaskControl): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    if (!isGone(join(place.directory, DATABASE_FILE))) await checkDatabase(place, fix, control, findings)
  } catch (error) {
    // An unreadable database is a finding as well, unless SQLite's own check has reported it already.
    if (place.goesOn && isBusy(error)) findings.push(LOCKED)
    else if (!isCorruption(error)) throw error
    else if (!findings.some(({ kind }) => kind === 'integrity')) findings.push(damaged((error as Error).message))
  }
  return findings
}

async function checkDatabase(
  { directory, entries }: CheckedPlace,
  fix: boolean,
  control: TaskControl,
  findings: Finding[],
): Promise<void> {
  const timeout = Math.min(control.timeout, LOCK_SLICE_MILLISECONDS)
  const path = join(directory, DATABASE_FILE)
  const open = (): Connection =>
    fix ? connect(path, { readonly: false, mustExist: true, timeout }) : connectReadonly(path, timeout)
  const db = control.patiently(open)
  try {
    const schema = control.patiently(() => inspectSchema(db, directory))
    if (fix && schema.foreignTriggers) control.patiently(() => db.transaction(() => rewriteTriggers(db)).immediate())
    const context = { directory, db, fix, findings, control, unlinkLater: schema.unlinkLater }
    checkIntegrity(context)
    control.advance(entries)
    checkKeys(context)
    checkInlineSizes(context)
    checkRows(context)
    await checkFiles(context)
    control.patiently(() => checkTotals(context))
  } finally {
    db.close()
  }
}

/**
 * Announces the steps of a check of a shard: SQLite examines each entry, and each file is examined from its entry and
 * from its folder. Returns the number of entries, or 0 when they cannot be read, which the check will report.
 */
export function expectCheck(directory: string, control: TaskControl): number {
  let db: Connection | undefined
  try {
    const path = join(directory, DATABASE_FILE)
    db = control.patiently(() => connectReadonly(path, LOCK_SLICE_MILLISECONDS))
    const counts = db.prepare<[], { entries: number; files: number }>(
      'SELECT COUNT(*) AS entries, COUNT(filename) AS files FROM Cache',
    )
    const { entries, files } = control.patiently(() => counts.get()) ?? { entries: 0, files: 0 }
    control.expect(entries + 2 * files)
    return entries
  } catch (error) {
    if (error instanceof StoppedError || isBusy(error)) throw error
    return 0
  } finally {
    db?.close()
  }
}

/** Runs SQLite's own check. With `fix`, VACUUM rebuilds indexes and pages from the readable rows. */
function checkIntegrity({ db, fix, findings, control }: CheckContext): void {
  const messages = integrityMessages(db, control)
  if (messages.length === 0) return
  const fixed = fix && rebuild(db, control) && integrityMessages(db, control).length === 0
  for (const message of messages) findings.push({ kind: 'integrity', message, fixed })
}

/** Rebuilds a database. Returns `false` when that is impossible. */
function rebuild(db: Connection, control: TaskControl): boolean {
  try {
    for (const sql of ['REINDEX', 'VACUUM']) control.patiently(() => db.exec(sql))
    return true
  } catch (error) {
    if (!isCorruption(error)) throw error
    return false
  }
}

function integrityMessages(db: Connection, control: TaskControl): string[] {
  try {
    const rows = control.patiently(() => db.pragma('integrity_check')) as { integrity_check: string }[]
    return rows.map(row => row.integrity_check).filter(message => message !== 'ok')
  } catch (error) {
    if (!isCorruption(error)) throw error
    return [(error as Error).message]
  }
}

const TOTALS = [
  { kind: 'count', sql: 'SELECT COUNT(key) FROM Cache', what: 'entries' },
  // TOTAL does not overflow, whatever a row contains.
  { kind: 'size', sql: 'SELECT TOTAL(size) FROM Cache', what: 'bytes of files' },
] as const

/** Stores a total, even if its row is missing. */
const STORE_TOTAL =
  'INSERT INTO Settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'

/** Compares the totals kept by triggers with those of the rows, in one snapshot. */
function checkTotals({ db, fix, findings }: CheckContext): void {
  const check = db.transaction(() => {
    for (const { kind, sql, what } of TOTALS) {
      const stored = db.prepare('SELECT value FROM Settings WHERE key = ?').pluck().get(kind)
      const actual = db.prepare(sql).pluck().get()
      if (stored === actual) continue
      if (fix) db.prepare(STORE_TOTAL).run(kind, BigInt(Number(actual)))
      findings.push({ kind, message: `${what}: Settings say ${stored}, the rows ${actual}`, fixed: fix })
    }
  })
  if (fix) check.immediate()
  else check.deferred()
}

const LOCKED: Finding = {
  kind: 'locked',
  message: 'the database was locked by others until the deadline: not all of it was looked at',
  fixed: false,
}

/** The finding of a database that SQLite cannot read completely. */
export function damaged(message: string): Finding {
  return { kind: 'integrity', message, fixed: false }
}
