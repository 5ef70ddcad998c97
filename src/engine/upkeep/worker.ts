import { parentPort, workerData } from 'node:worker_threads'
import { DirectoryError } from '../errors.js'
import { type Clock, SteadyClock, systemClock } from '../time.js'
import { clearInterval, setInterval } from '../timers.js'
import { isPassing, Keeper } from './keeper.js'
import type { FromThread, ToThread, UpkeepTask } from './messages.js'
import { LeaseGone } from './round.js'

/** How often the log is checked. A busy shard writes some hundred pages meanwhile. Milliseconds. */
const LOG_MILLISECONDS = 100

/** A custom clock, which shows the time of the last message. */
class ToldClock implements Clock {
  at: number

  constructor(at: number) {
    this.at = at
  }

  now(): number {
    return this.at
  }
}

const task = workerData as UpkeepTask
const told = task.isTold ? new ToldClock(task.now) : undefined
const keeper = new Keeper(task, told ?? new SteadyClock(systemClock, task.now), tell)
const timers: NodeJS.Timeout[] = []
let working: Promise<void> | undefined
/** Ids of the calls of `run()` for the next round. */
let asked: number[] = []
let ended = false

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

/** Runs one round at a time. Calls during a round get the next one. */
function work(): void {
  if (working || ended) return
  const ids = asked
  asked = []
  working = round(ids).finally(() => {
    working = undefined
    if (asked.length > 0) work()
  })
}

async function round(ids: readonly number[]): Promise<void> {
  try {
    tell({ kind: 'round', ids, round: await keeper.round(ids.length > 0) })
  } catch (error) {
    tell({ kind: 'round', ids, round: undefined })
    if (!isPassing(error)) await end(error)
  }
}

async function beat(): Promise<void> {
  try {
    await keeper.beat()
  } catch (error) {
    if (!isPassing(error)) await end(error)
  }
}

/** Ends the thread, because the lease is lost or the database is gone. A new thread starts when there is work again. */
async function end(error?: unknown): Promise<void> {
  if (ended) return
  ended = true
  for (const timer of timers) clearInterval(timer)
  await keeper.close()
  // A port that nobody listens to keeps no thread alive. Deno's has no `close`.
  parentPort?.off('message', hear)
  if (error !== undefined && !(error instanceof LeaseGone || error instanceof DirectoryError)) throw error
}

function hear(message: ToThread): void {
  if (message.kind === 'stop') return void end()
  if (told && message.now !== undefined) told.at = message.now
  if (message.kind !== 'run') return
  if (ended) return tell({ kind: 'round', ids: [message.id], round: undefined })
  asked.push(message.id)
  work()
}

parentPort?.on('message', hear)

timers.push(
  setInterval(work, task.every),
  setInterval(() => void beat(), task.lease / 3),
  setInterval(() => keeper.copyLogs(), LOG_MILLISECONDS),
)
work()
