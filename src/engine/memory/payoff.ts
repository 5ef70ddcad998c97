/** So many questions are looked back on to see whether asking is worth it. */
const QUESTIONS = 32
/** A question takes half as long as a look at a row: it is worth it when it saves that many looks. */
const WORTHWHILE = QUESTIONS / 2
/** So many entries are compared with their rows at once before it is tried again whether asking is worth it. */
const DIRECT_READS = 512
/** So many comparisons are looked back on to see whether keeping values is worth it. */
const COMPARISONS = 32
/** So few that have changed prove nothing. */
const MOST_BY_CHANCE = 8
/** To keep a value that has changed until it is wanted takes twice as long as one that has not saves. */
const COST_OF_CHANGE = 2
/** So many reads go past the memory before it is tried again; twice as many after each trial that failed. */
const FEWEST_ASIDE = 4096
const MOST_ASIDE = 65_536

/**
 * What the memory of one shard has lately cost and saved, and so how the next reads go. At first SQLite is asked in each
 * turn of the loop whether others have written. Where that saves too few looks, entries are compared with their rows
 * without asking. Where most of these have changed, since others write as often as this process reads, reads go past the
 * memory, until it is tried again.
 */
export class Payoff {
  #directReads = 0
  #asideReads = 0
  #nextAside = FEWEST_ASIDE
  #questions = 0
  #saved = 0
  #same = 0
  #changed = 0

  /** Whether SQLite is asked before an entry is answered. */
  get asksFirst(): boolean {
    return this.#directReads === 0 && this.#asideReads === 0
  }

  /** Whether reads go past the memory. */
  get isAside(): boolean {
    return this.#asideReads > 0
  }

  /** A read has gone past the memory. Answers whether it was the last. */
  passed(): boolean {
    return --this.#asideReads === 0
  }

  /** SQLite was asked. */
  asked(): void {
    if (++this.#questions < QUESTIONS) return
    if (this.#saved >= WORTHWHILE) this.#pays()
    else if (this.#loses) this.#stepAside()
    else this.#directReads = DIRECT_READS
    this.#questions = 0
    this.#saved = 0
  }

  /** An entry was answered without a look at the database. */
  saved(): void {
    this.#saved++
  }

  /** An entry is to be compared with its row, without asking first. */
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
