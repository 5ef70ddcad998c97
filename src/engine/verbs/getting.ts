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
import { checkIterable, checkVerbOptions } from './verb-options.js'

/** A stored access is renewed in memory when it is older, as it is in the database. Seconds. */
const ACCESS_SECONDS = 5
/** Reads of one call between two turns of the loop: more of them would hold it for longer than some milliseconds. */
const KEYS_PER_TURN = 1000

/** `get`: from memory where that is switched on and true, else from the database. */
export function getValue<T>(handle: CacheHandle, key: Key, options: Waiting | undefined): Promise<T | undefined> {
  const { memory } = handle
  if (memory === undefined) {
    return handle.isOpen
      ? (readNow(handle, key, readValue, options) as Promise<T | undefined>)
      : handle.ready(() => getValue(handle, key, options))
  }
  // With options `handle.read` looks at the clock.
  if (options !== undefined) return getThrough(handle, memory, key, options, false)
  // Also what comes from memory gives way to the loop, and ends the turn in which others are not asked again.
  const late = turnIsLong()
  const entry = late || typeof key !== 'string' ? undefined : memory.findText(key)
  if (entry !== undefined) return Promise.resolve(answer(memory, entry) as T | undefined)
  return getThrough(handle, memory, key, options, late)
}

/** `getMany`: what memory has is taken at once. */
export async function getValues<T>(
  handle: CacheHandle,
  keys: Iterable<Key>,
  options: Waiting | undefined,
): Promise<(T | undefined)[]> {
  checkVerbOptions(options, 'getMany', 'waiting')
  checkIterable(keys, 'getMany')
  const get = (key: Key): T | undefined | Promise<T | undefined> => {
    const entry = options === undefined && typeof key === 'string' ? handle.memory?.findText(key) : undefined
    if (entry === undefined || handle.memory === undefined) return getValue<T>(handle, key, options)
    return answer(handle.memory, entry) as T | undefined
  }
  const wanted = Array.from(keys)
  if (wanted.length <= KEYS_PER_TURN) return Promise.all(wanted.map(get))
  return handle.ready(() => getInTurns<T>(handle, wanted, options))
}

/** The same for so many keys that the loop turns meanwhile. Closing waits for all of them. */
function getInTurns<T>(
  handle: CacheHandle,
  keys: readonly Key[],
  options: Waiting | undefined,
): Promise<(T | undefined)[]> {
  const { memory } = handle
  const reads = keys.map(key => {
    const encoded = handle.encodeKey(key)
    const shard = handle.route(encoded)
    const text = typeof key === 'string' ? key : undefined
    const read = (): unknown => (memory ? readThrough(memory, shard, encoded, text) : readValue(shard, encoded))
    return () => handle.read(shard, encoded, options, read, key) as Promise<T | undefined>
  })
  const reading = inTurns(reads)
  for (const shard of handle.shards) shard.closing.track(reading)
  return reading
}

async function inTurns<T>(reads: readonly (() => Promise<T>)[]): Promise<T[]> {
  const answers: Promise<T>[] = []
  for (const [at, read] of reads.entries()) {
    if (at > 0 && at % KEYS_PER_TURN === 0) await nextTurn()
    const answer = read()
    // One that fails while others are still to come is told with all of them.
    answer.catch(() => undefined)
    answers.push(answer)
  }
  return Promise.all(answers)
}

/** `has`: from memory where that is true. */
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
 * Reads the entry of a key at once where nothing waits and nothing fails; else after the writes that were called before, and
 * as often as it takes.
 *
 * @param late whether the turn of the loop has lasted long, where that was looked at
 */
export async function readNow<A>(
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

/** A read that has begun; who has to try again begins anew. */
export function begun<A>(found: Promise<A>, again: () => A | Promise<A>): () => A | Promise<A> {
  // It may fail before anybody waits for it: who reads may give way to the loop first.
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

/** What a read through memory answers of an entry. */
export interface Answering<A> {
  /** Times in seconds. */
  of(value: unknown, expireTime: number | null, storeTime: number, rowid: number): A
  /** Reads past the memory. */
  past(shard: Shard, key: EncodedKey): A | undefined | Promise<A | undefined>
  /** The answer for a value that is read with its whole row. */
  stored(shard: Shard, key: EncodedKey): Promise<A | undefined>
  /** Is told that memory has the value. */
  hit?(): void
}

/** `get` for those who want more than the value. */
export function readAs<A>(
  handle: CacheHandle,
  key: Key,
  answering: Answering<A>,
  options?: Waiting,
): Promise<A | undefined> {
  if (!isTraced()) return lookAs(handle, key, answering, options)
  return traced(handle, 'get', key, () => lookAs(handle, key, answering, options))
}

/** The same without a promise where the answer is there at once. @throws when the key is none */
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

type Look<A> = (shard: Shard, encoded: EncodedKey) => A | undefined | Promise<A | undefined>

function lookOf<A>(memory: MemoryTier | undefined, key: Key, answering: Answering<A>): Look<A> {
  if (memory === undefined) return answering.past
  const text = typeof key === 'string' ? key : undefined
  return (shard, encoded) => answerThrough(memory, shard, encoded, text, answering)
}

export const PLAIN: Answering<unknown> = { of: value => value, past: readValue, stored: readEntryValue }

/** The live value of a key, from memory or the database; what comes from there is kept. */
export function readThrough(memory: MemoryTier, shard: Shard, key: EncodedKey, text: string | undefined): unknown {
  return answerThrough(memory, shard, key, text, PLAIN)
}

/** `readThrough` for those who want more than the value. */
export function answerThrough<A>(
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
  // A frozen value comes frozen also where it is not kept.
  if (isAside && memory.options.mode === 'copy') return answering.past(shard, key)
  const session = sessionOf(shard)
  const statement = session.statements.prepare('versionedValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as VersionedValueRow | undefined
  // Among writes this is what is not committed, and may never be.
  const keeps = !isAside && !session.db.inTransaction
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

/** The answer of an entry of memory; `undefined` for one that says that there is none. */
export function answerOf<A>(memory: MemoryTier, entry: MemoryEntry, answering: Answering<A>): A | undefined {
  if (memory.wasHit) answering.hit?.()
  const value = answer(memory, entry)
  return entry.isMiss ? undefined : answering.of(value, entry.expireTime, entry.storeTime, entry.rowid)
}

/** What an entry of memory says, as a read of the database would have said and noted it. */
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
