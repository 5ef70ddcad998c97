import { LONGEST_LOG, logBytes } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { deferredCheckpointPages } from '../database/settings.js'
import { isBusy } from '../database/sqlite-errors.js'
import type { Shard } from '../shards/shard.js'

/** Number of pages that are worth copying between rounds and in a round. */
const WORTH = { beside: 500, round: 16 }
/** From this share of the length which commits permit, the log is restarted under the write lock. */
const NEAR = 0.75

type LogState = { readonly log: number; readonly checkpointed: number }

/** Copies the logs to the databases before a commit has to. Writes and reads go on meanwhile. */
export class Checkpoints {
  #copied = 0

  /** Returns the number of pages copied since the last call. */
  take(): number {
    const copied = this.#copied
    this.#copied = 0
    return copied
  }

  /** Checks the log of a shard and copies it if that is worth it. @throws errors of SQLite */
  look(shard: Shard, when: 'beside' | 'round'): void {
    const session = shard.current
    if (session?.settings.journalMode !== 'wal' || session.db.inTransaction) return
    try {
      this.#lookAt(shard, session, when)
    } catch (error) {
      // Another checkpoint is under way.
      if (!isBusy(error)) throw error
    }
  }

  #lookAt(shard: Shard, session: Session, when: 'beside' | 'round'): void {
    // SQLite before 3.51 does not know NOOP and copies. The rest is then what it could not copy.
    const before = checkpoint(session, 'NOOP')
    if (before.log < 0) return
    const left = before.log - before.checkpointed
    const isLong = before.log > deferredCheckpointPages(session.settings) * NEAR
    if (left < WORTH[when] && !isLong) return
    const after = checkpoint(session, 'PASSIVE')
    this.#copied += Math.max(0, after.checkpointed - before.checkpointed)
    // Little was written meanwhile, so that a restart under the lock takes only a moment.
    if (isLong) this.#copied += Math.max(0, checkpoint(session, 'RESTART').checkpointed - after.checkpointed)
    if (logBytes(shard.directory) > LONGEST_LOG) checkpoint(session, 'TRUNCATE')
  }
}

function checkpoint({ db }: Session, mode: 'NOOP' | 'PASSIVE' | 'RESTART' | 'TRUNCATE'): LogState {
  const [row] = db.pragma(`wal_checkpoint(${mode})`) as LogState[]
  return row ?? { log: -1, checkpointed: -1 }
}
