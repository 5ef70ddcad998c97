import { isDeepStrictEqual, types } from 'node:util'
import { asStored } from '../disk/as-stored.js'
import type { Codec } from '../disk/codec.js'
import { kindOf } from '../option-names.js'

/** Whether two values are equal: the same scalar of one type, or deeply equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b)
}

/** What would be read after storing a value. One that cannot be stored is returned as it is: it equals no stored value. */
export function asStoredOrItself(codec: Codec, value: unknown): unknown {
  try {
    return asStored(codec, value)
  } catch (error) {
    if (error instanceof TypeError) return value
    throw error
  }
}

/** The order of two values that are not equal. @throws TypeError if they cannot be ordered */
export function orderOf(a: unknown, b: unknown): -1 | 1 {
  if (types.isUint8Array(a) && types.isUint8Array(b)) return Buffer.compare(a, b) < 0 ? -1 : 1
  if (haveOrder(a, b)) {
    if ((a as number) < (b as number)) return -1
    if ((a as number) > (b as number)) return 1
  }
  throw new TypeError(`compare: ${kindOf(a)} and ${kindOf(b)} have no order`)
}

function haveOrder(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' || typeof a === 'bigint') return typeof b === 'number' || typeof b === 'bigint'
  if (types.isDate(a)) return types.isDate(b)
  return (typeof a === 'string' || typeof a === 'boolean') && typeof a === typeof b
}

/** The iterator of any iterable, asynchronous or not; `undefined` if it is not iterable. */
export function iteratorOf(items: unknown): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (typeof items === 'string') return items[Symbol.iterator]()
  if (typeof items !== 'object' || items === null) return undefined
  if (Symbol.asyncIterator in items) return (items as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  if (Symbol.iterator in items) return (items as Iterable<unknown>)[Symbol.iterator]()
  return undefined
}
