import { valueFrom } from '../adapters/cache-manager/cache-manager-store.js'
import { storeValue } from '../adapters/keyv/stored-values.js'
import { keepsObjects } from '../engine/for-adapters.js'
import type { DiskCache } from '../engine/index.js'

/** Encodes a value as the cache manager does, so that each can read values of the other. */
export function encodeStored(value: unknown, cache: DiskCache): unknown {
  return storeValue(value, keepsObjects(cache))
}

/** Decodes a stored value, also one of a plain Keyv. */
export function decodeStored(stored: unknown): unknown {
  return valueFrom(stored)
}
