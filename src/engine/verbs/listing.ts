import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { nextTurn } from '../fairness.js'
import { readRow } from '../operations/entries.js'
import {
  type Choice,
  chosenRows,
  isChosen,
  isListed,
  type KeyRow,
  lastRow,
  pages,
  rowidsByPrefix,
  rowidsByTag,
  sortedPages,
} from '../operations/listing.js'
import type { Info, Key, Listing } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { hidesPrefixes, keyOfRow, type ResolvedListing, resolveListing, startsWith } from './listing-options.js'
import { patienceOf, readEntryRow, readPatiently, sessionOf, toInfo, withItsTags } from './reading.js'

const ROWIDS_PER_PAGE = 100

/** Lists the keys of all shards, one shard after the other, in stored order. */
export async function* listKeys(handle: CacheHandle, options: Listing | undefined, verb: string): AsyncGenerator<Key> {
  for await (const { shard, row } of rows(handle, resolveListing(options, verb))) yield keyOfRow(shard, row)
}

/** Lists keys with their bytes in the database: under jsonCodec no other bytes find the item of a queue. */
export async function* listEncodedKeys(
  handle: CacheHandle,
  options: Listing,
  verb: string,
): AsyncGenerator<{ key: Key; encoded: EncodedKey }> {
  for await (const { shard, row } of rows(handle, resolveListing(options, verb))) {
    yield { key: keyOfRow(shard, row), encoded: { data: row[1], raw: row[2] !== 0 } }
  }
}

/** Lists keys with their values. An entry whose file has disappeared meanwhile is left out. */
export async function* listEntries<T>(handle: CacheHandle, options: Listing | undefined): AsyncGenerator<[Key, T]> {
  const listing = resolveListing(options, 'entries')
  for await (const { shard, row } of rows(handle, listing)) {
    const now = listing.includeExpired ? Number.NEGATIVE_INFINITY : shard.disk.now()
    const found = await readListed(handle, shard, () => readEntryRow(shard, row[0], now))
    if (found && isStill(shard, row, found.row, listing)) yield [keyOfRow(shard, row), found.value as T]
  }
}

/** Lists the `Info` of the entries, without their values. */
export async function* listInfos(handle: CacheHandle, options: Listing | undefined): AsyncGenerator<Info> {
  const listing = resolveListing(options, 'infos')
  for await (const { shard, row } of rows(handle, listing)) {
    const info = await readListed(handle, shard, () => {
      const session = sessionOf(shard)
      return withItsTags(session, () => {
        const found = readRow(session, 'entryById', row[0])
        return found && isStill(shard, row, found, listing) ? toInfo(session, found) : undefined
      })
    })
    if (info) yield info
  }
}

/** Lists keys in SQLite's order, from the only shard of a `Cache`. */
export async function* listSortedKeys(handle: CacheHandle, options: Listing | undefined): AsyncGenerator<Key> {
  const listing = resolveListing(options, 'sortedKeys')
  await handle.open()
  const shard = handle.shards[0] as Shard
  await settled(handle, shard)
  const chosen = await choose(handle, shard, listing)
  const choice = choiceOf(shard, listing)
  for await (const page of steps(handle, shard, () => sortedPages(sessionOf(shard), listing))) {
    // Chosen before any is yielded: whoever lists may close the cache in between.
    const look = (): KeyRow[] => page.filter(row => chosen?.has(row[0]) && isChosen(sessionOf(shard), row, choice))
    for (const row of chosen ? await readOpen(handle, shard, look) : page) {
      if (isListed(row, shard.disk.now(), listing.includeExpired) && hasPrefix(shard, row, listing))
        yield keyOfRow(shard, row)
    }
  }
}

async function* rows(handle: CacheHandle, listing: ResolvedListing): AsyncGenerator<{ shard: Shard; row: KeyRow }> {
  await handle.open()
  const shards = listing.reverse ? [...handle.shards].reverse() : handle.shards
  const ends = await Promise.all(shards.map(shard => endOf(handle, shard)))
  for (const [at, shard] of shards.entries()) {
    const end = ends[at]
    if (end === undefined) continue
    try {
      for await (const page of pagesOf(handle, shard, listing, end)) {
        // Python stores the key NaN as NULL, which no key finds.
        for (const row of page) {
          if (row[1] === null || !isListed(row, shard.disk.now(), listing.includeExpired)) continue
          if (hasPrefix(shard, row, listing)) yield { shard, row }
        }
      }
    } catch (error) {
      handle.unread(error)
    }
  }
}

/** The last row that a listing covers. `undefined` when a FanoutCache leaves the shard out. */
async function endOf(handle: CacheHandle, shard: Shard): Promise<number | undefined> {
  let end: number | undefined
  await unlessLocked(handle, shard, async () => {
    end = await readOpen(handle, shard, () => lastRow(sessionOf(shard)))
  })
  return end
}

/** Reads a shard after the earlier writes. A FanoutCache leaves out a locked shard and emits `timeout`. */
export async function unlessLocked(handle: CacheHandle, shard: Shard, look: () => Promise<void>): Promise<void> {
  try {
    await settled(handle, shard)
    await look()
  } catch (error) {
    handle.unread(error)
  }
}

async function* pagesOf(
  handle: CacheHandle,
  shard: Shard,
  listing: ResolvedListing,
  last: number,
): AsyncGenerator<KeyRow[]> {
  const chosen = await choose(handle, shard, listing)
  if (!chosen) {
    yield* steps(handle, shard, () => pages(sessionOf(shard), last, listing))
    return
  }
  const ordered = Array.from(chosen).filter(rowid => rowid <= last)
  ordered.sort((a, b) => (listing.reverse ? b - a : a - b))
  for (let at = 0; at < ordered.length; at += ROWIDS_PER_PAGE) {
    const rowids = ordered.slice(at, at + ROWIDS_PER_PAGE)
    yield await readOpen(handle, shard, () => chosenRows(sessionOf(shard), rowids, choiceOf(shard, listing)))
    await nextTurn()
  }
}

/** Whether a row has the prefix of the listing, where SQL could not compare it. */
function hasPrefix(shard: Shard, row: KeyRow, { prefix }: ResolvedListing): boolean {
  return prefix === undefined || !hidesPrefixes(shard) || startsWith(shard, row, prefix)
}

/** Whether a row is still the listed entry, since its rowid may have been given to another one. */
function isStill(shard: Shard, listed: KeyRow, now: EntryRow, listing: ResolvedListing): boolean {
  const [, data, raw] = listed
  if (keyIdentity({ data, raw: raw !== 0 }) !== keyIdentity({ data: now[1], raw: now[2] !== 0 })) return false
  return listing.tag === undefined || isChosen(sessionOf(shard), listed, choiceOf(shard, listing))
}

function choiceOf(shard: Shard, { prefix, tag }: ResolvedListing): Choice {
  return { prefix: hidesPrefixes(shard) ? undefined : prefix, tag }
}

/** The rowids that match prefix and tag. `undefined`: everything is listed. */
async function choose(handle: CacheHandle, shard: Shard, listing: ResolvedListing): Promise<Set<number> | undefined> {
  const { prefix, tag } = choiceOf(shard, listing)
  const collect = async (begin: () => Iterator<number[]>): Promise<Set<number>> => {
    const rowids = new Set<number>()
    for await (const page of steps(handle, shard, begin)) for (const rowid of page) rowids.add(rowid)
    return rowids
  }
  const byPrefix = prefix === undefined ? undefined : await collect(() => rowidsByPrefix(sessionOf(shard), prefix))
  const byTag = tag === undefined ? undefined : await collect(() => rowidsByTag(sessionOf(shard), tag))
  if (!byPrefix || !byTag) return byPrefix ?? byTag
  return new Set(Array.from(byPrefix).filter(rowid => byTag.has(rowid)))
}

const GONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Reads one page in each turn of the loop, so that a listing of millions delays nobody. */
export async function* steps<Page>(
  handle: CacheHandle,
  shard: Shard,
  begin: () => Iterator<Page>,
): AsyncGenerator<Page> {
  let iterator: Iterator<Page> | undefined
  let session: Session | undefined
  let begun = false
  for (;;) {
    const step = await readOpen(handle, shard, () => {
      const current = sessionOf(shard)
      // The database was removed, moved aside or replaced, and the rest of the listing with it.
      if (begun && current !== session) return GONE
      session = current
      // A generator that threw is finished. Before its first page it is started again; after that the listing fails.
      iterator = begun && iterator ? iterator : begin()
      const next = iterator.next()
      begun = true
      return next
    })
    if (step.done) return
    yield step.value
    await nextTurn()
  }
}

/**
 * Reads while the cache is open. A listing that outlives `close()` ends with an error, instead of opening a shard that
 * nobody would close.
 */
function readOpen<T>(handle: CacheHandle, shard: Shard, read: () => T | Promise<T>): Promise<T> {
  handle.assertOpen(shard)
  return readPatiently(shard, patienceOf(handle), read)
}

/** Reads one listed entry. A FanoutCache leaves it out when it cannot be read in time. */
async function readListed<T>(handle: CacheHandle, shard: Shard, read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await readOpen(handle, shard, read)
  } catch (error) {
    handle.unread(error)
    return undefined
  }
}

/** Waits for earlier writes, at most `timeout`, so that a listing sees them. */
async function settled(handle: CacheHandle, shard: Shard): Promise<void> {
  if (!shard.writer.pending.empty) await handle.read(shard, undefined, undefined, () => undefined)
}
