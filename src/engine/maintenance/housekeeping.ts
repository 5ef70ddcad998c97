import { join } from 'node:path'
import { fileIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { DiskFullError, ReadonlyError, TimeoutError } from '../errors.js'
import { endGrace } from '../operations/grace.js'
import type { Shard } from '../shards/shard.js'
import { clearInterval, performance, setInterval } from '../timers.js'
import { ensureIndexes } from './indexes.js'
import { LogCopying } from './log-copying.js'
import { sweepIfDue } from './sweep.js'

const TICK_MILLISECONDS = 1000
const MARKS_PER_TICK = 2000

/**
 * The background work of a shard, once a second while it is open: writes the marks of reads, notices changes of the
 * file or the settings by others, ends graces and reclaims the remains of crashes. It keeps no process alive. After
 * commits it has the log copied.
 */
export class Housekeeping {
  readonly #shard: Shard
  #timer: NodeJS.Timeout | undefined
  #dataVersion: unknown
  #running: Promise<void> | undefined
  readonly #log: LogCopying
  #indexes: Promise<void> | undefined
  readonly #stopping = { requested: false }

  constructor(shard: Shard) {
    this.#shard = shard
    this.#log = new LogCopying(shard)
  }

  start(): void {
    this.#stopping.requested = false
    this.#dataVersion = undefined
    this.#timer ??= setInterval(() => this.#tick(), TICK_MILLISECONDS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#stopping.requested = true
  }

  /** Called after each commit with the number of its writes. */
  committed(writes: number): void {
    this.#log.committed(writes)
  }

  /** Resolves when the work under way has ended. */
  async finished(): Promise<void> {
    await this.#running
    await this.#indexes
  }

  /** Creates the indexes that the settings require, in a thread if there are many rows. */
  ensureIndexes(): void {
    this.#indexes ??= ensureIndexes(this.#shard)
      .catch(error => this.#report(error))
      .finally(() => {
        this.#indexes = undefined
      })
  }

  #tick(): void {
    if (this.#running) return
    this.#running = this.#work()
      .catch(error => this.#report(error))
      .finally(() => {
        this.#running = undefined
      })
  }

  async #work(): Promise<void> {
    const shard = this.#shard
    const session = shard.current
    if (!session) return
    const path = join(shard.directory, DATABASE_FILE)
    if (!shard.isThere) {
      // A deleted database is created again by the next write. Until then reads use the open files.
      if (fileIdentity(path) !== undefined) shard.reopen()
      return
    }
    this.#noticeChanges()
    shard.culler.upkeep.look()
    if (shard.options.readonly) return shard.marks.drop()
    await this.#writeMarks()
    shard.reserve.watchRoom()
    this.#log.setLimit()
    await shard.reserve.keep()
    if (!shard.culler.upkeep.inForce) await sweepIfDue(shard, this.#stopping)
  }

  #noticeChanges(): void {
    const version = this.#shard.current?.db.pragma('data_version', { simple: true })
    if (version === this.#dataVersion) return
    this.#dataVersion = version
    this.#shard.current?.refreshSchema()
    this.#shard.refreshSettings()
    this.#shard.culler.lookSoon()
  }

  async #writeMarks(): Promise<void> {
    const shard = this.#shard
    const graces = shard.current?.unlinkLater && !shard.culler.upkeep.inForce
    if (!shard.marks.dirty && !graces) return
    const run = (session: Session): boolean => {
      shard.marks.write(session, shard.disk.now(), MARKS_PER_TICK)
      return graces ? endGrace(session, shard.disk.now()) : false
    }
    for (let more = true; more && !this.#stopping.requested; ) {
      more = await shard.write({ run, optional: true }, { deadline: performance.now() + shard.options.timeout })
    }
  }

  #report(error: unknown): void {
    // Others hold the lock. The next tick or the next write tries again.
    const known = this.#shard.translate(error)
    if (known instanceof TimeoutError || known instanceof ReadonlyError) return
    // Marks of reads are not worth evicting for: on a full disk they are dropped.
    if (known instanceof DiskFullError) return this.#shard.marks.drop()
    this.#shard.events.failed(known as Error)
  }
}
