import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { formatPath, isPlainObject, notStorable, type Path } from '../disk/describe.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'

/** Options of `keyBuilder`. */
export interface KeyBuilderOptions {
  /**
   * Limit of characters, at least 64. Longer keys are replaced by one that ends in the SHA-256 of the whole key.
   *
   * @default no limit
   */
  readonly maxLength?: number | undefined
}

const OPTIONS = new Set(['maxLength'])
const LEAST_LENGTH = 64
const MAX_DEPTH = 500
/** Strings that are written without quotes, because they cannot be confused with anything else. */
const BARE = /^[\p{L}_][\p{L}\p{N}_\-./@]*$/u
const WORDS = new Set(['null', 'undefined', 'true', 'false', 'NaN', 'Infinity'])
const KINDS = 'plain data, a Date, Map, Set, bigint, RegExp, URL or bytes'

/**
 * Builds a readable key from structured arguments. Two keys are equal exactly when the arguments are equal by value,
 * whatever the order of properties of objects, entries of Maps and members of Sets.
 *
 * It distinguishes 1, 1n, '1' and true; 0 and -0; `{}` and `{ a: undefined }`; an array and a typed array. A Buffer
 * counts as a Uint8Array.
 *
 * @example
 * keyOf('user', 42, { page: 1, tags: ['a'] }) // 'user:42:{page:1,tags:[a]}'
 *
 * @throws TypeError that names the place of a function, a symbol, an instance of another class or a circular reference
 */
export function keyOf(...parts: readonly unknown[]): string {
  // As a call without arguments, which `memoize(cache, fn, { key: keyOf })` meets. No part is written so.
  if (parts.length === 0) return '()'
  return parts.map((part, at) => new PartWriter(at).write(part)).join(':')
}

/**
 * Creates a `keyOf` with options.
 *
 * @throws TypeError for unknown options and wrong types; RangeError for a `maxLength` below 64
 * @example
 * const short = keyBuilder({ maxLength: 200 })
 * await cache.set(short('search', query), results)
 */
export function keyBuilder(options: KeyBuilderOptions = {}): (...parts: readonly unknown[]) => string {
  checkOptionsObject(options, 'keyBuilder')
  checkOptionNames(options, OPTIONS, 'keyBuilder')
  const { maxLength } = options
  if (maxLength === undefined) return keyOf
  if (typeof maxLength !== 'number') throw new TypeError(`maxLength must be a whole number, got ${kindOf(maxLength)}`)
  if (!Number.isSafeInteger(maxLength) || maxLength < LEAST_LENGTH) {
    throw new RangeError(`maxLength must be a whole number of at least ${LEAST_LENGTH}, got ${maxLength}`)
  }
  return (...parts) => shortened(keyOf(...parts), maxLength)
}

/** Shortens a key. No other key begins like the result, so that they never collide. */
function shortened(key: string, maxLength: number): string {
  if (key.length <= maxLength) return key
  const hash = createHash('sha256').update(key).digest('base64url')
  const head = `#${hash}:`
  return (head + key.slice(0, maxLength - head.length)).toWellFormed()
}

class PartWriter {
  readonly #at: number
  readonly #path: (string | number)[] = []
  readonly #around: object[] = []

  constructor(at: number) {
    this.#at = at
  }

  write(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return quoted(value)
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value)
      case 'bigint':
        return `${value}n`
      case 'boolean':
      case 'undefined':
        return String(value)
      case 'object':
        return value === null ? 'null' : this.#writeObject(value)
      default:
        throw this.#refusal(value)
    }
  }

  #writeObject(value: object): string {
    if (this.#around.includes(value)) throw this.#error('an object that holds itself cannot be part of a key')
    if (this.#around.length >= MAX_DEPTH) throw this.#error('a key cannot be made of objects that deep in each other')
    this.#around.push(value)
    const text = Array.isArray(value) ? this.#array(value) : (this.#special(value) ?? this.#plain(value))
    this.#around.pop()
    return text
  }

  #array(value: readonly unknown[]): string {
    let own = 0
    const parts = Array.from(value, (part, at) => {
      // A hole differs from undefined.
      if (!(at in value)) return '<hole>'
      own++
      return this.#step(at, part)
    })
    if (Object.keys(value).length > own) {
      throw this.#error('an array with properties of its own cannot be part of a key')
    }
    this.#refuseSymbols(value)
    return `[${parts.join(',')}]`
  }

  #plain(value: object): string {
    if (!isPlainObject(value)) throw this.#refusal(value)
    this.#refuseSymbols(value)
    const names = Object.keys(value).sort()
    return `{${names.map(name => `${quoted(name)}:${this.#step(name, value[name])}`).join(',')}}`
  }

  /** The text of a built-in object such as a Date or a Map. `undefined` for any other. */
  #special(value: object): string | undefined {
    const text = this.#collection(value) ?? bytesText(value) ?? this.#atom(value)
    if (text === undefined) return undefined
    if (!ArrayBuffer.isView(value) && Object.keys(value).length > 0) {
      throw this.#error('a Map, Set, Date or RegExp with properties of its own cannot be part of a key')
    }
    this.#refuseSymbols(value)
    return text
  }

  #collection(value: object): string | undefined {
    if (types.isSet(value)) {
      const members = Array.from(value, (member, at) => this.#step(at, member))
      return `Set{${members.sort().join(',')}}`
    }
    if (!types.isMap(value)) return undefined
    const entries = Array.from(value, ([key, item], at) => `${this.#step(at, key)}=>${this.#step(at, item)}`)
    return `Map{${entries.sort().join(',')}}`
  }

  #atom(value: object): string | undefined {
    if (types.isDate(value)) {
      const time = value.getTime()
      return `Date(${Number.isNaN(time) ? 'NaN' : value.toISOString()})`
    }
    if (types.isRegExp(value)) return `RegExp(${JSON.stringify(value.source)},${JSON.stringify(value.flags)})`
    return value instanceof URL ? `URL(${JSON.stringify(value.href)})` : undefined
  }

  #step(name: string | number, value: unknown): string {
    this.#path.push(name)
    const text = this.write(value)
    this.#path.pop()
    return text
  }

  #refuseSymbols(value: object): void {
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, symbol)) continue
      throw this.#error(`an object with the property ${String(symbol)} cannot be part of a key`)
    }
  }

  #refusal(value: unknown): TypeError {
    return notStorable(value, { where: this.#where(), expected: KINDS })
  }

  #error(message: string): TypeError {
    return new TypeError(`${this.#where()}: ${message}`)
  }

  #where(): string {
    return formatPath('keyOf', [this.#at, ...this.#path] as Path)
  }
}

function quoted(text: string): string {
  return BARE.test(text) && !WORDS.has(text) ? text : JSON.stringify(text)
}

/** The text of a binary object: bytes in hex, other numbers one by one. */
function bytesText(value: object): string | undefined {
  if (types.isUint8Array(value)) return `Uint8Array(${hex(value)})`
  if (types.isArrayBuffer(value)) return `ArrayBuffer(${hex(new Uint8Array(value))})`
  if (types.isDataView(value)) {
    return `DataView(${hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))})`
  }
  if (!types.isTypedArray(value)) return undefined
  const numbers = Array.from(value as Iterable<number | bigint>, one => (Object.is(one, -0) ? '-0' : String(one)))
  return `${value[Symbol.toStringTag]}(${numbers.join(',')})`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
