import { keepShape } from '../kept-shapes.js'
import { isPlainObject } from './describe.js'

// Deeper trees are left to V8, whose writer checks the stack.
const MAX_DEPTH = 200
// Up to this many objects a linear search is faster than a Set.
const SEARCHED = 16

/**
 * Whether JSON reproduces a value exactly as `structuredClone` does: null, booleans, strings, finite numbers other than
 * -0, arrays without holes or further properties, and plain objects, all without `undefined` and `toJSON`. An object
 * that occurs twice is refused as well, because JSON would duplicate it or never end.
 */
export function isPlainData(value: unknown): boolean {
  return isPlain(value, new Visited(), 0)
}

function isPlain(value: unknown, visited: Visited, depth: number): boolean {
  if (typeof value === 'string') return true
  // x - x is NaN for NaN and the infinities; 1 / -0 is negative.
  if (typeof value === 'number') return value === 0 ? 1 / value > 0 : value - value === 0
  if (typeof value === 'boolean' || value === null) return true
  return typeof value === 'object' && depth < MAX_DEPTH && isPlainTree(value, visited, depth + 1)
}

function isPlainTree(value: object, visited: Visited, depth: number): boolean {
  if (!visited.add(value) || (value as { toJSON?: unknown }).toJSON !== undefined) return false
  if (Array.isArray(value)) return isPlainArray(value, visited, depth)
  if (!isPlainObject(value)) return false
  // for-in allocates nothing. The inherited properties that it adds can only make the result stricter.
  for (const name in value) {
    if (!isPlain(value[name], visited, depth)) return false
  }
  return true
}

function isPlainArray(values: readonly unknown[], visited: Visited, depth: number): boolean {
  const { length } = values
  for (let at = 0; at < length; at++) {
    if (!isPlain(values[at], visited, depth)) return false
  }
  // Holes were refused above as undefined, so more keys mean further properties, such as those of `'ab'.match(/a/)`.
  return Object.keys(values).length === length
}

/** The objects visited so far: a short list that becomes a Set. */
class Visited {
  readonly #few: object[] = []
  #many: Set<object> | undefined

  /** Adds an object. Returns `false` when it was visited before. */
  add(value: object): boolean {
    if (this.#many !== undefined) {
      const { size } = this.#many
      return this.#many.add(value).size > size
    }
    const few = this.#few
    for (let at = 0; at < few.length; at++) {
      if (few[at] === value) return false
    }
    few.push(value)
    if (few.length > SEARCHED) this.#many = new Set(few)
    return true
  }
}

keepShape(new Visited())
