import type { Session } from './session.js'

/** Limit of rows that are remembered between two writes. Accesses to further rows are not noted. */
const MOST_ROWS = 10_000
/** The access of a row is written again only when the stored one is older than this. Seconds. */
const FRESH_SECONDS = 5

interface TimeMark {
  time: number
  readonly stored: number
}

/**
 * The accesses noted by reads under LRU, LFU and statistics. They are kept in memory and stored with a later write, so
 * that reads never take the write lock and succeed on a full disk.
 */
export class AccessMarks {
  readonly #times = new Map<number, TimeMark>()
  readonly #counts = new Map<number, number>()
  hits = 0
  misses = 0

  /** Whether there are marks to write. */
  get dirty(): boolean {
    return this.#times.size > 0 || this.#counts.size > 0 || this.hits > 0 || this.misses > 0
  }

  /** Notes an access under least-recently-used. Times are seconds. */
  accessed(rowid: number, now: number, stored: number): void {
    const mark = this.#times.get(rowid)
    if (mark) mark.time = now
    else if (this.#times.size < MOST_ROWS) this.#times.set(rowid, { time: now, stored })
  }

  /** Notes an access under least-frequently-used. */
  counted(rowid: number): void {
    const count = this.#counts.get(rowid)
    if (count !== undefined) this.#counts.set(rowid, count + 1)
    else if (this.#counts.size < MOST_ROWS) this.#counts.set(rowid, 1)
  }

  /**
   * Writes marks of at most `limit` rows inside a transaction, and forgets them unless it is rolled back. Leaves those of
   * rows whose stored access is recent.
   */
  write(session: Session, now: number, limit: number): void {
    this.#write(session, now, limit, FRESH_SECONDS)
  }

  /** Like `write`, and leaves no row out, for the exact order of eviction. */
  writeAll(session: Session, now: number, limit: number): void {
    this.#write(session, now, limit, Number.NEGATIVE_INFINITY)
  }

  /** Drops all marks, because the cache is readonly or the disk is full. */
  drop(): void {
    this.#times.clear()
    this.#counts.clear()
    this.hits = 0
    this.misses = 0
  }

  #write(session: Session, now: number, limit: number, age: number): void {
    this.#writeStatistics(session)
    let left = limit
    for (const [rowid, mark] of this.#times) {
      if (left <= 0) return
      if (mark.time - mark.stored < age && now - mark.time < age) continue
      const { time } = mark
      session.statements.prepare('markAccessTime').run(time, rowid, time)
      this.#times.delete(rowid)
      session.afterRollback(() => this.#times.set(rowid, mark))
      left--
    }
    for (const [rowid, count] of this.#counts) {
      if (left-- <= 0) return
      session.statements.prepare('markAccessCount').run(count, rowid)
      this.#counts.delete(rowid)
      session.afterRollback(() => this.#counts.set(rowid, count))
    }
  }

  #writeStatistics(session: Session): void {
    const { hits, misses } = this
    if (hits > 0) session.statements.run('addHits', BigInt(hits))
    if (misses > 0) session.statements.run('addMisses', BigInt(misses))
    if (hits + misses === 0) return
    this.hits = 0
    this.misses = 0
    session.afterRollback(() => {
      this.hits += hits
      this.misses += misses
    })
  }
}
