import { isUtf8 } from 'node:buffer'
import { types } from 'node:util'
import { DecodeError } from '../errors.js'
import type { EncodedValue, SqlValue } from './codec.js'
import { decompressValue } from './compressed-value.js'
import { copyBytes } from './copy-buffers.js'
import { describeKind, isThenable, notStorable } from './describe.js'
import { MODE_BINARY, MODE_COMPRESSED, MODE_JSON, MODE_PICKLE, MODE_RAW, MODE_TEXT, MODE_V8 } from './modes.js'
import { fromBigInt } from './pickle/integers.js'
import { readPickle } from './pickle/reader.js'
import { writePickle } from './pickle/writer.js'
import { cloneFromBytes } from './structured-clone.js'

const NONE: EncodedValue = { mode: MODE_PICKLE, data: writePickle(null) }
const TRUE: EncodedValue = { mode: MODE_PICKLE, data: writePickle(true) }
const FALSE: EncodedValue = { mode: MODE_PICKLE, data: writePickle(false) }

/**
 * Encodes the values that all codecs share. DiskCache stores strings, numbers, bigints and bytes natively. Null,
 * booleans, NaN (which DiskCache would store as NULL and read as None), integers beyond 64 bits and text with lone
 * surrogates are pickled.
 *
 * @returns undefined for other objects, which the codec encodes
 * @throws {TypeError} for undefined, functions, symbols and promises
 */
export function encodeNative(value: unknown): EncodedValue | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? { mode: MODE_RAW, data: value } : pickled(value)
    case 'number':
      return Number.isNaN(value) ? pickled(value) : { mode: MODE_RAW, data: toSqlNumber(value) }
    case 'bigint':
      return isInt64(value) ? { mode: MODE_RAW, data: value } : pickled(value)
    case 'boolean':
      return value ? TRUE : FALSE
    case 'object':
      return value === null ? NONE : encodeBytes(value)
    default:
      throw notStorable(value)
  }
}

/**
 * Converts a number for SQLite: safe integers become INTEGER, all others and -0 REAL. better-sqlite3 binds every number
 * as REAL, and Python would read 5.0 for 5.
 */
export function toSqlNumber(value: number): number | bigint {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value
}

/** Whether a bigint fits into SQLite's INTEGER. */
export function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/**
 * Decodes a stored value.
 *
 * @throws {DecodeError} when the data does not have the form of the mode, or the mode is unknown
 */
export function decodeStored(mode: number, data: SqlValue): unknown {
  switch (mode) {
    case MODE_RAW:
      return typeof data === 'bigint' ? fromBigInt(data) : data
    case MODE_BINARY:
      return bytesOf(data, 'binary')
    case MODE_TEXT:
      return typeof data === 'string' ? data : textOf(bytesOf(data, 'text'))
    case MODE_PICKLE:
      return readPickle(bytesOf(data, 'pickle'))
    case MODE_JSON:
      return parseJson(typeof data === 'string' ? data : textOf(bytesOf(data, 'JSON')))
    case MODE_V8:
      return cloneFromBytes(bytesOf(data, 'structured clone'))
    case MODE_COMPRESSED: {
      const value = decompressValue(data)
      return decodeStored(value.mode, value.data)
    }
    default:
      throw new DecodeError(`no codec reads mode ${mode}`)
  }
}

function encodeBytes(value: object): EncodedValue | undefined {
  // A copy, since the caller may reuse its buffer while the write waits for its commit.
  if (types.isUint8Array(value)) return { mode: MODE_RAW, data: copyBytes(attached(value)) }
  if (isThenable(value)) throw notStorable(value)
  return undefined
}

/** @throws TypeError for bytes whose memory was given away, as by `postMessage`: they would be stored as empty ones */
function attached(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > 0) return bytes
  try {
    bytes.buffer.slice(0, 0)
    return bytes
  } catch (cause) {
    throw new TypeError('expected value to be data that can be stored, got bytes whose memory was transferred', {
      cause,
    })
  }
}

function pickled(value: unknown): EncodedValue {
  return { mode: MODE_PICKLE, data: writePickle(value) }
}

function bytesOf(data: SqlValue, kind: string): Buffer {
  if (Buffer.isBuffer(data)) return data
  throw new DecodeError(`expected the bytes of a ${kind} value, got ${describeKind(data)}`)
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new DecodeError('expected a text value, got bytes that are not UTF-8')
  try {
    return bytes.toString('utf8')
  } catch (cause) {
    throw new DecodeError(`a text of ${bytes.length} bytes is longer than strings can be`, { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DecodeError('expected JSON, got text that is none', { cause })
  }
}
