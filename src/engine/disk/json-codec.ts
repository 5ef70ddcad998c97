import { builtIn } from './built-in.js'
import type { Codec, EncodedValue, SqlValue } from './codec.js'
import { compressJson, isZlib, readCompressedJson } from './compressed-json.js'
import { JsonKeys } from './json-keys.js'
import { writePythonJson } from './json-writer.js'
import { MODE_BINARY, MODE_RAW } from './modes.js'
import { decodeStored } from './native-values.js'

/** The codec of Python's `JSONDisk`. */
export interface JsonCodec extends Codec {
  /** The zlib level, 0 to 9. */
  readonly compressLevel: number
  /**
   * Returns the codec with another zlib level: Python's `disk_compress_level`. Keys of another level are not found, so
   * that a directory that has stored another one is refused.
   *
   * @throws RangeError for a level that is no integer from 0 to 9
   */
  level(compressLevel: number): JsonCodec
}

/** The codecs by level, so that two opens of a directory with the same level use the same codec. */
const made = new Map<number, JsonCodec>()

/** The codec of a zlib level. @throws RangeError for a level that is no integer from 0 to 9 */
function codecOf(compressLevel: number): JsonCodec {
  if (!Number.isInteger(compressLevel) || compressLevel < 0 || compressLevel > 9) {
    throw new RangeError(`compressLevel must be an integer from 0 to 9, got ${compressLevel}`)
  }
  const known = made.get(compressLevel)
  if (known) return known
  const keys = new JsonKeys(compressLevel)
  const codec: JsonCodec = {
    name: 'json',
    compressLevel,
    level: codecOf,
    encodeValue: value => encodeValue(value, compressLevel),
    decodeValue,
    encodeKey: key => keys.encode(key),
    decodeKey: (data, raw) => keys.decode(data, raw),
  }
  made.set(compressLevel, codec)
  return builtIn(codec, `json ${compressLevel}`)
}

/**
 * The codec of Python's `JSONDisk` at its default zlib level 1: keys and values are the text of `json.dumps`, compressed
 * with zlib. Values must consist of null, booleans, numbers, bigints, strings, arrays and plain objects; all else is a
 * TypeError. The bytes of keys are those of Python linked with stock zlib. Names of objects keep their order, so that
 * `{a, b}` and `{b, a}` are two keys.
 *
 * A key of Python that contains a float without fraction (`1.0`) is read as `1`, which does not find it again.
 */
export const jsonCodec: JsonCodec = codecOf(1)

function encodeValue(value: unknown, level: number): EncodedValue {
  return { mode: MODE_RAW, data: compressJson(writePythonJson(value), level) }
}

/**
 * Decodes a value. Text and numbers, such as counters, were not written by JSONDisk and are returned as they are. So
 * are bytes without a zlib header, since streams are stored in files unchanged.
 */
function decodeValue(mode: number, data: SqlValue): unknown {
  const value = decodeStored(mode, data)
  const isBytes = (mode === MODE_RAW || mode === MODE_BINARY) && Buffer.isBuffer(value)
  return isBytes && isZlib(value) ? readCompressedJson(value) : value
}
