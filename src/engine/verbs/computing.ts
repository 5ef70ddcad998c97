import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import { versionAt } from '../operations/entries.js'
import { isDue } from '../operations/freshness.js'
import { kindOf } from '../option-names.js'
import type { ComputeContext, Computing, Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds } from '../time.js'
import { isUnderWay, joinFlight, LEFT_TO_OTHERS, type Order } from './flight.js'
import { FAILED, readValue, sessionOf, tryOnce } from './reading.js'
import { checkVerbOptions, resolveStoring, resolveWaiting } from './verb-options.js'

const LEASE_MILLISECONDS = 10_000
const LEAST_LEASE = 100
const NO_OPTIONS: Computing = {}

type Looked = Found | undefined | Promise<Found | undefined>

/** A live value, and the version of its entry when it is time for a new one. */
interface Found {
  readonly value: unknown
  readonly due?: string
}

/** `getOrSet`: the value of a key, computed by one caller where there is none. */
export async function getOrSet<T>(
  handle: CacheHandle,
  key: Key,
  factory: (context: ComputeContext<T>) => T | Promise<T>,
  options: Computing = NO_OPTIONS,
): Promise<T> {
  if (typeof factory !== 'function') {
    throw new TypeError(`getOrSet: the second argument must be a function that computes, got ${kindOf(factory)}`)
  }
  const encoded = handle.encodeKey(key)
  const shard = handle.route(encoded)
  const times = resolveComputing(shard, options)
  const read = (): Looked => readComputed(shard, encoded, options)
  for (;;) {
    // The common case: nothing waits, and the value lies in the database.
    let found: unknown = FAILED
    if (shard.writer.pending.empty && shard.current && options.signal === undefined) {
      if (turnIsLong()) await nextTurn()
      found = tryOnce(read)
    }
    if (found === FAILED || found instanceof Promise)
      found = await readWaiting(handle, shard, encoded, options, read, key)
    if (found !== undefined) return serve(found as Found, { handle, shard, key, encoded, factory, options, ...times })
    const order: Order<T> = { handle, shard, key, encoded, factory, options, ...times }
    const value = await joinFlight(order).board(options.signal)
    if (value !== LEFT_TO_OTHERS) return value
  }
}

/** The same for those who have looked and found nothing, so that their miss is counted once. */
export function computeMissing<T>(
  handle: CacheHandle,
  key: Key,
  factory: (context: ComputeContext<T>) => T | Promise<T>,
  options: Computing,
): Promise<T> {
  return handle.ready(async () => {
    const encoded = handle.encodeKey(key)
    const shard = handle.route(encoded)
    const order: Order<T> = { handle, shard, key, encoded, factory, options, ...resolveComputing(shard, options) }
    const value = await joinFlight(order).board(options.signal)
    return value === LEFT_TO_OTHERS ? getOrSet(handle, key, factory, options) : value
  })
}

function serve<T>({ value, due }: Found, order: Order<T>): T {
  if (due !== undefined) renew({ ...order, replaced: { value: value as T, version: due } })
  return value as T
}

/** Computes a new value while the old one is served. Nobody waits for it: its errors are events. */
function renew<T>(order: Order<T>): void {
  if (order.handle.options.readonly || isUnderWay(order)) return
  joinFlight(order).landed.catch(error => order.handle.events.emit('error', error as Error))
}

function readWaiting(
  handle: CacheHandle,
  shard: Shard,
  encoded: EncodedKey,
  { timeout, signal }: Computing,
  read: () => Looked,
  key: Key,
): Promise<Found | undefined> {
  const waiting = { ...(timeout !== undefined && { timeout }), ...(signal && { signal }) }
  return handle.read(shard, encoded, waiting, read, key)
}

function readComputed(shard: Shard, key: EncodedKey, options: Computing): Looked {
  const session = sessionOf(shard)
  const asksForIt = options.staleFor !== undefined || options.beta !== undefined
  const known = asksForIt ? session.has('freshness') : session.freshness
  const due = known ? dueVersion(session, key, options.beta) : undefined
  const value = readValue(shard, key)
  if (value instanceof Promise) return value.then(one => foundOf(one, due))
  return foundOf(value, due)
}

/** The version of the entry that is to be replaced; `undefined` when it is fresh, or there is none. */
function dueVersion(session: Session, key: EncodedKey, beta: number | undefined): string | undefined {
  const row = session.statements.get<ComputationRow>('computation', key.data, key.raw ? 1 : 0)
  return row && isDue(row, session.disk.now(), beta, Math.random) ? versionAt(session, key) : undefined
}

function foundOf(value: unknown, due: string | undefined): Found | undefined {
  if (value === undefined) return undefined
  return due === undefined ? { value } : { value, due }
}

/** Checks the options at every call, also where the value is there. */
function resolveComputing(shard: Shard, options: Computing): { readonly staleFor: number; readonly lease: number } {
  if (options === NO_OPTIONS) return { staleFor: 0, lease: LEASE_MILLISECONDS }
  checkVerbOptions(options, 'getOrSet', 'computing')
  resolveStoring(options, shard.disk.now(), undefined)
  resolveWaiting(options, 0, false)
  const { staleFor = 0, lease = LEASE_MILLISECONDS, beta } = options
  if (beta !== undefined && (typeof beta !== 'number' || !(beta >= 0 && beta < Number.POSITIVE_INFINITY))) {
    const message = `beta must be a number of 0 or more, got ${typeof beta === 'number' ? beta : kindOf(beta)}`
    throw typeof beta === 'number' ? new RangeError(message) : new TypeError(message)
  }
  const leaseTime = milliseconds(lease, 'lease')
  if (leaseTime < LEAST_LEASE || leaseTime === Number.POSITIVE_INFINITY) {
    throw new RangeError(`lease must be at least ${LEAST_LEASE} milliseconds and finite, got ${leaseTime}`)
  }
  return { staleFor: milliseconds(staleFor, 'staleFor'), lease: leaseTime }
}
