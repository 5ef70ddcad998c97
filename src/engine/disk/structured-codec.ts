import { builtIn } from './built-in.js'
import type { Codec, EncodedValue } from './codec.js'
import { decodeKey, encodeKey } from './keys.js'
import { MODE_JSON, MODE_V8 } from './modes.js'
import { decodeStored, encodeNative } from './native-values.js'
import { isPlainData } from './plain-data.js'
import { cloneToBytes } from './structured-clone.js'

/**
 * The default codec: whatever `structuredClone` carries comes back equal (class instances as plain objects, Buffers as
 * Buffers). Natives are stored as DiskCache stores them; plain data as JSON; the rest through `node:v8`. Python reads
 * our two object modes as None.
 */
export const structuredCodec: Codec = builtIn({
  name: 'structured',
  encodeValue: value => encodeNative(value) ?? encodeOwn(value),
  decodeValue: decodeStored,
  encodeKey,
  decodeKey,
})

/**
 * The value in one of our own modes, even where DiskCache has one for it: what stands beside metadata must not be taken
 * for a pickle by Python.
 *
 * @throws {TypeError} that names what cannot be stored
 */
export function encodeOwn(value: unknown): EncodedValue {
  if (isPlainData(value)) return { mode: MODE_JSON, data: JSON.stringify(value) }
  return { mode: MODE_V8, data: cloneToBytes(value) }
}
