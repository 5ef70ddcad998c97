import { constants, isUtf8 } from 'node:buffer'
import { deflateSync, inflateSync } from 'node:zlib'
import { DecodeError } from '../errors.js'
import { readPythonJson } from './json-reader.js'

/**
 * Some kilobytes can be inflated to half a gigabyte, which parsed is more than the heap holds. So large texts must be
 * worth their bytes; JSON is hardly ever compressed to a hundredth.
 */
const MODEST = 64 * 1024 * 1024
const MAX_RATIO = 100

/** @throws {TypeError} for text that could not be read back */
export function compressJson(text: string, level: number): Buffer {
  // Values are never compared, so the fast zlib will do, whose bytes differ from Python's.
  const bytes = deflateSync(text, { level })
  if (text.length > limitOf(bytes))
    throw new TypeError(`a JSON text of ${text.length} characters that are all the same cannot be stored`)
  return bytes
}

/** @throws {DecodeError} for what is no zlib stream, is too large, or holds no JSON */
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

/** RFC 1950 §2.2: deflate, a window of at most 32 KiB, no dictionary, and both bytes divisible by 31. */
export function isZlib(bytes: Buffer): boolean {
  const [method = 0, flags = 0] = bytes
  return (method & 0x0f) === 8 && method >> 4 <= 7 && (flags & 0x20) === 0 && ((method << 8) | flags) % 31 === 0
}

function limitOf(compressed: Buffer): number {
  return Math.min(constants.MAX_STRING_LENGTH, Math.max(MODEST, compressed.length * MAX_RATIO))
}
