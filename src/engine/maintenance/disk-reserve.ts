import * as fs from 'node:fs'
import { join } from 'node:path'
import { isBusy } from '../database/busy.js'
import { fileIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { isDiskFull, isMissing, systemCode } from '../file-errors.js'
import { makeRoomByRows, type Victim } from '../operations/culling.js'
import type { Shard } from '../shards/shard.js'

/** Space kept back: on a full disk even a DELETE needs room in the write-ahead log. Python passes over the name. */
const RESERVE_FILE = 'cache.db-reserve'
const RESERVE_BYTES = 512 * 1024
/** On a disk that has no room for all of it less will do, down to what opening and a small removal need. */
const LEAST_BYTES = 64 * 1024
const RESERVE_SHARE = 1 / 16
const ROWS_PER_ROUND = 8
const ROUNDS = 256

/** Gives a shard room to delete in when the disk is full, and takes it back when there is space again. */
export class DiskReserve {
  readonly #shard: Shard
  #kept = false
  #givenUp = false
  /** Something was written. */
  #begun = false
  /** What only removes has it now. */
  #lent = false

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /**
   * Lays the reserve aside, or what there is room for. Called now and then, beside requests.
   *
   * @param size bytes of it
   */
  async keep(size: number = this.#size): Promise<void> {
    // Who only reads gives back what opening took of it.
    if (this.#kept || (this.#shard.options.readonly && !this.#givenUp)) return
    const before = fs.lstatSync(this.#path, { throwIfNoEntry: false })
    // A link leads to what is not the cache's.
    if (before && !before.isFile()) return
    const had = before?.size ?? 0
    try {
      // Zeros, and not a hole: the blocks must be taken. Added to what is there, which others would have at once.
      if (had < size) await this.#fill(had, size)
      this.#kept = true
    } catch (error) {
      this.#keepPart(error)
    }
  }

  /**
   * A transaction has ended: if it removed by the reserve, that is laid aside again before something grows into it. After
   * the first one it is laid aside at once, since others may fill the disk within the second.
   */
  committed(): void {
    if (!this.#begun) this.#begin()
    if (!this.#lent) return
    this.#lent = false
    const session = this.#shard.current
    if (session) this.#checkpoint(session)
    try {
      this.#restore()
    } catch (error) {
      this.#shard.events.failed(this.#shard.translate(error) as Error)
    }
  }

  /**
   * Closes the database, and lays it aside once more: processes that live for less than a second leave one too, and
   * who had to give it up to open on a full disk gives it back.
   *
   * @param identity of the database that is open
   */
  async keepAfter(identity: string | undefined, close: () => void): Promise<void> {
    // By the limit that is stored, which nobody knows any more when it is closed.
    const size = this.#size
    close()
    // What was removed meanwhile, or moved aside, gets no file of ours.
    if (identity === undefined || fileIdentity(join(this.#shard.directory, DATABASE_FILE)) !== identity) return
    try {
      // The shared memory of the log may have stayed, in room that was the reserve's.
      await this.keep(size)
    } catch (error) {
      // Whoever writes there is told why it cannot: here nobody does.
      if (systemCode(error) === undefined) throw error
    }
  }

  /**
   * Frees space outside of any transaction: gives up the reserve, truncates the write-ahead log, and for a write that
   * grew removes expired entries and evicts by the policy. Answers whether it is worth trying again.
   *
   * @param grew whether the room is for something new: what only removes needs no more than the reserve
   * @param bytes that should become free beyond what a small write needs
   */
  makeRoom(grew: boolean, bytes = 0): boolean {
    const session = this.#shard.current
    if (!session || session.db.inTransaction) return false
    this.#shard.marks.drop()
    const reserved = this.giveUp()
    this.#checkpoint(session)
    if (!grew) {
      this.#lent = reserved
      return reserved
    }
    const removed = this.#evictUntil(session, bytes)
    this.#checkpoint(session)
    // What grows must not use up the room in which others can still be removed.
    this.#restore()
    return removed
  }

  /** Drops the reserve. Answers whether there was one. */
  giveUp(): boolean {
    this.#kept = false
    try {
      fs.unlinkSync(this.#path)
      this.#givenUp = true
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  #begin(): void {
    this.#begun = true
    if (this.#kept) return
    // Housekeeping tries again, and tells why it cannot.
    this.#shard.closing.track(this.keep()).catch(() => undefined)
  }

  get #size(): number {
    return Math.min(RESERVE_BYTES, Math.floor(this.#shard.settings.sizeLimit * RESERVE_SHARE))
  }

  get #path(): string {
    return join(this.#shard.directory, RESERVE_FILE)
  }

  /** Processes that do it at once write the same. */
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

  #restore(): void {
    const { modes } = this.#shard.options
    try {
      fs.writeFileSync(this.#path, Buffer.alloc(this.#size), { mode: modes.file, flag: 'wx' })
      if (modes.exact) fs.chmodSync(this.#path, modes.file)
      this.#kept = true
    } catch (error) {
      // Another process has been quicker.
      if (systemCode(error) !== 'EEXIST') this.#keepPart(error)
    }
  }

  /** What was written of it before the disk was full stays, if it is of any use. */
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

  /** Removes some rows, and their files at once: the room is needed now. */
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

  #checkpoint(session: Session): void {
    try {
      session.db.pragma('wal_checkpoint(TRUNCATE)')
    } catch {
      // A checkpoint that others block, or that has no room, is tried again by SQLite itself.
    }
  }
}
