import { join } from 'node:path'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { isBusy, isCorruption } from '../database/sqlite-errors.js'
import type { Finding } from '../options.js'
import { damaged } from './check.js'

/** Checks a database with a connection of its own. Takes seconds for a large one. */
export function inspectDatabase(directory: string): Finding[] {
  try {
    const db = connect(join(directory, DATABASE_FILE), { readonly: false, mustExist: true })
    try {
      const [row] = db.pragma('quick_check(1)') as { quick_check: string }[]
      return row?.quick_check === 'ok' ? [] : [damaged(row?.quick_check ?? 'nothing to check')]
    } finally {
      db.close()
    }
  } catch (error) {
    if (isCorruption(error)) return [damaged((error as Error).message)]
    if (isBusy(error)) return []
    throw error
  }
}
