import { DecodeError } from '../errors.js'
import type { Key } from '../options.js'
import type { Codec, EncodedValue, SqlValue } from './codec.js'
import { decompressValue } from './compressed-value.js'
import { copyText } from './copy-buffers.js'
import { MODE_BINARY, MODE_COMPRESSED, MODE_JSON, MODE_PICKLE, MODE_RAW, MODE_TEXT } from './modes.js'
import type { PendingFile } from './pending-file.js'
import { writePickle } from './pickle/writer.js'
import { encodeOwn } from './structured-codec.js'
import { encodeTextForFile } from './text-file.js'
import type { ValueFiles } from './value-files.js'

/** A value in the form of its row. */
export interface PreparedValue {
  readonly mode: number
  /** The value column: the value, or the metadata of a file. */
  readonly value: SqlValue
  /** Bytes in the file; 0 for a value in the database, as DiskCache counts. */
  readonly size: number
  /** The content of its file until it is written. Absent for a value in the database. */
  bytes?: Buffer | undefined
  /** Bytes that it holds in memory while it waits. */
  readonly weight: number
  file?: PendingFile | undefined
}

/** Where a value is stored. */
export interface Placement {
  readonly minFileSize: number
  readonly file: boolean
  /** JSON text that is stored beside the file. */
  readonly meta?: string | undefined
}

/** Encodes values for rows and files, and decodes them. */
export class Disk {
  readonly codec: Codec
  readonly files: ValueFiles
  /** Path from the directory of the cache to that of its shard: `003/`, or empty. */
  readonly pathPrefix: string
  /** The pickle protocol of keys. Set from the directory when it is opened. */
  pickleProtocol = 5
  readonly #seconds: () => number

  constructor(codec: Codec, files: ValueFiles, pathPrefix: string, seconds: () => number) {
    this.codec = codec
    this.files = files
    this.pathPrefix = pathPrefix
    this.#seconds = seconds
  }

  /** The current time in seconds since the epoch. */
  now(): number {
    return this.#seconds()
  }

  decodeKey(data: SqlValue, raw: boolean): Key {
    return this.codec.decodeKey(data, raw, this.pickleProtocol)
  }

  /**
   * Decides whether a value goes to a file, and in which form.
   *
   * @param encoded the value as the codec encoded it when the verb was called
   */
  prepare(encoded: EncodedValue, value: unknown, placement: Placement): PreparedValue {
    const { data } = encoded
    const isAsked = placement.file || placement.meta !== undefined
    if (!isAsked && !reaches(data, placement.minFileSize)) {
      return { mode: encoded.mode, value: data, size: 0, weight: weightOf(data) }
    }
    // Others may read the file.
    const plain = isAsked && encoded.mode === MODE_COMPRESSED ? decompressValue(data) : encoded
    const { mode, bytes } = this.#forFile(plain, value, placement.meta !== undefined)
    return { mode, bytes, value: placement.meta ?? null, size: bytes.byteLength, weight: bytes.byteLength }
  }

  /** Prepares the number of a counter, which is always stored in the database. */
  prepareInline(value: number | bigint): PreparedValue {
    const { mode, data } = this.codec.encodeValue(value)
    return { mode, value: data, size: 0, weight: 16 }
  }

  /** Prepares a value that was streamed to a file. */
  prepareFile(file: PendingFile, meta: string | undefined): PreparedValue {
    return { mode: MODE_BINARY, value: meta ?? null, size: file.size, weight: 0, file }
  }

  /** Decodes a stored value. @throws DecodeError when the bytes are no value, or one that is refused */
  decode(mode: number, data: SqlValue): unknown {
    return this.codec.decodeValue(mode, data)
  }

  /** Whether `read` returns the bytes of the file unchanged, so that they can be streamed. */
  isVerbatim(mode: number): boolean {
    if (mode === MODE_BINARY) return this.codec.name !== 'json'
    return mode === MODE_TEXT || mode === MODE_JSON
  }

  /**
   * The bytes that `read` returns for a stored value: bytes as they are, text as UTF-8, all else as JSON, or as stored
   * where there is no JSON of it.
   */
  readableBytes(mode: number, data: SqlValue): Buffer {
    if (mode === MODE_JSON && typeof data === 'string') return Buffer.from(data)
    let value: unknown
    try {
      value = this.decode(mode, data)
    } catch (error) {
      // A stream was stored unchanged, whatever the codec.
      if (error instanceof DecodeError && mode === MODE_BINARY && Buffer.isBuffer(data)) return data
      throw error
    }
    if (Buffer.isBuffer(value)) return value
    if (typeof value === 'string') return Buffer.from(value)
    if (typeof value === 'bigint') return Buffer.from(String(value))
    try {
      return Buffer.from(toJson(value) ?? String(value))
    } catch (error) {
      // What refers to itself has no JSON.
      if (error instanceof TypeError && Buffer.isBuffer(data)) return data
      throw error
    }
  }

  #forFile({ mode, data }: EncodedValue, value: unknown, hasMeta: boolean): { mode: number; bytes: Buffer } {
    if (mode === MODE_RAW && Buffer.isBuffer(data)) return { mode: MODE_BINARY, bytes: data }
    if (mode === MODE_RAW && typeof data === 'string') {
      const text = encodeTextForFile(data)
      if (text.mode !== MODE_PICKLE || !hasMeta) return text
    } else if (mode === MODE_JSON && typeof data === 'string') {
      return { mode, bytes: copyText(data) }
    } else if (Buffer.isBuffer(data) && !(mode === MODE_PICKLE && hasMeta)) {
      return { mode, bytes: data }
    } else if (mode === MODE_RAW && !hasMeta) {
      // DiskCache has no form for a number in a file, but it reads any pickle.
      return { mode: MODE_PICKLE, bytes: writePickle(value) }
    }
    // Not a pickle: Python would read the metadata in the column as the pickle.
    const own = encodeOwn(value)
    return { mode: own.mode, bytes: Buffer.isBuffer(own.data) ? own.data : Buffer.from(String(own.data)) }
  }
}

function toJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
}

/** Whether a value reaches the size for files. DiskCache measures strings in characters and all else in bytes. */
function reaches(data: SqlValue, minFileSize: number): boolean {
  if (typeof data === 'string') return data.length >= minFileSize && codePoints(data) >= minFileSize
  return Buffer.isBuffer(data) && data.byteLength >= minFileSize
}

function codePoints(text: string): number {
  let count = text.length
  for (let at = 0; at < text.length - 1; at++) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) count--
  }
  return count
}

function weightOf(data: SqlValue): number {
  if (typeof data === 'string') return data.length
  return Buffer.isBuffer(data) ? data.byteLength : 16
}
