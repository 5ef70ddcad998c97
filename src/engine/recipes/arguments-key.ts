import { types } from 'node:util'
import { isPlainObject } from '../disk/describe.js'
import { encodeKey } from '../disk/keys.js'
import { kindOf } from '../option-names.js'
import type { Key } from '../options.js'

/** The depth to which nested objects are copied, which no key reaches. */
const MAX_DEPTH = 100
const NOTHING: readonly never[] = []

/** How the arguments of a call become a key. */
export interface KeyRules {
  readonly name: string
  /** Whether the types of the arguments are part of the key. */
  readonly typed: boolean
  /** Positions of arguments, and names of properties of arguments, that are left out. */
  readonly ignore: ReadonlySet<number | string>
}

/**
 * The key of a call, in the form of Python's `memoize` for positional arguments: the name, the arguments that count,
 * `null`. Undefined arguments at the end are left out, as are undefined properties of objects.
 *
 * Python puts keyword arguments after the `null`. Here the names of the types follow it with `typed`, otherwise the
 * positions of undefined arguments, which distinguishes them from nulls.
 */
export function argumentsKey({ name, typed, ignore }: KeyRules, args: readonly unknown[]): Key {
  const kept: unknown[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]
    if (!ignore.has(at)) kept.push(typeof arg === 'object' ? withoutUndefined(arg, ignore, 0) : arg)
  }
  while (kept.length > 0 && kept[kept.length - 1] === undefined) kept.pop()
  const tail = typed ? kept.map(typeName) : kept.includes(undefined) ? [gapsIn(kept)] : NOTHING
  return [name, ...kept.map(toNull), null, ...tail] as Key
}

/**
 * The arguments as they are now, for a function that is called later: those which count are copied, so that its result
 * is that of the key. @throws TypeError for an object that holds itself
 */
export function keptArguments({ ignore }: KeyRules, args: readonly unknown[]): readonly unknown[] {
  const isCopied = (arg: unknown, at: number): boolean => typeof arg === 'object' && !ignore.has(at)
  if (!args.some(isCopied)) return args
  return args.map((arg, at) => (isCopied(arg, at) ? copyOf(arg, ignore, 0) : arg))
}

/** Checks arguments. @throws TypeError that names the argument which cannot be part of a key, and says what to do */
export function checkArguments({ name, ignore }: KeyRules, args: readonly unknown[]): void {
  for (const [at, arg] of args.entries()) {
    if (arg === undefined || ignore.has(at)) continue
    try {
      encodeKey([withoutUndefined(arg, ignore, 0)])
    } catch (cause) {
      const reason = (cause as Error).message.replaceAll('key[0]', `args[${at}]`)
      throw new TypeError(`${name}: ${reason}; give the option key: (...args) => Key, or ignore that argument`, {
        cause,
      })
    }
  }
}

/** Checks the option `ignore`. @throws TypeError for what is no position or name; RangeError for a wrong position */
export function resolveIgnore(ignore: unknown): ReadonlySet<number | string> {
  if (ignore === undefined) return new Set()
  if (!Array.isArray(ignore) && !types.isSet(ignore)) {
    throw new TypeError(`ignore must be an array of positions and names of properties, got ${kindOf(ignore)}`)
  }
  for (const one of ignore as Iterable<unknown>) {
    if (typeof one === 'string') continue
    if (typeof one !== 'number') throw new TypeError(`ignore must hold positions and names only, got ${kindOf(one)}`)
    if (!Number.isInteger(one) || one < 0) {
      throw new RangeError(`ignore: a position is a whole number from 0, got ${kindOf(one)}`)
    }
  }
  return new Set(ignore as Iterable<number | string>)
}

/** Copies an argument without undefined properties, at any depth, and without ignored ones at the first level. */
function withoutUndefined(value: unknown, ignore: ReadonlySet<number | string>, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  checkDepth(depth)
  if (Array.isArray(value)) return value.map(part => withoutUndefined(part, ignore, depth + 1))
  if (!isPlainObject(value)) return value
  const entries = Object.entries(value).filter(([name, part]) => {
    return part !== undefined && !(depth === 0 && ignore.has(name))
  })
  return Object.fromEntries(entries.map(([name, part]) => [name, withoutUndefined(part, ignore, depth + 1)]))
}

/** Copies the parts of an argument that can be part of a key. */
function copyOf(value: unknown, ignore: ReadonlySet<number | string>, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  checkDepth(depth)
  if (Array.isArray(value)) return value.map(part => copyOf(part, ignore, depth + 1))
  // Not the method of a Buffer, which shares its bytes.
  if (types.isUint8Array(value)) return Uint8Array.prototype.slice.call(value)
  if (!isPlainObject(value)) return value
  const copy: Record<string, unknown> = { ...value }
  for (const name of Object.keys(copy)) {
    if (depth > 0 || !ignore.has(name)) copy[name] = copyOf(copy[name], ignore, depth + 1)
  }
  return Object.getPrototypeOf(value) === null ? Object.setPrototypeOf(copy, null) : copy
}

/** Stops at once in an object that holds itself: it may do so in several places, each of which has as many. */
function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new TypeError('key[0] is nested too deeply, or holds itself')
}

/** The positions of undefined arguments. */
function gapsIn(args: readonly unknown[]): number[] {
  return args.flatMap((arg, at) => (arg === undefined ? [at] : []))
}

function toNull(arg: unknown): unknown {
  return arg === undefined ? null : arg
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return types.isUint8Array(value) ? 'bytes' : typeof value
}
