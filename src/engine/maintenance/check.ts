import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isBusy } from '../database/busy.js'
import { type Connection, connect, connectReadonly } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { rewriteTriggers } from '../database/schema-write.js'
import type { Finding } from '../options.js'
import { isCorruption } from '../translate-error.js'
import { checkFiles } from './check-files.js'
import { checkInlineSizes, checkKeys, checkRows } from './check-rows.js'
import { LOCK_SLICE_MILLISECONDS, StoppedError, type TaskControl } from './task-control.js'

/** What the steps of a check share. */
export interface CheckContext {
  readonly directory: string
  readonly db: Connection
  readonly fix: boolean
  readonly findings: Finding[]
  readonly control: TaskControl
  /** Whether side tables are there. */
  readonly unlinkLater: boolean
}

/** A shard, and the steps that `expectCheck` has told of its entries. */
export interface CheckedPlace {
  readonly directory: string
  readonly entries: number
  /** That it stays locked is a finding, and no error. */
  readonly goesOn: boolean
}

/**
 * Looks for damage in one shard, and repairs it with `fix`. Reads without a lock; what looks wrong is looked at again,
 * and repaired in short transactions, so that others go on meanwhile.
 */
export async function checkShard(place: CheckedPlace, fix: boolean, control: TaskControl): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    if (existsSync(join(place.directory, DATABASE_FILE))) await checkDatabase(place, fix, control, findings)
  } catch (error) {
    // What cannot be read at all is a finding as well; SQLite's own check has told it, or it is told here.
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
 * Tells the control what a check of a shard will take: each entry is looked at by SQLite, each file from its entry and
 * from its folder. Answers the number of entries; 0 of what cannot be read, which the check itself finds out.
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

/** SQLite's own check; VACUUM rebuilds indexes and pages from the rows that can be read. */
function checkIntegrity({ db, fix, findings, control }: CheckContext): void {
  const messages = integrityMessages(db, control)
  if (messages.length === 0) return
  const fixed = fix && rebuild(db, control) && integrityMessages(db, control).length === 0
  for (const message of messages) findings.push({ kind: 'integrity', message, fixed })
}

/** Answers false when there is nothing left that could be rebuilt. */
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
  // TOTAL does not overflow, whatever somebody has written into a row.
  { kind: 'size', sql: 'SELECT TOTAL(size) FROM Cache', what: 'bytes of files' },
] as const

/** Also where somebody has removed the row. */
const STORE_TOTAL =
  'INSERT INTO Settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'

/** The figures that triggers keep against those of the rows, in one snapshot. */
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

/** A database that SQLite cannot read whole. */
export function damaged(message: string): Finding {
  return { kind: 'integrity', message, fixed: false }
}
