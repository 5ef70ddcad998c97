import { createHash } from 'node:crypto'

/** Number of keys in one generation. Two generations are counted. */
const MOST = 50_000

/**
 * Counts how often keys were requested recently in this process. Clients can request any number of keys, so that memory
 * is bounded and keys that are not requested again are forgotten.
 */
export class Uses {
  #young = new Map<number, number>()
  #old = new Map<number, number>()

  /** Counts a use and returns the number of uses, including this one. */
  add(key: string): number {
    // Two keys with the same 48 bits are counted as one, which does no harm.
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
