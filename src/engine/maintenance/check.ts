import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { rewriteTriggers } from '../database/schema-write.js'
import type { Finding } from '../options.js'
import { isCorruption } from '../translate-error.js'
import { checkFiles } from './check-files.js'
import { checkRows } from './check-rows.js'

/** What the steps of a check share. */
export interface CheckContext {
  readonly directory: string
  readonly db: Connection
  readonly fix: boolean
  readonly findings: Finding[]
  /** Whether side tables are there. */
  readonly unlinkLater: boolean
}

/**
 * Looks for damage in one shard, and repairs it with `fix`. Reads without a lock; what looks wrong is looked at again,
 * and repaired in short transactions, so that others go on meanwhile.
 */
export async function checkShard(directory: string, fix: boolean, timeout: number): Promise<Finding[]> {
  if (!existsSync(join(directory, DATABASE_FILE))) return []
  const db = connect(join(directory, DATABASE_FILE), { readonly: !fix, mustExist: true, timeout })
  const findings: Finding[] = []
  try {
    const schema = inspectSchema(db, directory)
    if (fix && schema.foreignTriggers) db.transaction(() => rewriteTriggers(db)).immediate()
    const context = { directory, db, fix, findings, unlinkLater: schema.unlinkLater }
    checkIntegrity(context)
    checkRows(context)
    await checkFiles(context)
    checkTotals(context)
  } finally {
    db.close()
  }
  return findings
}

/** SQLite's own check; VACUUM rebuilds indexes and pages from the rows that can be read. */
function checkIntegrity({ db, fix, findings }: CheckContext): void {
  const messages = integrityMessages(db)
  if (messages.length === 0) return
  if (fix) {
    db.exec('REINDEX')
    db.exec('VACUUM')
  }
  const fixed = fix && integrityMessages(db).length === 0
  for (const message of messages) findings.push({ kind: 'integrity', message, fixed })
}

function integrityMessages(db: Connection): string[] {
  try {
    const rows = db.pragma('integrity_check') as { integrity_check: string }[]
    return rows.map(row => row.integrity_check).filter(message => message !== 'ok')
  } catch (error) {
    if (!isCorruption(error)) throw error
    return [(error as Error).message]
  }
}

const TOTALS = [
  { kind: 'count', sql: 'SELECT COUNT(key) FROM Cache', what: 'entries' },
  { kind: 'size', sql: 'SELECT COALESCE(SUM(size), 0) FROM Cache', what: 'bytes of files' },
] as const

/** The figures that triggers keep against those of the rows, in one snapshot. */
function checkTotals({ db, fix, findings }: CheckContext): void {
  const check = db.transaction(() => {
    for (const { kind, sql, what } of TOTALS) {
      const stored = db.prepare('SELECT value FROM Settings WHERE key = ?').pluck().get(kind)
      const actual = db.prepare(sql).pluck().get()
      if (stored === actual) continue
      if (fix) db.prepare('UPDATE Settings SET value = ? WHERE key = ?').run(BigInt(Number(actual)), kind)
      findings.push({ kind, message: `${what}: Settings say ${stored}, the rows ${actual}`, fixed: fix })
    }
  })
  if (fix) check.immediate()
  else check.deferred()
}
