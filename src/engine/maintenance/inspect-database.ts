import { join } from 'node:path'
import { isBusy } from '../database/busy.js'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { isCorruption } from '../translate-error.js'

/** Whether a database is damaged, seen from a connection of its own. */
export function inspectDatabase(directory: string): 'sound' | 'damaged' {
  try {
    const db = connect(join(directory, DATABASE_FILE), { readonly: false, mustExist: true })
    try {
      const rows = db.pragma('quick_check(1)') as { quick_check: string }[]
      return rows[0]?.quick_check === 'ok' ? 'sound' : 'damaged'
    } finally {
      db.close()
    }
  } catch (error) {
    if (isCorruption(error)) return 'damaged'
    if (isBusy(error)) return 'sound'
    throw error
  }
}
