import { builtIn } from './built-in.js'
import type { Codec } from './codec.js'
import { decodeKey, encodeKey } from './keys.js'
import { MODE_PICKLE } from './modes.js'
import { decodeStored, encodeNative } from './native-values.js'
import { writePickle } from './pickle/writer.js'

/**
 * The codec of Python's default `Disk`, for data: arrays are lists, plain objects and Maps are dicts, Sets are sets and
 * bytes are bytes. A dict is read as a Map only when a key is no string; tuples are read as arrays. Undefined
 * properties are left out. All else (Date, class instances, other typed arrays, …) is a TypeError.
 */
export const pickleCodec: Codec = builtIn({
  name: 'pickle',
  encodeValue: value => encodeNative(value) ?? { mode: MODE_PICKLE, data: writePickle(value) },
  decodeValue: decodeStored,
  encodeKey,
  decodeKey,
})
