import type { CacheHandle } from '../cache-handle.js'
import type { Call } from '../call.js'
import type { Session } from '../database/session.js'
import type { EncodedKey, EncodedValue } from '../disk/codec.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import type { NewEntry } from '../operations/entries.js'
import { add, set } from '../operations/items.js'
import { push } from '../operations/queue.js'
import { kindOf } from '../option-names.js'
import type { Key, Pushing, Storing } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { type IncomingValue, isStream, takeStream, takeValue, watchStream } from './value-source.js'
import { checkVerbOptions, encodeMeta, type ResolvedStoring, resolveStoring, resolveWaiting } from './verb-options.js'

/** A verb that stores a value under a key. */
export interface StoringVerb {
  readonly name: 'set' | 'add'
  readonly operation: (session: Session, entry: NewEntry) => boolean
  /** Whether reads of the key wait for this write. */
  readonly ordered: boolean
}

export const SET: StoringVerb = { name: 'set', operation: set, ordered: true }
export const ADD: StoringVerb = { name: 'add', operation: add, ordered: true }

/** Runs `set` and `add`. */
export function storeValue(
  handle: CacheHandle,
  key: Key,
  value: unknown,
  options: Storing | undefined,
  verb: StoringVerb,
): Promise<boolean> {
  const prepare = (): EncodedCall => {
    checkVerbOptions(options, verb.name, 'storing')
    return encodeCall(handle, key, value)
  }
  return handle.start(prepare, encoded => storeEncoded(handle, encoded, options, verb))
}

/** Encodes key and value when the verb is called. */
export function encodeCall(handle: CacheHandle, key: Key, value: unknown): EncodedCall {
  return { key, value, encodedKey: handle.encodeKey(key), encodedValue: encodeValue(handle, value) }
}

/** Stores an encoded key and value. */
export function storeEncoded(
  handle: CacheHandle,
  { key, value, encodedKey, encodedValue }: EncodedCall,
  options: Storing | undefined,
  { operation, ordered }: Omit<StoringVerb, 'name'>,
): Promise<boolean> {
  const shard = handle.route(encodedKey)
  const call: Call<boolean> = { key, options, refused: false, retry: true }
  const identity = ordered ? keyIdentity(encodedKey) : undefined
  const target = { shard, key: encodedKey, identity, operation, call }
  const store = (incoming: IncomingValue, storing: ResolvedStoring, now: number): Promise<boolean> =>
    queueEntry(handle, target, incoming, storing, now)
  return takeIn(handle, shard, { encoded: encodedValue, value, options, call, store })
}

interface Target extends Pick<StoringVerb, 'operation'> {
  readonly shard: Shard
  readonly key: EncodedKey
  readonly identity: KeyIdentity | undefined
  readonly call: Call<boolean>
}

function queueEntry(
  handle: CacheHandle,
  { shard, key, identity, operation, call }: Target,
  { prepared, readiness, discard }: IncomingValue,
  { expireTime, tag, tags }: ResolvedStoring,
  now: number,
): Promise<boolean> {
  const entry = { key, value: prepared, now, expireTime, tag, tags }
  const run = (session: Session): boolean => {
    const stored = operation(session, entry)
    if (!stored && discard) session.afterCommit(discard)
    return stored
  }
  return handle.write(shard, { run, identity, bytes: prepared.weight, readiness, discard }, call)
}

/** Runs `push`. */
export function pushValue(
  handle: CacheHandle,
  value: unknown,
  options: Pushing | undefined,
  headOf?: HeadOf,
): Promise<Key> {
  const prepare = (): { readonly end: ReturnType<typeof checkQueue>; readonly encoded: EncodedValue | undefined } => {
    checkVerbOptions(options, 'push', 'pushing')
    return { end: checkQueue(options, 'back', headOf), encoded: encodeValue(handle, value) }
  }
  return handle.start(prepare, ({ end: { head, side }, encoded }) => {
    const shard = handle.shards[0] as Shard
    const call: Call<Key> = { options, refused: null }
    const store = (incoming: IncomingValue, storing: ResolvedStoring, now: number): Promise<Key> => {
      const { prepared, readiness, discard } = incoming
      const { expireTime, tag, tags } = storing
      const entry = { value: prepared, now, expireTime, tag, tags }
      const run = (session: Session): Key => push(session, entry, head, side)
      return handle.write(shard, { run, barrier: true, bytes: prepared.weight, readiness, discard }, call)
    }
    return takeIn(handle, shard, { encoded, value, options, call, store })
  })
}

export interface EncodedCall {
  readonly key: Key
  readonly value: unknown
  readonly encodedKey: EncodedKey
  /** Absent for a stream. */
  readonly encodedValue: EncodedValue | undefined
}

/** Encodes a value when the verb is called, since the caller may change it afterwards. A stream gives `undefined`. */
export function encodeValue(handle: CacheHandle, value: unknown): EncodedValue | undefined {
  if (!isStream(value)) return handle.options.codec.encodeValue(value)
  watchStream(value)
  return undefined
}

/** Returns the text before the digits in the keys of a queue. `undefined`: the keys are numbers. */
export type HeadOf = (prefix: string | undefined) => string | undefined

const ownHead: HeadOf = prefix => (prefix === undefined ? undefined : `${prefix}-`)

/** Checks prefix and side of a queue. @throws TypeError for a prefix that is no string and for an unknown side */
export function checkQueue<Side extends 'front' | 'back'>(
  options: { readonly prefix?: string; readonly side?: 'front' | 'back' } | undefined,
  side: Side,
  headOf: HeadOf = ownHead,
): { readonly head: string | undefined; readonly side: 'front' | 'back' } {
  const prefix = options?.prefix
  if (prefix !== undefined && (typeof prefix !== 'string' || !prefix.isWellFormed())) {
    throw new TypeError(`prefix must be a well-formed string, got ${kindOf(prefix)}`)
  }
  const chosen = options?.side ?? side
  if (chosen !== 'front' && chosen !== 'back') {
    const message = `side must be 'front' or 'back', got ${kindOf(chosen)}`
    throw typeof chosen === 'string' ? new RangeError(message) : new TypeError(message)
  }
  return { head: headOf(prefix), side: chosen }
}

/** A value to be stored, and how to store it. */
export interface Incoming<T> {
  /** Absent for a stream. */
  readonly encoded: EncodedValue | undefined
  readonly value: unknown
  readonly options: Storing | undefined
  readonly call: Call<T>
  readonly store: (incoming: IncomingValue, storing: ResolvedStoring, now: number) => Promise<T>
}

/** Prepares a value, or copies a stream, and stores it. Refusals become the result that the kind of cache gives. */
export function takeIn<T>(handle: CacheHandle, shard: Shard, incoming: Incoming<T>): Promise<T> {
  const { encoded, value, options, call, store } = incoming
  // Checked before a file is written.
  handle.assertWritable()
  const now = shard.disk.now()
  // Checked now, although the time to live of a stream begins when the stream has ended.
  const storing = resolveStoring(options, now, handle.options.defaultTtl)
  if (encoded === undefined) return shard.closing.track(takeInStream(handle, shard, incoming))
  try {
    return store(takeValue(shard, encoded, value, storing), storing, now)
  } catch (error) {
    return refuse(handle, error, call)
  }
}

async function takeInStream<T>(handle: CacheHandle, shard: Shard, incoming: Incoming<T>): Promise<T> {
  const { value, options, call, store } = incoming
  const meta = options?.meta === undefined ? undefined : encodeMeta(options.meta)
  const { signal } = resolveWaiting(options, 0)
  let taken: IncomingValue
  try {
    taken = await takeStream(shard, value as Parameters<typeof takeStream>[1], meta, signal)
  } catch (error) {
    signal?.throwIfAborted()
    return refuse(handle, shard.translate(error), call)
  }
  const now = shard.disk.now()
  return store(taken, resolveStoring(options, now, handle.options.defaultTtl), now)
}

async function refuse<T>(handle: CacheHandle, error: unknown, call: Call<T>): Promise<T> {
  return handle.refusal(error, call)
}
