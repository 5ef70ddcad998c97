import * as fs from 'node:fs'
import { join } from 'node:path'
import { fileIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { isBusy } from '../database/sqlite-errors.js'
import { isDiskFull, systemCode } from '../file-errors.js'
import { makeRoomByRows, type Victim } from '../operations/culling.js'
import type { Shard } from '../shards/shard.js'

/** File of reserved space: on a full disk even a DELETE needs room in the write-ahead log. Python ignores the name. */
const RESERVE_FILE = 'cache.db-reserve'
const RESERVE_BYTES = 512 * 1024
/** The least reserve on a disk without room for all of it: what opening and a small removal need. */
const LEAST_BYTES = 64 * 1024
const RESERVE_SHARE = 1 / 16
const ROWS_PER_ROUND = 8
/** With less than this free, the log is kept so short that the reserve has room for what it adds to the database. */
const SCARCE_BYTES = 64 * 1024 * 1024
const ROUNDS = 256

/** Keeps space in reserve, which lets a shard delete when the disk is full. */
export class DiskReserve {
  readonly #shard: Shard
  #kept = false
  #givenUp = false
  /** Whether this process has written something. */
  #begun = false
  /** Whether a removal uses the space now. */
  #lent = false
  /**
   * Whether the disk has little room, so that the log must stay short. On a full disk a long log can neither be copied nor
   * shortened, since its pages are new to the database file, and removals would only make it longer.
   */
  isScarce = false

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /**
   * Creates the reserve, as large as there is room for. Called now and then in the background.
   *
   * @param size the intended size. Bytes
   */
  async keep(size: number = this.#size): Promise<void> {
    // A readonly cache only restores what its opening has used.
    if (this.#kept || (this.#shard.options.readonly && !this.#givenUp)) return
    const before = fs.lstatSync(this.#path, { throwIfNoEntry: false })
    // A link leads to a file that does not belong to the cache.
    if (before && !before.isFile()) return
    const had = before?.size ?? 0
    try {
      // Zeros instead of a hole, to allocate the blocks. Appended, since freed blocks would be taken by others at once.
      if (had < size) await this.#fill(had, size)
      this.#kept = true
    } catch (error) {
      this.#keepPart(error)
    }
  }

  /** Looks how much room the disk has. Called now and then. */
  watchRoom(): void {
    if (!this.#shard.options.readonly) this.isScarce = this.#free < SCARCE_BYTES
  }

  /**
   * Called after a commit. A reserve that the transaction has used is restored before a write grows into the space.
   * After the first commit the reserve is created at once, since others may fill the disk within a second.
   */
  committed(): void {
    if (!this.#begun) this.#begin()
    if (!this.#lent) return
    this.#lent = false
    const session = this.#shard.current
    if (session) this.#checkpoint(session)
    this.#restore()
  }

  /**
   * Closes the database and creates the reserve afterwards, so that processes that live for less than a second leave
   * one too, and one that was used for opening on a full disk is restored.
   *
   * @param identity identity of the open database
   */
  async keepAfter(identity: string | undefined, close: () => void): Promise<void> {
    // Computed now, since the stored limit is not known any more when the database is closed.
    const size = this.#size
    close()
    // No file is created beside a database that was removed or moved aside meanwhile.
    if (identity === undefined || fileIdentity(join(this.#shard.directory, DATABASE_FILE)) !== identity) return
    try {
      // The shared memory of the log may still use the space of the reserve.
      await this.keep(size)
    } catch (error) {
      // Writers report errors of the file system. Here they are ignored.
      if (systemCode(error) === undefined) throw error
    }
  }

  /**
   * Frees space outside of any transaction: drops the reserve, truncates the write-ahead log and, for a write that
   * grows, removes expired entries and evicts by the policy. Returns whether a retry is worth it.
   *
   * @param grows whether the space is for new content; a removal needs no more than the reserve
   * @param bytes how many bytes should become free beyond the need of a small write
   */
  makeRoom(grows: boolean, bytes = 0): boolean {
    const session = this.#shard.current
    if (!session || session.db.inTransaction) return false
    this.#shard.marks.drop()
    const reserved = this.giveUp()
    this.#checkpoint(session)
    if (!grows) {
      if (reserved) this.#lent = true
      return reserved
    }
    const removed = this.#evictUntil(session, bytes)
    this.#checkpoint(session)
    // A growing write must not use the space that removals need.
    this.#restore()
    return removed
  }

  /** Drops the reserve. Returns whether there was one. */
  giveUp(): boolean {
    this.#kept = false
    try {
      fs.unlinkSync(this.#path)
      this.#givenUp = true
      return true
    } catch (error) {
      // There is none, it is another user's in a directory where each removes his own, or something foreign.
      if (systemCode(error) === undefined) throw error
      return false
    }
  }

  #begin(): void {
    this.#begun = true
    this.watchRoom()
    if (this.#kept) return
    // Housekeeping tries again and reports errors.
    this.#shard.closing.track(this.keep()).catch(() => undefined)
  }

  get #size(): number {
    return Math.min(RESERVE_BYTES, Math.floor(this.#shard.settings.sizeLimit * RESERVE_SHARE))
  }

  /** Bytes that this user may still write to the disk. */
  get #free(): number {
    try {
      const { bavail, bsize } = fs.statfsSync(this.#shard.directory)
      return bavail * bsize
    } catch {
      // Not all file systems tell.
      return Number.POSITIVE_INFINITY
    }
  }

  get #path(): string {
    return join(this.#shard.directory, RESERVE_FILE)
  }

  /** Writes the reserve. Concurrent processes write the same bytes. */
  async #fill(from: number, to: number): Promise<void> {
    const { O_WRONLY, O_CREAT, O_NOFOLLOW = 0 } = fs.constants
    const zeros = Buffer.alloc(to - from)
    const { modes } = this.#shard.options
    const handle = await fs.promises.open(this.#path, O_WRONLY | O_CREAT | O_NOFOLLOW, modes.file)
    try {
      if (modes.exact && from === 0) await handle.chmod(modes.file)
      for (let at = from; at < to; ) at += (await handle.write(zeros, 0, to - at, at)).bytesWritten
    } finally {
      await handle.close()
    }
  }

  /** Creates the reserve again. If that fails, the write for which there is room now is made all the same. */
  #restore(): void {
    try {
      this.#recreate()
    } catch (error) {
      this.#shard.events.failed(this.#shard.translate(error) as Error)
    }
  }

  #recreate(): void {
    try {
      this.#create()
      this.#kept = true
    } catch (error) {
      // Another process has created it.
      if (systemCode(error) !== 'EEXIST') this.#keepPart(error)
    }
  }

  #create(): void {
    const { modes } = this.#shard.options
    const file = fs.openSync(this.#path, 'wx', modes.file)
    try {
      fs.writeFileSync(file, Buffer.alloc(this.#size))
      // By its number: another process may have used the space and removed the file by now.
      if (modes.exact) fs.fchmodSync(file, modes.file)
    } finally {
      fs.closeSync(file)
    }
  }

  /** Keeps the part that was written before the disk was full, if it is large enough. */
  #keepPart(error: unknown): void {
    if (!isDiskFull(error)) throw error
    const size = fs.lstatSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    if (size < LEAST_BYTES) fs.rmSync(this.#path, { force: true })
  }

  #evictUntil(session: Session, bytes: number): boolean {
    let freed = 0
    for (let round = 0; round < ROUNDS; round++) {
      const victims = this.#evict(session)
      if (victims.length === 0) return round > 0
      freed += victims.reduce((sum, { size }) => sum + size, 0)
      if (freed >= bytes) return true
    }
    return true
  }

  /** Removes some rows, and their files at once, because the space is needed now. */
  #evict(session: Session): readonly Victim[] {
    const { statements } = session
    try {
      statements.run('begin')
      const { files, victims } = makeRoomByRows(session, ROWS_PER_ROUND)
      this.#shard.culler.report(session, victims)
      statements.run('commit')
      this.#shard.memory?.changed()
      for (const task of session.takeCommitTasks(0)) void task()
      for (const filename of files) session.disk.files.removeSync(filename)
      return victims
    } catch (error) {
      if (session.db.inTransaction) statements.run('rollback')
      session.rolledBack()
      if (!isBusy(error)) this.#shard.events.failed(this.#shard.translate(error) as Error)
      return []
    }
  }

  /** Whether the disk has room for the pages by which a checkpoint makes the database file longer. */
  #checkpointFits({ db }: Session): boolean {
    const pages = Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }))
    return pages - fs.statSync(join(this.#shard.directory, DATABASE_FILE)).size <= this.#free
  }

  #checkpoint(session: Session): void {
    try {
      // One that fails halfway leaves its part in the database file, and no room for the removals that would free more.
      if (this.#checkpointFits(session)) session.db.pragma('wal_checkpoint(TRUNCATE)')
    } catch {
      // SQLite itself repeats a checkpoint that others block or that has no room.
    }
  }
}
