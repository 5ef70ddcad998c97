import { isBoxedPrimitive, isDate, isMap, isNativeError, isPromise, isRegExp, isSet } from 'node:util/types'

/**
 * Replaces objects with a `toJSON` by its result before they are stored. The stores that these doors replace did so,
 * and database documents, ids, decimals and URLs have no useful fields of their own. Values that are read back
 * unchanged stay: Date, Map, Set, bytes and errors, and also streams.
 *
 * @returns the value itself when there is nothing to replace
 * @throws the errors of `toJSON`
 */
export function dataOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? convert(value, { seen: new Map(), depth: 0 }) : value
}

interface Walk {
  /** The results for containers, which may occur twice or contain themselves. */
  readonly seen: Map<object, unknown>
  depth: number
}

/** Limit of depth. Deeper parts stay unchanged. */
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
    // Defined, so that a name such as __proto__ is an ordinary field.
    Object.defineProperty(copy, name, { value: data, configurable: true, enumerable: true, writable: true })
  }
  return copy ?? value
}

/** Whether the cache returns an object unchanged, reads it as a stream, or refuses it by name. */
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
