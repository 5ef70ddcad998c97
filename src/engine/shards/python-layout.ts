import { statSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import { inspectSchema } from '../database/schema-check.js'
import { systemClock } from '../time.js'
import { performance, sleep } from '../timers.js'
import { countShards, shardDirectory } from './layout.js'

/** How long after its newest change a FanoutCache of whole shards may get further ones. */
const YOUNG_MILLISECONDS = 2000
/** The same while its last shard is unfinished or there are fewer than were asked for: its creator is held up. */
const UNFINISHED_MILLISECONDS = 10_000
/** A shard older than this is in use, whatever changes in it. */
const MAKING_MILLISECONDS = 60_000
const STABLE_MILLISECONDS = 300
/** The next shard may take so many times as long as the slowest has: its process shares the processors with others. */
const SLOWER = 3

/** `unfinished`: Python has begun it. `whole`: Python has made it, or may be about to. `other`: it is not Python's. */
type Stage = 'unfinished' | 'whole' | 'other'

/**
 * Waits while Python creates a FanoutCache. Python creates shards from 000 on, so that their number is known only at
 * the end. Ours begin with the last one and need no waiting.
 *
 * @param wanted the number of shards, if it was given
 */
export async function afterPythonMade(root: string, wanted: number | undefined): Promise<void> {
  const began = performance.now()
  for (let count = countShards(root); count !== undefined; ) {
    // A clock that stands still, as in a test, ends no wait.
    if (performance.now() - began > MAKING_MILLISECONDS) return
    const last = shardDirectory(root, count - 1)
    if (!(distanceFromNow(bornAt(last)) <= MAKING_MILLISECONDS)) return
    const stage = stageOf(last)
    const isMissing = stage === 'unfinished' || (wanted !== undefined && count < wanted)
    const patience = isMissing ? UNFINISHED_MILLISECONDS : YOUNG_MILLISECONDS
    if (stage === 'other' || distanceFromNow(changedAt(last, stage)) > patience) return
    await sleep(pauseAfter(root, count))
    const next = countShards(root)
    if (next === count && !isMissing) return
    count = next
  }
}

/** How long no further shard must come before these are all. Milliseconds. */
function pauseAfter(root: string, count: number): number {
  const born = Array.from({ length: count }, (_, at) => bornAt(shardDirectory(root, at)))
  const taken = born.map((time, at) => time - (born[at - 1] ?? time)).filter(Number.isFinite)
  return Math.min(YOUNG_MILLISECONDS, Math.max(STABLE_MILLISECONDS, SLOWER * Math.max(...taken)))
}

/** Milliseconds between a time and now. One far ahead is of a clock that was set back since, and no reason to wait for it. */
function distanceFromNow(time: number): number {
  return Math.abs(systemClock.now() - time)
}

/** Epoch milliseconds; NaN when it is not there. */
function bornAt(directory: string): number {
  return statSync(directory, { throwIfNoEntry: false })?.birthtimeMs ?? Number.NaN
}

/** When Python got on last. The log of a whole shard changes with each use, its database when it was finished. */
function changedAt(directory: string, stage: Stage): number {
  const names = stage === 'unfinished' ? [DATABASE_FILE, `${DATABASE_FILE}-wal`] : [DATABASE_FILE]
  const changes = names.map(name => statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return Math.max(bornAt(directory), ...changes)
}

function stageOf(directory: string): Stage {
  try {
    const db = connect(join(directory, DATABASE_FILE), { readonly: true, mustExist: true })
    try {
      const { empty, incomplete, foreignTriggers } = inspectSchema(db, directory)
      if (incomplete && !empty) return 'unfinished'
      return empty || foreignTriggers ? 'whole' : 'other'
    } finally {
      db.close()
    }
  } catch {
    // It is missing, or locked by its creator. Opening shows other errors.
    const first = statSync(join(directory, '..', '000', DATABASE_FILE), { throwIfNoEntry: false })
    return first ? 'whole' : 'other'
  }
}
