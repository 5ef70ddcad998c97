import { dataOf } from './data-of.js'

/*
 * The stored form of values of Keyv. `createKeyv` stores values unchanged. A plain Keyv passes a string to the store,
 * its envelope. A string in the form of an envelope is stored unchanged, so that others can read its JSON; any other,
 * as of a custom serializer or compression, is stored behind a mark. Each door can thus read what the other has
 * written.
 */

/** The beginning of an envelope of Keyv's own serializers. */
const ENVELOPE = /^\{(?:"(?:value|expires)":|\}$)/
const TEXT_OF_KEYV = '\u0001'
const VALUE = '\u0002'
const UNDEFINED = '\u0003'

/**
 * Encodes a value. Different values have different stored forms.
 *
 * @param boxes whether the codec preserves a Map; a Map then preserves small bigints and the class of byte arrays
 */
export function storeValue(given: unknown, boxes: boolean): unknown {
  const value = dataOf(given)
  if (value === undefined) return UNDEFINED
  if (typeof value === 'string') return isMarked(value) ? VALUE + value : value
  return boxes && needsBox(value) ? new Map([[VALUE, value]]) : value
}

/** Encodes a string that a plain Keyv has made of a value. */
export function storeText(text: string): string {
  return ENVELOPE.test(text) ? text : TEXT_OF_KEYV + text
}

/** Decodes a string of a plain Keyv. `undefined` when a value was stored. */
export function textOf(stored: unknown): string | undefined {
  if (typeof stored !== 'string' || isOrdinary(stored)) return undefined
  if (stored.startsWith(TEXT_OF_KEYV)) return stored.slice(1)
  return ENVELOPE.test(stored) ? stored : undefined
}

/** Decodes a value. */
export function unmarked(stored: unknown): unknown {
  if (typeof stored !== 'string') return isBox(stored) ? stored.get(VALUE) : stored
  if (stored === UNDEFINED) return undefined
  return stored.startsWith(VALUE) ? stored.slice(1) : stored
}

/** The envelope in which Keyv stores a value. */
export interface Envelope {
  readonly value?: unknown
  readonly expires?: number | null | undefined
}

/** Whether the store got an envelope, which happens when Keyv's serializer is switched off. */
export function isEnvelope(given: unknown): given is Envelope {
  if (typeof given !== 'object' || given === null || !('value' in given)) return false
  return Object.keys(given).every(name => name === 'value' || name === 'expires')
}

/** Reads an envelope of the serializers of Keyv 5 and 6. `undefined` for any other string. */
export function readEnvelope(text: string): Envelope | undefined {
  try {
    const read: unknown = JSON.parse(text, (_key, value: unknown) => revive(value))
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : undefined
  } catch {
    return undefined
  }
}

/** Writes an envelope that Keyv's own serializers read. Values beyond JSON are lost, as in Keyv. */
export function writeEnvelope({ value, expires }: Envelope): string {
  return JSON.stringify({ value: prepare(value), expires })
}

/** Decodes Keyv's `:base64:…` for bytes, `:bigint:…` of version 6, and `::…` for strings that begin with a colon. */
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

/** Whether a quick look shows that a string is neither marked nor an envelope, as most are. */
function isOrdinary(text: string): boolean {
  const first = text.charCodeAt(0)
  return first > 3 && first !== OPENING_BRACE
}

const OPENING_BRACE = 0x7b

/** Whether a value loses its type in the cache, which returns numbers for small bigints and Buffers for all bytes. */
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
