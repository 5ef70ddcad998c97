import { isBusy } from '../database/busy.js'
import { checkpointPages } from '../database/settings.js'
import { leaseOf } from '../operations/leases.js'
import type { Shard } from '../shards/shard.js'

/** The lease of who keeps a directory up. It is taken in the first shard, and noted in the others. */
export const UPKEEP_LEASE = 'upkeep:'

/**
 * Whether somebody keeps a shard up beside requests, as far as this process knows. It looks once a second; when the lease
 * ends without being extended, writes do their share again at once.
 */
export class UpkeepNotice {
  readonly #shard: Shard
  /** Seconds since the epoch. */
  #until = Number.NEGATIVE_INFINITY
  #raised = false

  constructor(shard: Shard) {
    this.#shard = shard
  }

  get inForce(): boolean {
    return this.#until > this.#shard.disk.now()
  }

  /** Reads the lease, and lets commits copy the log later where others see to it. */
  look(): void {
    const { current } = this.#shard
    if (!current) return
    try {
      this.#until = leaseOf(current, UPKEEP_LEASE)?.due ?? Number.NEGATIVE_INFINITY
    } catch (error) {
      // With a rollback journal a commit may be in the way: the next look is soon.
      if (!isBusy(error)) throw error
      return
    }
    const raise = this.inForce
    // A connection that was opened again has its own again.
    if (raise || this.#raised) current.db.pragma(`wal_autocheckpoint = ${checkpointPages(current.settings, raise)}`)
    this.#raised = raise
  }
}
