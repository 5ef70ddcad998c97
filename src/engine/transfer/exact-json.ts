import type { Codec, EncodedKey, EncodedValue, SqlValue } from '../disk/codec.js'
import { MODE_BINARY, MODE_COMPRESSED, MODE_JSON, MODE_PICKLE, MODE_RAW, MODE_TEXT, MODE_V8 } from '../disk/modes.js'
import { isInt64, toSqlNumber } from '../disk/native-values.js'
import { fromBigInt } from '../disk/pickle/integers.js'
import { editDistance, kindOf } from '../option-names.js'

/*
 * Converts keys and values to JSON that reproduces the exact bytes of their rows. A value is written as plain JSON if
 * the codec encodes that JSON to the same bytes. All others have a tag: an object with one name that begins with `$`.
 * docs/export.md describes the tags.
 */

/** Longest pickle of `None`, `True` and `False`. Longer ones are decoded only under `pickleCodec`. */
const SHORT_PICKLE = 16
const TAGS = ['$bytes', '$bigint', '$number', '$float', '$pickle', '$v8', '$object', '$stored']
const MODES: Readonly<Record<string, number>> = {
  raw: MODE_RAW,
  binary: MODE_BINARY,
  text: MODE_TEXT,
  pickle: MODE_PICKLE,
  json: MODE_JSON,
  v8: MODE_V8,
  compressed: MODE_COMPRESSED,
}

/** The name of a mode, or its number when it has none. */
export function modeName(mode: number): string | number {
  return Object.keys(MODES).find(name => MODES[name] === mode) ?? mode
}

/** The mode of a name. @throws TypeError when there is none */
export function modeOf(name: unknown): number {
  const mode = typeof name === 'string' && Object.hasOwn(MODES, name) ? MODES[name] : name
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode < 256) return mode
  throw new TypeError(`mode must be one of ${Object.keys(MODES).join(', ')}, got ${kindOf(name)}`)
}

/** Converts a value in the database to JSON. */
export function valueToJson({ mode, data }: EncodedValue, codec: Codec): unknown {
  const plain = plainValue({ mode, data }, codec)
  if (plain) return hasTag(plain.json) ? { $object: plain.json } : plain.json
  const tagged = mode === MODE_RAW && data !== null ? taggedOrText(data) : null
  if (tagged !== null && meansItself(tagged, codec)) return tagged
  if (mode === MODE_PICKLE && Buffer.isBuffer(data)) return { $pickle: data.toString('base64') }
  if (mode === MODE_V8 && Buffer.isBuffer(data)) return { $v8: data.toString('base64') }
  return { $stored: { mode: modeName(mode), data: sqlToJson(data) } }
}

/**
 * Converts JSON to a value.
 *
 * @throws TypeError, RangeError for a wrong tag and for values that the codec cannot store
 */
export function valueFromJson(json: unknown, codec: Codec): EncodedValue {
  const tag = tagOf(json)
  if (!tag) return codec.encodeValue(json)
  const [name, content] = tag
  switch (name) {
    case '$object':
      return codec.encodeValue(content)
    case '$pickle':
      return { mode: MODE_PICKLE, data: bytesOf(content, name) }
    case '$v8':
      return { mode: MODE_V8, data: bytesOf(content, name) }
    case '$stored': {
      const { mode, data } = partsOf(content, ['mode', 'data'])
      return { mode: modeOf(mode), data: sqlFromJson(data) }
    }
    default:
      return { mode: MODE_RAW, data: taggedSql(name, content) }
  }
}

/** Converts a key to JSON. */
export function keyToJson(key: EncodedKey, codec: Codec): unknown {
  const plain = plainKey(key, codec)
  if (plain) return hasTag(plain.json) ? { $object: plain.json } : plain.json
  const { data, raw } = key
  if (!raw && Buffer.isBuffer(data)) return { $pickle: data.toString('base64') }
  const tagged = raw && data !== null ? taggedOrText(data) : null
  if (tagged !== null && meansItself(tagged, codec)) return tagged
  return { $stored: { raw, data: sqlToJson(data) } }
}

/** Converts JSON to a key. @throws TypeError, RangeError for a wrong tag and for a value that is no key */
export function keyFromJson(json: unknown, codec: Codec): EncodedKey {
  const tag = tagOf(json)
  if (!tag) return codec.encodeKey(json)
  const [name, content] = tag
  if (name === '$object') return codec.encodeKey(content)
  if (name === '$pickle') return { data: bytesOf(content, name), raw: false }
  if (name === '$v8') throw new TypeError('a key has no tag $v8')
  if (name !== '$stored') return { data: taggedSql(name, content), raw: true }
  const { raw, data } = partsOf(content, ['raw', 'data'])
  if (typeof raw !== 'boolean') throw new TypeError(`$stored: raw must be true or false, got ${kindOf(raw)}`)
  const sql = sqlFromJson(data)
  // Several rows may have the key NULL, and none of them can be found.
  if (sql === null) throw new TypeError('$stored: null is no key')
  return { data: sql, raw }
}

/** Converts a value of SQLite to JSON. */
export function sqlToJson(data: SqlValue): unknown {
  return data === null ? null : taggedOrText(data)
}

/** Converts JSON to a value of SQLite. @throws TypeError, RangeError when it is none */
export function sqlFromJson(json: unknown): SqlValue {
  if (json === null) return null
  if (typeof json === 'string') return wellFormed(json)
  if (typeof json === 'number') return toSqlNumber(json)
  const tag = tagOf(json)
  if (tag) return taggedSql(...tag)
  throw new TypeError(`it must be null, text, a number or a tag of them, got ${kindOf(json)}`)
}

function taggedOrText(data: Exclude<SqlValue, null>): unknown {
  if (typeof data === 'string') return data
  if (typeof data === 'bigint') {
    const small = fromBigInt(data)
    return typeof small === 'number' ? small : { $bigint: String(data) }
  }
  if (typeof data === 'number') {
    // Tagged: whole numbers in the safe range, which would be read as integers, -0 and infinities.
    if (Object.is(data, -0)) return { $number: '-0' }
    if (!Number.isFinite(data)) return { $number: String(data) }
    return typeof toSqlNumber(data) === 'number' ? data : { $float: String(data) }
  }
  return { $bytes: data.toString('base64') }
}

/** Whether JSON without a tag is a native value. Under JSONDisk it is JSON to be compressed. */
function meansItself(json: unknown, codec: Codec): boolean {
  return typeof json === 'object' || codec.name !== 'json'
}

function taggedSql(name: string, content: unknown): SqlValue {
  if (name === '$bytes') return bytesOf(content, name)
  if (name === '$bigint') {
    if (typeof content !== 'string' || !/^-?\d{1,19}$/.test(content))
      throw notA(name, 'the digits of an integer', content)
    const integer = BigInt(content)
    if (!isInt64(integer)) throw new RangeError(`$bigint: ${content} is beyond 64 bits`)
    return integer
  }
  if (name === '$float' || name === '$number') {
    const number = typeof content === 'string' && content.trim() !== '' ? Number(content) : Number.NaN
    if (Number.isNaN(number)) throw notA(name, 'a number as text', content)
    return number
  }
  throw new TypeError(`the tag ${name} has no place here`)
}

/** The plain JSON that the codec encodes to this value again, if there is one. */
function plainValue({ mode, data }: EncodedValue, codec: Codec): { readonly json: unknown } | undefined {
  if (codec.name === 'structured') {
    // Nearly all values, which need not be encoded again.
    if (mode === MODE_RAW) return typeof data === 'string' && data.isWellFormed() ? { json: data } : undefined
    if (mode === MODE_V8) return undefined
    if (mode === MODE_PICKLE && (!Buffer.isBuffer(data) || data.byteLength > SHORT_PICKLE)) return undefined
  }
  return attempt(() => {
    const json = codec.decodeValue(mode, data)
    if (!isJson(json)) return undefined
    const again = codec.encodeValue(JSON.parse(JSON.stringify(json)))
    return again.mode === mode && sameData(again.data, data) ? { json } : undefined
  })
}

function plainKey(key: EncodedKey, codec: Codec): { readonly json: unknown } | undefined {
  if (key.raw && codec.name !== 'json') {
    return typeof key.data === 'string' && key.data.isWellFormed() ? { json: key.data } : undefined
  }
  return attempt(() => {
    const json: unknown = codec.decodeKey(key.data, key.raw)
    if (!isJson(json)) return undefined
    // A copy, since the decoded key remembers its bytes.
    const again = codec.encodeKey(JSON.parse(JSON.stringify(json)))
    return again.raw === key.raw && sameData(again.data, key.data) ? { json } : undefined
  })
}

/** Whether a value may be JSON. Encoding it again shows whether that is exact. */
function isJson(value: unknown): boolean {
  if (typeof value === 'object') return !Buffer.isBuffer(value)
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  )
}

/** Runs a conversion. A value that cannot be decoded, or encoded again, has no plain form. */
function attempt<T>(work: () => T | undefined): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

function sameData(a: SqlValue, b: SqlValue): boolean {
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  return Object.is(a, b)
}

function hasTag(json: unknown): boolean {
  return isObject(json) && tagNameOf(json) !== undefined
}

function tagNameOf(json: Readonly<Record<string, unknown>>): string | undefined {
  const [name, more] = Object.keys(json)
  return more === undefined && name?.startsWith('$') ? name : undefined
}

/** The name and content of a tag. @throws TypeError for an unknown tag */
function tagOf(json: unknown): [name: string, content: unknown] | undefined {
  if (!isObject(json)) return undefined
  const tag = tagNameOf(json)
  if (tag === undefined) return undefined
  if (TAGS.includes(tag)) return [tag, json[tag]]
  const near = TAGS.find(known => editDistance(known, tag) <= 2)
  const hint = near ? `did you mean ${near}? ` : ''
  throw new TypeError(`${tag} is no tag: ${hint}an object with this one name is written {"$object": {…}}`)
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function partsOf(content: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (
    isObject(content) &&
    Object.keys(content).length === names.length &&
    names.every(name => Object.hasOwn(content, name))
  ) {
    return content
  }
  throw notA('$stored', `an object of ${names.join(' and ')}`, content)
}

/** Decodes base64. @throws TypeError when it is none */
export function bytesOf(content: unknown, name: string): Buffer {
  if (typeof content === 'string' && content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(content)) {
    return Buffer.from(content, 'base64')
  }
  throw notA(name, 'base64', content)
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text
  throw new TypeError('text must not hold lone surrogates')
}

function notA(name: string, expected: string, content: unknown): TypeError {
  return new TypeError(`${name} must hold ${expected}, got ${kindOf(content)}`)
}
