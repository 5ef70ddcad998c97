import { decodeKey, encodeKey } from '../disk/keys.js'
import { isInt64 } from '../disk/native-values.js'
import { fromBigInt } from '../disk/pickle/integers.js'
import type { Key } from '../options.js'

/**
 * What a key that is no text begins with behind the prefix: `~n` numbers, `~b` bytes in hex, `~p` the canonical pickle of
 * everything else in base64url. A text that could be taken for one of these has `~t` before it.
 */
const MARK = '~'
const TEXT = '~t'
const NUMBER = '~n'
/** Digits at the end of the keys of queues. */
const DIGITS = 15

/**
 * The keys of a namespace, as texts of the cache around it: `prefix` and the text itself, so that people and Python can
 * read and write them. Every key has one such text, and every text that begins with `prefix` is one key.
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

  /** What the keys of a queue are before their digits: a number without a prefix, as in a cache. */
  queueHead(prefix: string | undefined): string {
    if (prefix === undefined) return this.prefix + NUMBER
    return this.encode(`${prefix}-${'5'.padEnd(DIGITS, '0')}`).slice(0, -DIGITS)
  }

  /** What texts begin with whose keys are texts that begin with `prefix`. Others may begin so as well. */
  encodePrefix(prefix: string): string {
    return this.prefix + (prefix.startsWith(MARK) ? MARK : prefix)
  }

  /** The same where no others begin so; else `undefined`. */
  exactPrefix(prefix: string): string | undefined {
    return prefix === '' || prefix.startsWith(MARK) ? undefined : this.prefix + prefix
  }
}

/** The name of a namespace as a part of keys: no name holds what separates the parts, or ends a range of keys. */
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

/** What SQLite compares as equal is one text: a float that is a 64-bit integer is written as such. */
function floatText(value: number): string {
  if (!Number.isInteger(value)) return String(value)
  const whole = BigInt(value)
  if (isInt64(whole)) return String(whole)
  const text = String(value)
  return text.includes('e') ? text : `${text}.0`
}

/** The key that a marked text stands for; `undefined` for a text that is a key itself. Never throws. */
function readMarked(text: string): { readonly key: Key } | undefined {
  if (!text.startsWith(MARK)) return undefined
  // However many times it was marked as text, what counts is whether it had to be.
  let at = 0
  while (text.startsWith(TEXT, at)) at += TEXT.length
  if (at === 0) return readOther(text)
  return readOther(text.slice(at)) === undefined ? undefined : { key: text.slice(TEXT.length) }
}

function readOther(text: string): { readonly key: Key } | undefined {
  const key = parseOther(text[1], text.slice(2))
  if (key === undefined) return undefined
  // Only the one way of writing a key stands for it.
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
