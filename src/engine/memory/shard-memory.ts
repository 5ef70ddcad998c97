import type { Job } from '../database/job.js'
import type { Session } from '../database/session.js'
import type { VersionedValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import type { Shard } from '../shards/shard.js'
import { isYoung, type MemoryEntry } from './memory-entry.js'
import type { MemoryTier } from './memory-tier.js'
import { Payoff } from './payoff.js'

const NO_KEYS: readonly EncodedKey[] = []

type VersionRow = readonly [rowid: number, storeTime: number, expireTime: number | null]

/** Up to this size a row is compared together with its value, which saves a second read when it has changed. Bytes. */
const SMALL = 4096

/**
 * Tracks for one shard whether others may have written to it since its entries were read.
 *
 * Each state of the database that may differ from the one before has a number, its epoch. An entry of the present epoch
 * is current; one of an older epoch must be compared with its row.
 */
export class ShardMemory {
  readonly shard: Shard
  readonly #tier: MemoryTier
  epoch = 0
  /** Entries of earlier epochs belong to a database that is not open any more. */
  #first = 0
  #dataVersion: unknown
  #evicted: readonly EncodedKey[] = NO_KEYS
  readonly #payoff = new Payoff()
  /** Entries of earlier epochs were kept before reads bypassed the memory, so that their changes prove nothing. */
  #keptSince = 0
  /** The turn of the loop in which SQLite was last asked whether others have written. */
  #askedIn = -1

  constructor(tier: MemoryTier, shard: Shard) {
    this.#tier = tier
    this.shard = shard
  }

  /** The entry if it is current, or one that was read in its place. */
  confirmed(entry: MemoryEntry): MemoryEntry | undefined {
    const { pending } = this.shard.writer
    if (!pending.empty && pending.has(entry.key)) return undefined
    if (!this.#payoff.asksFirst) {
      if (this.#payoff.isAside) return undefined
      this.#payoff.comparing()
      return this.#confirm(entry)
    }
    this.#tier.askSuspects()
    if (this.#askedIn !== this.#tier.turn && !this.ask()) return undefined
    if (entry.epoch !== this.epoch) return this.#confirm(entry)
    this.#payoff.saved()
    return entry
  }

  /**
   * Whether a read should bypass the memory, because kept values have mostly changed when they are wanted. Counts it.
   *
   * Nothing is kept meanwhile. Values that were kept before are compared with their rows when they are wanted again.
   */
  passes(): boolean {
    if (!this.#payoff.isAside) return false
    if (this.#payoff.passed()) {
      this.changed()
      this.#keptSince = this.epoch
    }
    return true
  }

  /**
   * Asks SQLite whether another connection has committed. Returns `false` when that cannot be known now.
   *
   * `data_version` does not change with commits of this connection: see `committed`.
   */
  ask(): boolean {
    this.#payoff.asked()
    try {
      const version = this.shard.current?.statements.prepare('dataVersion').get()
      if (version === undefined) return false
      if (version !== this.#dataVersion) {
        this.epoch++
        this.#tier.sawNewer()
        this.#dataVersion = version
      }
      this.#askedIn = this.#tier.beginTurn()
      return true
    } catch {
      // Busy, damaged or gone. The read that follows meets the same error and handles it.
      return false
    }
  }

  /**
   * Called when a statement of this process reads the shard and may see a newer state than the entries. No entry of any
   * shard is returned before SQLite was asked again, so that nobody sees the newer state and then an older one.
   */
  looked(): void {
    this.#askedIn = -1
    if (this.#payoff.asksFirst) this.#tier.suspect(this)
    else this.#tier.sawNewer()
  }

  /**
   * Called after a commit of this connection. Forgets the keys it wrote; after other writes any row may have changed.
   */
  committed(jobs: readonly { readonly job: Job }[]): void {
    let changed = false
    for (const key of this.#evicted) this.#tier.forget(keyIdentity(key), this)
    this.#evicted = NO_KEYS
    for (const { job } of jobs) {
      const { identity } = job.work
      if (identity === undefined) changed = true
      else this.#tier.forget(identity, this)
    }
    if (changed) this.wrote(this.shard.current?.stored ?? NO_KEYS)
  }

  /** Called after other writes, with the keys that they stored: a new row may look like one that others removed. */
  wrote(stored: readonly EncodedKey[]): void {
    for (const key of stored) this.#tier.forget(keyIdentity(key), this)
    this.changed()
  }

  /**
   * Called with what the open transaction evicts after its jobs, which do not name it. Other entries stay current, so
   * that a full cache does not compare all of them after each write. What has expired needs no call: nobody gets it.
   */
  willEvict(keys: readonly EncodedKey[]): void {
    this.#evicted = keys
  }

  /** Called when any row may have changed. */
  changed(): void {
    this.epoch++
  }

  /** Gives up all entries, those of other shards too: called when the whole cache was cleared. */
  forgetAll(): void {
    this.#tier.clear()
  }

  /** Called when the database was closed. The next one may have equal versions by chance. */
  reset(): void {
    this.changed()
    this.looked()
    this.#first = this.epoch
    this.#dataVersion = undefined
  }

  /** Compares an entry with its row. A changed row is read anew, if it is small. */
  #confirm(entry: MemoryEntry): MemoryEntry | undefined {
    const session = this.shard.current
    if (!session) return undefined
    try {
      const present = entry.epoch < this.#first ? undefined : this.#look(entry, session)
      if (present === entry || entry.epoch >= this.#keptSince) this.#payoff.compared(present === entry)
      if (present) {
        present.epoch = this.epoch
        return present
      }
    } catch {
      // As in `ask`; or the new value cannot be decoded.
    }
    this.#tier.drop(entry)
    this.looked()
    return undefined
  }

  #look(entry: MemoryEntry, session: Session): MemoryEntry | undefined {
    if (entry.isMiss || entry.bytes > SMALL) return isVersion(entry, session) ? entry : undefined
    const row = rowOf(entry, session)
    if (!row) return undefined
    const [, , , rowid, , storeTime, expireTime] = row
    if (isSame(entry, rowid, storeTime, expireTime) && (!entry.isYoung || this.#tier.hasValue(entry, row))) {
      if (entry.isYoung) entry.isYoung = isYoung(storeTime, session.disk.now())
      return entry
    }
    this.looked()
    return this.#tier.renew(entry, row)
  }
}

/** The live row of a key: mostly the one that is known, since overwriting keeps it. */
function rowOf({ rowid, data, raw }: MemoryEntry, { statements, disk }: Session): VersionedValueRow | undefined {
  const now = disk.now()
  const row = statements.prepare('versionedRow').get(rowid, data, raw, now)
  return (row ?? statements.prepare('versionedValue').get(data, raw, now)) as VersionedValueRow | undefined
}

function isVersion(entry: MemoryEntry, session: Session): boolean {
  const row = session.statements.prepare('version').get(entry.data, entry.raw) as VersionRow | undefined
  if (!row) return entry.isMiss
  const [rowid, storeTime, expireTime] = row
  if (entry.isMiss) return expireTime !== null && expireTime <= session.disk.now()
  return !entry.isYoung && isSame(entry, rowid, storeTime, expireTime)
}

function isSame(entry: MemoryEntry, rowid: number, storeTime: number, expireTime: number | null): boolean {
  return rowid === entry.rowid && storeTime === entry.storeTime && expireTime === entry.expireTime
}
