import { constants, isUtf8 } from 'node:buffer'
import { deflateSync, inflateSync } from 'node:zlib'
import { DecodeError } from '../errors.js'
import { readPythonJson } from './json-reader.js'

/**
 * Size up to which inflated text is always accepted. Some kilobytes can inflate to half a gigabyte, which exceeds the
 * heap when parsed. Larger texts are accepted up to a ratio that real JSON hardly ever reaches, a hundred to one.
 */
const MODEST = 64 * 1024 * 1024
const MAX_RATIO = 100

/** Compresses JSON text. @throws {TypeError} for text that could not be read back */
export function compressJson(text: string, level: number): Buffer {
  // Values are never compared, so the fast zlib can be used, although its bytes differ from Python's.
  const bytes = deflateSync(text, { level })
  if (text.length > limitOf(bytes))
    throw new TypeError(`a JSON text of ${text.length} characters that are all the same cannot be stored`)
  return bytes
}

/**
 * Reads compressed JSON.
 *
 * @throws {DecodeError} for bytes that are no zlib stream, inflate to too much, or are no JSON
 */
export function readCompressedJson(bytes: Buffer): unknown {
  let text: string
  try {
    const inflated = inflateSync(bytes, { maxOutputLength: limitOf(bytes) })
    if (!isUtf8(inflated)) throw new TypeError('not UTF-8')
    text = inflated.toString('utf8')
  } catch (cause) {
    throw new DecodeError('expected compressed JSON, got bytes that do not inflate to text', { cause })
  }
  return readPythonJson(text)
}

/**
 * Whether bytes begin with a zlib header, RFC 1950 §2.2: deflate, window up to 32 KiB, no dictionary, divisible by 31.
 */
export function isZlib(bytes: Buffer): boolean {
  const [method = 0, flags = 0] = bytes
  return (method & 0x0f) === 8 && method >> 4 <= 7 && (flags & 0x20) === 0 && ((method << 8) | flags) % 31 === 0
}

function limitOf(compressed: Buffer): number {
  return Math.min(constants.MAX_STRING_LENGTH, Math.max(MODEST, compressed.length * MAX_RATIO))
}
