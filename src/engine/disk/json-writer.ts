import { formatPath, hasProperties, isPlainObject, notStorable } from './describe.js'
import { MAX_DIGITS } from './pickle/integers.js'

// About the depth of CPython's own writer.
const MAX_DEPTH = 1000
// JSON.stringify has escaped quotes, backslashes and control characters already.
const NOT_ASCII = /[\x7f-\uffff]/g

/**
 * Writes a value as Python's `json.dumps` does: with `", "` and `": "`, ASCII only, ints distinct from floats, NaN and
 * Infinity by name. Undefined properties are left out, as in JSON.stringify.
 *
 * @throws {TypeError} for values that would be read back as something else: Date, Map, bytes, undefined in an array,
 *   properties of an array, instances of classes, …
 */
export function writePythonJson(value: unknown): string {
  return new JsonWriter('value').write(value)
}

/**
 * Writes a key, which must be found again: NaN, undefined and lone surrogates are refused.
 *
 * @throws {TypeError}
 */
export function writePythonJsonKey(key: unknown): string {
  return new JsonWriter('key').write(key)
}

class JsonWriter {
  readonly #root: 'key' | 'value'
  readonly #path: (string | number)[] = []

  constructor(root: 'key' | 'value') {
    this.#root = root
  }

  write(value: unknown): string {
    switch (typeof value) {
      case 'string':
        if (this.#root === 'key' && !value.isWellFormed()) throw this.#refuse(value)
        return quote(value)
      case 'number':
        if (this.#root === 'key' && Number.isNaN(value)) throw this.#refuse(value)
        return formatNumber(value)
      case 'bigint':
        return this.#integer(value)
      case 'boolean':
        return String(value)
      case 'object':
        return value === null ? 'null' : this.#container(value)
      default:
        throw this.#refuse(value)
    }
  }

  #container(value: object): string {
    if (Array.isArray(value) && !hasProperties(value)) return this.#array(value)
    if (isPlainObject(value) && typeof value.toJSON !== 'function') return this.#object(value)
    throw this.#refuse(value)
  }

  #array(values: readonly unknown[]): string {
    let text = ''
    for (let at = 0; at < values.length; at++) text += (at === 0 ? '' : ', ') + this.#part(at, values[at])
    return `[${text}]`
  }

  #object(object: Record<string, unknown>): string {
    let text = ''
    for (const name of Object.keys(object)) {
      const part = object[name]
      if (part === undefined && this.#root === 'value') continue
      text += `${text === '' ? '' : ', '}${this.#part(name, name)}: ${this.#part(name, part)}`
    }
    return `{${text}}`
  }

  #part(step: string | number, part: unknown): string {
    this.#path.push(step)
    if (this.#path.length > MAX_DEPTH) throw new TypeError(`${this.#root} is nested too deeply, or holds itself`)
    const text = this.write(part)
    this.#path.pop()
    return text
  }

  #integer(value: bigint): string {
    const text = String(value)
    if (text.length > MAX_DIGITS) throw this.#refuse(value)
    return text
  }

  #refuse(value: unknown): TypeError {
    return notStorable(value, { where: formatPath(this.#root, this.#path), expected: 'what JSON can say exactly' })
  }
}

function quote(text: string): string {
  return JSON.stringify(text).replace(NOT_ASCII, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Formats a number like Python's `repr`. Safe integers are ints, all others floats. */
function formatNumber(value: number): string {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (value === 0) return '-0.0'
  // Both languages write the shortest digits that read back, but use an exponent in different ranges.
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 16) return Number.isInteger(value) ? `${value}.0` : String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}
