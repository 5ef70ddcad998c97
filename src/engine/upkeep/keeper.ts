import { join } from 'node:path'
import { fileIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Session } from '../database/session.js'
import { isBusy } from '../database/sqlite-errors.js'
import { structuredCodec } from '../disk/structured-codec.js'
import { DirectoryError, DiskFullError, TimeoutError } from '../errors.js'
import { UPKEEP_LEASE } from '../maintenance/upkeep-notice.js'
import { Counters } from '../observe/counters.js'
import { extendLease, noteLease, releaseLease } from '../operations/leases.js'
import { Shard } from '../shards/shard.js'
import type { ShardOptions } from '../shards/shard-options.js'
import type { Clock } from '../time.js'
import { performance } from '../timers.js'
import { Checkpoints } from './checkpoints.js'
import type { FromThread, UpkeepRound, UpkeepTask } from './messages.js'
import { keepUp, type Leading, LeaseGone, type Tally } from './round.js'

/** How long a page or an extension of the lease waits for a lock. Other shards are worked on meanwhile. */
const PATIENCE = 10_000
const CLOSING_PATIENCE = 500

/** The work of the thread. It opens the databases itself and works on each as long as it has the lease. */
export class Keeper implements Leading {
  readonly stopping = { requested: false }
  readonly patience: number
  readonly target: number
  readonly #task: UpkeepTask
  readonly #clock: Clock
  readonly #tell: (message: FromThread) => void
  readonly #shards: readonly Shard[]
  readonly #checkpoints = new Checkpoints()
  /** Errors reported for each shard since it was last in order. The same error is reported once. */
  readonly #troubles = new Map<number, Set<string>>()
  #due: number

  constructor(task: UpkeepTask, clock: Clock, tell: (message: FromThread) => void) {
    this.#task = task
    this.#clock = clock
    this.#tell = tell
    this.target = task.target
    this.patience = Math.min(PATIENCE, task.lease)
    this.#due = clock.now() + task.lease
    this.#shards = task.directories.map((directory, at) => this.#shardIn(directory, at))
  }

  /** @throws LeaseGone */
  async hold(): Promise<void> {
    if (this.stopping.requested) throw new LeaseGone()
    if (this.#clock.now() >= this.#due) await this.#extend()
  }

  /** Extends the lease and its notes in the other shards. @throws LeaseGone when another process has it */
  async beat(): Promise<void> {
    await this.#extend()
    await Promise.all(this.#shards.map((shard, at) => this.#guarded(at, () => this.#note(shard))))
  }

  /** Extends the lease. @throws LeaseGone when another process has it */
  async #extend(): Promise<void> {
    const { token, lease } = this.#task
    const first = this.#shards[0] as Shard
    const due = this.#clock.now() + lease
    await this.#opened(first)
    const deadline = performance.now() + this.patience
    const run = { run: (session: Session) => extendLease(session, UPKEEP_LEASE, token, lease / 1000) }
    if (!(await first.write(run, { deadline }))) throw new LeaseGone()
    this.#due = due
    this.#tell({ kind: 'leads' })
  }

  /** Runs a round. @param sweepNow whether to look for orphans even if that was done within the hour. @throws LeaseGone */
  async round(sweepNow: boolean): Promise<UpkeepRound> {
    const startedAt = performance.now()
    const tally: Tally = { expired: 0, evicted: 0, orphans: 0, vacuumed: 0 }
    // On a full disk the lease cannot be extended, but the round is needed all the more.
    await this.#extend().catch(error => {
      if (!isPassing(error)) throw error
    })
    await Promise.all(
      this.#shards.map((shard, at) =>
        this.#guarded(at, async () => {
          await this.#note(shard)
          await keepUp(shard, this, { tally, sweepNow })
          this.#checkpoints.look(shard, 'round')
          this.#troubles.delete(at)
        }),
      ),
    )
    return { ...tally, checkpointed: this.#checkpoints.take(), milliseconds: performance.now() - startedAt }
  }

  /** Copies the logs between rounds. */
  copyLogs(): void {
    for (const [at, shard] of this.#shards.entries()) {
      try {
        this.#checkpoints.look(shard, 'beside')
      } catch (error) {
        this.#report(at, error)
      }
    }
  }

  /** Ends the work under way, releases the lease and closes. */
  async close(): Promise<void> {
    this.stopping.requested = true
    await Promise.all(this.#shards.map(shard => this.#leave(shard)))
  }

  async #leave(shard: Shard): Promise<void> {
    const { token } = this.#task
    try {
      if (shard.current && isThere(shard.directory)) {
        const run = { run: (session: Session) => releaseLease(session, UPKEEP_LEASE, token), optional: true }
        await shard.write(run, { deadline: performance.now() + CLOSING_PATIENCE })
      }
    } catch {
      // The lease ends by itself.
    }
    await shard.close()
  }

  /** Notes the lease in a shard, so that its writes know of the upkeep. */
  async #note(shard: Shard): Promise<void> {
    await this.#opened(shard)
    if (shard === this.#shards[0]) return
    const { token, lease } = this.#task
    const run = { run: (session: Session) => noteLease(session, UPKEEP_LEASE, token, lease / 1000) }
    await shard.write(run, { deadline: performance.now() + this.patience })
  }

  /** Opens a shard. @throws DirectoryError when the database is missing: the app creates it again, not the upkeep */
  async #opened(shard: Shard): Promise<void> {
    assertThere(shard.directory)
    await shard.open()
  }

  async #guarded(at: number, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof LeaseGone) throw error
      this.#report(at, error)
    }
  }

  #report(shard: number, error: unknown): void {
    // Busy locks, full disks and removed directories are not reported. The next round tries again.
    if (isPassing(error) || error instanceof DirectoryError) return
    const message = error instanceof Error ? error.message : String(error)
    const told = this.#troubles.get(shard) ?? new Set()
    if (told.has(message) || this.stopping.requested) return
    this.#troubles.set(shard, told.add(message))
    this.#tell({ kind: 'failed', shard, message })
  }

  #shardIn(directory: string, at: number): Shard {
    const { root, modes, directories } = this.#task
    const options: ShardOptions = {
      root,
      modes,
      codec: structuredCodec,
      clock: this.#clock,
      readonly: false,
      // The app moves damaged databases aside, not the upkeep.
      onCorrupt: 'throw',
      timeout: this.patience,
      maxPending: { count: 1000, bytes: 2 ** 20 },
      shards: directories.length,
      // Nobody reads the counters in this thread. Rounds report what was done.
      counters: new Counters(directory),
      prepareDirectory: () => assertThere(directory),
      initial: {},
      given: {},
    }
    return new Shard(directory, at, options, {
      evicted: victims => this.#tell({ kind: 'evicted', shard: at, victims }),
      quarantined: () => undefined,
      failed: error => this.#report(at, error),
      settingsStored: () => undefined,
    })
  }
}

/** Whether an error may be over by the next round. */
export function isPassing(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof DiskFullError || isBusy(error)
}

function isThere(directory: string): boolean {
  return fileIdentity(join(directory, DATABASE_FILE)) !== undefined
}

function assertThere(directory: string): void {
  if (!isThere(directory)) throw new DirectoryError(directory, 'is gone')
}
