import { decodeKey, encodeKey } from '../disk/keys.js'
import { isInt64 } from '../disk/native-values.js'
import { fromBigInt } from '../disk/pickle/integers.js'
import type { Key } from '../options.js'

/**
 * Marks keys that are not strings: `~n` is followed by a number, `~b` by bytes in hex, `~p` by the canonical pickle of
 * any other key in base64url. A string key that looks like one of these is marked with `~t`.
 */
const MARK = '~'
const TEXT = '~t'
const NUMBER = '~n'
/** Number of digits at the end of the keys of queues. */
const DIGITS = 15

/**
 * Maps the keys of a namespace to string keys of the host cache: `prefix` and the key, so that people and Python can
 * read and write them. The mapping is a bijection between keys and strings that begin with `prefix`.
 */
export class NamespaceKeys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  /** @throws TypeError when it is no key */
  encode(key: Key): string {
    if (typeof key !== 'string') return this.prefix + writeMarked(key)
    return this.prefix + (readMarked(key) === undefined ? key : TEXT + key)
  }

  encodeAll(keys: Iterable<Key>): string[] {
    return Array.from(keys, key => this.encode(key))
  }

  /** Whether a key of the cache belongs to the namespace. */
  owns(key: unknown): key is string {
    return typeof key === 'string' && key.startsWith(this.prefix)
  }

  /** The inverse of `encode`, for keys that it owns. */
  decode(key: Key): Key {
    const text = (key as string).slice(this.prefix.length)
    const marked = readMarked(text)
    return marked ? marked.key : text
  }

  /** The text before the digits in the keys of a queue. Without a prefix the keys decode to numbers, as in a cache. */
  queueHead(prefix: string | undefined): string {
    if (prefix === undefined) return this.prefix + NUMBER
    return this.encode(`${prefix}-${'5'.padEnd(DIGITS, '0')}`).slice(0, -DIGITS)
  }

  /** The prefix of all encoded keys that are strings beginning with `prefix`. Other encoded keys may share it. */
  encodePrefix(prefix: string): string {
    return this.prefix + (prefix.startsWith(MARK) ? MARK : prefix)
  }

  /** Like `encodePrefix`, but `undefined` when other encoded keys may share the prefix. */
  exactPrefix(prefix: string): string | undefined {
    return prefix === '' || prefix.startsWith(MARK) ? undefined : this.prefix + prefix
  }
}

/** Encodes the name of a namespace for keys, without the characters that separate parts or end a range of keys. */
export function encodeName(name: string): string {
  return name.replace(/[%:=~]/g, encodeCharacter)
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function writeMarked(key: Key): string {
  const { data, raw } = encodeKey(key)
  if (typeof data === 'bigint') return `~n${data}`
  if (typeof data === 'number') return `~n${floatText(data)}`
  if (Buffer.isBuffer(data)) return raw ? `~b${data.toString('hex')}` : `~p${data.toString('base64url')}`
  throw new TypeError('a key that was read from a damaged row cannot be used in a namespace')
}

/** The text of a float. One that equals a 64-bit integer is written as such, because SQLite compares them as equal. */
function floatText(value: number): string {
  if (!Number.isInteger(value)) return String(value)
  const whole = BigInt(value)
  if (isInt64(whole)) return String(whole)
  const text = String(value)
  return text.includes('e') ? text : `${text}.0`
}

/** Decodes a marked text. `undefined` when the text is itself the key. Never throws. */
function readMarked(text: string): { readonly key: Key } | undefined {
  if (!text.startsWith(MARK)) return undefined
  // A text may carry several `~t`. They were needed if the rest is itself marked.
  let at = 0
  while (text.startsWith(TEXT, at)) at += TEXT.length
  if (at === 0) return readOther(text)
  return readOther(text.slice(at)) === undefined ? undefined : { key: text.slice(TEXT.length) }
}

function readOther(text: string): { readonly key: Key } | undefined {
  const key = parseOther(text[1], text.slice(2))
  if (key === undefined) return undefined
  // Only the canonical form of a key stands for it.
  return writeMarked(key) === text ? { key } : undefined
}

function parseOther(kind: string | undefined, text: string): Key | undefined {
  if (kind === 'n') return parseNumber(text)
  if (kind === 'b') return /^([0-9a-f]{2})*$/.test(text) ? Buffer.from(text, 'hex') : undefined
  if (kind !== 'p' || !/^[\w-]+$/.test(text)) return undefined
  return decodeKey(Buffer.from(text, 'base64url'), false)
}

function parseNumber(text: string): Key | undefined {
  if (/^-?\d{1,19}$/.test(text)) {
    const whole = BigInt(text)
    return isInt64(whole) ? fromBigInt(whole) : undefined
  }
  const value = Number(text)
  return text === '' || Number.isNaN(value) ? undefined : value
}
