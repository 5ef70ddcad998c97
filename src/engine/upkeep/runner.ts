import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { DiskFullError, StorageError, TimeoutError } from '../errors.js'
import { threadFailure } from '../maintenance/threads.js'
import { UPKEEP_LEASE } from '../maintenance/upkeep-notice.js'
import { oncePerProcess } from '../once-per-process.js'
import type { Victim } from '../operations/culling.js'
import { acquireLease, isOver, leaseOf, releaseLease } from '../operations/leases.js'
import { newToken } from '../operations/signs-of-life.js'
import type { Shard } from '../shards/shard.js'
import { SteadyClock } from '../time.js'
import { clearTimeout, performance, setTimeout } from '../timers.js'
import type { FromThread, UpkeepRound } from './messages.js'
import { UpkeepThread } from './thread.js'
import type { ResolvedUpkeep } from './upkeep-options.js'

/** The callbacks of a user of upkeep. */
export interface RunnerUser {
  worked(round: UpkeepRound): void
  leads(leader: boolean): void
}

/** How long taking or releasing the lease waits for a lock. Milliseconds. */
const PATIENCE = 1000
const LEAST_PAUSE = 20

/**
 * The upkeep of one engine, shared by all its users. It takes the lease when it is free, and runs a thread while it has
 * the lease.
 */
export class UpkeepRunner {
  readonly options: ResolvedUpkeep
  readonly #handle: CacheHandle
  readonly #shards: readonly Shard[]
  readonly #users = new Set<RunnerUser>()
  readonly #token: string
  #thread: UpkeepThread | undefined
  #timer: NodeJS.Timeout | undefined
  #taking: Promise<void> | undefined
  #stopped = false
  /** The known end of the lease, on the clock of `performance.now()`. */
  #until = Number.NEGATIVE_INFINITY
  #told = false

  /** @param handle an open handle */
  constructor(handle: CacheHandle, options: ResolvedUpkeep) {
    this.#handle = handle
    this.#shards = handle.shards
    this.options = options
    this.#token = newToken(options.lease)
  }

  get isLeader(): boolean {
    return this.#thread !== undefined && performance.now() < this.#until
  }

  join(user: RunnerUser): void {
    this.#users.add(user)
    if (this.#told) user.leads(true)
    if (this.#users.size === 1) this.#tick()
  }

  /** Removes a user. After the last one the thread and the lease end. */
  async leave(user: RunnerUser): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return
    this.#stopped = true
    runners.delete(this.#shards[0] as Shard)
    clearTimeout(this.#timer)
    await this.#taking
    if (!this.#thread) return
    await this.#thread.stop()
    // A thread that had to be terminated has not released the lease.
    await this.#giveBack().catch(error => this.#report(error))
  }

  async run(): Promise<UpkeepRound | undefined> {
    await this.#take()
    return this.#thread?.run(this.#toldTime)
  }

  /** The time of a clock that the thread cannot read itself. */
  get #toldTime(): number | undefined {
    const { clock } = (this.#shards[0] as Shard).options
    return clock instanceof SteadyClock && clock.isSystem ? undefined : clock.now()
  }

  #tick(): void {
    const { every, lease } = this.options
    const now = this.#toldTime
    if (this.#thread && now !== undefined) this.#thread.tellTime(now)
    void this.#take().finally(() => {
      if (this.#stopped) return
      const pause = Math.min(every, lease / 3, this.#thread ? Number.POSITIVE_INFINITY : this.#left())
      this.#timer = setTimeout(() => this.#tick(), Math.max(LEAST_PAUSE, pause)).unref()
    })
  }

  /** Milliseconds until the lease of another process ends. */
  #left(): number {
    const first = this.#shards[0] as Shard
    const due = this.#dueIn(first)
    if (due === undefined || due <= first.disk.now()) return Number.POSITIVE_INFINITY
    // With jitter, so that waiting processes do not come all at once.
    return (due - first.disk.now()) * 1000 + 1 + Math.random() * LEAST_PAUSE
  }

  #dueIn(first: Shard): number | undefined {
    try {
      return first.current && leaseOf(first.current, UPKEEP_LEASE)?.due
    } catch {
      // Taking the lease will show what is wrong with the database.
      return undefined
    }
  }

  /** Takes the lease, if it is free, and starts to work. */
  #take(): Promise<void> {
    if (this.#thread || this.#stopped) return Promise.resolve()
    this.#taking ??= this.#acquire()
      .catch(error => this.#report(error))
      .finally(() => {
        this.#taking = undefined
      })
    return this.#taking
  }

  async #acquire(): Promise<void> {
    const first = this.#shards[0] as Shard
    const { current } = first
    const held = current && leaseOf(current, UPKEEP_LEASE)
    if (!current || (held && held.token !== this.#token && !isOver(current, UPKEEP_LEASE, held))) return
    // A removed directory is created again by the next write of the app, not by the upkeep.
    if (!first.isThere) return
    const seconds = this.options.lease / 1000
    const fence = await first.write(
      { run: session => acquireLease(session, UPKEEP_LEASE, this.#token, seconds) },
      { deadline: performance.now() + PATIENCE },
    )
    if (fence === undefined) return
    // The thread reads settings from the directory, where the given ones are stored with the first writes.
    await Promise.all(this.#shards.map(shard => shard.writer.settled()))
    if (this.#stopped) return this.#giveBack()
    this.#begin()
  }

  #begin(): void {
    const { every, lease, target } = this.options
    const { modes, root, clock } = (this.#shards[0] as Shard).options
    const task = {
      directories: this.#shards.map(({ directory }) => directory),
      ...{ root, modes, every, lease, target },
      token: this.#token,
      now: clock.now(),
      isTold: this.#toldTime !== undefined,
    }
    this.#until = performance.now() + lease
    try {
      this.#thread = new UpkeepThread(task, {
        heard: message => this.#heard(message),
        worked: round => this.#worked(round),
        ended: error => this.#ended(error),
      })
    } catch (error) {
      // Others would believe for as long as the lease lasts that somebody works.
      return this.#ended(threadFailure(error))
    }
    this.#tellLeading(true)
  }

  #worked(round: UpkeepRound): void {
    const [first] = this.#shards
    if (first) first.watch.counters.expirations += round.expired
    this.#lookAround()
    for (const user of [...this.#users]) user.worked(round)
  }

  #ended(error: Error | undefined): void {
    this.#thread = undefined
    this.#lookAround()
    this.#tellLeading(false)
    if (!error) return
    this.#report(new StorageError(this.#handle.directory, `upkeep ended: ${error.message}`, { cause: error }))
    this.#giveBack().catch(trouble => this.#report(trouble))
  }

  /** Releases the lease, if the thread has not done so. */
  async #giveBack(): Promise<void> {
    await Promise.all(
      this.#shards.map(async shard => {
        if (!shard.current || !shard.isThere || leaseOf(shard.current, UPKEEP_LEASE)?.token !== this.#token) return
        const run = { run: (session: Session) => releaseLease(session, UPKEEP_LEASE, this.#token), optional: true }
        await shard.write(run, { deadline: performance.now() + PATIENCE })
      }),
    )
  }

  #heard(message: Exclude<FromThread, { readonly kind: 'round' }>): void {
    if (message.kind === 'leads') {
      this.#until = performance.now() + this.options.lease
      return
    }
    const shard = this.#shards[message.shard] as Shard
    if (message.kind === 'evicted') return shard.culler.tell(message.victims.map(revived))
    this.#report(new StorageError(shard.directory, `upkeep: ${message.message}`))
  }

  /** Lets all shards read the notice of upkeep now. Other processes see it within a second. */
  #lookAround(): void {
    for (const shard of this.#shards) {
      try {
        shard.culler.upkeep.look()
      } catch {
        // Verbs that need the database report what is wrong with it.
      }
    }
  }

  #tellLeading(leader: boolean): void {
    if (this.#told === leader) return
    this.#told = leader
    for (const user of [...this.#users]) user.leads(leader)
  }

  #report(cause: unknown): void {
    const first = this.#shards[0] as Shard
    const error = first.translate(cause)
    // The lock was busy or the disk is full. The next attempt comes soon.
    if (error instanceof TimeoutError || error instanceof DiskFullError || this.#stopped) return
    first.events.failed(error as Error)
  }
}

/** The runners by the first shard of their engine, which both builds of the package share. */
const runners = oncePerProcess('upkeeps', () => new WeakMap<Shard, UpkeepRunner>())

/**
 * The upkeep of the engine of an open handle. It is created if there is none.
 *
 * @throws RangeError that names the options in which it differs from what was given
 */
export function upkeepOf(handle: CacheHandle, options: ResolvedUpkeep): UpkeepRunner {
  const first = handle.shards[0] as Shard
  const present = runners.get(first)
  const differing = options.given.filter(name => present && options[name] !== present.options[name])
  if (differing.length > 0) {
    const names = differing.map(name => `upkeep.${name}`).join(', ')
    throw new RangeError(`${handle.directory} is kept up in this process with other options: ${names}`)
  }
  if (present) return present
  const made = new UpkeepRunner(handle, options)
  runners.set(first, made)
  return made
}

/** Restores Buffers, which arrive from a thread as Uint8Arrays. */
function revived(victim: Victim): Victim {
  const key: unknown = victim.key
  if (!(key instanceof Uint8Array) || Buffer.isBuffer(key)) return victim
  return { ...victim, key: Buffer.from(key.buffer, key.byteOffset, key.byteLength) }
}
