import type { CacheHandle } from '../cache-handle.js'
import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { Session } from '../database/session.js'
import type { VersionedValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import type { MemoryEntry } from '../memory/memory-entry.js'
import type { MemoryTier } from '../memory/memory-tier.js'
import { isTraced, traced } from '../observe/verbs.js'
import { isLarge } from '../operations/entries.js'
import type { Key, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import {
  FAILED,
  isThere,
  miss,
  noteFound,
  noteHit,
  noteMiss,
  readEntryValue,
  readValue,
  sessionOf,
  tryOnce,
} from './reading.js'
import { checkVerbOptions } from './verb-options.js'

/** An access is noted again when the stored one is older than this, as in the database. Seconds. */
const ACCESS_SECONDS = 5

/** Runs `get`: reads from memory if it is switched on and has a current entry, otherwise from the database. */
export function getValue<T>(handle: CacheHandle, key: Key, options: Waiting | undefined): Promise<T | undefined> {
  const { memory } = handle
  if (memory === undefined) {
    return handle.isOpen
      ? (readNow(handle, key, readValue, options) as Promise<T | undefined>)
      : handle.ready(() => getValue(handle, key, options))
  }
  // With options, `handle.read` checks deadline and fairness.
  if (options !== undefined) return getThrough(handle, memory, key, options, false)
  // Reads from memory also give way to the loop, and end the turn in which SQLite is not asked again.
  const late = turnIsLong()
  const entry = late || typeof key !== 'string' ? undefined : memory.findText(key)
  if (entry !== undefined) return Promise.resolve(answer(memory, entry) as T | undefined)
  return getThrough(handle, memory, key, options, late)
}

/** Runs `has`, from memory if it has a current entry. */
export function hasKey(handle: CacheHandle, key: Key): Promise<boolean> {
  return handle.ready(async () => {
    const encoded = handle.encodeKey(key)
    const shard = handle.route(encoded)
    const late = handle.memory !== undefined && turnIsLong()
    const entry = shard.memory?.passes() ? undefined : handle.memory?.find(shard, encoded)
    if (entry && late) await nextTurn()
    if (entry) return !entry.isMiss
    return (await handle.read(shard, encoded, undefined, () => isThere(shard, encoded), key)) ?? false
  })
}

/**
 * Reads the entry of a key at once if no write of it is pending and nothing fails. Otherwise reads it after the earlier
 * writes, with retries.
 *
 * @param late whether the turn of the loop has lasted long, if the caller knows
 */
async function readNow<A>(
  handle: CacheHandle,
  key: Key,
  look: (shard: Shard, encoded: EncodedKey) => A | Promise<A>,
  options?: Waiting,
  late?: boolean,
): Promise<A | undefined> {
  const encoded = handle.encodeKey(key)
  const shard = handle.route(encoded)
  const read = (): A | Promise<A> => look(shard, encoded)
  if (options !== undefined) checkVerbOptions(options, 'get', 'waiting')
  else if (shard.writer.pending.empty && shard.current) {
    if (late ?? turnIsLong()) await shard.closing.track(nextTurn())
    const found = tryOnce(read)
    if (found !== FAILED && !(found instanceof Promise)) return found as A
    if (found instanceof Promise) return handle.read(shard, undefined, options, begun(found as Promise<A>, read), key)
  }
  return handle.read(shard, encoded, options, read, key)
}

/** A read that has begun already. The first call returns its promise; a retry reads again. */
export function begun<A>(found: Promise<A>, again: () => A | Promise<A>): () => A | Promise<A> {
  // It may fail before anybody awaits it, since the reader may give way to the loop first.
  found.catch(() => undefined)
  let first: Promise<A> | undefined = found
  return () => {
    const read = first ?? again()
    first = undefined
    return read
  }
}

function getThrough<T>(
  handle: CacheHandle,
  memory: MemoryTier,
  key: Key,
  options: Waiting | undefined,
  late: boolean,
): Promise<T | undefined> {
  const text = typeof key === 'string' ? key : undefined
  const look = (shard: Shard, encoded: EncodedKey): unknown => readThrough(memory, shard, encoded, text)
  return readNow(handle, key, look, options, late) as Promise<T | undefined>
}

/** How a read through memory builds its result. */
export interface Answering<A> {
  /** The result for a value in memory. Times are seconds. */
  of(value: unknown, expireTime: number | null, storeTime: number, rowid: number): A
  /** Reads from the database without keeping the value in memory. */
  past(shard: Shard, key: EncodedKey): A | undefined | Promise<A | undefined>
  /** The result for a value that is read with its whole row. */
  stored(shard: Shard, key: EncodedKey): Promise<A | undefined>
  /** Called when memory has the value. */
  hit?(): void
}

/** Like `getValue`, for results with more than the value. */
export function readAs<A>(
  handle: CacheHandle,
  key: Key,
  answering: Answering<A>,
  options?: Waiting,
): Promise<A | undefined> {
  if (!isTraced()) return lookAs(handle, key, answering, options)
  return traced(handle, 'get', key, () => lookAs(handle, key, answering, options))
}

/** Like `readAs`, but without a promise when the result is available at once. @throws TypeError for a wrong key */
export function readAtOnce<A>(
  handle: CacheHandle,
  key: Key,
  answering: Answering<A>,
): A | undefined | Promise<A | undefined> {
  if (isTraced() || !handle.isOpen || turnIsLong()) return readAs(handle, key, answering)
  const { memory } = handle
  const entry = typeof key === 'string' ? memory?.findText(key) : undefined
  if (memory && entry) return answerOf(memory, entry, answering)
  const encoded = handle.encodeKey(key)
  const shard = handle.route(encoded)
  if (!shard.writer.pending.empty || !shard.current) return readAs(handle, key, answering)
  const look = lookOf(memory, key, answering)
  const found = tryOnce(() => look(shard, encoded))
  if (found === FAILED) return readAs(handle, key, answering)
  if (!(found instanceof Promise)) return found as A | undefined
  const read = begun(found as Promise<A | undefined>, () => look(shard, encoded))
  return handle.read(shard, undefined, undefined, read, key)
}

function lookAs<A>(
  handle: CacheHandle,
  key: Key,
  answering: Answering<A>,
  options: Waiting | undefined,
): Promise<A | undefined> {
  const { memory } = handle
  if (memory === undefined) {
    if (handle.isOpen) return readNow(handle, key, answering.past, options)
    return handle.ready(() => lookAs(handle, key, answering, options))
  }
  const late = turnIsLong()
  const entry = late || typeof key !== 'string' || options !== undefined ? undefined : memory.findText(key)
  if (entry !== undefined) return Promise.resolve(answerOf(memory, entry, answering))
  return readNow(handle, key, lookOf(memory, key, answering), options, late)
}

export type Look<A> = (shard: Shard, encoded: EncodedKey) => A | undefined | Promise<A | undefined>

/** How a key is looked up: through memory, or in the database. */
export function lookOf<A>(memory: MemoryTier | undefined, key: Key, answering: Answering<A>): Look<A> {
  if (memory === undefined) return answering.past
  const text = typeof key === 'string' ? key : undefined
  return (shard, encoded) => answerThrough(memory, shard, encoded, text, answering)
}

export const PLAIN: Answering<unknown> = { of: value => value, past: readValue, stored: readEntryValue }

/** Reads a live value from memory or from the database, and keeps the latter in memory. */
export function readThrough(memory: MemoryTier, shard: Shard, key: EncodedKey, text: string | undefined): unknown {
  return answerThrough(memory, shard, key, text, PLAIN)
}

/** Like `readThrough`, for results with more than the value. */
function answerThrough<A>(
  memory: MemoryTier,
  shard: Shard,
  key: EncodedKey,
  text: string | undefined,
  answering: Answering<A>,
): A | undefined | Promise<A | undefined> {
  const isAside = shard.memory?.passes() === true
  const entry = isAside ? undefined : memory.find(shard, key)
  if (entry) return answerOf(memory, entry, answering)
  memory.misses++
  // In the mode 'frozen', values are frozen even when they are not kept.
  if (isAside && memory.options.mode === 'copy') return answering.past(shard, key)
  const session = sessionOf(shard)
  const statement = session.statements.prepare('versionedValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as VersionedValueRow | undefined
  // A read among writes sees values that are not committed and may never be.
  const keeps = !isAside && !session.isWriting
  if (!row) {
    if (keeps) memory.keepMiss(shard, key, text)
    return miss(shard, session, key)
  }
  const [mode, filename, value, rowid, accessTime, storeTime, expireTime] = row
  if (filename !== null || isLarge(value)) return answering.stored(shard, key)
  noteFound(shard, session, key, rowid, accessTime)
  const read = memory.read(shard, mode, value)
  if (keeps) memory.keep(shard, key, text, { rowid, accessTime, storeTime, expireTime }, read.kept)
  return answering.of(read.value, expireTime, storeTime, rowid)
}

/** The result for an entry in memory. `undefined` when the entry records a miss. */
export function answerOf<A>(memory: MemoryTier, entry: MemoryEntry, answering: Answering<A>): A | undefined {
  if (memory.wasHit) answering.hit?.()
  const value = answer(memory, entry)
  return entry.isMiss ? undefined : answering.of(value, entry.expireTime, entry.storeTime, entry.rowid)
}

/** The value of an entry in memory. Counts and notes the access as a read of the database would. */
export function answer(memory: MemoryTier, entry: MemoryEntry): unknown {
  const { shard } = entry.shard
  const { current } = shard
  if (entry.isMiss) {
    shard.watch.miss(entry, 'memory')
    return current && noteMiss(shard, current)
  }
  shard.watch.hit(entry, 'memory')
  if (current) noteUse(shard, current, entry)
  return memory.valueOf(entry)
}

function noteUse(shard: Shard, session: Session, entry: MemoryEntry): void {
  noteHit(shard, session, entry.rowid, entry.accessTime)
  if (EVICTION_POLICIES[session.settings.evictionPolicy].marks !== 'access_time') return
  const now = shard.disk.now()
  if (now - entry.accessTime >= ACCESS_SECONDS) entry.accessTime = now
}
