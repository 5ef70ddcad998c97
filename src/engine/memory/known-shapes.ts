/**
 * What the shapes weigh that are known: this bounds what is not counted of them, and so does their number. With it a
 * shape which every object that is kept has for itself takes less than a megabyte in all.
 */
const MOST_WEIGHT = 2 ** 16
const SHAPE_WEIGHT = 64
const NAME_WEIGHT = 16
const LONGEST = 1024
/** A shape is known when it was met again while so many others were met once. */
const MET_ONCE = 256

const known = new Set<string>()
const metOnce = new Set<string>()
let weight = 0

/**
 * Whether objects with these names in this order have been met often enough that V8 has one shape for all of them.
 * Dictionaries whose names are all different are never met again, and do not drive out the others.
 */
export function isKnownShape(names: readonly string[]): boolean {
  if (names.length === 0) return true
  const shape = names.join('\0')
  if (known.has(shape)) return true
  const own = shape.length + SHAPE_WEIGHT + names.length * NAME_WEIGHT
  if (shape.length > LONGEST || weight + own > MOST_WEIGHT) return false
  if (metOnce.delete(shape)) {
    known.add(shape)
    weight += own
  } else {
    if (metOnce.size >= MET_ONCE) metOnce.clear()
    metOnce.add(shape)
  }
  return false
}
