import { types } from 'node:util'
import { asStored } from '../disk/as-stored.js'
import type { Codec } from '../disk/codec.js'

/** Copies a value. Frozen ones are not copied, because nobody can change them. */
export function copyOf<T>(codec: Codec, value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (types.isUint8Array(value)) return Buffer.from(value) as T & Buffer
  try {
    return asStored(codec, value) as T
  } catch {
    // Python may have stored what this codec reads and does not write.
    return value
  }
}
