import type { DiskCache } from '../contract.js'
import { oncePerProcess } from '../once-per-process.js'
import { kindOf } from '../option-names.js'

/** The asynchronous form of a function: the same `this` and parameters, a promise of its result. */
export type AsyncCall<This, Args extends readonly unknown[], Result> = (
  this: This,
  ...args: Args
) => Promise<Awaited<Result>>

/**
 * What an asynchronous function `F` has besides the one signature that was inferred, and keeps when it is wrapped: type
 * parameters and overloads. Nothing where it answers no plain promise, or has properties of its own.
 */
export type OwnCall<F, This, Args extends readonly unknown[], Result> = [
  (this: This, ...args: Args) => Result,
] extends [F]
  ? unknown
  : keyof F extends never
    ? [Result, Promise<Awaited<Result>>] extends [Promise<unknown>, Result]
      ? F
      : unknown
    : unknown

const sources = oncePerProcess('sources', () => new WeakMap<DiskCache, Map<string, string>>())

/** Checks that a function was given. @throws TypeError that shows how the recipe is called */
export function checkFunction(fn: unknown, usage: string): void {
  if (typeof fn === 'function') return
  throw new TypeError(`${usage}: the second argument must be a function, got ${kindOf(fn)}`)
}

/**
 * The given name, or that of the function.
 *
 * @throws TypeError when there is neither, and when another function has the same name, because both would share an
 *   entry
 */
export function nameOf(
  cache: DiskCache,
  fn: { readonly name: string },
  name: unknown,
  { recipe, prefix = '' }: { readonly recipe: string; readonly prefix?: string },
): string {
  if (name !== undefined) {
    if (typeof name === 'string' && name !== '' && name.isWellFormed()) return name
    throw new TypeError(`${recipe}: name must be a well-formed string that is not empty, got ${kindOf(name)}`)
  }
  if (fn.name === '') throw new TypeError(`${recipe}: the function has no name of its own, give the option name`)
  const known = sources.get(cache) ?? new Map<string, string>()
  sources.set(cache, known)
  const source = Function.prototype.toString.call(fn)
  const id = `${recipe} ${fn.name}`
  if ((known.get(id) ?? source) !== source) {
    throw new TypeError(`${recipe}: another function is named ${fn.name} on this cache, give the option name`)
  }
  known.set(id, source)
  return prefix + fn.name
}

/** Gives a wrapper the name and length of the function that it wraps. */
export function dressAs<F extends object>(wrapper: F, fn: { readonly name: string; readonly length: number }): F {
  Object.defineProperty(wrapper, 'name', { value: fn.name, configurable: true })
  return Object.defineProperty(wrapper, 'length', { value: fn.length, configurable: true })
}
