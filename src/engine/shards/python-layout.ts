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
/** The next shard may take so many times as long as the slowest has: its process shares the processors with others. */
const SLOWER = 3

/**
 * Waits while Python is making a FanoutCache. It makes shard after shard from 000 on, so that their number shows only
 * when it has ended; ours begins with the last one and need not be waited for.
 *
 * @param wanted how many there shall be, if somebody has said it
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
    // It is not there yet, or locked by who makes it; what is wrong with it shows when it is opened.
    return statSync(join(directory, '..', '000', DATABASE_FILE), { throwIfNoEntry: false }) !== undefined
  }
}
