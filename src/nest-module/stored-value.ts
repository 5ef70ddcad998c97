import { readEnvelope, storeValue, textOf, unmarked } from '../adapters/keyv/stored-values.js'

/** What lies in the cache for a value: the same as if the cache manager had stored it, so that each reads the other's. */
export function encodeStored(value: unknown): unknown {
  return storeValue(value)
}

/** The value of what lies in the cache, also of what a plain Keyv has put there. */
export function decodeStored(stored: unknown): unknown {
  const text = textOf(stored)
  return text === undefined ? unmarked(stored) : readEnvelope(text)?.value
}
