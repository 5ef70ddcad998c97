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

/** The keys of JSONDisk, for one level of compression: raw blobs of compressed JSON. */
export class JsonKeys {
  readonly #level: number
  readonly #remembered = new RememberedKeys()
  /** pako takes some 80 µs for a key, however short, and programs use the same keys again and again. */
  readonly #recent = new Map<string, Buffer>()

  constructor(level: number) {
    this.#level = level
  }

  /** @throws {TypeError} that names what cannot be part of a key */
  encode(key: unknown): EncodedKey {
    const known = typeof key === 'object' && key !== null ? this.#remembered.get(key) : undefined
    return known ?? { data: this.#compress(writePythonJsonKey(key)), raw: true }
  }

  /** Never throws: what cannot be read becomes an object that finds its row. */
  decode(data: SqlValue, raw: boolean): Key {
    // push() makes keys of text and integers under every codec; pickled keys were not written by JSONDisk.
    if (raw && !Buffer.isBuffer(data)) return decodeKey(data, raw)
    const key = raw ? tryRead(data as Buffer) : decodeKey(data, raw)
    if (raw && isPrimitive(key)) return key
    return this.#remembered.remember(key, { data, raw })
  }

  #compress(text: string): Buffer {
    const recent = this.#recent.get(text)
    if (recent !== undefined) return recent
    // Not node:zlib: its bytes are not those of the zlib that Python is linked with, and keys are compared as bytes.
    const compressed = deflate(Buffer.from(text, 'latin1'), { level: this.#level as Level })
    // Not copied: a copy would be part of the pool of Buffers, of which each that is remembered would hold 8 KiB.
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

/** undefined when the bytes are not JSONDisk's. */
function tryRead(bytes: Buffer): unknown {
  if (!isZlib(bytes)) return undefined
  try {
    return readCompressedJson(bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
