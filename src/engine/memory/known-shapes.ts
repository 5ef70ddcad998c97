/**
 * Limit of the total weight of the known shapes, which bounds the memory that is not counted for them. Together they
 * take less than a megabyte.
 */
const MOST_WEIGHT = 2 ** 16
const SHAPE_WEIGHT = 64
const NAME_WEIGHT = 16
const LONGEST = 1024
/** A shape becomes known when it occurs again within this many shapes that occurred once. */
const MET_ONCE = 256

const known = new Set<string>()
const metOnce = new Set<string>()
let weight = 0

/**
 * Whether objects with these names in this order have occurred so often that V8 has one shape for all of them.
 * Dictionaries with ever different names never occur again, and do not displace known shapes.
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
