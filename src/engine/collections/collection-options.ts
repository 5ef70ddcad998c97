import { kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import { checkIterable } from '../verbs/verb-options.js'
import type { Walking } from './contract.js'

/** Checks a limit of items. @throws TypeError when it is no number; RangeError when it is below 0 or not whole */
export function checkMaxLength(maxLength: unknown): number {
  if (typeof maxLength !== 'number') throw new TypeError(`maxLength must be a number, got ${kindOf(maxLength)}`)
  if (maxLength === Number.POSITIVE_INFINITY || (Number.isSafeInteger(maxLength) && maxLength >= 0)) return maxLength
  throw new RangeError(`maxLength must be a whole number of 0 or more, or Infinity, got ${maxLength}`)
}

/** Text is a list of characters, as it is for a Set. @throws TypeError */
export function checkItems(items: unknown, verb: string): void {
  if (typeof items !== 'string') checkIterable(items, verb)
}

/** @throws TypeError when it is no whole number */
export function checkIndex(index: unknown, verb: string): asserts index is number {
  if (Number.isInteger(index)) return
  throw new TypeError(`${verb}: the index must be a whole number, got ${kindOf(index)}`)
}

/** @throws TypeError when it is no whole number */
export function checkSteps(steps: unknown): asserts steps is number {
  if (Number.isInteger(steps)) return
  throw new TypeError(`rotate: steps must be a whole number, got ${kindOf(steps)}`)
}

/** @throws TypeError */
export function checkReverse(options: Walking | undefined, verb: string): boolean {
  const { reverse = false } = options ?? {}
  if (typeof reverse === 'boolean') return reverse
  throw new TypeError(`${verb}: reverse must be true or false, got ${kindOf(reverse)}`)
}

/** Checks an entry of `Index.setMany`, which has no options because it never expires. @throws TypeError */
export function checkPair(entry: unknown): readonly [key: Key, value: unknown] {
  if (Array.isArray(entry) && entry.length === 2) {
    // The codec checks the key when it encodes it.
    const [key, value]: unknown[] = entry
    return [key as Key, value]
  }
  throw new TypeError(`setMany: entries of an Index must be [key, value], got ${kindOf(entry)}`)
}
