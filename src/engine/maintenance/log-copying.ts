import { join } from 'node:path'
import { isCrowded } from '../database/giving-way.js'
import { logIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { checkpointPages, deferredCheckpointPages } from '../database/settings.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { copyInThread, isThreadRunning, mayHaveThread } from './log-thread.js'

/** The log is looked at once per this many writes, stored and removed rows. A look costs as much as a small read. */
const STRIDE = 32
/** Lengths of the log, in usual ones, at which a process has it copied: with the thread running, and without one. */
const WORTH = { running: 0.5, starting: 1 }
/** They differ by up to this from look to look and between processes, so that one of them copies and not all at once. */
const SPREAD = 0.25
/** How long commits copy the log themselves after the thread could not. Milliseconds. */
const PAUSE_MILLISECONDS = 1000
/** How long a log is left alone that an old reader keeps from being copied. Milliseconds. */
const STUCK_MILLISECONDS = 50
/** The length of the log, in pages, while the disk has little room. */
const SCARCE_PAGES = 64

const NOT_COPIED = { copied: -1, at: Number.NEGATIVE_INFINITY }

/** A copy that is under way. */
interface Copy {
  readonly over: Promise<void>
  /** Whether the one before copied nothing of the same log. */
  readonly isStuck: boolean
}

/**
 * Has the log of a shard copied to the database in a thread. Left to commits, as SQLite does it, each copy holds the
 * loop for as long as the disk takes to sync some megabytes.
 *
 * The thread copies while writes go on, which the log grows by. SQLite begins it anew only when a commit finds all of it
 * copied, so writes wait, without holding the loop, while the few pages are copied that have come meanwhile.
 *
 * Of the processes on a directory, one whose thread runs already copies before the others start theirs. Where processes
 * wait for each other's locks, commits copy: a thread would only take the processor from some process.
 */
export class LogCopying {
  readonly #shard: Shard
  #writes = 0
  #underWay: Copy | undefined
  #spread = Math.random() * SPREAD
  /** Whether a thread can copy the log, as far as is known, so that commits need to only when it lags behind. */
  #hasThread = true
  /** The session whose limit was set last, and whether the disk had little room then. */
  #limited: Session | undefined
  #wasScarce = false
  #isCrowded = false
  #failedAt = Number.NEGATIVE_INFINITY
  /** How much of the log was copied when this process last had it copied, and when that was. */
  #last = NOT_COPIED
  /** The length of the log when it was last looked at. */
  #pages = 0

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /** Called after each commit. */
  committed(writes: number): void {
    const { current, reserve } = this.#shard
    if (!current) return
    if (current !== this.#limited || reserve.isScarce !== this.#wasScarce) this.setLimit()
    // One write of `setMany` stores up to a thousand entries.
    this.#writes += Math.max(writes, current.stored.length) + current.removed
    if (this.#writes < STRIDE) return
    this.#writes = 0
    const isBack = this.#isThreadBack()
    if (isBack) this.#hasThread = true
    if (isBack || isCrowded() !== this.#isCrowded) this.setLimit()
    if (this.#underWay) this.#restWhenLong(current, this.#underWay)
    else if (this.#isOurs(current)) this.#look(current)
  }

  /** Sets the length from which on commits copy the log themselves. */
  setLimit(): void {
    const { current, culler, reserve } = this.#shard
    if (!current) return
    const { settings, db } = current
    this.#isCrowded = isCrowded()
    const isDeferred = culler.upkeep.inForce || (this.#hasThread && !this.#isCrowded)
    const pages = isDeferred ? deferredCheckpointPages(settings) : checkpointPages(settings)
    // Always, since `configure` sets the usual one again.
    db.pragma(`wal_autocheckpoint = ${reserve.isScarce ? SCARCE_PAGES : pages}`)
    this.#limited = current
    this.#wasScarce = reserve.isScarce
  }

  /** Whether this process has the log copied. With upkeep, its leader does. */
  #isOurs({ settings }: Session): boolean {
    const { culler } = this.#shard
    if (settings.journalMode !== 'wal' || culler.upkeep.inForce || this.#isCrowded) return false
    return this.#isPauseOver()
  }

  /** Whether the thread is to be tried again, for which the log must become longer than commits have let it since. */
  #isThreadBack(): boolean {
    return !this.#hasThread && mayHaveThread() && this.#isPauseOver()
  }

  #isPauseOver(): boolean {
    return performance.now() - this.#failedAt > PAUSE_MILLISECONDS
  }

  #look(session: Session): void {
    const [pages, copied] = this.#stateOf(session)
    const isRunning = isThreadRunning()
    const usual = checkpointPages(session.settings)
    if (pages - copied < usual * (WORTH[isRunning ? 'running' : 'starting'] + this.#spread)) return
    const now = performance.now()
    // The same log, of which the last copy has copied nothing.
    const isStuck = copied === this.#last.copied
    if (isStuck && now - this.#last.at < STUCK_MILLISECONDS) return
    this.#last = { copied, at: now }
    this.#spread = Math.random() * SPREAD
    const { directory, closing, writer } = this.#shard
    const log = logIdentity(join(directory, DATABASE_FILE))
    if (log === undefined) return
    const over = this.#copy({ directory, log, synchronous: session.settings.synchronous }, () => {
      if (!isStuck) writer.pauseUntil(over)
    })
    closing.track(over)
    this.#underWay = { over, isStuck }
  }

  /** Lets writes wait for a copy when commits would have to copy the log, which they cannot do beside the thread. */
  #restWhenLong(session: Session, { over, isStuck }: Copy): void {
    const isLong = this.#stateOf(session)[0] >= deferredCheckpointPages(session.settings)
    if (isLong && !isStuck) this.#shard.writer.pauseUntil(over)
  }

  async #copy(...order: Parameters<typeof copyInThread>): Promise<void> {
    const copying = await copyInThread(...order)
    this.#underWay = undefined
    // The next log may have the same length: it has been begun anew, and this one is not stuck.
    if (copying === 'copied') this.#last = NOT_COPIED
    this.#hasThread = copying !== 'failed'
    if (!this.#hasThread) this.#failedAt = performance.now()
    this.setLimit()
  }

  /** Number of pages in the log, and of those that are copied. */
  #stateOf(session: Session): readonly [pages: number, copied: number] {
    try {
      const [, pages, copied] = session.statements.prepare('logState').get() as readonly [number, number, number]
      // A log that was begun anew: nothing of it is known.
      if (pages < this.#pages) this.#last = NOT_COPIED
      this.#pages = pages
      return [pages, copied]
    } catch {
      // Nothing may fail here, since the commit is over. The statement that follows meets the same error.
      return [0, 0]
    }
  }
}
