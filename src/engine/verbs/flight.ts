import { randomUUID } from 'node:crypto'
import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { DiskCacheError } from '../errors.js'
import { type FlightPlan, isGroundFree, land, takeOff } from '../operations/flights.js'
import { extendLease, leaseName, releaseLease } from '../operations/leases.js'
import type { ComputeContext, Computing, Key, Tag } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds } from '../time.js'
import { readValue } from './reading.js'
import { storeValue } from './storing.js'
import { isStream } from './value-source.js'

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

/** Why a flight brings no value: another process makes it, and nobody here waits for it. */
export const LEFT_TO_OTHERS: unique symbol = Symbol('left to others')

const FIRST_POLL = 2
const LONGEST_POLL = 50

const flights = new WeakMap<Shard, Map<KeyIdentity, Flight<unknown>>>()

/** The flight of a key in this process: the one that is under way, or a new one. */
export function joinFlight<T>(order: Order<T>): Flight<T> {
  const byKey = flights.get(order.shard) ?? new Map<KeyIdentity, Flight<unknown>>()
  flights.set(order.shard, byKey)
  const identity = keyIdentity(order.encoded)
  const known = byKey.get(identity)
  if (known) return known as Flight<T>
  const flight = new Flight(order, identity)
  byKey.set(identity, flight as Flight<unknown>)
  const forget = (): boolean => byKey.delete(identity)
  flight.landed.then(forget, forget)
  return flight
}

/** Whether this process computes the key already. */
export function isUnderWay({ shard, encoded }: Pick<Order<unknown>, 'shard' | 'encoded'>): boolean {
  return flights.get(shard)?.has(keyIdentity(encoded)) ?? false
}

/** One computation of one key: one per process at a time, and, as long as its lease holds, one over all processes. */
export class Flight<T> {
  readonly landed: Promise<T | typeof LEFT_TO_OTHERS>
  readonly #order: Order<T>
  readonly #plan: FlightPlan
  readonly #identity: KeyIdentity
  readonly #giveUp = new AbortController()
  #passengers = 0

  constructor(order: Order<T>, identity: KeyIdentity) {
    this.#order = order
    this.#identity = identity
    this.#plan = {
      key: order.encoded,
      name: leaseName('flight', order.encoded),
      token: randomUUID(),
      seconds: order.lease / 1000,
      replaced: order.replaced?.version,
    }
    this.landed = this.#fly()
  }

  /** Waits for the value. When all who wait have given up, so does the computation. */
  async board(signal: AbortSignal | undefined): Promise<T | typeof LEFT_TO_OTHERS> {
    this.#passengers++
    if (!signal) return this.landed
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (--this.#passengers === 0) this.#giveUp.abort(signal.reason)
        reject(signal.reason)
      }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      const stay = (): void => signal.removeEventListener('abort', leave)
      this.landed.finally(stay).then(resolve, reject)
    })
  }

  async #fly(): Promise<T | typeof LEFT_TO_OTHERS> {
    // Whoever begins the flight boards it in this turn: only then it is known whether anybody waits.
    await undefined
    const { handle, shard, encoded } = this.#order
    while (handle.isOpen) {
      this.#giveUp.signal.throwIfAborted()
      const clearance = await this.#askForClearance()
      if (clearance === undefined) return this.#compute(false, undefined)
      if (clearance.kind === 'granted') return this.#compute(true, clearance.version)
      if (clearance.kind === 'stored') {
        const value = await handle.read(shard, encoded, undefined, () => readValue(shard, encoded) as T | Promise<T>)
        if (value !== undefined) return value
      } else if (this.#passengers === 0) {
        return LEFT_TO_OTHERS
      } else {
        await this.#waitForOthers()
      }
    }
    return this.#compute(false, undefined)
  }

  /** `undefined` when the lock is not to be had, or the disk is full: the value is then computed without protection. */
  async #askForClearance(): Promise<ReturnType<typeof takeOff> | undefined> {
    const { handle, shard, key, options, lease } = this.#order
    const patience = options.timeout === undefined ? lease : milliseconds(options.timeout, 'timeout')
    const run = (session: Session): ReturnType<typeof takeOff> => takeOff(session, this.#plan)
    const deadline = performance.now() + patience
    try {
      return await shard.write({ run, identity: this.#identity }, { deadline, signal: this.#giveUp.signal })
    } catch (error) {
      if (!(error instanceof DiskCacheError) || error.refusal === undefined) throw error
      handle.tellRefused(error, key)
      return undefined
    }
  }

  async #waitForOthers(): Promise<void> {
    const { shard } = this.#order
    for (let wait = FIRST_POLL; !this.#giveUp.signal.aborted; wait = Math.min(LONGEST_POLL, wait * 1.5)) {
      await new Promise(resolve => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
      const session = shard.current
      if (!session || !this.#order.handle.isOpen) return
      try {
        if (isGroundFree(session, this.#plan.name)) return
      } catch {
        // The log is under recovery, or the database was moved: asking for clearance finds out.
        return
      }
    }
  }

  async #compute(leased: boolean, version: string | undefined): Promise<T> {
    const { factory, replaced } = this.#order
    const chosen: Chosen = { skip: false }
    const context = {
      ttl: (ttl: Computing['ttl']): void => {
        if (ttl !== null) milliseconds(ttl, 'ttl')
        chosen.ttl = ttl
      },
      tag: (tag: Tag): void => {
        chosen.tag = tag
      },
      skip: (): void => {
        chosen.skip = true
      },
      signal: this.#giveUp.signal,
      ...(replaced && { previous: replaced.value }),
    }
    const heartbeat = leased ? this.#keepLease() : undefined
    const startedAt = performance.now()
    let stored = false
    try {
      const value = await factory(context as ComputeContext<T>)
      const seconds = (performance.now() - startedAt) / 1000
      if (leased && !chosen.skip && value !== undefined) stored = await this.#store(value, chosen, seconds, version)
      return value
    } finally {
      clearInterval(heartbeat)
      if (leased && !stored) this.#release()
    }
  }

  #keepLease(): NodeJS.Timeout {
    const { shard, lease, handle } = this.#order
    const run = (session: Session): boolean => extendLease(session, this.#plan.name, this.#plan.token, lease / 1000)
    const beat = (): void => {
      // A beat that fails costs the lease when others take it over; whether they did is seen when the value is stored.
      if (handle.isOpen)
        shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
    }
    return setInterval(beat, lease / 3).unref()
  }

  /** Answers whether the value was written, and the lease with it. */
  async #store(value: T, chosen: Chosen, seconds: number, version: string | undefined): Promise<boolean> {
    const { handle, key, options, staleFor, lease } = this.#order
    if (isStream(value)) throw new TypeError('getOrSet: the function must answer a value, not a stream')
    const ttl = [chosen.ttl, options.ttl, handle.options.defaultTtl].find(one => one !== undefined) ?? null
    const life = ttl === null ? Number.POSITIVE_INFINITY : milliseconds(ttl, 'ttl')
    if (life === 0 || !handle.isOpen) return false
    const { tag = options.tag } = chosen
    const { tags, file, meta, timeout = lease } = options
    const storing = { tag, tags, file, meta, timeout, ttl: life + staleFor }
    const given = Object.fromEntries(Object.entries(storing).filter(([, one]) => one !== undefined))
    const isKept = staleFor > 0 || options.beta !== undefined
    try {
      return await storeValue(handle, 'set', key, value, given, (session, entry) => {
        const due = entry.expireTime === null ? null : entry.expireTime - staleFor / 1000
        return land(session, this.#plan, version, entry, isKept ? { due, seconds } : undefined)
      })
    } catch (error) {
      // The cache has told that it refused: whoever asked for the value gets it all the same.
      if (error instanceof DiskCacheError && error.refusal !== undefined) return false
      throw error
    }
  }

  #release(): void {
    const { shard, lease, handle } = this.#order
    if (!handle.isOpen) return
    const run = (session: Session): boolean => releaseLease(session, this.#plan.name, this.#plan.token)
    // Where it cannot be released it ends by itself.
    shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
  }
}

interface Chosen {
  ttl?: Computing['ttl']
  tag?: Tag
  skip: boolean
}
