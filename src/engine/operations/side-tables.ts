import { ENTRY_TAG, FRESHNESS, LEASES, UNLINK_LATER } from '../database/schema.js'
import { createSideTable } from '../database/schema-write.js'
import type { Session, SideTable } from '../database/session.js'

const STATEMENTS: Readonly<Record<SideTable, Readonly<Record<string, string>>>> = {
  entryTags: ENTRY_TAG,
  unlinkLater: UNLINK_LATER,
  leases: LEASES,
  freshness: FRESHNESS,
}

/** Creates a side table in the open transaction, if it is missing. */
export function ensureSideTable(session: Session, table: SideTable): void {
  if (session[table]) return
  createSideTable(session.db, STATEMENTS[table])
  session[table] = true
  session.afterRollback(() => {
    session[table] = false
  })
}
