import { valueFrom } from '../adapters/cache-manager/cache-manager-store.js'
import { storeValue } from '../adapters/keyv/stored-values.js'
import { keepsObjects } from '../engine/for-adapters.js'
import type { DiskCache } from '../engine/index.js'

/** What lies in a cache for a value: the same as if the cache manager had stored it, so that each reads the other's. */
export function encodeStored(value: unknown, cache: DiskCache): unknown {
  return storeValue(value, keepsObjects(cache))
}

/** The value of what lies in a cache, also of what a plain Keyv has put there. */
export function decodeStored(stored: unknown): unknown {
  return valueFrom(stored)
}
