import { DecodeError } from '../errors.js'
import { parseInteger } from './pickle/integers.js'

const MAX_DEPTH = 1000
/** Matches text that JSON.parse would refuse or round. It also matches inside strings, which only costs time. */
const BEYOND_JSON = /NaN|Infinity|\d{16}/
const WHITESPACE = /[ \t\n\r]*/y
const WORD = /-?Infinity|NaN|null|true|false/y
const NUMBER = /(-?(?:0|[1-9]\d*))(\.\d+)?([eE][+-]?\d+)?/y

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])

/**
 * Reads the output of Python's `json.dumps`: JSON, with NaN and the infinities by name. Integers beyond the safe range
 * become bigint, exactly.
 *
 * @throws {DecodeError}
 */
export function readPythonJson(text: string): unknown {
  if (BEYOND_JSON.test(text)) return new JsonReader(text).run()
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DecodeError('expected JSON, got text that is none', { cause })
  }
}

class JsonReader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): unknown {
    const value = this.#value()
    if (this.#at !== this.#text.length) throw this.#unexpected()
    return value
  }

  /** Reads a value and the white space around it. */
  #value(): unknown {
    this.#match(WHITESPACE)
    const value = this.#bareValue()
    this.#match(WHITESPACE)
    return value
  }

  #bareValue(): unknown {
    switch (this.#text[this.#at]) {
      case '"':
        return this.#string()
      case '[':
        return this.#nested(() => this.#array())
      case '{':
        return this.#nested(() => this.#object())
      default:
        return this.#wordOrNumber()
    }
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new DecodeError('JSON is nested too deeply')
    this.#at++
    const container = read()
    this.#depth--
    return container
  }

  #array(): unknown[] {
    const array: unknown[] = []
    if (this.#isEmpty(']')) return array
    do array.push(this.#value())
    while (this.#next(']'))
    return array
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    if (this.#isEmpty('}')) return object
    do {
      this.#match(WHITESPACE)
      if (this.#text[this.#at] !== '"') throw this.#unexpected()
      const name = this.#string()
      this.#match(WHITESPACE)
      if (this.#text[this.#at++] !== ':') throw this.#unexpected()
      const value = this.#value()
      // Assignment of `__proto__` would set the prototype.
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
    } while (this.#next('}'))
    return object
  }

  #isEmpty(end: string): boolean {
    this.#match(WHITESPACE)
    if (this.#text[this.#at] !== end) return false
    this.#at++
    return true
  }

  /** Skips a comma or the end of a container. Returns whether it was a comma. */
  #next(end: string): boolean {
    const character = this.#text[this.#at++]
    if (character !== ',' && character !== end) throw this.#unexpected()
    return character === ','
  }

  #string(): string {
    const from = this.#at
    let quote = from
    do {
      quote = this.#text.indexOf('"', quote + 1)
      if (quote < 0) throw this.#unexpected()
    } while (isEscaped(this.#text, quote))
    this.#at = quote + 1
    try {
      return JSON.parse(this.#text.slice(from, this.#at)) as string
    } catch (cause) {
      throw new DecodeError('expected JSON, got a string that is none', { cause })
    }
  }

  #wordOrNumber(): unknown {
    const word = this.#match(WORD)?.[0]
    if (word !== undefined) return WORDS.get(word)
    const number = this.#match(NUMBER)
    if (!number) throw this.#unexpected()
    const [text, whole = '', fraction, exponent] = number
    if (fraction !== undefined || exponent !== undefined || text === '-0') return Number(text)
    return parseInteger(whole)
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match) this.#at += match[0].length
    return match
  }

  #unexpected(): DecodeError {
    return new DecodeError(`expected JSON, got text that is none at character ${this.#at}`)
  }
}

/** Whether an odd number of backslashes precedes a quote. */
function isEscaped(text: string, quote: number): boolean {
  let at = quote
  while (text[at - 1] === '\\') at--
  return (quote - at) % 2 === 1
}
