import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { DATABASE_FILE, databaseBytes } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { readSettings } from '../database/settings.js'
import { LOCK_SLICE_MILLISECONDS, type TaskControl } from './task-control.js'

/** Bytes of the pages of one database before and after. */
export interface Vacuumed {
  readonly before: number
  readonly after: number
}

/**
 * Vacuums a database: writes it anew without free pages, in the order of its tables. Others can read meanwhile but not
 * write. It needs as much space again in the temporary directory and in the log, until the end.
 */
export function vacuumShard(directory: string, control: TaskControl): Vacuumed {
  const expected = databaseBytes(directory)
  const timeout = Math.min(control.timeout, LOCK_SLICE_MILLISECONDS)
  const db = connect(join(directory, DATABASE_FILE), { readonly: false, mustExist: true, timeout })
  try {
    control.patiently(() => inspectSchema(db, directory))
    const before = control.patiently(() => bytesOf(db))
    const { settings } = control.patiently(() => readSettings(db))
    // A stored setting that the file does not have yet takes effect only here. The statement takes the lock.
    control.patiently(() => db.pragma(`auto_vacuum = ${settings.autoVacuum}`))
    control.patiently(() => db.exec('VACUUM'))
    // This shortens the file. While somebody still reads old pages, a later checkpoint does.
    db.pragma('wal_checkpoint(TRUNCATE)')
    control.advance(expected)
    return { before, after: control.patiently(() => bytesOf(db)) }
  } finally {
    db.close()
  }
}

function bytesOf(db: Connection): number {
  return Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }))
}
