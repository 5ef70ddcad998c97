import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { groupBy } from '../newer-node.js'
import { stateOf } from '../operations/entries.js'
import { acquireLease, holdsLease, leaseName, leaseOf } from '../operations/leases.js'
import { removedSince, stampRemoval } from '../operations/stamps.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { evictWithin } from '../verbs/removing.js'
import { type Edit, editOne, type Sighting } from './door-entries.js'
import type { DoorLease } from './door-lease.js'

/** The shortest wait of a removal for the lock, also in a cache that refuses sooner. Milliseconds. */
const REMOVAL_PATIENCE = 5000

/**
 * Whether there is anything to remove for a key: an entry, or a computation that may store one for it or for one of its
 * variants. A computation that begins later stores nothing old.
 */
export function hasTraces(handle: CacheHandle, key: string): boolean {
  try {
    const encoded = handle.encodeKey(key)
    const shard = handle.route(encoded)
    const session = shard.current
    if (!session || !shard.writer.pending.empty || stateOf(session, encoded)) return true
    if (!session.has('leases')) return false
    const name = leaseName('flight', encoded)
    return (
      leaseOf(session, name) !== undefined ||
      session.statements.all('laterLeases', name, `${name}${AFTER_LINE_END}`, 0).length > 0
    )
  } catch {
    return true
  }
}

/** The character after the line end that separates the name of a key from that of its variants. */
const AFTER_LINE_END = '\u000b'

/**
 * Changes entries, those of one shard in one transaction. With `stamps`, computations for these keys that are under way
 * are not stored.
 *
 * @returns the edits by key
 */
export async function editEntries(
  handle: CacheHandle,
  keys: readonly string[],
  edit: (key: string, current: Sighting) => Edit,
  { stamps }: { readonly stamps: boolean },
): Promise<Map<string, Edit>> {
  const done = new Map<string, Edit>()
  const byShard = groupBy(keys, key => handle.route(handle.encodeKey(key)))
  const jobs = Array.from(byShard, ([shard, own]) => {
    const run = (session: Session): void => {
      if (stamps) stampRemoval(session, { keys: own })
      for (const key of own) done.set(key, editOne(shard, session, handle.encodeKey(key), key, edit))
    }
    return shard.write({ run, barrier: true }, patience(handle))
  })
  await Promise.all(jobs)
  return done
}

/** Removes the entries with a tag, in pages. */
export function evictAll(handle: CacheHandle, tag: string): Promise<number> {
  return evictWithin(handle, tag, { wait: waitOf(handle) })
}

function patience(handle: CacheHandle): { readonly deadline: number } {
  return { deadline: performance.now() + waitOf(handle) }
}

/** How long a removal waits for the lock. Milliseconds. */
export function waitOf({ options }: CacheHandle): number {
  return Math.max(options.timeout, REMOVAL_PATIENCE)
}

/**
 * Leaves a removal stamp for the key of a lease, then gives the lease a later fencing number. Older computations are
 * not stored; that of the holder is. `undefined` when the lease was lost, or its key removed since it was taken.
 */
export async function supersede(
  shard: Shard,
  { key, name, token, fence }: DoorLease,
  ttl: number,
  deadline: number,
): Promise<DoorLease | undefined> {
  const run = (session: Session): number | undefined => {
    if (!holdsLease(session, name, token) || removedSince(session, { key, tags: [] }, fence)) return undefined
    stampRemoval(session, { keys: [key] })
    return acquireLease(session, name, token, ttl / 1000)
  }
  const later = await shard.write({ run }, { deadline })
  return later === undefined ? undefined : { key, name, token, fence: later }
}
