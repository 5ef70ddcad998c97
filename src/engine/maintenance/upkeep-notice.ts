import { isBusy } from '../database/sqlite-errors.js'
import { isOver, leaseOf } from '../operations/leases.js'
import type { Shard } from '../shards/shard.js'

/**
 * The lease of the process that does the upkeep of a directory. It is taken in the first shard and noted in the others.
 */
export const UPKEEP_LEASE = 'upkeep:'

/**
 * Knows whether some process does the upkeep of a shard. It reads the lease once a second. When the lease ends without
 * being extended, writes do their share again at once.
 */
export class UpkeepNotice {
  readonly #shard: Shard
  /** The end of the lease in seconds since the epoch. */
  #until = Number.NEGATIVE_INFINITY

  constructor(shard: Shard) {
    this.#shard = shard
  }

  get inForce(): boolean {
    return this.#until > this.#shard.disk.now()
  }

  /** Reads the lease. */
  look(): void {
    const { current } = this.#shard
    if (!current) return
    try {
      const lease = leaseOf(current, UPKEEP_LEASE)
      this.#until = lease && !isOver(current, UPKEEP_LEASE, lease) ? lease.due : Number.NEGATIVE_INFINITY
    } catch (error) {
      // With a rollback journal a commit may block reads. The next look is soon.
      if (!isBusy(error)) throw error
    }
  }
}
