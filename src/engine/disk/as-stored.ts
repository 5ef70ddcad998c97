import type { Codec } from './codec.js'

/**
 * Converts a value to what would be read after storing it: a class instance to a plain object, a Uint8Array to a
 * Buffer. It shares nothing with the value.
 *
 * @throws TypeError if it cannot be stored
 */
export function asStored(codec: Codec, value: unknown): unknown {
  const { inner = codec } = codec
  const { mode, data } = inner.encodeValue(value)
  return inner.decodeValue(mode, data)
}
