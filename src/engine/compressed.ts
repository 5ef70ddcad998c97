import { codecOf } from './cache-options.js'
import { builtIn, kindOfCodec } from './disk/built-in.js'
import type { Codec, EncodedValue } from './disk/codec.js'
import { compressValue, decompressValue, MOST_COMPRESSED } from './disk/compressed-value.js'
import { MODE_COMPRESSED } from './disk/modes.js'
import { checkOptionNames, checkOptionsObject, kindOf } from './option-names.js'

/** What `compressed` compresses, and how much. */
export interface Compression {
  /** The codec that encodes the values. Default: `structuredCodec`. */
  readonly codec?: Codec | undefined
  /** Brotli's quality, 0 to 11: the higher, the smaller and the slower. Default: 1. */
  readonly quality?: number | undefined
  /** Values that are smaller stay as they are. Bytes, or characters of text. Default: 1024. */
  readonly minSize?: number | undefined
  /** Values that are larger stay as they are: the event loop waits while one is compressed. Default: 1 MiB; at most 64. */
  readonly maxSize?: number | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['codec', 'quality', 'minSize', 'maxSize'])

/**
 * A codec that compresses the values of another one with Brotli (RFC 7932), where that saves an eighth or more. Keys
 * stay as they are, and so do streams and values stored with `file` or `meta`, whose files others may read.
 *
 * Every cache of this package reads compressed values, whatever its codec. Python reads them as None.
 *
 * @throws TypeError for unknown options, and for `jsonCodec`, which compresses by itself
 * @throws RangeError for a number out of its range
 */
export function compressed(options: Compression = {}): Codec {
  checkOptionsObject(options, 'compressed')
  checkOptionNames(options, OPTIONS, 'compressed')
  const codec = codecOf(options.codec)
  if (codec.name === 'json') throw new TypeError('compressed: jsonCodec compresses by itself')
  const quality = integer('quality', options.quality ?? 1, 11)
  const minSize = integer('minSize', options.minSize ?? 1024, MOST_COMPRESSED)
  const maxSize = integer('maxSize', options.maxSize ?? 2 ** 20, MOST_COMPRESSED)
  const made: Codec = {
    // That of the other one, which decides what else is stored in which form.
    name: codec.name,
    inner: codec,
    encodeValue(value) {
      const encoded = codec.encodeValue(value)
      const size = sizeOf(encoded)
      return size < minSize || size > maxSize ? encoded : compressValue(encoded, quality)
    },
    decodeValue(mode, data) {
      if (mode !== MODE_COMPRESSED) return codec.decodeValue(mode, data)
      const value = decompressValue(data)
      return codec.decodeValue(value.mode, value.data)
    },
    encodeKey: key => codec.encodeKey(key),
    decodeKey: (data, raw, protocol) => codec.decodeKey(data, raw, protocol),
  }
  const kind = kindOfCodec(codec)
  return kind === undefined ? made : builtIn(made, `compressed ${kind} ${quality} ${minSize} ${maxSize}`)
}

function sizeOf({ data }: EncodedValue): number {
  if (typeof data === 'string') return data.length
  return Buffer.isBuffer(data) ? data.byteLength : 0
}

function integer(name: string, value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value
  throw new RangeError(`compressed: ${name} must be an integer from 0 to ${most}, got ${kindOf(value)}`)
}
