import type { DiskCache } from '../engine/index.js'
import { unmarked } from './keyv/stored-values.js'

/** A value that a host will store although it is known better here how: see cache-manager/single-flight.ts. */
export interface ExpectedWrite {
  readonly cache: DiskCache
  /** The key in the cache. */
  readonly key: string
  /** The value as it is stored. */
  readonly value: unknown
  /** Stores it in place of the host. Absent: the cache has it already. */
  readonly store?: (write: { readonly value: unknown; readonly ttl: number | null | undefined }) => Promise<void>
  /** Whether the host may store it several times. */
  readonly stays?: boolean
}

/** By cache and key. Several callers may wait for one value, and each will store it. */
const expected = new WeakMap<DiskCache, Map<string, ExpectedWrite[]>>()
let expecting = 0

/** Expects the next `set` of a key with this value. */
export function expectWrite(write: ExpectedWrite): void {
  const writes = expected.get(write.cache) ?? new Map<string, ExpectedWrite[]>()
  expected.set(write.cache, writes)
  writes.set(write.key, [...(writes.get(write.key) ?? []), write])
  expecting++
}

export function forgetWrite(write: ExpectedWrite): void {
  const writes = expected.get(write.cache)
  const all = writes?.get(write.key)
  if (!writes || !all?.includes(write)) return
  expecting--
  if (all.length > 1) writes.set(write.key, all.toSpliced(all.indexOf(write), 1))
  else writes.delete(write.key)
}

/** Finds an expected write, which is forgotten unless it stays. */
export function expectedWrite(cache: DiskCache, key: string, value: unknown): ExpectedWrite | undefined {
  if (expecting === 0) return undefined
  const found = expected
    .get(cache)
    ?.get(key)
    ?.find(write => Object.is(contentOf(write.value), contentOf(value)))
  if (found && !found.stays) forgetWrite(found)
  return found
}

/** What makes two stored values the same. The box of a value is made anew whenever it is stored. */
function contentOf(stored: unknown): unknown {
  return typeof stored === 'string' ? stored : unmarked(stored)
}
