import { statSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { systemClock } from '../time.js'
import { sleep } from '../timers.js'
import { countShards, shardDirectory } from './layout.js'

const YOUNG_MILLISECONDS = 2000
const STABLE_MILLISECONDS = 300
/** The next shard may take so many times as long as the slowest has: its process shares the processors with others. */
const SLOWER = 3

/**
 * Waits while Python creates a FanoutCache. Python creates shards from 000 on, so that their number is known only at
 * the end. Ours begin with the last one and need no waiting.
 *
 * @param wanted the number of shards, if it was given
 */
export async function afterPythonMade(root: string, wanted: number | undefined): Promise<void> {
  for (let count = countShards(root); count !== undefined; ) {
    if (!isBeingMade(shardDirectory(root, count - 1))) return
    await sleep(pauseAfter(root, count))
    const next = countShards(root)
    if (next === count && (wanted === undefined || count >= wanted)) return
    count = next
  }
}

/** How long no further shard must come before these are all. Milliseconds. */
function pauseAfter(root: string, count: number): number {
  const born = Array.from({ length: count }, (_, at) => bornAt(shardDirectory(root, at)))
  const taken = born.map((time, at) => time - (born[at - 1] ?? time)).filter(Number.isFinite)
  return Math.min(YOUNG_MILLISECONDS, Math.max(STABLE_MILLISECONDS, SLOWER * Math.max(...taken)))
}

/** Epoch milliseconds; NaN when it is not there. */
function bornAt(directory: string): number {
  return statSync(directory, { throwIfNoEntry: false })?.birthtimeMs ?? Number.NaN
}

function isBeingMade(directory: string): boolean {
  if (!(systemClock.now() - bornAt(directory) <= YOUNG_MILLISECONDS)) return false
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
