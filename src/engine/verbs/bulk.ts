import type { CacheHandle } from '../cache-handle.js'
import type { Entry } from '../contract.js'
import type { Session } from '../database/session.js'
import type { EncodedKey, EncodedValue } from '../disk/codec.js'
import { groupBy } from '../newer-node.js'
import type { NewEntry } from '../operations/entries.js'
import { remove, set } from '../operations/items.js'
import { kindOf } from '../option-names.js'
import type { Key, Storing, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { discardAll, type IncomingValue, isStream, storingAll, takeValue } from './value-source.js'
import { checkIterable, checkVerbOptions, resolveStoring, resolveWaiting } from './verb-options.js'

/** Limit of entries in one transaction. More of them would block the event loop for more than a few milliseconds. */
const ENTRIES_PER_COMMIT = 1000

interface Incoming {
  readonly key: Key
  readonly shard: Shard
  /** Index of its result. */
  readonly at: number
  readonly entry: NewEntry
  readonly value: IncomingValue
}

/** An entry whose key and value were encoded when the verb was called. */
export interface EncodedEntry {
  readonly key: Key
  readonly encodedKey: EncodedKey
  readonly value: unknown
  readonly encoded: EncodedValue
  readonly options: Storing | undefined
}

/** Checks and encodes the entries of `setMany`. @throws TypeError */
export function encodeEntries(
  handle: CacheHandle,
  entries: Iterable<Entry>,
  options: Waiting | undefined,
): EncodedEntry[] {
  checkVerbOptions(options, 'setMany', 'waiting')
  checkIterable(entries, 'setMany')
  return Array.from(entries, given => {
    checkEntry(given)
    const [key, value, own] = given
    checkVerbOptions(own, 'setMany', 'storing')
    resolveWaiting(own, 0)
    if (isStream(value)) throw new TypeError('setMany stores values, not streams: use set')
    const encoded = handle.options.codec.encodeValue(value)
    return { key, encodedKey: handle.encodeKey(key), value, encoded, options: own }
  })
}

/** Stores entries, those of one shard together. */
export async function storeEntries(
  handle: CacheHandle,
  entries: readonly EncodedEntry[],
  options: Waiting | undefined,
): Promise<boolean[]> {
  handle.assertWritable()
  const answers: boolean[] = entries.map(() => false)
  const incoming: Incoming[] = []
  try {
    for (const [at, entry] of entries.entries()) {
      const taken = takeEntry(handle, entry, at)
      if (taken) incoming.push(taken)
    }
  } catch (error) {
    // None of the entries is stored.
    discardAll(incoming.map(({ value }) => value))
    throw error
  }
  const stored = [...groupBy(incoming, ({ shard }) => shard)].flatMap(([shard, own]) =>
    chunks(own).map(chunk => storeChunk(handle, shard, chunk, options, answers)),
  )
  await Promise.all(stored)
  return answers
}

/** Prepares one of several entries. `undefined`: a FanoutCache refuses it as too large, and stores the others. */
function takeEntry(
  handle: CacheHandle,
  { key, encodedKey, value, encoded, options }: EncodedEntry,
  at: number,
): Incoming | undefined {
  const shard = handle.route(encodedKey)
  const now = shard.disk.now()
  const storing = resolveStoring(options, now, handle.options.defaultTtl)
  try {
    const incoming = takeValue(shard, encoded, value, storing)
    const { expireTime, tag, tags } = storing
    return {
      key,
      shard,
      at,
      value: incoming,
      entry: { key: encodedKey, value: incoming.prepared, now, expireTime, tag, tags },
    }
  } catch (error) {
    return handle.refusal(error, { key, refused: undefined })
  }
}

/** Removes keys, those of one shard together. */
export async function removeKeys(
  handle: CacheHandle,
  keys: Iterable<Key>,
  options: Waiting | undefined,
): Promise<boolean[]> {
  checkVerbOptions(options, 'deleteMany', 'waiting')
  checkIterable(keys, 'deleteMany')
  const places = Array.from(keys, (key, at) => ({ key, at, encoded: handle.encodeKey(key) }))
  const answers = places.map(() => false)
  const removed = [...groupBy(places, ({ encoded }) => handle.route(encoded))].flatMap(([shard, own]) =>
    chunks(own).map(async chunk => {
      const now = shard.disk.now()
      const run = (session: Session): boolean[] => chunk.map(({ encoded }) => remove(session, encoded, now))
      const call = { keys: chunk.map(({ key }) => key), options, refused: [], retry: true }
      const found = await handle.write<boolean[]>(shard, { run, barrier: true }, call)
      for (const [index, { at }] of chunk.entries()) answers[at] = found[index] ?? false
    }),
  )
  await Promise.all(removed)
  return answers
}

async function storeChunk(
  handle: CacheHandle,
  shard: Shard,
  chunk: readonly Incoming[],
  options: Waiting | undefined,
  answers: boolean[],
): Promise<void> {
  const work = {
    run: (session: Session): boolean => {
      for (const { entry } of chunk) set(session, entry)
      return true
    },
    barrier: true,
    ...storingAll(chunk.map(({ value }) => value)),
  }
  const call = { keys: chunk.map(({ key }) => key), options, refused: false, retry: true }
  const stored = await handle.write<boolean>(shard, work, call)
  for (const { at } of chunk) answers[at] = stored
}

/** Checks the form of an entry, which callers in JavaScript may get wrong. @throws TypeError */
export function checkEntry(entry: Entry): void {
  if (Array.isArray(entry) && entry.length >= 2 && entry.length <= 3) return
  throw new TypeError(`setMany: entries must be [key, value] or [key, value, options], got ${kindOf(entry)}`)
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / ENTRIES_PER_COMMIT)
  return Array.from({ length: count }, (_, at) => items.slice(at * ENTRIES_PER_COMMIT, (at + 1) * ENTRIES_PER_COMMIT))
}
