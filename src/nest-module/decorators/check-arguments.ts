import { kindOf } from '../../engine/option-names.js'

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(one => typeof one === 'string')
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** Whether a value has a text of its own, by which it can be told from others. */
export function isKey(value: unknown): value is string | number | bigint {
  return typeof value === 'string' || typeof value === 'bigint' || Number.isFinite(value)
}

/** Checks an option. @throws TypeError when it is given and of none of these types */
export function checkOption(
  value: unknown,
  name: string,
  expected: string,
  ...kinds: readonly ((value: unknown) => boolean)[]
): void {
  if (value === undefined || kinds.some(isKind => isKind(value))) return
  throw unexpected(name, expected, value)
}

export function unexpected(name: string, expected: string, got: unknown): TypeError {
  return new TypeError(`${name}: expected ${expected}, got ${kindOf(got)}`)
}
