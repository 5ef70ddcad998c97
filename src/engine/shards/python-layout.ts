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
 * Waits while Python is making a FanoutCache. It makes shard after shard from 000 on, so that their number shows only
 * when it has ended; ours begins with the last one and need not be waited for.
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
    // It is not there yet, or locked by who makes it; what is wrong with it shows when it is opened.
    return statSync(join(directory, '..', '000', DATABASE_FILE), { throwIfNoEntry: false }) !== undefined
  }
}
