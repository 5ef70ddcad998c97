import type { CacheHandle } from '../cache-handle.js'
import type { EncodedKey } from '../disk/codec.js'
import { nextTurn, turnHasTime } from '../fairness.js'
import type { MemoryTier } from '../memory/memory-tier.js'
import type { Key, Waiting } from '../options.js'
import { trackInAll } from '../shards/closing.js'
import type { Shard } from '../shards/shard.js'
import { type Answering, answerOf, begun, lookOf, PLAIN } from './getting.js'
import { FAILED, tryOnce } from './reading.js'
import { checkIterable, checkVerbOptions } from './verb-options.js'

/** Limit of keys that are read in one transaction. */
const KEYS_AT_ONCE = 128
/** Keys that are read in the turn of the call. More of them would block the loop for more than some milliseconds. */
const KEYS_AT_FIRST = 8 * KEYS_AT_ONCE

/** A key, and the place of its value in the result. */
interface Place {
  readonly at: number
  readonly key: Key
  readonly encoded: EncodedKey
  readonly shard: Shard
}

/** What several keys are read by, from before the cache may be closed. */
interface Call {
  readonly handle: CacheHandle
  readonly memory: MemoryTier | undefined
  readonly answering: Answering<unknown>
  readonly options: Waiting | undefined
  /** The result for each key, or a promise of it. */
  readonly answers: unknown[]
}

/** Runs `getMany`. */
export async function getValues<T>(
  handle: CacheHandle,
  keys: Iterable<Key>,
  options: Waiting | undefined,
): Promise<(T | undefined)[]> {
  checkVerbOptions(options, 'getMany', 'waiting')
  checkIterable(keys, 'getMany')
  return readMany(handle, Array.from(keys), PLAIN, options) as Promise<(T | undefined)[]>
}

/** Reads several keys. Those in memory are read at once, those of one shard with one transaction for many of them. */
export function readMany<A>(
  handle: CacheHandle,
  keys: readonly Key[],
  answering: Answering<A>,
  options?: Waiting,
): Promise<(A | undefined)[]> {
  if (!handle.isOpen) return handle.ready(() => readMany(handle, keys, answering, options))
  const places = keys.map((key, at) => {
    const encoded = handle.encodeKey(key)
    return { at, key, encoded, shard: handle.route(encoded) }
  })
  const answers = new Array<unknown>(keys.length)
  const reading = inBatches(places, { handle, memory: handle.memory, answering, options, answers })
  return trackInAll(handle.shards, reading) as Promise<(A | undefined)[]>
}

async function inBatches(places: readonly Place[], call: Call): Promise<unknown[]> {
  for (let at = 0; at < places.length; ) {
    const end = at + KEYS_AT_ONCE
    readBatch(places.slice(at, end), call)
    at = end
    // The first keys see no write that is called later, so that all of them are read in this turn.
    if ((at >= KEYS_AT_FIRST || at >= places.length) && !turnHasTime()) await nextTurn()
  }
  return Promise.all(call.answers)
}

function readBatch(places: readonly Place[], call: Call): void {
  const { memory, answering, options, answers } = call
  const others = new Map<Shard, Place[]>()
  for (const place of places) {
    const { at, key, shard } = place
    const entry = options === undefined && typeof key === 'string' ? memory?.findText(key) : undefined
    const known = entry ? undefined : others.get(shard)
    if (entry && memory) answers[at] = answerOf(memory, entry, answering)
    else if (known) known.push(place)
    else others.set(shard, [place])
  }
  for (const [shard, some] of others) readOfShard(shard, some, call)
}

function readOfShard(shard: Shard, places: readonly Place[], call: Call): void {
  const { memory, answering, options, answers } = call
  const look = ({ key, encoded }: Place): unknown => lookOf(memory, key, answering)(shard, encoded)
  const isFree = options === undefined && shard.writer.pending.empty
  const found = isFree ? lookTogether(shard, places, look) : []
  for (const [index, place] of places.entries()) {
    const answer = index < found.length ? found[index] : FAILED
    const isOpen = answer === FAILED || answer instanceof Promise
    answers[place.at] = isOpen ? patiently(place, answer, () => look(place), call) : answer
  }
}

/** Goes on with a read that has failed or that has begun to read a file. */
function patiently(
  { shard, key, encoded }: Place,
  answer: unknown,
  look: () => unknown,
  { handle, options }: Call,
): Promise<unknown> {
  const read =
    answer instanceof Promise
      ? handle.read(shard, undefined, options, begun(answer, look), key)
      : handle.read(shard, encoded, options, look, key)
  // Promise.all reports a failure. Until then it must not count as unhandled.
  read.catch(() => undefined)
  return read
}

/** Reads keys of a shard in one transaction. Fewer when it fails: the rest is for the patient read. */
function lookTogether(shard: Shard, places: readonly Place[], look: (place: Place) => unknown): readonly unknown[] {
  const found: unknown[] = []
  tryOnce(() =>
    shard.current?.atOneMoment(() => {
      for (const place of places) found.push(tryOnce(() => look(place)))
    }),
  )
  return found
}
