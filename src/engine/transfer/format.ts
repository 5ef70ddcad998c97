import { CODECS } from '../disk/codecs.js'
import { kindOf } from '../option-names.js'
import type { Settings } from '../options.js'
import { MOST_SHARDS } from '../shards/layout.js'

/*
 * The stream of `export` in JSON lines: a header, a line for each entry, followed by the lines of its bytes if the
 * value is a file, and a trailer with totals. docs/export.md specifies it.
 */

export const FORMAT = 'fanout-cache' as const
/** The version of the format. It grows when a reader of the previous one would misunderstand the stream. */
export const FORMAT_VERSION = 1

/** Bytes of a file in one line. A multiple of 3, so that the joined base64 of all lines is that of the file. */
export const CHUNK_BYTES: number = 48 * 1024

/** The first line. */
export interface Header {
  readonly format: typeof FORMAT
  readonly version: number
  readonly kind: 'Cache' | 'FanoutCache'
  /** Number of shards of a FanoutCache. */
  readonly shards?: number
  /** Name of the codec for values and keys without a tag. */
  readonly codec: string
  /** Level of compression of the keys of a JSONDisk, where it is not 1. */
  readonly compressLevel?: number
  /** Epoch milliseconds. */
  readonly exportedAt?: number
  readonly settings?: Partial<Settings>
}

/** The line of an entry. Instants are epoch milliseconds. */
export interface EntryLine {
  readonly key: unknown
  readonly value?: unknown
  readonly file?: { readonly mode: string | number; readonly size: number }
  readonly meta?: unknown
  readonly expiresAt?: number
  /** Time to live from the import on, instead of an instant. */
  readonly ttl?: number | string | null
  readonly tag?: unknown
  readonly tags?: readonly string[]
  readonly storedAt?: number
  readonly accessedAt?: number
  readonly accessCount?: number
  /** For a computed value: how long the computation took, and when the value becomes stale. Milliseconds. */
  readonly computed?: { readonly took: number; readonly staleAt?: number }
}

export const ENTRY_NAMES: ReadonlySet<string> = new Set([
  ...['key', 'value', 'file', 'meta', 'expiresAt', 'ttl', 'tag', 'tags'],
  ...['storedAt', 'accessedAt', 'accessCount', 'computed'],
])

/** The last line. */
export interface Trailer {
  readonly entries?: number
  readonly files?: number
  /** Bytes of all files. */
  readonly bytes?: number
}

/** Checks a header. @throws TypeError, RangeError when it is none or has an unknown version */
export function checkHeader(line: unknown): Header {
  const header = objectOf(line, 'the header')
  if (header['format'] !== FORMAT) throw new TypeError(`this is no stream of export: format must be '${FORMAT}'`)
  const { version, kind, codec = 'structured', settings } = header
  if (version !== FORMAT_VERSION) {
    throw new RangeError(
      `version ${kindOf(version)} of the stream is not known, only ${FORMAT_VERSION}: it needs another fanout-cache`,
    )
  }
  if (kind !== 'Cache' && kind !== 'FanoutCache') {
    throw new TypeError(`kind must be 'Cache' or 'FanoutCache', got ${kindOf(kind)}`)
  }
  const shards = header['shards'] === undefined ? undefined : wholeNumber(header['shards'], 'shards', MOST_SHARDS)
  if (shards === 0) throw new RangeError('shards must be 1 or more, got 0')
  if (typeof codec !== 'string' || !Object.hasOwn(CODECS, codec)) {
    throw new TypeError(`codec must be one of ${Object.keys(CODECS).join(', ')}, got ${kindOf(codec)}`)
  }
  const level = header['compressLevel']
  return {
    format: FORMAT,
    version,
    kind,
    codec,
    ...(level !== undefined && { compressLevel: wholeNumber(level, 'compressLevel', 9) }),
    ...(shards !== undefined && { shards }),
    ...(settings !== undefined && { settings: objectOf(settings, 'settings') }),
  }
}

/** Checks a trailer. @throws TypeError, RangeError when it is none */
export function checkTrailer(line: unknown): Trailer {
  const trailer = objectOf(line, 'end')
  for (const name of ['entries', 'files', 'bytes']) {
    if (trailer[name] !== undefined) wholeNumber(trailer[name], name, Number.MAX_SAFE_INTEGER)
  }
  return trailer as Trailer
}

export function objectOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new TypeError(`${name} must be an object, got ${kindOf(value)}`)
}

export function wholeNumber(value: unknown, name: string, most: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${kindOf(value)}`)
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value
  throw new RangeError(`${name} must be a whole number from 0 to ${most}, got ${value}`)
}
