import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { ComputationRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import type { MemoryEntry } from '../memory/memory-entry.js'
import type { MemoryTier } from '../memory/memory-tier.js'
import { traced, tracedWait } from '../observe/verbs.js'
import { versionOf } from '../operations/entries.js'
import { isDue, setFreshness } from '../operations/freshness.js'
import { kindOf } from '../option-names.js'
import type { Computing, Factory, Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds } from '../time.js'
import type { Order } from './compute-context.js'
import { joinFlight, LEFT_TO_OTHERS, WAIT } from './flight.js'
import { answer, begun, readThrough } from './getting.js'
import { openSession } from './open-transaction.js'
import { FAILED, readValue, sessionOf, tryOnce } from './reading.js'
import { checkVerbOptions, resolveStoring, resolveWaiting } from './verb-options.js'

const LEASE_MILLISECONDS = 10_000
const LEAST_LEASE = 20
const PLAIN: Resolved = { options: {}, staleFor: 0, lease: LEASE_MILLISECONDS }

type Looked = Found | undefined | Promise<Found | undefined>

/** A live value. `due` is the version of its entry, when it should be computed anew. */
interface Found {
  readonly value: unknown
  readonly due?: string
}

/** A call whose key and options were checked and copied when it was made. */
interface Request<T> {
  readonly key: Key
  readonly encoded: EncodedKey
  readonly factory: Factory<T>
  readonly resolved: Resolved
}

/** The part of a call that a lookup needs. */
type Lookup = Pick<Request<unknown>, 'key' | 'encoded' | 'resolved'>

type Resolved = Pick<Order<unknown>, 'options' | 'staleFor' | 'lease'>

/** Runs `getOrSet`: reads the value of a key, or lets one caller compute it. */
export function getOrSet<T>(
  handle: CacheHandle,
  key: Key,
  factory: Factory<T>,
  options: Computing | undefined,
): Promise<T> {
  return handle.start(
    () => checkRequest(handle, key, factory, options),
    request => fulfil(handle, request),
  )
}

/** Runs `getOrSet` without the first read, for callers that have read and counted the miss already. */
export function computeMissing<T>(handle: CacheHandle, key: Key, factory: Factory<T>, options: Computing): Promise<T> {
  return traced(handle, 'getOrSet', key, () =>
    handle.start(
      () => checkRequest(handle, key, factory, options),
      async request => {
        handle.assertWritable()
        const value = await fly(orderOf(handle, handle.route(request.encoded), request))
        return value === LEFT_TO_OTHERS ? fulfil(handle, request) : value
      },
    ),
  )
}

function checkRequest<T>(
  handle: CacheHandle,
  key: Key,
  factory: Factory<T>,
  options: Computing | undefined,
): Request<T> {
  if (typeof factory !== 'function') {
    throw new TypeError(`getOrSet: the second argument must be a function that computes, got ${kindOf(factory)}`)
  }
  return { key, encoded: handle.encodeKey(key), factory, resolved: resolveComputing(options) }
}

async function fulfil<T>(handle: CacheHandle, request: Request<T>): Promise<T> {
  const { encoded, resolved } = request
  const { timeout, signal } = resolved.options
  const shard = handle.route(encoded)
  const read = (): Looked => readComputed(handle.memory, shard, request)
  for (;;) {
    // The common case: no write of the key is pending, and the value lies in the database. The first caller looks first
    // and computes; only a value that was found gives way to the loop.
    let found: unknown = isQuiet(shard, encoded) && !signal?.aborted ? tryOnce(read) : FAILED
    if (found === FAILED) {
      found = await handle.read(shard, encoded, { timeout, signal }, read, request.key)
    } else if (found instanceof Promise) {
      const reading = begun(found as Promise<Found | undefined>, read)
      found = await handle.read(shard, undefined, signal && { signal }, reading, request.key)
    } else if (found !== undefined) {
      const value = serve(found as Found, handle, shard, request)
      if (turnIsLong()) await nextTurn()
      return value
    }
    if (found !== undefined) return serve(found as Found, handle, shard, request)
    handle.assertWritable()
    const value = await fly(orderOf(handle, shard, request))
    if (value !== LEFT_TO_OTHERS) return value
  }
}

/** Computes the value, or waits for another caller who does, which those who trace hear of. */
function fly<T>(order: Order<T>): Promise<T | typeof LEFT_TO_OTHERS> {
  const { handle, key, options } = order
  const flight = joinFlight(order)
  const value = flight.board(options.signal)
  return flight.isOf(order) ? value : tracedWait(handle, WAIT, key, value)
}

function isQuiet({ writer, current }: Shard, key: EncodedKey): boolean {
  return current !== undefined && (writer.pending.empty || !writer.pending.has(keyIdentity(key)))
}

/** Returns the stored value. When it is due, computes a new one in the background. */
function serve<T>({ value, due }: Found, handle: CacheHandle, shard: Shard, request: Request<T>): T {
  if (due !== undefined && !handle.options.readonly) {
    joinFlight({ ...orderOf(handle, shard, request), replaced: { value: value as T, version: due } })
  }
  return value as T
}

function orderOf<T>(handle: CacheHandle, shard: Shard, { key, encoded, factory, resolved }: Request<T>): Order<T> {
  return { handle, shard, key, encoded, factory, ...resolved }
}

function readComputed(memory: MemoryTier | undefined, shard: Shard, request: Lookup): Looked {
  const { key, encoded, resolved } = request
  const { staleFor, beta } = resolved.options
  const asksForIt = staleFor !== undefined || beta !== undefined
  const entry = memory?.find(shard, encoded)
  if (memory && entry) return foundOf(answer(memory, entry), dueOfEntry(entry, asksForIt, beta))
  const session = sessionOf(shard)
  const due = keepsFreshness(session, asksForIt) ? dueVersion(session, computation(session, encoded), beta) : undefined
  const text = typeof key === 'string' ? key : undefined
  const value = memory ? readThrough(memory, shard, encoded, text) : readValue(shard, encoded)
  if (value instanceof Promise) return value.then(one => foundOf(one, due))
  return foundOf(value, due)
}

/** The version of an entry that is due. `undefined` when it is fresh, or there is none. */
function dueVersion(session: Session, row: ComputationRow | null, beta: number | undefined): string | undefined {
  if (!row || !isDue(row, session.disk.now(), beta, Math.random)) return undefined
  const [expireTime, , , rowid, storeTime] = row
  return versionOf(rowid, storeTime, expireTime)
}

/** Like `dueVersion`, for an entry in memory, which remembers after the first query how its version was computed. */
function dueOfEntry(entry: MemoryEntry, asksForIt: boolean, beta: number | undefined): string | undefined {
  const { current } = entry.shard.shard
  if (entry.isMiss || !current) return undefined
  if (entry.computation === undefined) {
    if (!keepsFreshness(current, asksForIt)) return undefined
    const row = computation(current, entry)
    // A row of another version means that the entry will be dropped in the next turn.
    if (row && (row[3] !== entry.rowid || row[4] !== entry.storeTime)) return undefined
    entry.computation = row
  }
  return dueVersion(current, entry.computation, beta)
}

/**
 * Whether the directory has the table `Freshness`. Callers that use it check anew, since others may just have made it.
 */
function keepsFreshness(session: Session, asksForIt: boolean): boolean {
  return asksForIt ? session.has('freshness') : session.freshness
}

function computation(
  session: Session,
  { data, raw }: Pick<MemoryEntry, 'data'> & { raw: number | boolean },
): ComputationRow | null {
  return session.statements.get<ComputationRow>('computation', data, raw ? 1 : 0) ?? null
}

/** Inside of `transact`: replaces an entry by `change`. It becomes stale when the one before would have. */
export function keepingFreshness(handle: CacheHandle, encoded: EncodedKey, change: () => boolean): boolean {
  const session = openSession(handle.route(encoded))
  const row = session.has('freshness') ? computation(session, encoded) : null
  const isChanged = change()
  if (row && isChanged) setFreshness(session, encoded, { due: row[1], seconds: row[2] })
  return isChanged
}

function foundOf(value: unknown, due: string | undefined): Found | undefined {
  if (value === undefined) return undefined
  return due === undefined ? { value } : { value, due }
}

/** Checks options of `getOrSet`. @throws TypeError or RangeError whose message begins with `place` */
export function checkComputing(options: Computing, place: string): void {
  try {
    resolveComputing(options)
  } catch (error) {
    ;(error as Error).message = `${place}: ${(error as Error).message}`
    throw error
  }
}

/** Checks the options, at every call, also when the value exists. */
function resolveComputing(options: Computing | undefined): Resolved {
  if (options === undefined) return PLAIN
  checkVerbOptions(options, 'getOrSet', 'computing')
  resolveStoring(options, 0, undefined)
  resolveWaiting(options, 0)
  const { staleFor = 0, lease = LEASE_MILLISECONDS, beta } = options
  if (beta !== undefined && (typeof beta !== 'number' || !(beta >= 0 && beta < Number.POSITIVE_INFINITY))) {
    const message = `beta must be a finite number of 0 or more, got ${typeof beta === 'number' ? beta : kindOf(beta)}`
    throw typeof beta === 'number' ? new RangeError(message) : new TypeError(message)
  }
  const leaseTime = milliseconds(lease, 'lease')
  if (leaseTime < LEAST_LEASE || leaseTime === Number.POSITIVE_INFINITY) {
    throw new RangeError(`lease must be at least ${LEAST_LEASE} milliseconds and finite, got ${leaseTime}`)
  }
  // A copy, since a computation may begin much later and the caller may change the object until then.
  return { options: { ...options }, staleFor: milliseconds(staleFor, 'staleFor'), lease: leaseTime }
}
