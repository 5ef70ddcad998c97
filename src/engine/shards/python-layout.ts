import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { systemClock } from '../time.js'
import { countShards, shardDirectory } from './layout.js'

const YOUNG_MILLISECONDS = 2000
const STABLE_MILLISECONDS = 300

/**
 * Waits while Python creates a FanoutCache. Python creates shards from 000 on, so that their number is known only at
 * the end. Ours begin with the last one and need no waiting.
 */
export async function afterPythonMade(root: string): Promise<void> {
  for (let count = countShards(root); count !== undefined; ) {
    if (!isBeingMade(shardDirectory(root, count - 1))) return
    await sleep(STABLE_MILLISECONDS)
    const next = countShards(root)
    if (next === count) return
    count = next
  }
}

function isBeingMade(directory: string): boolean {
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (!stat || systemClock.now() - stat.birthtimeMs > YOUNG_MILLISECONDS) return false
  try {
    const db = connect(join(directory, DATABASE_FILE), { readonly: true, mustExist: true })
    try {
      const { incomplete, foreignTriggers } = inspectSchema(db, directory)
      return incomplete || foreignTriggers
    } finally {
      db.close()
    }
  } catch {
    // It is missing, or locked by its creator. Opening shows other errors.
    return statSync(join(directory, '..', '000', DATABASE_FILE), { throwIfNoEntry: false }) !== undefined
  }
}
