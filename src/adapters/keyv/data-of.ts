import { isBoxedPrimitive, isDate, isMap, isNativeError, isPromise, isRegExp, isSet } from 'node:util/types'

/**
 * A value as it is stored: where an object says by `toJSON` what it is as data, that. So it was in every store that these
 * doors take the place of, and documents of databases, ids, decimals and URLs have nothing of use in their own fields.
 * What comes back as it was stays: Date, Map, Set, bytes, errors; so do streams.
 *
 * @returns the value itself where there is nothing to be said
 * @throws what a `toJSON` throws
 */
export function dataOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? convert(value, { seen: new Map(), depth: 0 }) : value
}

interface Walk {
  /** What became of objects with objects in them: they may be there twice, or in themselves. */
  readonly seen: Map<object, unknown>
  depth: number
}

/** What lies deeper is left as it is. */
const DEEPEST = 200

function convert(value: object, walk: Walk): unknown {
  const { seen } = walk
  const known = seen.get(value)
  if (known !== undefined || walk.depth >= DEEPEST) return known ?? value
  walk.depth++
  const result = converted(value, walk)
  walk.depth--
  if (result !== value) seen.set(value, result)
  return result
}

function converted(value: object, walk: Walk): unknown {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === Array.prototype || prototype === null
  if (!isPlain && comesBack(value)) return value
  const { toJSON } = value as { readonly toJSON?: unknown }
  if (typeof toJSON === 'function') {
    const data: unknown = toJSON.call(value, '')
    if (typeof data !== 'object' || data === null) return data
    walk.seen.set(value, value)
    return convert(data, walk)
  }
  return Array.isArray(value) ? convertedItems(value, walk) : convertedFields(value, walk)
}

function convertedItems(items: readonly unknown[], walk: Walk): readonly unknown[] {
  let copy: unknown[] | undefined
  let isEntered = false
  for (let at = 0; at < items.length; at++) {
    const item = items[at]
    if (typeof item !== 'object' || item === null) continue
    if (!isEntered) walk.seen.set(items, items)
    isEntered = true
    const data = convert(item, walk)
    if (data === item) continue
    copy ??= [...items]
    copy[at] = data
  }
  return copy ?? items
}

function convertedFields(value: object, walk: Walk): object {
  let copy: Record<string, unknown> | undefined
  let isEntered = false
  for (const name of Object.keys(value)) {
    const field = (value as Readonly<Record<string, unknown>>)[name]
    if (typeof field !== 'object' || field === null) continue
    if (!isEntered) walk.seen.set(value, value)
    isEntered = true
    const data = convert(field, walk)
    if (data === field) continue
    copy ??= { ...value }
    // A name such as __proto__ is a field here too.
    Object.defineProperty(copy, name, { value: data, configurable: true, enumerable: true, writable: true })
  }
  return copy ?? value
}

/** What the cache gives back as it was, reads as a stream, or refuses by its name. */
function comesBack(value: object): boolean {
  const { pipe, stream, getReader } = value as Readonly<Record<string, unknown>>
  return (
    isDate(value) ||
    ArrayBuffer.isView(value) ||
    isMap(value) ||
    isSet(value) ||
    isRegExp(value) ||
    isNativeError(value) ||
    isPromise(value) ||
    isBoxedPrimitive(value) ||
    [pipe, stream, getReader].some(member => typeof member === 'function')
  )
}
