import { type DeflateFunctionOptions, deflate } from 'pako'
import { DecodeError } from '../errors.js'
import type { Key } from '../options.js'
import type { EncodedKey, SqlValue } from './codec.js'
import { isZlib, readCompressedJson } from './compressed-json.js'
import { writePythonJsonKey } from './json-writer.js'
import { decodeKey } from './keys.js'
import { RememberedKeys } from './remembered-keys.js'

type Level = NonNullable<DeflateFunctionOptions['level']>

const CACHED_KEYS = 2000
const LONGEST_CACHED = 256

/** Encodes and decodes the keys of JSONDisk for one level of compression. They are raw blobs of compressed JSON. */
export class JsonKeys {
  readonly #level: number
  readonly #remembered = new RememberedKeys()
  /** Recently encoded keys: pako takes some 80 µs even for short keys, and programs use the same keys repeatedly. */
  readonly #recent = new Map<string, Buffer>()

  constructor(level: number) {
    this.#level = level
  }

  /** Encodes a key. @throws {TypeError} that names what cannot be part of a key */
  encode(key: unknown): EncodedKey {
    const known = typeof key === 'object' && key !== null ? this.#remembered.get(key) : undefined
    return known ?? { data: this.#compress(writePythonJsonKey(key)), raw: true }
  }

  /** Decodes a key. It never throws: a key that cannot be decoded becomes an object that finds its row. */
  decode(data: SqlValue, raw: boolean): Key {
    // push() creates text and integer keys under every codec, and pickled keys were not written by JSONDisk.
    if (raw && !Buffer.isBuffer(data)) return decodeKey(data, raw)
    const key = raw ? tryRead(data as Buffer) : decodeKey(data, raw)
    if (raw && isPrimitive(key)) return key
    return this.#remembered.remember(key, { data, raw })
  }

  #compress(text: string): Buffer {
    const recent = this.#recent.get(text)
    if (recent !== undefined) return recent
    // Not node:zlib: keys are compared as bytes, and its bytes differ from those of Python's zlib.
    const compressed = deflate(Buffer.from(text, 'latin1'), { level: this.#level as Level })
    // Not copied: a small copy would come from the pool of Buffers and hold 8 KiB of it while it is remembered.
    const bytes = Buffer.from(compressed.buffer, compressed.byteOffset, compressed.byteLength)
    if (text.length <= LONGEST_CACHED) {
      if (this.#recent.size >= CACHED_KEYS) this.#recent.clear()
      this.#recent.set(text, bytes)
    }
    return bytes
  }
}

function isPrimitive(key: unknown): key is string | number | bigint | boolean | null {
  return key !== undefined && (typeof key !== 'object' || key === null)
}

/** Reads a key of JSONDisk. `undefined` for other bytes. */
function tryRead(bytes: Buffer): unknown {
  if (!isZlib(bytes)) return undefined
  try {
    return readCompressedJson(bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
