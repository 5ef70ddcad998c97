import { kindOf } from '../../engine/option-names.js'

/**
 * Arguments of a call as a text that is equal for equal arguments and for no others: JSON where JSON can tell them apart.
 * The order of properties does not count.
 *
 * @param place names the method, for the message
 * @throws TypeError for what has no value of its own: instances of classes, functions, symbols, promises
 */
export function argumentText(args: readonly unknown[], place: string): string {
  return args.map(argument => textOf(argument, place, 0)).join(',')
}

const DEEPEST = 64

function textOf(value: unknown, place: string, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return `${value}n`
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      if (depth < DEEPEST) return value === null ? 'null' : objectText(value, place, depth + 1)
  }
  throw new TypeError(
    `@Cacheable: ${place} was given ${kindOf(value)}, of which no key can be made; say which with key: (...args) => string`,
  )
}

function objectText(value: object, place: string, depth: number): string {
  if (Array.isArray(value)) return `[${Array.from(value, item => textOf(item, place, depth)).join(',')}]`
  if (value instanceof Date) return `Date(${value.getTime()})`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(
      `@Cacheable: ${place} was given an instance of ${value.constructor?.name ?? 'a class'}, of which no key can be made; say which with key: (...args) => string`,
    )
  }
  const properties = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${properties.map(([name, item]) => `${JSON.stringify(name)}:${textOf(item, place, depth)}`).join(',')}}`
}
