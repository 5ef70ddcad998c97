import { builtIn } from './built-in.js'
import type { Codec, EncodedValue } from './codec.js'
import { decodeKey, encodeKey } from './keys.js'
import { MODE_JSON, MODE_V8 } from './modes.js'
import { decodeStored, encodeNative } from './native-values.js'
import { isPlainData } from './plain-data.js'
import { cloneToBytes } from './structured-clone.js'

/**
 * The default codec. All values that `structuredClone` supports are read back equal, class instances as plain objects
 * and Buffers as Buffers. Native values are stored as DiskCache stores them, plain data as JSON and all else through
 * `node:v8`. Python reads the latter two as None.
 */
export const structuredCodec: Codec = builtIn({
  name: 'structured',
  encodeValue: value => encodeNative(value) ?? encodeOwn(value),
  decodeValue: decodeStored,
  encodeKey,
  decodeKey,
})

/**
 * Encodes a value in one of our own modes, even if DiskCache has one for it, so that Python does not take metadata
 * beside it for a pickle.
 *
 * @throws {TypeError} that names what cannot be stored
 */
export function encodeOwn(value: unknown): EncodedValue {
  if (isPlainData(value)) return { mode: MODE_JSON, data: JSON.stringify(value) }
  return { mode: MODE_V8, data: cloneToBytes(value) }
}
