import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { DATABASE_FILE, databaseBytes } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { readSettings } from '../database/settings.js'
import { LOCK_SLICE_MILLISECONDS, type TaskControl } from './task-control.js'

/** Bytes of the pages of one database, before and after. */
export interface Vacuumed {
  readonly before: number
  readonly after: number
}

/**
 * Writes a database anew without its free pages, in the order of its tables. Others read meanwhile and cannot write. It
 * takes as much room again in the temporary directory and in the log, which is given back at the end.
 */
export function vacuumShard(directory: string, control: TaskControl): Vacuumed {
  const expected = databaseBytes(directory)
  const timeout = Math.min(control.timeout, LOCK_SLICE_MILLISECONDS)
  const db = connect(join(directory, DATABASE_FILE), { readonly: false, mustExist: true, timeout })
  try {
    control.patiently(() => inspectSchema(db, directory))
    const before = control.patiently(() => bytesOf(db))
    const { settings } = control.patiently(() => readSettings(db))
    // A stored setting that is none of the file's yet takes effect here, and nowhere else. It takes the lock as well.
    control.patiently(() => db.pragma(`auto_vacuum = ${settings.autoVacuum}`))
    control.patiently(() => db.exec('VACUUM'))
    // Only then is the file shorter; where somebody still reads the old pages, a later checkpoint does it.
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
