// Deeper trees are left to v8, whose writer looks after the stack.
const MAX_DEPTH = 200
// Up to so many objects a linear search beats a Set.
const SEARCHED = 16

/**
 * Whether JSON gives the value back exactly as `structuredClone` would: null, booleans, strings, finite numbers other
 * than -0, arrays without holes or further properties, and plain objects, all without `undefined` and `toJSON`. An
 * object met twice is refused as well: JSON would make two of it, and never end with a cycle.
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
  // Objects of another realm go through v8, which is slower and just as faithful.
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  // for-in allocates nothing; what it adds to own properties can only make the answer stricter.
  for (const name in value) {
    if (!isPlain((value as Record<string, unknown>)[name], visited, depth)) return false
  }
  return true
}

function isPlainArray(values: readonly unknown[], visited: Visited, depth: number): boolean {
  const { length } = values
  for (let at = 0; at < length; at++) {
    if (!isPlain(values[at], visited, depth)) return false
  }
  // Holes read as undefined and were refused above, so more keys mean further properties (`'ab'.match(/a/)` has some).
  return Object.keys(values).length === length
}

/** The objects met so far: a short list that turns into a Set. */
class Visited {
  readonly #few: object[] = []
  #many: Set<object> | undefined

  /** False when the object was met before. */
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
