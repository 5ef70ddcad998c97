import { isUtf8 } from 'node:buffer'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { DecodeError } from '../errors.js'
import type { EncodedValue, SqlValue } from './codec.js'
import { copyText, giveBack, ownBytes } from './copy-buffers.js'
import { describeKind } from './describe.js'
import { MODE_COMPRESSED } from './modes.js'

/*
 * A compressed value: the mode that it had, 1 for text or 0 for bytes, and a stream of Brotli (RFC 7932).
 */

/** No more is ever compressed, so that some kilobytes which would grow to more are refused. Bytes. */
export const MOST_COMPRESSED: number = 64 * 2 ** 20
const HEADER_BYTES = 2
/** What saves less is not worth the time of each read. */
const WORTHWHILE = 7 / 8

/**
 * Compresses an encoded value, or returns it as it is when that saves less than an eighth.
 *
 * @param quality Brotli's, 0 to 11
 */
export function compressValue(encoded: EncodedValue, quality: number): EncodedValue {
  const { mode, data } = encoded
  const isText = typeof data === 'string'
  if (!isText && !Buffer.isBuffer(data)) return encoded
  const bytes = isText ? copyText(data) : data
  if (bytes.byteLength > MOST_COMPRESSED) return encoded
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants
  const params = { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_SIZE_HINT]: bytes.byteLength }
  const stream = brotliCompressSync(bytes, { params })
  const isSmaller = stream.byteLength + HEADER_BYTES <= bytes.byteLength * WORTHWHILE
  if (isText || isSmaller) giveBack(bytes)
  if (!isSmaller) return encoded
  return { mode: MODE_COMPRESSED, data: Buffer.concat([Buffer.of(mode, isText ? 1 : 0), stream]) }
}

/**
 * Undoes `compressValue`.
 *
 * @throws {DecodeError} for bytes that it never writes
 */
export function decompressValue(data: SqlValue): EncodedValue {
  if (!Buffer.isBuffer(data)) throw wrong(describeKind(data))
  const [mode = MODE_COMPRESSED, isText] = data
  if (mode === MODE_COMPRESSED) throw wrong('bytes that are none')
  const bytes = streamIn(data)
  // Memory of their own, as SQLite gives it: those that zlib returns lie in 16 KiB.
  if (isText !== 1) return { mode, data: ownBytes(bytes) }
  if (!isUtf8(bytes)) throw wrong('text that is not UTF-8')
  return { mode, data: bytes.toString('utf8') }
}

function streamIn(data: Buffer): Buffer {
  try {
    return brotliDecompressSync(data.subarray(HEADER_BYTES), { maxOutputLength: MOST_COMPRESSED })
  } catch (cause) {
    throw wrong('bytes that do not decompress', cause)
  }
}

function wrong(what: string, cause?: unknown): DecodeError {
  return new DecodeError(`expected a compressed value, got ${what}`, { cause })
}
