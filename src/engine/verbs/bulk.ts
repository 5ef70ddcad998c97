import type { CacheHandle } from '../cache-handle.js'
import type { Entry } from '../contract.js'
import type { Session } from '../database/session.js'
import type { EncodedKey, EncodedValue } from '../disk/codec.js'
import type { NewEntry } from '../operations/entries.js'
import { remove, set } from '../operations/items.js'
import { kindOf } from '../option-names.js'
import type { Key, Storing, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { type IncomingValue, isStream, takeValue } from './value-source.js'
import { checkIterable, checkVerbOptions, resolveStoring } from './verb-options.js'

/** Limit of entries in one transaction. More of them would block the event loop for more than a few milliseconds. */
const ENTRIES_PER_COMMIT = 1000

interface Incoming {
  readonly key: Key
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
  const perShard = new Map<Shard, Incoming[]>()
  try {
    for (const [at, entry] of entries.entries()) {
      const shard = handle.route(entry.encodedKey)
      const incoming = takeEntry(handle, shard, entry, at)
      if (incoming) push(perShard, shard, incoming)
    }
  } catch (error) {
    // None of the entries is stored, so their files are removed.
    for (const { value } of [...perShard.values()].flat()) value.discard?.()
    throw error
  }
  const stored = [...perShard].flatMap(([shard, incoming]) =>
    chunks(incoming).map(chunk => storeChunk(handle, shard, chunk, options, answers)),
  )
  await Promise.all(stored)
  return answers
}

/** Prepares one of several entries. `undefined`: a FanoutCache refuses it as too large, and stores the others. */
function takeEntry(
  handle: CacheHandle,
  shard: Shard,
  { key, encodedKey, value, encoded, options }: EncodedEntry,
  at: number,
): Incoming | undefined {
  const now = shard.disk.now()
  const storing = resolveStoring(options, now, handle.options.defaultTtl)
  try {
    const incoming = takeValue(shard, encoded, value, storing)
    const { expireTime, tag, tags } = storing
    return {
      key,
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
  const answers: boolean[] = []
  const perShard = new Map<Shard, { readonly at: number; readonly key: Key; readonly encoded: EncodedKey }[]>()
  for (const key of keys) {
    const encoded = handle.encodeKey(key)
    push(perShard, handle.route(encoded), { at: answers.length, key, encoded })
    answers.push(false)
  }
  const removed = [...perShard].flatMap(([shard, places]) =>
    chunks(places).map(async chunk => {
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
  const files = chunk.flatMap(({ value }) => value.readiness ?? [])
  const work = {
    run: (session: Session): boolean => {
      for (const { entry } of chunk) set(session, entry)
      return true
    },
    barrier: true,
    bytes: chunk.reduce((sum, { value }) => sum + value.prepared.weight, 0),
    ...(files.length > 0 && { readiness: Promise.all(files) }),
    discard: () => {
      for (const { value } of chunk) value.discard?.()
    },
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

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key)
  if (known) known.push(value)
  else map.set(key, [value])
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / ENTRIES_PER_COMMIT)
  return Array.from({ length: count }, (_, at) => items.slice(at * ENTRIES_PER_COMMIT, (at + 1) * ENTRIES_PER_COMMIT))
}
