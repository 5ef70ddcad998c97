import { builtIn } from './built-in.js'
import type { Codec, EncodedValue, SqlValue } from './codec.js'
import { compressJson, isZlib, readCompressedJson } from './compressed-json.js'
import { JsonKeys } from './json-keys.js'
import { writePythonJson } from './json-writer.js'
import { MODE_BINARY, MODE_RAW } from './modes.js'
import { decodeStored } from './native-values.js'

/** Options of `createJsonCodec`. */
export interface JsonCodecOptions {
  /**
   * zlib's level, 0–9: Python's `disk_compress_level`. Keys of another level are not found, so that a directory which
   * has stored another one is refused. @default 1
   */
  readonly compressLevel?: number
}

/** Keys and values as Python's `JSONDisk` has them. */
export interface JsonCodec extends Codec {
  readonly compressLevel: number
  /** The same with another level. @throws {RangeError} */
  level(compressLevel: number): JsonCodec
}

/** One for each level: two opens of a directory with the same level have the same codec. */
const made = new Map<number, JsonCodec>()

/**
 * Python's `JSONDisk`: keys and values are the text of `json.dumps`, compressed with zlib. Values must be what JSON can
 * say: null, booleans, numbers, bigints, strings, arrays and plain objects, all else is a TypeError. The bytes of keys
 * are those of Python linked with stock zlib; names of objects keep their order, so `{a, b}` and `{b, a}` are two keys.
 *
 * A float without fraction in a key that Python wrote (`1.0`) reads as `1` and is not found again by it.
 *
 * @throws {RangeError} for a level that is no integer from 0 to 9
 */
export function createJsonCodec({ compressLevel = 1 }: JsonCodecOptions = {}): JsonCodec {
  if (!Number.isInteger(compressLevel) || compressLevel < 0 || compressLevel > 9) {
    throw new RangeError(`compressLevel must be an integer from 0 to 9, got ${compressLevel}`)
  }
  const known = made.get(compressLevel)
  if (known) return known
  const keys = new JsonKeys(compressLevel)
  const codec: JsonCodec = {
    name: 'json',
    compressLevel,
    level: other => createJsonCodec({ compressLevel: other }),
    encodeValue: value => encodeValue(value, compressLevel),
    decodeValue,
    encodeKey: key => keys.encode(key),
    decodeKey: (data, raw) => keys.decode(data, raw),
  }
  made.set(compressLevel, codec)
  return builtIn(codec, `json ${compressLevel}`)
}

/** `createJsonCodec()`: level 1, as Python's JSONDisk has it by default. */
export const jsonCodec: JsonCodec = createJsonCodec()

function encodeValue(value: unknown, level: number): EncodedValue {
  return { mode: MODE_RAW, data: compressJson(writePythonJson(value), level) }
}

/**
 * Text and numbers were not written by JSONDisk (counters, what a queue holds) and are themselves; so are bytes that
 * are not zlib's: streams go to files as they are.
 */
function decodeValue(mode: number, data: SqlValue): unknown {
  const value = decodeStored(mode, data)
  const isBytes = (mode === MODE_RAW || mode === MODE_BINARY) && Buffer.isBuffer(value)
  return isBytes && isZlib(value) ? readCompressedJson(value) : value
}
