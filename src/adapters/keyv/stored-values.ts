import { dataOf } from './data-of.js'

/*
 * What a value of Keyv is in the cache. `createKeyv` stores values as they are. A plain Keyv gives the store a string,
 * its envelope: that is stored as it is when it looks like one, so that others can read its JSON, and behind a mark when it
 * does not, as with a serializer or a compression of one's own. So both can be told apart, and each door reads what the
 * other has written.
 */

/** How an envelope of Keyv's own serializers begins. */
const ENVELOPE = /^\{(?:"(?:value|expires)":|\}$)/
const TEXT_OF_KEYV = '\u0001'
const VALUE = '\u0002'
const UNDEFINED = '\u0003'

/**
 * What is stored for a value; every value has another.
 *
 * @param boxes whether the codec keeps a Map: then a small bigint does not come back as a number, nor bytes as a Buffer
 */
export function storeValue(given: unknown, boxes: boolean): unknown {
  const value = dataOf(given)
  if (value === undefined) return UNDEFINED
  if (typeof value === 'string') return isMarked(value) ? VALUE + value : value
  return boxes && needsBox(value) ? new Map([[VALUE, value]]) : value
}

/** What is stored for a string that a plain Keyv made of a value. */
export function storeText(text: string): string {
  return ENVELOPE.test(text) ? text : TEXT_OF_KEYV + text
}

/** The string that a plain Keyv has made; `undefined` when it was a value. */
export function textOf(stored: unknown): string | undefined {
  if (typeof stored !== 'string' || isOrdinary(stored)) return undefined
  if (stored.startsWith(TEXT_OF_KEYV)) return stored.slice(1)
  return ENVELOPE.test(stored) ? stored : undefined
}

/** The value of what is not such a string. */
export function unmarked(stored: unknown): unknown {
  if (typeof stored !== 'string') return isBox(stored) ? stored.get(VALUE) : stored
  if (stored === UNDEFINED) return undefined
  return stored.startsWith(VALUE) ? stored.slice(1) : stored
}

/** What Keyv keeps of a value. */
export interface Envelope {
  readonly value?: unknown
  readonly expires?: number | null | undefined
}

/** Whether Keyv's serializer is switched off: then the store gets the envelope itself. */
export function isEnvelope(given: unknown): given is Envelope {
  if (typeof given !== 'object' || given === null || !('value' in given)) return false
  return Object.keys(given).every(name => name === 'value' || name === 'expires')
}

/** Reads an envelope of Keyv's own serializers, 5 and 6; `undefined` when it is another's. */
export function readEnvelope(text: string): Envelope | undefined {
  try {
    const read: unknown = JSON.parse(text, (_key, value: unknown) => revive(value))
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : undefined
  } catch {
    return undefined
  }
}

/** Writes an envelope that Keyv's own serializers read. What JSON does not know is lost, as it is in Keyv. */
export function writeEnvelope({ value, expires }: Envelope): string {
  return JSON.stringify({ value: prepare(value), expires })
}

/** Keyv writes bytes as `:base64:…`, version 6 bigints as `:bigint:…`, and other strings that begin so with one colon more. */
function revive(value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(':')) return value
  if (value.startsWith(':base64:')) return Buffer.from(value.slice(8), 'base64')
  return value.startsWith(':bigint:') ? BigInt(value.slice(8)) : value.slice(1)
}

function prepare(value: unknown): unknown {
  if (typeof value === 'bigint') return `:bigint:${value}`
  if (typeof value === 'string') return value.startsWith(':') ? `:${value}` : value
  if (value instanceof Uint8Array) return `:base64:${Buffer.from(value).toString('base64')}`
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(prepare)
  if ('toJSON' in value && typeof value.toJSON === 'function') return prepare(value.toJSON())
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, prepare(one)]))
}

/** What most strings are: one look tells that they are neither marked nor an envelope. */
function isOrdinary(text: string): boolean {
  const first = text.charCodeAt(0)
  return first > 3 && first !== OPENING_BRACE
}

const OPENING_BRACE = 0x7b

/** SQLite has one kind of whole number and one of bytes, for which the cache answers a number and a Buffer. */
function needsBox(value: unknown): boolean {
  if (typeof value === 'bigint') return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
  return isBox(value) || (value instanceof Uint8Array && !Buffer.isBuffer(value))
}

function isBox(value: unknown): value is Map<unknown, unknown> {
  return value instanceof Map && value.size === 1 && value.has(VALUE)
}

function isMarked(text: string): boolean {
  if (isOrdinary(text)) return false
  return text.startsWith(TEXT_OF_KEYV) || text.startsWith(VALUE) || text.startsWith(UNDEFINED) || ENVELOPE.test(text)
}
