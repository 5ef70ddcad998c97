import type { Events } from '../events.js'
import type { Shard } from '../shards/shard.js'
import type { ResolvedMemory } from './memory-options.js'
import { MemoryTier, type PastFigures } from './memory-tier.js'

/**
 * The memory of one engine, which is there as long as a handle is open that has asked for it. Handles which have not
 * read from the database; what they write is known to it all the same.
 */
export class SharedMemory {
  readonly #shards: readonly Shard[]
  readonly #past: PastFigures
  readonly #users = new Set<Events>()
  #tier: MemoryTier | undefined

  /** @param past takes what was counted and is forgotten */
  constructor(shards: readonly Shard[], past: PastFigures) {
    this.#shards = shards
    this.#past = past
  }

  /** Names of the options in which a handle differs from those that use the memory already. */
  differences(wanted: ResolvedMemory | undefined): string[] {
    const present = this.#tier?.options
    if (!wanted || !present) return []
    return wanted.given.filter(name => wanted[name] !== present[name]).map(name => `memory.${name}`)
  }

  /** Counts a user more, if that one has asked for memory. */
  join(user: Events, wanted: ResolvedMemory | undefined): void {
    if (!wanted) return
    this.#users.add(user)
    this.#tier ??= new MemoryTier(wanted, this.#shards, this.#past)
  }

  /** Whoever has asked for it. */
  get tier(): MemoryTier | undefined {
    return this.#tier
  }

  of(user: Events): MemoryTier | undefined {
    return this.#users.has(user) ? this.#tier : undefined
  }

  /** With the last user goes the memory. */
  leave(user: Events): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return
    for (const shard of this.#shards) shard.memory = undefined
    this.#tier?.resetFigures()
    this.#tier?.clear()
    this.#tier = undefined
  }
}
