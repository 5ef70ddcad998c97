import type { Events } from '../events.js'
import type { Shard } from '../shards/shard.js'
import type { ResolvedMemory } from './memory-options.js'
import { MemoryTier, type PastFigures } from './memory-tier.js'

/**
 * The memory of one engine. It exists while a handle is open that has asked for it. Other handles read from the
 * database, but their writes are known to it.
 */
export class SharedMemory {
  readonly #shards: readonly Shard[]
  readonly #past: PastFigures
  readonly #users = new Set<Events>()
  #tier: MemoryTier | undefined

  /** @param past receives the counts of memories that are dropped */
  constructor(shards: readonly Shard[], past: PastFigures) {
    this.#shards = shards
    this.#past = past
  }

  /** Names of the options in which a handle differs from the present users of the memory. */
  differences(wanted: ResolvedMemory | undefined): string[] {
    const present = this.#tier?.options
    if (!wanted || !present) return []
    return wanted.given.filter(name => wanted[name] !== present[name]).map(name => `memory.${name}`)
  }

  /** Adds a user, if it has asked for memory. */
  join(user: Events, wanted: ResolvedMemory | undefined): void {
    if (!wanted) return
    this.#users.add(user)
    this.#tier ??= new MemoryTier(wanted, this.#shards, this.#past)
  }

  /** The memory tier, whoever has asked for it. */
  get tier(): MemoryTier | undefined {
    return this.#tier
  }

  of(user: Events): MemoryTier | undefined {
    return this.#users.has(user) ? this.#tier : undefined
  }

  /** Removes a user. The memory ends with the last one. */
  leave(user: Events): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return
    for (const shard of this.#shards) shard.memory = undefined
    this.#tier?.resetFigures()
    this.#tier?.clear()
    this.#tier = undefined
  }
}
