import { createHash } from 'node:crypto'

/** Keys that are counted at a time: those of this many, and up to as many before them. */
const MOST = 50_000

/**
 * How often keys were asked for lately, in this process. Strangers can ask for as many as they like: what is counted is
 * bounded, and what is not asked for again is forgotten.
 */
export class Uses {
  #young = new Map<number, number>()
  #old = new Map<number, number>()

  /** Counts a use. Answers how many there were, this one included. */
  add(key: string): number {
    // Two keys that share 48 bits are counted as one, which does no harm.
    const hash = createHash('sha1').update(key).digest().readUIntBE(0, 6)
    const count = 1 + (this.#young.get(hash) ?? this.#old.get(hash) ?? 0)
    this.#young.set(hash, count)
    if (this.#young.size >= MOST) {
      this.#old = this.#young
      this.#young = new Map()
    }
    return count
  }
}
