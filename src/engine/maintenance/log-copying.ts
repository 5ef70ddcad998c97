import { join } from 'node:path'
import { logIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { checkpointPages, deferredCheckpointPages } from '../database/settings.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { copyInThread } from './log-thread.js'

/** The log is looked at once per this many writes and removed rows. A look costs as much as a small read. */
const STRIDE = 32
/** The log is copied when one part in this many of its usual length waits to be copied. */
const WORTH = 2
/** How long commits copy the log themselves after the thread could not. Milliseconds. */
const PAUSE_MILLISECONDS = 1000
/** The length of the log, in pages, while the disk has little room. */
const SCARCE_PAGES = 64

/**
 * Has the log of a shard copied to the database in a thread. Left to commits, as SQLite does it, each copy holds the
 * loop for as long as the disk takes to sync some megabytes.
 *
 * The thread copies while writes go on, which the log grows by. SQLite begins it anew only when a commit finds all of it
 * copied, so beyond its usual length writes wait, without holding the loop, until the rest is copied.
 */
export class LogCopying {
  readonly #shard: Shard
  #writes = 0
  #underWay = false
  /** Whether the thread copies the log, so that commits need to only when it lags behind. */
  #isInThread = false
  /** Whether the limit may be another than the one set at opening. */
  #isChanged = false
  #wasScarce = false
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /** Called after each commit. */
  committed(writes: number): void {
    const { current, reserve } = this.#shard
    if (!current) return
    if (reserve.isScarce !== this.#wasScarce) this.setLimit()
    this.#writes += writes + current.removed
    if (this.#writes < STRIDE || this.#underWay) return
    this.#writes = 0
    if (this.#isOurs(current)) this.#look(current)
  }

  /** Sets the length from which on commits copy the log themselves. */
  setLimit(): void {
    const { current, culler, reserve } = this.#shard
    if (!current) return
    const { settings, db } = current
    const isDone = culler.upkeep.inForce || this.#isInThread
    const usual = isDone ? deferredCheckpointPages(settings) : checkpointPages(settings)
    const pages = reserve.isScarce ? SCARCE_PAGES : usual
    const isOther = pages !== checkpointPages(settings)
    // Always, since a database that was opened anew has the usual one again.
    if (isOther || this.#isChanged) db.pragma(`wal_autocheckpoint = ${pages}`)
    this.#isChanged = isOther
    this.#wasScarce = reserve.isScarce
  }

  /** Whether this process has the log copied. With upkeep, its leader does. */
  #isOurs({ settings }: Session): boolean {
    const { culler } = this.#shard
    if (settings.journalMode !== 'wal' || culler.upkeep.inForce) return false
    return performance.now() - this.#failedAt > PAUSE_MILLISECONDS
  }

  #look(session: Session): void {
    const [pages, copied] = stateOf(session)
    const longest = checkpointPages(session.settings)
    if (pages - copied < longest / WORTH) return
    const { directory, closing, writer } = this.#shard
    const log = logIdentity(join(directory, DATABASE_FILE))
    if (log === undefined) return
    this.#underWay = true
    const copy = this.#copy({ directory, log, synchronous: session.settings.synchronous })
    closing.track(copy)
    if (pages >= longest) writer.pauseUntil(copy)
  }

  async #copy(order: Parameters<typeof copyInThread>[0]): Promise<void> {
    const copying = await copyInThread(order)
    this.#underWay = false
    this.#isInThread = copying !== 'failed'
    if (!this.#isInThread) this.#failedAt = performance.now()
    this.setLimit()
  }
}

/** Number of pages in the log, and of those that are copied. */
function stateOf(session: Session): readonly [pages: number, copied: number] {
  try {
    const [, pages, copied] = session.statements.prepare('logState').get() as readonly [number, number, number]
    return [pages, copied]
  } catch {
    // Nothing may fail here, since the commit is over. The statement that follows meets the same error.
    return [0, 0]
  }
}
