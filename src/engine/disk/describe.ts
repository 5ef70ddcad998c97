import { types } from 'node:util'

/** The path from a value to one of its parts: property names and indices. */
export type Path = readonly (string | number)[]

/** A phrase with its article for error messages: 'undefined', 'a function', 'a Map', 'an instance of User', 'NaN'. */
export function describeKind(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'undefined'
    case 'string':
      return value.isWellFormed() ? 'a string' : 'text with a lone surrogate'
    case 'number':
      return Number.isNaN(value) ? 'NaN' : 'a number'
    case 'bigint':
      return `a bigint of ${String(value).length} digits`
    case 'object':
      return value === null ? 'null' : describeObject(value)
    default:
      return `a ${typeof value}`
  }
}

/** Formats a path as an expression: `value.users[3].name`. */
export function formatPath(root: string, path: Path): string {
  let text = root
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
  }
  return text
}

/** Whether an object was made by `{}` or has no prototype, in any realm (Jest runs tests in a realm of its own). */
export function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
}

/** Whether an array has properties beside its items, as that of a match has: `'ab'.match(/b/)`. */
export function hasProperties(values: readonly unknown[]): boolean {
  return Object.keys(values).length > values.length
}

/** Whether a value is a promise or has a method `then`. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The error of all codecs for a value that cannot be stored. */
export function notStorable(
  value: unknown,
  { where = 'value', expected = 'data that can be stored', cause }: Refusal = {},
): TypeError {
  // The caller gets this error. A failure of the refused promise must not end the process as well.
  if (types.isPromise(value)) value.catch(() => {})
  const hint = isThenable(value) ? ' (await it first)' : ''
  return new TypeError(`expected ${where} to be ${expected}, got ${describeKind(value)}${hint}`, { cause })
}

interface Refusal {
  readonly where?: string
  readonly expected?: string
  readonly cause?: unknown
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return hasProperties(value) ? 'an array with properties' : 'an array'
  const builtin = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (builtin !== 'Object') return `${/^[AEIO]/.test(builtin) ? 'an' : 'a'} ${builtin}`
  if (isPlainObject(value)) return 'an object'
  const { constructor: maker } = value as { constructor?: unknown }
  const name: unknown = typeof maker === 'function' ? maker.name : undefined
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object with a prototype'
}
