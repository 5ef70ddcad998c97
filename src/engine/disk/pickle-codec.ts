import { builtIn } from './built-in.js'
import type { Codec } from './codec.js'
import { decodeKey, encodeKey } from './keys.js'
import { MODE_PICKLE } from './modes.js'
import { decodeStored, encodeNative } from './native-values.js'
import { writePickle } from './pickle/writer.js'

/**
 * What Python's default `Disk` reads and writes, for data: arrays are lists, plain objects and Maps dicts, Sets sets,
 * bytes bytes. A dict comes back as a Map only when a key is no string, tuples come back as arrays. Properties that are
 * undefined are left out. Everything else (Date, class instances, other typed arrays, …) is a TypeError.
 */
export const pickleCodec: Codec = builtIn({
  name: 'pickle',
  encodeValue: value => encodeNative(value) ?? { mode: MODE_PICKLE, data: writePickle(value) },
  decodeValue: decodeStored,
  encodeKey,
  decodeKey,
})
