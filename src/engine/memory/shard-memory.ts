import type { Job } from '../database/job.js'
import type { Session } from '../database/session.js'
import type { Shard } from '../shards/shard.js'
import type { MemoryEntry } from './memory-entry.js'
import type { MemoryTier } from './memory-tier.js'

type VersionRow = readonly [rowid: number, storeTime: number, expireTime: number | null]

/**
 * What the memory knows of one shard: whether others may have written to it since its entries were read.
 *
 * Each state of the database that may differ from the one before has a number, its epoch. An entry of the present epoch
 * is true; one of an older epoch must be compared with its row.
 */
export class ShardMemory {
  readonly shard: Shard
  readonly #tier: MemoryTier
  epoch = 0
  /** Entries of epochs before it are of a database that is not open any more. */
  #first = 0
  #dataVersion: unknown
  /** The turn of the loop in which SQLite was asked last whether others have written. */
  #askedIn = -1

  constructor(tier: MemoryTier, shard: Shard) {
    this.#tier = tier
    this.shard = shard
  }

  /** Whether an entry may be answered now. */
  isTrue(entry: MemoryEntry): boolean {
    const { pending } = this.shard.writer
    if (!pending.empty && pending.has(entry.key)) return false
    this.#tier.askSuspects()
    if (this.#askedIn !== this.#tier.turn && !this.ask()) return false
    return entry.epoch === this.epoch || this.#confirm(entry)
  }

  /**
   * Asks SQLite whether another connection has committed. Answers false when that cannot be known now.
   *
   * `data_version` says nothing of what this connection commits: see `committed`.
   */
  ask(): boolean {
    try {
      const version = this.shard.current?.statements.prepare('dataVersion').get()
      if (version === undefined) return false
      if (version !== this.#dataVersion) {
        this.epoch++
        if (this.#dataVersion !== undefined) this.#tier.sawNewer()
        this.#dataVersion = version
      }
      this.#askedIn = this.#tier.beginTurn()
      return true
    } catch {
      // Busy, damaged or gone: the read that follows meets the same error, and knows what to do.
      return false
    }
  }

  /**
   * A statement of this process looks at the shard and may see what is newer than the entries: none of any shard is
   * answered before SQLite was asked again, so that nobody sees the newer state and then an older one.
   */
  looked(): void {
    this.#askedIn = -1
    this.#tier.suspect(this)
  }

  /** This connection has committed. What it wrote under keys is forgotten; what else it wrote, nobody knows. */
  committed(jobs: readonly { readonly job: Job }[]): void {
    let changed = false
    for (const { job } of jobs) {
      const { identity } = job.work
      if (identity === undefined) changed = true
      else this.#tier.forget(identity, this)
    }
    if (changed) this.changed()
  }

  /** Any row may have changed. */
  changed(): void {
    this.epoch++
  }

  /** The database was closed: another one will be opened, whose versions may be the same by chance. */
  reset(): void {
    this.changed()
    this.looked()
    this.#first = this.epoch
    this.#dataVersion = undefined
  }

  /** Compares an entry of an older epoch with its row. */
  #confirm(entry: MemoryEntry): boolean {
    const session = this.shard.current
    if (!session) return false
    try {
      if (entry.epoch >= this.#first && isVersion(entry, session)) {
        entry.epoch = this.epoch
        return true
      }
    } catch {
      // As above.
    }
    this.#tier.drop(entry)
    return false
  }
}

function isVersion(entry: MemoryEntry, session: Session): boolean {
  const row = session.statements.prepare('version').get(entry.data, entry.raw) as VersionRow | undefined
  if (!row) return entry.isMiss
  const [rowid, storeTime, expireTime] = row
  if (entry.isMiss) return expireTime !== null && expireTime <= session.disk.now()
  return rowid === entry.rowid && storeTime === entry.storeTime && expireTime === entry.expireTime
}
