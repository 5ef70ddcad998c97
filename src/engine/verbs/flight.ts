import type { Session } from '../database/session.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { DiskCacheError } from '../errors.js'
import { tracedWait } from '../observe/verbs.js'
import { onAbort } from '../on-abort.js'
import { oncePerProcess } from '../once-per-process.js'
import type { NewEntry } from '../operations/entries.js'
import {
  type Clearance,
  type FlightPlan,
  isCurrent,
  isGroundFree,
  type LiveEntry,
  land,
  takeOff,
} from '../operations/flights.js'
import { extendLease, leaseName } from '../operations/leases.js'
import { newToken } from '../operations/signs-of-life.js'
import { kindOf } from '../option-names.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds, stopwatch, toMilliseconds, toSeconds } from '../time.js'
import { clearInterval, performance, setInterval } from '../timers.js'
import {
  type Chosen,
  contextOf,
  givenTags,
  noteStanding,
  type Order,
  refuseStream,
  tellStored,
} from './compute-context.js'
import { copyOf } from './copying.js'
import { giveUpLease } from './giving-up.js'
import { PollPauses } from './poll-pauses.js'
import { readValue } from './reading.js'
import { storeValue } from './storing.js'
import { resolveWaiting } from './verb-options.js'

/**
 * The result of a flight without a value: nobody waits for it here, and another process computes it or storing failed.
 */
export const LEFT_TO_OTHERS: unique symbol = Symbol.for('fanout-cache.left-to-others.0')

/** The name under which those who trace hear of a wait for the computation of another caller. */
export const WAIT = 'getOrSet.wait'
/** The longest pause between two heartbeats: a longer one would overflow a timer. Milliseconds. */
const LONGEST_BEAT = 3_600_000
const HELD: Clearance = { kind: 'held' }

const flights = oncePerProcess('flights', () => new WeakMap<Shard, Map<KeyIdentity, Flight<unknown>>>())

/** Joins the flight of a key that is under way in this process, or starts one. */
export function joinFlight<T>(order: Order<T>): Flight<T> {
  const byKey = flights.get(order.shard) ?? new Map<KeyIdentity, Flight<unknown>>()
  flights.set(order.shard, byKey)
  const identity = keyIdentity(order.encoded)
  const known = byKey.get(identity)
  if (known?.isCurrent) return known as Flight<T>
  const flight = new Flight(order)
  byKey.set(identity, flight as Flight<unknown>)
  const forget = (): void => {
    if (byKey.get(identity) === flight) byKey.delete(identity)
  }
  flight.landed.then(forget, forget)
  return flight
}

/** One computation of one key. A process has at most one at a time, and with the lease it is the only one anywhere. */
export class Flight<T> {
  readonly landed: Promise<T | typeof LEFT_TO_OTHERS>
  readonly #order: Order<T>
  readonly #plan: FlightPlan
  /** The old value, for the function. */
  readonly #replaced: { readonly value: T } | undefined
  readonly #giveUp = new AbortController()
  /** Number of callers that wait for the value. There may be none when an old value is replaced. */
  #passengers = 0
  #phase: Phase = 'asking'
  #isStoring = false
  /** Whether the database is closing, so that nothing can be written any more. */
  #isClosed = false

  constructor(order: Order<T>) {
    this.#order = order
    this.#plan = {
      key: order.encoded,
      text: typeof order.key === 'string' ? order.key : undefined,
      tags: givenTags(order.options),
      name: leaseName('flight', order.encoded),
      token: newToken(order.lease),
      seconds: order.lease / 1000,
      replaced: order.replaced?.version,
    }
    const { replaced, handle } = order
    // Whoever asked has it too, and may change it before the function looks, or the function may.
    this.#replaced = replaced && { value: copyOf(handle.options.codec, replaced.value) }
    this.landed = this.#fly()
    if (replaced) this.landed.catch(error => handle.failed(toError(error)))
  }

  /**
   * Whether a new caller may use its value. It may not when the flight was given up, nor when the key may have been
   * removed since the value was computed. A removal ends the lease or leaves a stamp, which shows as long as the flight
   * holds the lease.
   */
  get isCurrent(): boolean {
    if (this.#isClosed || this.#giveUp.signal.aborted || this.#phase === 'over') return false
    const session = this.#order.shard.current
    if (this.#phase !== 'leased' || !session) return true
    try {
      return isCurrent(session, this.#plan, this.#plan.tags)
    } catch {
      return true
    }
  }

  /** Whether it was started by this call, and not by one before it. */
  isOf(order: Order<T>): boolean {
    return this.#order === order
  }

  /** Waits for the value. The computation is given up when all waiters have given up. */
  async board(signal: AbortSignal | undefined): Promise<T | typeof LEFT_TO_OTHERS> {
    this.#passengers++
    if (!signal) return this.landed
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (--this.#passengers === 0 && !this.#order.replaced) this.#giveUp.abort(signal.reason)
        reject(signal.reason)
      }
      if (signal.aborted) return leave()
      this.landed.finally(onAbort(signal, leave)).then(resolve, reject)
    })
  }

  async #fly(): Promise<T | typeof LEFT_TO_OTHERS> {
    const forget = this.#order.shard.closing.onBegin(() => {
      // A store under way ends the lease in the same write, for which closing waits.
      if (!this.#isStoring) this.#release()
      this.#isClosed = true
    })
    try {
      // The caller that starts the flight boards it in this turn. Only then is it known whether anybody waits.
      await undefined
      return await this.#route()
    } finally {
      forget()
    }
  }

  async #route(): Promise<T | typeof LEFT_TO_OTHERS> {
    const { handle, shard, encoded } = this.#order
    while (handle.isOpen && !this.#isClosed) {
      this.#giveUp.signal.throwIfAborted()
      const clearance = await this.#askForClearance()
      if (clearance === undefined) break
      if (clearance.kind === 'granted') return this.#compute(clearance.found)
      if (clearance.kind === 'stored') {
        const value = await handle.read(shard, encoded, undefined, () => readValue(shard, encoded) as T | Promise<T>)
        if (value !== undefined) return value
        this.#phase = 'asking'
      } else if (this.#passengers === 0) {
        return LEFT_TO_OTHERS
      } else {
        await tracedWait(handle, WAIT, this.#order.key, this.#waitForOthers())
      }
    }
    // Without a lease nothing is stored, so the value is computed for the waiters only.
    return this.#passengers === 0 ? LEFT_TO_OTHERS : this.#compute(undefined)
  }

  /**
   * Asks for the lease. `undefined`: the lock is not available or the disk is full, so the computation is unprotected.
   */
  async #askForClearance(): Promise<Clearance | undefined> {
    const { handle, shard, key, options, lease } = this.#order
    const { wait } = resolveWaiting(options, lease)
    const run = (session: Session): Clearance => {
      const clearance = this.#isClosed || !handle.isOpen ? HELD : takeOff(session, this.#plan)
      // Set at the commit and not when the promise settles, since a removal may be the next write.
      this.#phase = PHASES[clearance.kind]
      return clearance
    }
    try {
      // Without identity, so that readers of the key do not wait: they get an old value while the lock is taken.
      return await shard.write({ run }, { deadline: performance.now() + wait, signal: this.#giveUp.signal })
    } catch (error) {
      this.#phase = 'asking'
      if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
      handle.tellRefused(error, [key])
      return undefined
    }
  }

  async #waitForOthers(): Promise<void> {
    const { shard, handle } = this.#order
    for (const pauses = new PollPauses(); !this.#giveUp.signal.aborted; ) {
      await pauses.next()
      const session = shard.current
      if (!session || !handle.isOpen || this.#isClosed) return
      shard.memory?.looked()
      try {
        if (isGroundFree(session, this.#plan.name)) return
      } catch {
        // The log is under recovery, or the database was moved. Asking for clearance will find out.
        return
      }
    }
  }

  async #compute(found: LiveEntry | undefined): Promise<T> {
    const { factory, handle, shard, encoded } = this.#order
    const chosen: Chosen = { skip: false, tags: [] }
    const context = contextOf(chosen, this.#giveUp.signal, this.#replaced)
    noteStanding(context, () => this.#phase === 'leased' && this.isCurrent)
    const heartbeat = this.#keepLease()
    const startedAt = performance.now()
    const elapsed = stopwatch(handle.options.clock)
    let took: number | undefined
    try {
      const value = await factory(context)
      took = performance.now() - startedAt
      const seconds = elapsed() / 1000
      refuseStream(value)
      const stored = !chosen.skip && value !== undefined && (await this.#store(value, chosen, seconds, found))
      if (stored) tellStored(context)
      shard.watch.computed(encoded, took, stored ? 'stored' : 'unstored')
      return value
    } catch (error) {
      shard.watch.computed(encoded, took ?? performance.now() - startedAt, { error })
      throw error
    } finally {
      clearInterval(heartbeat)
      this.#release()
    }
  }

  #keepLease(): NodeJS.Timeout {
    const { shard, lease } = this.#order
    const run = (session: Session): boolean => extendLease(session, this.#plan.name, this.#plan.token, lease / 1000)
    const beat = (): void => {
      // A computation that was given up but does not end must not block its key for others.
      if (this.#phase !== 'leased' || this.#isClosed || this.#giveUp.signal.aborted) return
      // After a failed beat others may take the lease over. Storing the value finds out.
      shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
    }
    return setInterval(beat, Math.min(lease / 3, LONGEST_BEAT)).unref()
  }

  /** Stores the value, if that is still allowed, and ends the lease. Resolves to whether it stored it. */
  async #store(value: T, chosen: Chosen, seconds: number, found: LiveEntry | undefined): Promise<boolean> {
    const { handle, key, options, staleFor, lease } = this.#order
    const ttl = [chosen.ttl, options.ttl, handle.options.defaultTtl].find(one => one !== undefined) ?? null
    const life = ttl === null ? Number.POSITIVE_INFINITY : milliseconds(ttl, 'ttl')
    if (life === 0 || this.#phase !== 'leased' || !handle.isOpen) return false
    const { tag = options.tag } = chosen
    const { file, meta, retry, timeout = retry ? undefined : lease } = options
    const tags = options.tags ? [...options.tags, ...chosen.tags] : chosen.tags
    const storing = { tag, tags, file, meta, retry, timeout, ttl: life + staleFor }
    const isKept = staleFor > 0 || options.beta !== undefined
    const operation = (session: Session, entry: NewEntry): boolean => {
      const due = life === Number.POSITIVE_INFINITY ? null : toSeconds(toMilliseconds(entry.now) + life)
      return land(session, this.#plan, found, entry, isKept ? { due, seconds } : undefined)
    }
    this.#isStoring = true
    try {
      const landed = await storeValue(handle, key, value, storing, { name: 'set', operation, ordered: false })
      if (landed) this.#phase = 'over'
      return landed
    } catch (error) {
      // The cache has emitted `refused`. The callers get the value all the same.
      if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
      return false
    } finally {
      this.#isStoring = false
    }
  }

  #release(): void {
    if (this.#phase !== 'leased' || this.#isClosed) return
    this.#phase = 'over'
    giveUpLease(this.#order.shard, this.#plan)
  }
}

/** `asking`: asks for the lease or computes without it. `leased`: computes with it. `over`: has a value. */
type Phase = 'asking' | 'leased' | 'over'

const PHASES: Readonly<Record<Clearance['kind'], Phase>> = { granted: 'leased', held: 'asking', stored: 'over' }

function toError(error: unknown): Error {
  if (error instanceof Error) return error
  return new Error(`getOrSet: a new value could not be computed: ${kindOf(error)} was thrown`, { cause: error })
}
