import { types } from 'node:util'
import { DecodeError } from '../errors.js'
import type { Key } from '../options.js'
import type { EncodedKey, SqlValue } from './codec.js'
import { isInt64, toSqlNumber } from './native-values.js'
import { fromBigInt } from './pickle/integers.js'
import { writeKeyPickle } from './pickle/key-writer.js'
import { inProtocol } from './pickle/older-protocols.js'
import { readPickle } from './pickle/reader.js'
import { RememberedKeys } from './remembered-keys.js'

/** The identity of a key within the process. See `keyIdentity`. */
export type KeyIdentity = string | number

const remembered = new RememberedKeys()

/**
 * Encodes a key as DiskCache stores it. Strings, 64-bit integers, floats and bytes are stored raw. Null, booleans,
 * larger integers, arrays (as tuples) and plain objects (as dicts with sorted names) are stored as canonical pickles,
 * so that keys of equal value are the same row. An array or object returned by `decodeKey` stands for its row.
 *
 * @throws {TypeError} for NaN, text with lone surrogates, and anything else that is no key
 */
export function encodeKey(key: unknown): EncodedKey {
  switch (typeof key) {
    case 'string':
      if (key.isWellFormed()) return { data: key, raw: true }
      break
    case 'number':
      if (!Number.isNaN(key)) return { data: toSqlNumber(key), raw: true }
      break
    case 'bigint':
      if (isInt64(key)) return { data: key, raw: true }
      break
    case 'object':
      if (key !== null) return encodeObjectKey(key)
  }
  return { data: writeKeyPickle(key), raw: false }
}

/**
 * Decodes a key; the inverse of `encodeKey`. It never throws: a key that cannot be decoded becomes an object that finds
 * its row.
 *
 * @param protocol the pickle protocol of the directory
 */
export function decodeKey(data: SqlValue, raw: boolean, protocol: number = 5): Key {
  if (!raw) return decodePickledKey(data, protocol)
  return typeof data === 'bigint' ? fromBigInt(data) : data
}

/**
 * A key for a JavaScript Map. Identities are equal exactly when `key = ? AND raw = ?` holds in SQLite: 1, 1n and 1.0
 * are equal, and so are 0 and -0. Strings are their own identity. All other identities are strings that begin with a
 * lone surrogate, which no key of a user does.
 */
export function keyIdentity({ data, raw }: EncodedKey): KeyIdentity {
  if (typeof data === 'string') return raw ? data : `\udc00t${data}`
  if (typeof data === 'number') return data
  if (typeof data === 'bigint') {
    // SQLite compares integers with floats exactly.
    const float = Number(data)
    return BigInt(float) === data ? float : `\udc00i${data}`
  }
  return data === null ? '\udc00n' : `\udc00${raw ? 'b' : 'p'}${data.toString('latin1')}`
}

/**
 * The identity of a key for a Map that outlives the call. A text that was cut out of a longer one would keep all of that
 * in memory.
 */
export function lastingIdentity(key: EncodedKey): KeyIdentity {
  const { data, raw } = key
  return keyIdentity(typeof data === 'string' ? { data: ownText(data), raw } : key)
}

/** A copy of a well-formed text, which shares its characters with no other. */
export function ownText(text: string): string {
  return Buffer.from(text).toString()
}

function encodeObjectKey(key: object): EncodedKey {
  // A copy, since the caller may reuse its buffer while the key waits in the queue.
  if (types.isUint8Array(key)) return { data: Buffer.from(key), raw: true }
  return remembered.get(key) ?? { data: writeKeyPickle(key), raw: false }
}

function decodePickledKey(data: SqlValue, protocol: number): Key {
  const value = Buffer.isBuffer(data) ? tryPickle(data) : undefined
  // Primitives cannot be remembered by identity, so they must be in canonical form.
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') {
    const { data: own } = encodeKey(value)
    if (Buffer.isBuffer(own) && inProtocol(own, protocol).equals(data as Buffer)) return value
  }
  return remembered.remember(value, { data, raw: false })
}

function tryPickle(bytes: Buffer): unknown {
  try {
    return readPickle(bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
