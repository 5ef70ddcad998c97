import type { CacheHandle } from '../cache-handle.js'
import type { Call } from '../call.js'
import type { Session } from '../database/session.js'
import type { EncodedValue } from '../disk/codec.js'
import * as items from '../operations/deque.js'
import { type Reversal, reverse, rotate } from '../operations/deque-order.js'
import type { Side } from '../operations/queue.js'
import { clearItems, returnDue } from '../operations/taken.js'
import type { Waiting } from '../options.js'
import { performance } from '../timers.js'
import { removeInPages } from '../verbs/removing.js'
import { encodeValue, type Incoming, takeIn } from '../verbs/storing.js'
import { type TakenValue, takeOutValue } from '../verbs/taking.js'
import { discardAll, type IncomingValue, isStream, storingAll, takeValue } from '../verbs/value-source.js'
import { resolveStoring } from '../verbs/verb-options.js'
import { patient, shardOf } from './collection-cache.js'
import { rowsOf, walkPages } from './deque-reading.js'
import { isEqual } from './equality.js'

/** How many items one commit writes: more would block the event loop for longer than a few milliseconds. */
const ITEMS_PER_COMMIT = 500
/** How long `remove` searches items within its own write, before it continues outside of it. */
const NEAR_MILLISECONDS = 2
/** How many items it searches there even if the processor was given to others meanwhile. */
const NEAR_ITEMS = 16
/** Items never expire, whatever the settings of the cache are. */
const FOR_EVER = { ttl: null } as const

type Operation<T> = (session: Session, item: items.NewItem) => T

/** The side where an item is put, and the greatest length of the deque afterwards. */
export interface End {
  readonly side: Side
  readonly maxLength: number
}

/** Runs one operation, in the order of the calls of this process. A `Cache` rejects and refuses nothing. */
function write<T>(handle: CacheHandle, run: (session: Session) => T, options: Waiting | undefined): Promise<T> {
  const call = { options: patient(handle, options), refused: undefined } as Call<T>
  return handle.write<T>(shardOf(handle), { run, barrier: true }, call)
}

/** Puts a value at one end; removes items at the other end if there are too many. */
export function putItem(handle: CacheHandle, end: End, value: unknown, options: Waiting | undefined): Promise<void> {
  const run = (session: Session, item: items.NewItem): boolean => {
    items.pushAll(session, [item], end.side)
    return items.trim(session, end.maxLength, otherSide(end.side))
  }
  return store(handle, value, options, run, async more => {
    if (more) await trimOn(handle, end, options)
  })
}

/** Replaces the value at an index. */
export function replaceItem(
  handle: CacheHandle,
  index: number,
  value: unknown,
  options: Waiting | undefined,
): Promise<void> {
  return store(
    handle,
    value,
    options,
    (session, item) => items.setAt(session, index, item),
    async () => {},
  )
}

function store<T>(
  handle: CacheHandle,
  value: unknown,
  options: Waiting | undefined,
  operation: Operation<T>,
  afterwards: (result: T) => Promise<void>,
): Promise<void> {
  return handle.start(
    () => encodeValue(handle, value),
    encoded => storeEncoded(handle, { encoded, value, options }, operation).then(afterwards),
  )
}

function storeEncoded<T>(
  handle: CacheHandle,
  { encoded, value, options }: Pick<Incoming<T>, 'encoded' | 'value' | 'options'>,
  operation: Operation<T>,
): Promise<T> {
  const shard = shardOf(handle)
  const call = { options: patient(handle, options), refused: undefined } as Call<T>
  const put = (incoming: IncomingValue, _: unknown, now: number): Promise<T> =>
    queueItem(handle, incoming, now, operation, call)
  return takeIn(handle, shard, { encoded, value, options: { ...FOR_EVER, ...options }, call, store: put })
}

function queueItem<T>(
  handle: CacheHandle,
  { prepared, readiness, discard }: IncomingValue,
  now: number,
  operation: Operation<T>,
  call: Call<T>,
): Promise<T> {
  const item = { value: prepared, now, expireTime: null, tag: null, tags: [] }
  const run = (session: Session): T => operation(session, item)
  return handle.write(shardOf(handle), { run, barrier: true, bytes: prepared.weight, readiness, discard }, call)
}

/** How many pages of one call are stored. */
interface Progress {
  pages: number
}

/**
 * Puts values at one end, one after the other, some hundreds in a commit. No other call of this process puts items
 * between those of one call. Where a page cannot be stored, those after it are not stored either.
 */
export function putItems(
  handle: CacheHandle,
  end: End,
  values: Iterable<unknown>,
  options: Waiting | undefined,
): Promise<void> {
  return handle.start(
    () => Array.from(values, value => ({ value, encoded: encodeItem(handle, value) })),
    async encoded => {
      handle.assertWritable()
      const commits: Promise<void>[] = []
      const progress = { pages: 0 }
      for (let at = 0; at < encoded.length; at += ITEMS_PER_COMMIT) {
        const inOrder = follow(progress, commits.length)
        commits.push(putSome(handle, end, encoded.slice(at, at + ITEMS_PER_COMMIT), { options, inOrder }))
      }
      // The error of the first page is the reason of all, and nothing is stored any more when the caller gets it.
      const outcomes = await Promise.allSettled(commits)
      const failed = outcomes.find(outcome => outcome.status === 'rejected')
      if (failed) throw failed.reason
    },
  )
}

/** The same for an asynchronous source, which is asked for more values when the previous ones are stored. */
export async function putItemsOf(
  handle: CacheHandle,
  end: End,
  values: AsyncIterable<unknown>,
  options: Waiting | undefined,
): Promise<void> {
  let some: unknown[] = []
  for await (const value of values) {
    some.push(value)
    if (some.length < ITEMS_PER_COMMIT) continue
    await putItems(handle, end, some, options)
    some = []
  }
  await putItems(handle, end, some, options)
}

interface EncodedItem {
  readonly value: unknown
  readonly encoded: EncodedValue
}

function encodeItem(handle: CacheHandle, value: unknown): EncodedValue {
  if (isStream(value)) throw new TypeError('extend stores values, not streams: use append')
  return handle.options.codec.encodeValue(value)
}

/** Notes that a page is stored. @throws Error when one before it is not, whose caller has an error of its own */
function follow(progress: Progress, page: number): (session: Session) => void {
  return session => {
    if (progress.pages < page) throw new Error('the items before these could not be stored')
    progress.pages = page + 1
    session.afterRollback(() => {
      progress.pages = page
    })
  }
}

async function putSome(
  handle: CacheHandle,
  end: End,
  some: readonly EncodedItem[],
  { options, inOrder }: { options: Waiting | undefined; inOrder: (session: Session) => void },
): Promise<void> {
  const shard = shardOf(handle)
  const now = shard.disk.now()
  const incoming = takeValues(handle, some, now)
  const work = {
    run: (session: Session): boolean => {
      inOrder(session)
      const rows = incoming.map(({ prepared }) => ({ value: prepared, now, expireTime: null, tag: null, tags: [] }))
      items.pushAll(session, rows, end.side)
      return items.trim(session, end.maxLength, otherSide(end.side))
    },
    barrier: true,
    ...storingAll(incoming),
  }
  const more = await handle.write(shard, work, { options: patient(handle, options), refused: false })
  if (more) await trimOn(handle, end, options)
}

/** Writes the files of values, all or none: if one is refused, the files of those before it are removed. */
function takeValues(handle: CacheHandle, some: readonly EncodedItem[], now: number): IncomingValue[] {
  const storing = resolveStoring(FOR_EVER, now, undefined)
  const incoming: IncomingValue[] = []
  try {
    for (const { value, encoded } of some) incoming.push(takeValue(shardOf(handle), encoded, value, storing))
    return incoming
  } catch (error) {
    discardAll(incoming)
    throw error
  }
}

/** Trims one page at a time, until no more than `maxLength` items are left. */
async function trimOn(handle: CacheHandle, end: End, options: Waiting | undefined): Promise<void> {
  const run = (session: Session): boolean => items.trim(session, end.maxLength, otherSide(end.side))
  while (await write(handle, run, options));
}

/** Removes items from the front until no more than `maxLength` are left. */
export async function trimItems(handle: CacheHandle, maxLength: number, options: Waiting | undefined): Promise<void> {
  if (maxLength !== Number.POSITIVE_INFINITY) await trimOn(handle, { side: 'back', maxLength }, options)
}

/** Removes an item and returns its value. Skips items whose file is missing. */
export async function popItem(handle: CacheHandle, side: Side, options: Waiting | undefined): Promise<unknown> {
  const shard = shardOf(handle)
  for (;;) {
    const run = (session: Session): TakenValue | undefined => {
      returnDue(session)
      const row = items.pop(session, side)
      return row && takeOutValue(shard, session, row)
    }
    const taken = await write(handle, run, options)
    const found = await taken?.()
    if (found || !taken) return found?.value
  }
}

export async function removeAt(handle: CacheHandle, index: number, options: Waiting | undefined): Promise<void> {
  await write(handle, session => items.deleteAt(session, index), options)
}

/** Removes the first item that is equal to a value, or the next one if somebody else was faster. */
export async function removeEqual(
  handle: CacheHandle,
  wanted: unknown,
  options: Waiting | undefined,
): Promise<boolean> {
  handle.assertWritable()
  const removed = await write(handle, session => removeNear(session, wanted), options)
  if (removed !== undefined) return removed
  for await (const page of walkPages(handle)) {
    for (const { rowid, storeTime, value } of page) {
      if (!isEqual(value, wanted)) continue
      if (await write(handle, session => items.removeSame(session, rowid, storeTime), options)) return true
    }
  }
  return false
}

/** Searches only the first items, while others wait for the lock. @returns `undefined` if there are more items */
function removeNear(session: Session, wanted: unknown): boolean | undefined {
  const until = performance.now() + NEAR_MILLISECONDS
  let searched = 0
  for (const { row, value } of rowsOf(session, items.BEFORE_FRONT, 'front')) {
    if (isEqual(value, wanted)) return items.removeSame(session, row[0], row[3])
    if (++searched >= NEAR_ITEMS && performance.now() > until) return undefined
  }
  return false
}

export async function rotateItems(handle: CacheHandle, steps: number, options: Waiting | undefined): Promise<void> {
  for (let left = steps; left !== 0; ) {
    const wanted = left
    left = await write(handle, session => rotate(session, wanted), options)
  }
}

export async function reverseItems(handle: CacheHandle, options: Waiting | undefined): Promise<void> {
  let cursor: Reversal | undefined
  do {
    const at = cursor
    cursor = await write(handle, session => reverse(session, at), options)
  } while (cursor)
}

export function removeAll(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  return removeInPages(handle, patient(handle, options), clearItems)
}

function otherSide(side: Side): Side {
  return side === 'front' ? 'back' : 'front'
}
