import { randomUUID } from 'node:crypto'
import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { Codec, EncodedKey } from '../disk/codec.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { DiskCacheError } from '../errors.js'
import { onAbort } from '../on-abort.js'
import { oncePerProcess } from '../once-per-process.js'
import type { NewEntry } from '../operations/entries.js'
import { type Clearance, type FlightPlan, isGroundFree, type LiveEntry, land, takeOff } from '../operations/flights.js'
import { extendLease, holdsLease, leaseName, releaseLease } from '../operations/leases.js'
import { kindOf } from '../option-names.js'
import type { ComputeContext, Computing, Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds, stopwatch, toMilliseconds, toSeconds } from '../time.js'
import { type Chosen, contextOf, refuseStream } from './compute-context.js'
import { readValue } from './reading.js'
import { storeValue } from './storing.js'
import { resolveWaiting } from './verb-options.js'

/** What one call of `getOrSet` asks for. Durations are milliseconds. */
export interface Order<T> {
  readonly handle: CacheHandle
  readonly shard: Shard
  readonly key: Key
  readonly encoded: EncodedKey
  readonly factory: (context: ComputeContext<T>) => T | Promise<T>
  readonly options: Computing
  readonly staleFor: number
  readonly lease: number
  /** The value that is there and shall be replaced, with its version. */
  readonly replaced?: { readonly value: T; readonly version: string }
}

/** Why a flight brings no value: nobody here waits for it, and another process makes it, or it could not be stored. */
export const LEFT_TO_OTHERS: unique symbol = Symbol.for('fanout-cache.left-to-others.0')

const FIRST_POLL = 2
const LONGEST_POLL = 50
/** A longer time would overflow a timer. */
const LONGEST_BEAT = 3_600_000
const HELD: Clearance = { kind: 'held' }

const flights = oncePerProcess('flights', () => new WeakMap<Shard, Map<KeyIdentity, Flight<unknown>>>())

/** The flight of a key in this process: the one that is under way, or a new one. */
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

/** One computation of one key: one per process at a time, and, as long as its lease holds, one over all processes. */
export class Flight<T> {
  readonly landed: Promise<T | typeof LEFT_TO_OTHERS>
  readonly #order: Order<T>
  readonly #plan: FlightPlan
  /** The old value, for the function. */
  readonly #replaced: { readonly value: T } | undefined
  readonly #giveUp = new AbortController()
  /** How many wait for it. Nobody need wait for what replaces an old value. */
  #passengers = 0
  #phase: Phase = 'asking'
  #isStoring = false
  /** The database is being closed: nothing can be written any more. */
  #isClosed = false

  constructor(order: Order<T>) {
    this.#order = order
    this.#plan = {
      key: order.encoded,
      name: leaseName('flight', order.encoded),
      token: randomUUID(),
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
   * Whether its value is good for who calls now: not when it was given up, nor when the key may have been removed since
   * the value was computed. Removal ends the lease, which tells as long as the flight has it.
   */
  get isCurrent(): boolean {
    if (this.#isClosed || this.#giveUp.signal.aborted || this.#phase === 'over') return false
    const session = this.#order.shard.current
    if (this.#phase !== 'leased' || !session) return true
    try {
      return holdsLease(session, this.#plan.name, this.#plan.token)
    } catch {
      return true
    }
  }

  /** Waits for the value. When all who wait have given up, so does the computation. */
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
      // What is being stored ends the lease with the same write, for which closing waits.
      if (!this.#isStoring) this.#release()
      this.#isClosed = true
    })
    try {
      // Whoever begins the flight boards it in this turn: only then it is known whether anybody waits.
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
        await this.#waitForOthers()
      }
    }
    // Without a lease nothing is stored: it is computed for those who wait alone.
    return this.#passengers === 0 ? LEFT_TO_OTHERS : this.#compute(undefined)
  }

  /** `undefined` when the lock is not to be had, or the disk is full: the value is then computed without protection. */
  async #askForClearance(): Promise<Clearance | undefined> {
    const { handle, shard, key, options, lease } = this.#order
    const { wait } = resolveWaiting(options, lease, false)
    const run = (session: Session): Clearance => {
      const clearance = this.#isClosed || !handle.isOpen ? HELD : takeOff(session, this.#plan)
      // Known from the commit on, and not only when the promise settles: a removal may be the next write.
      this.#phase = PHASES[clearance.kind]
      return clearance
    }
    try {
      // No reader of the key waits for it: an old value is answered also while the lock is not to be had.
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
    for (let wait = FIRST_POLL; !this.#giveUp.signal.aborted; wait = Math.min(LONGEST_POLL, wait * 1.5)) {
      await new Promise(resolve => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
      const session = shard.current
      if (!session || !handle.isOpen || this.#isClosed) return
      shard.memory?.looked()
      try {
        if (isGroundFree(session, this.#plan.name)) return
      } catch {
        // The log is under recovery, or the database was moved: asking for clearance finds out.
        return
      }
    }
  }

  async #compute(found: LiveEntry | undefined): Promise<T> {
    const { factory, handle, shard, encoded } = this.#order
    const chosen: Chosen = { skip: false }
    const context = contextOf(chosen, this.#giveUp.signal, this.#replaced)
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
      // A computation that was given up and does not end must not keep its key from others.
      if (this.#phase !== 'leased' || this.#isClosed || this.#giveUp.signal.aborted) return
      // A beat that fails costs the lease when others take it over; whether they did is seen when the value is stored.
      shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
    }
    return setInterval(beat, Math.min(lease / 3, LONGEST_BEAT)).unref()
  }

  /** Writes the value if it may be, and with it ends the lease. Answers whether it did. */
  async #store(value: T, chosen: Chosen, seconds: number, found: LiveEntry | undefined): Promise<boolean> {
    const { handle, key, options, staleFor, lease } = this.#order
    const ttl = [chosen.ttl, options.ttl, handle.options.defaultTtl].find(one => one !== undefined) ?? null
    const life = ttl === null ? Number.POSITIVE_INFINITY : milliseconds(ttl, 'ttl')
    if (life === 0 || this.#phase !== 'leased' || !handle.isOpen) return false
    const { tag = options.tag } = chosen
    const { tags, file, meta, retry, timeout = retry ? undefined : lease } = options
    const storing = { tag, tags, file, meta, retry, timeout, ttl: life + staleFor }
    const given = Object.fromEntries(Object.entries(storing).filter(([, one]) => one !== undefined))
    const isKept = staleFor > 0 || options.beta !== undefined
    const operation = (session: Session, entry: NewEntry): boolean => {
      const due = life === Number.POSITIVE_INFINITY ? null : toSeconds(toMilliseconds(entry.now) + life)
      return land(session, this.#plan, found, entry, isKept ? { due, seconds } : undefined)
    }
    this.#isStoring = true
    try {
      const landed = await storeValue(handle, 'set', key, value, given, operation, false)
      if (landed) this.#phase = 'over'
      return landed
    } catch (error) {
      // The cache has told that it refused: whoever asked for the value gets it all the same.
      if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
      return false
    } finally {
      this.#isStoring = false
    }
  }

  #release(): void {
    if (this.#phase !== 'leased' || this.#isClosed) return
    this.#phase = 'over'
    const { shard, lease } = this.#order
    const run = (session: Session): boolean => releaseLease(session, this.#plan.name, this.#plan.token)
    // Where it cannot be released it ends by itself.
    shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
  }
}

/** The same value as an object of its own. Frozen ones are not changed by anybody. */
function copyOf<T>(codec: Codec, value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (Buffer.isBuffer(value)) return Buffer.from(value) as T & Buffer
  try {
    const { mode, data } = codec.encodeValue(value)
    return codec.decodeValue(mode, data) as T
  } catch {
    // Python may have stored what this codec reads and does not write.
    return value
  }
}

/** Asking for the lease, or computing without one; computing with it; or with a value that is there. */
type Phase = 'asking' | 'leased' | 'over'

const PHASES: Readonly<Record<Clearance['kind'], Phase>> = { granted: 'leased', held: 'asking', stored: 'over' }

function toError(error: unknown): Error {
  if (error instanceof Error) return error
  return new Error(`getOrSet: a new value could not be computed: ${kindOf(error)} was thrown`, { cause: error })
}
