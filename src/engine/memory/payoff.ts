/** Number of past questions that decide whether asking is worth it. */
const QUESTIONS = 32
/** A question costs half as much as a look at a row, so asking is worth it when this many looks are saved. */
const WORTHWHILE = QUESTIONS / 2
/** Number of entries that are compared with their rows directly before asking is tried again. */
const DIRECT_READS = 512
/** Number of past comparisons that decide whether keeping values is worth it. */
const COMPARISONS = 32
/** Up to this many changed entries prove nothing. */
const MOST_BY_CHANCE = 8
/** A kept value that has changed before it is wanted costs twice what an unchanged one saves. */
const COST_OF_CHANGE = 2
/** Number of reads that bypass the memory before it is tried again. It doubles after each failed trial. */
const FEWEST_ASIDE = 4096
const MOST_ASIDE = 65_536

/**
 * Tracks what the memory of one shard has lately cost and saved, and decides how the next reads go. At first SQLite is
 * asked in each turn of the loop whether others have written. If that saves too few looks, entries are compared with
 * their rows without asking. If most of these have changed, because others write as often as this process reads, reads
 * bypass the memory until it is tried again.
 */
export class Payoff {
  #directReads = 0
  #asideReads = 0
  #nextAside = FEWEST_ASIDE
  #questions = 0
  #saved = 0
  #same = 0
  #changed = 0

  /** Whether SQLite is asked before an entry is returned. */
  get asksFirst(): boolean {
    return this.#directReads === 0 && this.#asideReads === 0
  }

  /** Whether reads bypass the memory. */
  get isAside(): boolean {
    return this.#asideReads > 0
  }

  /** Records a read that bypassed the memory. Returns whether it was the last to do so. */
  passed(): boolean {
    return --this.#asideReads === 0
  }

  /** Records that SQLite was asked. */
  asked(): void {
    if (++this.#questions < QUESTIONS) return
    if (this.#saved >= WORTHWHILE) this.#pays()
    else if (this.#loses) this.#stepAside()
    else this.#directReads = DIRECT_READS
    this.#questions = 0
    this.#saved = 0
  }

  /** Records that an entry was returned without a look at the database. */
  saved(): void {
    this.#saved++
  }

  /** Records that an entry is compared with its row without asking first. */
  comparing(): void {
    this.#directReads--
  }

  compared(same: boolean): void {
    if (same) this.#same++
    else this.#changed++
    if (this.#directReads === 0 || this.#same + this.#changed < COMPARISONS) return
    if (this.#loses) this.#stepAside()
    else this.#pays()
  }

  get #loses(): boolean {
    return this.#changed >= MOST_BY_CHANCE && this.#changed * COST_OF_CHANGE > this.#same
  }

  #pays(): void {
    this.#nextAside = FEWEST_ASIDE
    this.#same = 0
    this.#changed = 0
  }

  #stepAside(): void {
    this.#asideReads = this.#nextAside
    this.#nextAside = Math.min(MOST_ASIDE, this.#nextAside * 2)
    this.#directReads = 0
    this.#same = 0
    this.#changed = 0
  }
}
