import { join, relative } from 'node:path'
import { AccessMarks } from '../database/access-marks.js'
import type { Job, Patience, Work } from '../database/job.js'
import { backoff } from '../database/lock-attempts.js'
import { closeFiles, isStillThere } from '../database/open-files.js'
import { DATABASE_FILE, type Opened, openDatabase } from '../database/opening.js'
import { rewriteTriggers, storeSettings } from '../database/schema-write.js'
import { Session } from '../database/session.js'
import { DEFAULT_SETTINGS, FULL_SYNC, readSettings, type StoredSettings } from '../database/settings.js'
import { isBusy, isCorruption, isLostSchema, sqliteCode } from '../database/sqlite-errors.js'
import { isOutOfDate } from '../database/writability.js'
import { Writer } from '../database/writer.js'
import type { WriterHost } from '../database/writer-host.js'
import { Disk } from '../disk/disk.js'
import { ValueFiles } from '../disk/value-files.js'
import { TimeoutError } from '../errors.js'
import { Culler } from '../maintenance/culler.js'
import { DiskReserve } from '../maintenance/disk-reserve.js'
import { Housekeeping } from '../maintenance/housekeeping.js'
import { finishQuarantine, mayBeMoving, quarantine } from '../maintenance/quarantine.js'
import type { ShardMemory } from '../memory/shard-memory.js'
import { ShardWatch } from '../observe/shard-watch.js'
import { capGrace } from '../operations/grace.js'
import { performance, sleep } from '../timers.js'
import { translateError } from '../translate-error.js'
import { Closing } from './closing.js'
import { DamagedRows } from './damaged-rows.js'
import { lastWrite } from './last-write.js'
import type { ShardEvents, ShardOptions } from './shard-options.js'

/** How long opening waits for others that create the same database. Milliseconds. */
const OPENING_TIMEOUT = 60_000
const MARKS_PER_WRITE = 64
/** The shortest time between two checks that the database file is still the one that was opened. */
const LOOK_MILLISECONDS = 1
const SAVING_TIMEOUT = 5000
const NOTHING: Partial<StoredSettings> = {}

/**
 * One database with its value files. A `Cache` has one shard, a `FanoutCache` several. It opens, closes and recovers
 * the database, and adds the work that accompanies every write.
 */
export class Shard implements WriterHost {
  readonly directory: string
  readonly options: ShardOptions
  readonly events: ShardEvents
  readonly disk: Disk
  readonly writer: Writer
  readonly marks: AccessMarks = new AccessMarks()
  readonly culler: Culler
  readonly reserve: DiskReserve
  readonly closing: Closing = new Closing()
  readonly watch: ShardWatch
  /** The memory of this shard. Present while a handle has memory switched on. */
  memory: ShardMemory | undefined
  readonly #housekeeping: Housekeeping
  #session: Session | undefined
  #opened: Opened | undefined
  #unsaved: Partial<StoredSettings> = NOTHING
  readonly #path: string
  #foreignTriggers = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #reopening: Promise<void> | undefined
  readonly #damaged = new DamagedRows()

  constructor(directory: string, at: number, options: ShardOptions, events: ShardEvents) {
    this.directory = directory
    this.#path = join(directory, DATABASE_FILE)
    this.options = options
    this.events = events
    this.watch = new ShardWatch(options.counters, at, options.codec)
    const { codec, root } = options
    const prefix = root === undefined ? '' : `${relative(root, directory)}/`
    const files = new ValueFiles(directory, options.modes, () => this.settings.synchronous >= FULL_SYNC)
    this.disk = new Disk(codec, files, prefix, () => options.clock.now() / 1000)
    this.writer = new Writer(this, options.maxPending)
    this.culler = new Culler(this)
    this.reserve = new DiskReserve(this)
    this.#housekeeping = new Housekeeping(this)
  }

  /** The open session for reading. `undefined` while the database is closed or being reopened. */
  get current(): Session | undefined {
    return this.#session
  }

  /** The identity of the open database file. */
  get identity(): string | undefined {
    return this.#opened?.identity
  }

  /** Whether the open files are still those at their path. */
  get isThere(): boolean {
    return isStillThere(this.#path, this.#opened)
  }

  get settings(): StoredSettings {
    return this.#session?.settings ?? { ...DEFAULT_SETTINGS, ...this.options.initial, ...this.options.given }
  }

  /** Opens the database. Waits for others that create it, and tries again after moving a damaged database aside. */
  async open(): Promise<void> {
    this.closing.isOver = false
    if (this.#session) return
    this.#reopening ??= this.#openPatiently().finally(() => {
      this.#reopening = undefined
      // Writes queued meanwhile have met a shard without a database.
      this.writer.resume()
    })
    await this.#reopening
  }

  /** Waits until the database is reopened. @throws DiskCacheError when the shard was closed */
  async reopened(): Promise<void> {
    this.closing.assertNotOver(this.directory)
    await this.open()
  }

  async close(): Promise<void> {
    this.#housekeeping.stop()
    await this.closing.begin()
    while (this.writer.length > 0) await this.writer.settled() // work that is under way may queue more
    // A reopening that is under way must end before the database is closed.
    await this.#reopening?.catch(() => undefined)
    if (this.#session && !this.options.readonly) await lastWrite(this, this.#session)
    await this.#housekeeping.finished()
    await this.reserve.keepAfter(this.identity, () => {
      this.closing.isOver = true
      this.#release()
    })
  }

  /** Queues a write. */
  write<T>(work: Work<T>, patience: Patience): Promise<T> {
    return this.writer.add(work, patience)
  }

  /** Notes a row whose value file is missing or too short. It is removed with the next write. */
  noteDamaged(rowid: number, filename: string): void {
    if (!this.options.readonly) this.#damaged.note(rowid, filename)
  }

  /** The session for writing, after a check that the file is still the one that was opened. */
  session(): Session | undefined {
    // The check costs as much as a small statement, so a series of commits makes it only once in a while.
    const now = performance.now()
    if (this.#session && now - this.#lookedAt < LOOK_MILLISECONDS) return this.#session
    this.#lookedAt = now
    if (this.#session && this.isThere) return this.#session
    this.reopen()
    return undefined
  }

  prologue(session: Session): void {
    this.watch.begun(session)
    this.memory?.looked()
    if (this.#foreignTriggers) {
      rewriteTriggers(session.db)
      session.afterCommit(() => {
        this.#foreignTriggers = false
      })
    }
    if (this.#unsaved !== NOTHING) {
      const unsaved = this.#unsaved
      storeSettings(session.db, unsaved)
      session.afterCommit(() => {
        this.#unsaved = NOTHING
        this.events.settingsStored()
        this.#housekeeping.ensureIndexes()
      })
    }
    this.#damaged.remove(session)
    if (this.marks.dirty) this.marks.write(session, this.disk.now(), MARKS_PER_WRITE)
  }

  epilogue(session: Session): void {
    capGrace(session)
    this.culler.afterWrites(session)
  }

  committed(jobs: readonly { readonly job: Job }[]): void {
    this.memory?.committed(jobs)
    this.reserve.committed()
    this.#housekeeping.committed(jobs.length)
  }

  makeRoom(grows: boolean): boolean {
    try {
      return this.reserve.makeRoom(grows)
    } catch (error) {
      this.events.failed(this.translate(error) as Error)
      return false
    }
  }

  translate(error: unknown): unknown {
    return translateError(error, this.directory)
  }

  recover(error: unknown): boolean {
    if (this.closing.isOver) return false
    const isDamaged = isCorruption(error) && this.options.onCorrupt === 'quarantine' && !this.options.readonly
    const isCured = isLostSchema(error) || isOutOfDate(error, this.#path, this.options.readonly)
    if (!isDamaged && !isCured && this.isThere) return false
    this.reopen(isDamaged && this.isThere ? error : undefined)
    return true
  }

  /** Closes the database and opens the one that is there now. Writes wait meanwhile. */
  reopen(damage?: unknown): void {
    if (this.#reopening) return
    const { identity } = this.#opened ?? {}
    this.#release()
    const work = damage === undefined ? Promise.resolve() : quarantine(this, damage, identity)
    this.#reopening = work
      .then(() => this.#openPatiently())
      .then(
        () => this.writer.resume(),
        error => {
          this.writer.failAll(this.translate(error))
          this.writer.resume()
        },
      )
      .finally(() => {
        this.#reopening = undefined
      })
  }

  /** Reads the settings again, since others may have changed them. */
  refreshSettings(): void {
    if (!this.#session || !this.#opened) return
    const { settings } = readSettings(this.#opened.db)
    this.#session.settings = { ...settings, ...this.#unsaved }
  }

  /** Stores the given settings in a write of their own, if they are not stored yet. */
  saveSettings(): void {
    if (this.#unsaved === NOTHING) return
    const deadline = performance.now() + Math.max(this.options.timeout, SAVING_TIMEOUT)
    this.write({ run: () => undefined, optional: true }, { deadline }).catch(error => {
      if (!(error instanceof TimeoutError)) this.events.failed(error as Error)
    })
  }

  /** Applies settings that this process has stored. */
  applySettings(change: Partial<StoredSettings>): void {
    if (this.#session) this.#session.settings = { ...this.#session.settings, ...change }
  }

  async #openPatiently(): Promise<void> {
    // A FanoutCache can refuse writes, but not opening.
    const { timeout, root } = this.options
    const deadline = performance.now() + (root === undefined ? timeout : Math.max(timeout, OPENING_TIMEOUT))
    for (let failures = 0, quarantined = 0; ; failures++) {
      this.closing.assertNotOver(this.directory)
      try {
        if (!this.options.readonly && mayBeMoving(this.directory)) await finishQuarantine(this)
        return this.#openNow()
      } catch (error) {
        const late = performance.now() > deadline
        // TimeoutError: others move the database aside, or did so during the opening.
        if ((isBusy(error) || error instanceof TimeoutError) && !late) {
          await sleep(Math.min(backoff(failures), Math.max(0, deadline - performance.now())))
        } else if (sqliteCode(error) === 'SQLITE_IOERR_SHMSIZE' && this.reserve.giveUp()) {
          // The disk is full: the room of the reserve is used for the shared memory of the log.
        } else if (
          isCorruption(error) &&
          this.options.onCorrupt === 'quarantine' &&
          !this.options.readonly &&
          quarantined < 3
        ) {
          quarantined++
          await quarantine(this, error, undefined)
        } else {
          throw isBusy(error) ? new TimeoutError(this.directory, 0, { cause: error }) : this.translate(error)
        }
      }
    }
  }

  #openNow(): void {
    this.options.prepareDirectory()
    const opened = openDatabase({ ...this.options, directory: this.directory })
    const { db, statements, schema, settings, unsaved } = opened
    this.#opened = opened
    this.#unsaved = this.options.readonly || Object.keys(unsaved).length === 0 ? NOTHING : unsaved
    this.#foreignTriggers = schema.foreignTriggers
    this.disk.pickleProtocol = settings.pickleProtocol
    this.#session = new Session({ db, statements, disk: this.disk, settings, schema, watch: this.watch })
    this.#housekeeping.start()
  }

  #release(): void {
    this.#housekeeping.stop()
    this.#session = undefined
    this.memory?.reset()
    if (this.#opened) closeFiles(this.#path, this.#opened)
    this.#opened = undefined
  }
}
