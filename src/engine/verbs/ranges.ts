import type { CacheHandle } from '../cache-handle.js'
import { traced } from '../observe/verbs.js'
import type { Extent } from '../operations/extent.js'
import {
  clearRange,
  type ExpiryCursor,
  evictRange,
  expireRange,
  type Figure,
  firstKeyBetween,
  type Tally,
  tallyRange,
} from '../operations/key-range.js'
import type { TagCursor } from '../operations/removal.js'
import type { Expiring, Tag, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { listKeys, steps, unlessLocked } from './listing.js'
import { hidesPrefixes, rangeOf } from './listing-options.js'
import { FAILED, sessionOf, tryOnce } from './reading.js'
import { removeInPages } from './removing.js'
import { checkVerbOptions, encodeTag, resolveNow } from './verb-options.js'

/** Number of keys that one step searches for. */
const SEEKS_PER_STEP = 100
/** Number of pages of a range that one step reads. */
const PAGES_IN_PLACE = 4

/** Counts the entries whose string keys begin with `prefix` and, for `'volume'`, adds up their bytes. */
export function tally(handle: CacheHandle, prefix: string, figure: Figure): Promise<Tally> {
  return traced(handle, figure, undefined, () => handle.ready(() => tallyAll(handle, prefix, figure)))
}

async function tallyAll(handle: CacheHandle, prefix: string, figure: Figure): Promise<Tally> {
  let count = 0
  let bytes = 0
  const { shards } = handle
  const inPlace = await Promise.all(shards.map(shard => tallyInPlace(handle, shard, prefix, figure)))
  for (const [at, shard] of shards.entries()) {
    const few = inPlace[at]
    count += few?.count ?? 0
    bytes += few?.bytes ?? 0
    if (few) continue
    await unlessLocked(handle, shard, async () => {
      const pages = steps(handle, shard, () => tallyRange(sessionOf(shard), rangeOf(shard, prefix), figure))
      for await (const page of pages) {
        count += page.count
        bytes += page.bytes
      }
    })
  }
  return { count, bytes }
}

/** Does so for a shard with few entries, in order with the writes. `undefined`: there are more, or reading failed. */
async function tallyInPlace(
  handle: CacheHandle,
  shard: Shard,
  prefix: string,
  figure: Figure,
): Promise<Tally | undefined> {
  const read = (): Tally | undefined => {
    const whole = { count: 0, bytes: 0 }
    const pages = tallyRange(sessionOf(shard), rangeOf(shard, prefix), figure)
    for (let page = 0; page < PAGES_IN_PLACE; page++) {
      const { done, value } = pages.next()
      if (done) return whole
      whole.count += value.count
      whole.bytes += value.bytes
    }
    return undefined
  }
  if (!shard.writer.pending.empty) return handle.read(shard, undefined, undefined, read)
  const now = tryOnce(read)
  return now === FAILED ? undefined : (now as Tally | undefined)
}

/** Removes the entries whose string keys begin with `prefix`. */
export function clear(handle: CacheHandle, prefix: string, options: Waiting | undefined): Promise<number> {
  return removal(handle, 'clear', () => {
    checkVerbOptions(options, 'clear', 'waiting')
    return removeInPages(handle, options, (session, cursor: Extent | undefined, shard) =>
      clearRange(session, rangeOf(shard, prefix), cursor),
    )
  })
}

/** Removes those of them that have a tag. */
export function evict(handle: CacheHandle, prefix: string, tag: Tag, options: Waiting | undefined): Promise<number> {
  return removal(handle, 'evict', () => {
    checkVerbOptions(options, 'evict', 'waiting')
    const encoded = encodeTag(tag)
    return removeInPages(handle, options, (session, cursor: TagCursor | undefined, shard) =>
      evictRange(session, rangeOf(shard, prefix), encoded, cursor),
    )
  })
}

/** Removes those of them that have expired. */
export function expire(handle: CacheHandle, prefix: string, options: Expiring | undefined): Promise<number> {
  return removal(handle, 'expire', () => {
    checkVerbOptions(options, 'expire', 'expiring')
    const now = resolveNow(options?.now) ?? (handle.shards[0] as Shard).disk.now()
    return removeInPages(handle, options, (session, cursor: ExpiryCursor | undefined, shard) =>
      expireRange(session, rangeOf(shard, prefix), now, cursor),
    )
  })
}

function removal(handle: CacheHandle, verb: string, remove: () => Promise<number>): Promise<number> {
  return traced(handle, verb, undefined, () => handle.ready(remove))
}

/** The versions below `version` that occur in keys of the form `<prefix><version>:…`. */
export async function versionsBelow(handle: CacheHandle, prefix: string, version: number): Promise<number[]> {
  const found = new Set<number>()
  for (const shard of handle.shards) {
    await unlessLocked(handle, shard, async () => {
      if (hidesPrefixes(shard)) return
      for await (const page of steps(handle, shard, () => seekVersions(shard, prefix))) {
        for (const one of page) found.add(one)
      }
    })
  }
  if (handle.shards.some(hidesPrefixes)) {
    for await (const key of listKeys(handle, { prefix, includeExpired: true }, 'keys')) {
      const one = versionIn(key as string, prefix)
      if (one !== undefined) found.add(one)
    }
  }
  return Array.from(found).filter(one => one < version)
}

/** Searches for versions, with one query for each, however many entries it has. */
function* seekVersions(shard: Shard, prefix: string): Generator<number[]> {
  // A colon follows the digits.
  const end = `${prefix}:`
  let after = prefix
  for (let page: number[] = [], seeks = 0; ; seeks++) {
    const key = firstKeyBetween(sessionOf(shard), after, end)
    if (key === undefined) {
      yield page
      return
    }
    const version = versionIn(key, prefix)
    if (version !== undefined) page.push(version)
    after = version === undefined ? key : `${prefix}${version};`
    if (seeks % SEEKS_PER_STEP < SEEKS_PER_STEP - 1) continue
    yield page
    page = []
  }
}

function versionIn(key: string, prefix: string): number | undefined {
  const version = /^(0|[1-9]\d{0,15}):/.exec(key.slice(prefix.length))?.[1]
  return version === undefined ? undefined : Number(version)
}
