import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import { AFTER_BACK, BEFORE_FRONT, keyAt, lengthOf, rowBeside } from '../operations/deque.js'
import { isLive } from '../operations/entries.js'
import type { Side } from '../operations/queue.js'
import { hasDue, returnDue } from '../operations/taken.js'
import type { Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { storedValue } from '../verbs/open-transaction.js'
import { readPatiently, sessionOf } from '../verbs/reading.js'
import { patient, shardOf } from './collection-cache.js'
import { asStoredOrItself, isEqual } from './equality.js'

/** How many items are read at once: this takes about a millisecond. */
const ITEMS_PER_PAGE = 100

/** An item, and what distinguishes it from a later one with the same key. */
export interface FoundItem {
  readonly key: number
  readonly rowid: number
  readonly storeTime: number
  readonly value: unknown
}

/**
 * Finds the first item after `key`, up to `last`, that has a value. Skips items whose file is missing: somebody has
 * just taken them, or they are damaged, and the next write removes them.
 */
async function findItem(shard: Shard, key: number, side: Side, last: number): Promise<FoundItem | undefined> {
  let at = key
  let missing: string | undefined
  for (;;) {
    const session = sessionOf(shard)
    const row = rowBeside(session, at, side)
    if (!row || (side === 'front' ? Number(row[1]) > last : Number(row[1]) < last)) return undefined
    const [rowid, , , storeTime, expireTime, , , , size, mode, filename, data] = row
    const position = Number(row[1])
    const found = (value: unknown): FoundItem => ({ key: position, rowid, storeTime, value })
    if (isLive(expireTime, shard.disk.now())) {
      if (filename === null) return found(shard.disk.decode(mode, data))
      // Inside a transaction the file is opened at once: the next write may remove it.
      const bytes = await shard.disk.files.read(filename, size, { openNow: session.db.inTransaction })
      if (bytes) return found(shard.disk.decode(mode, bytes))
      if (missing !== filename) {
        // The item may have been replaced meanwhile: read its row once more.
        missing = filename
        continue
      }
      shard.noteDamaged(rowid, filename)
    }
    at = position
  }
}

/** Reads the item that `pop` or `popLeft` would take. First puts back items whose lease has ended. */
export async function peekItem(handle: CacheHandle, side: Side, options: Waiting | undefined): Promise<unknown> {
  const shard = shardOf(handle)
  for (;;) {
    const read = (): Promise<FoundItem | undefined> | 'due' => {
      if (!handle.options.readonly && hasDue(sessionOf(shard))) return 'due'
      return side === 'front'
        ? findItem(shard, BEFORE_FRONT, 'front', AFTER_BACK)
        : findItem(shard, AFTER_BACK, 'back', BEFORE_FRONT)
    }
    const found = await handle.read<FoundItem | undefined | 'due'>(shard, undefined, options, read)
    if (found !== 'due') return found?.value
    const call = { options: patient(handle, options), refused: undefined }
    await handle.write<void>(shard, { run: returnDue, barrier: true }, call)
  }
}

export async function countItems(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  const shard = shardOf(handle)
  return (await handle.read(shard, undefined, options, () => lengthOf(sessionOf(shard)))) ?? 0
}

/** Reads the value at an index, or the next item that has a value. */
export async function valueAt(handle: CacheHandle, index: number, options: Waiting | undefined): Promise<unknown> {
  const shard = shardOf(handle)
  const read = (): Promise<FoundItem | undefined> | undefined => {
    const key = keyAt(sessionOf(shard), index)
    if (key === undefined) return undefined
    return index < 0 ? findItem(shard, key + 1, 'back', BEFORE_FRONT) : findItem(shard, key - 1, 'front', AFTER_BACK)
  }
  return (await handle.read(shard, undefined, options, read))?.value
}

/**
 * Yields all items from one end on, one at a time. Leaves out items that are appended after the first step, and those
 * that are removed meanwhile.
 */
export async function* walk(handle: CacheHandle, side: 'front' | 'back'): AsyncGenerator<FoundItem> {
  const step = async (shard: Shard, from: number, last: number): Promise<FoundItem[]> => {
    const found = await findItem(shard, from, side, last)
    return found ? [found] : []
  }
  for await (const items of pages(handle, side, step)) yield* items
}

/** Yields all items in pages. A page may contain items that have been removed meanwhile. */
export function walkPages(handle: CacheHandle): AsyncGenerator<readonly FoundItem[]> {
  return pages(handle, 'front', async (shard, from, last) => {
    const page: FoundItem[] = []
    for (let at = from; page.length < ITEMS_PER_PAGE; ) {
      const found = findInline(shard, at, last) ?? (await findItem(shard, at, 'front', last))
      if (!found) break
      page.push(found)
      at = found.key
    }
    return page
  })
}

type Step = (shard: Shard, from: number, last: number) => Promise<FoundItem[]>

async function* pages(handle: CacheHandle, side: 'front' | 'back', step: Step): AsyncGenerator<readonly FoundItem[]> {
  await handle.open()
  const shard = shardOf(handle)
  const last = await handle.read(shard, undefined, undefined, () => keyAt(sessionOf(shard), side === 'back' ? 0 : -1))
  if (last === undefined) return
  for (let at = side === 'back' ? AFTER_BACK : BEFORE_FRONT; ; ) {
    const from = at
    handle.assertOpen(shard)
    const page = await readPatiently(shard, handle.options.timeout, () => step(shard, from, last))
    const end = page.at(-1)
    if (!end) return
    at = end.key
    yield page
    // Reading a page takes about as long as other work may be made to wait.
    if (page.length > 1 || turnIsLong()) await nextTurn()
  }
}

/** The next item, if its value is stored in the database and not in a file. */
function findInline(shard: Shard, key: number, last: number): FoundItem | undefined {
  const row = rowBeside(sessionOf(shard), key, 'front')
  if (!row || Number(row[1]) > last || row[10] !== null || !isLive(row[4], shard.disk.now())) return undefined
  return { key: Number(row[1]), rowid: row[0], storeTime: row[3], value: shard.disk.decode(row[9], row[11]) }
}

/** Counts the items that are equal to a value. @param wanted as {@link asStored} returns it */
export async function countEqual(handle: CacheHandle, wanted: unknown): Promise<number> {
  let count = 0
  for await (const page of walkPages(handle)) for (const { value } of page) if (isEqual(value, wanted)) count++
  return count
}

/**
 * Returns 0 if both have equal items and the same number of them, else what `order` returns for the first difference.
 */
export async function difference(
  handle: CacheHandle,
  others: Iterator<unknown> | AsyncIterator<unknown>,
  order: (a: unknown, b: unknown) => -1 | 1,
): Promise<-1 | 0 | 1> {
  let ended = false
  const next = async (): Promise<IteratorResult<unknown>> => {
    const step = await others.next()
    ended = step.done === true
    return step
  }
  try {
    for await (const page of walkPages(handle)) {
      for (const { value } of page) {
        const { done, value: other } = await next()
        if (done) return 1
        const stored = asStoredOrItself(handle.options.codec, other)
        if (!isEqual(value, stored)) return order(value, stored)
      }
    }
    return (await next()).done ? 0 : -1
  } finally {
    // The source of the other items may have something to close.
    if (!ended) await others.return?.()
  }
}

/** Yields the rows next to a key that have a value, with their values. */
export function* rowsOf(
  session: Session,
  from: number,
  side: Side,
): Generator<{ readonly row: EntryRow; readonly value: unknown }> {
  for (let at = from; ; ) {
    const row = rowBeside(session, at, side)
    if (!row) return
    at = Number(row[1])
    const found = isLive(row[4], session.disk.now()) ? storedValue(session, row) : undefined
    if (found) yield { row, value: found.value }
  }
}
