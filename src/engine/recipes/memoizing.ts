import type { DiskCache } from '../contract.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Computing, Key, Tag } from '../options.js'
import { type Duration, milliseconds } from '../time.js'
import { encodeTag } from '../verbs/verb-options.js'
import { argumentsKey, checkArguments, type KeyRules, keptArguments, resolveIgnore } from './arguments-key.js'
import { type AsyncCall, dressAs, nameOf } from './wrapping.js'

/**
 * Options of `memoize`. The functions that take them have a separate type parameter for the arguments of `key`,
 * because the compiler would otherwise make optional parameters of the function required.
 */
export interface MemoizeOptions<This, Args extends readonly unknown[]> {
  /**
   * First part of all keys. Python's `cache.memoize(name=…)` of the same name shares the results.
   *
   * @default `fn.name`
   */
  readonly name?: string | undefined
  /**
   * Time to live of results: milliseconds or a string. 0: stored results are still read, new ones are not stored.
   *
   * @default the cache's `defaultTtl`
   */
  readonly ttl?: Duration | null | undefined
  /** Tag of the results. */
  readonly tag?: Tag | undefined
  /** Makes the types of arguments part of the key, which keeps the results of 1, 1n and true apart. @default false */
  readonly typed?: boolean | undefined
  /**
   * Arguments that are not part of the key: positions, counted from 0, and names of properties of arguments that are
   * plain objects. @default none
   */
  readonly ignore?: readonly (number | string)[] | ReadonlySet<number | string> | undefined
  /** Returns the whole key of a call, instead of name and arguments. Two functions must not return the same key. */
  readonly key?: ((this: This, ...args: Args) => Key) | undefined
}

/** A function whose results are kept in a cache. */
export interface Memoized<This, Args extends readonly unknown[], Result> extends AsyncCall<This, Args, Result> {
  /** The key of the result of a call with these arguments. Use it to read, delete or touch the result. */
  cacheKey(...args: Args): Key
  /** The function that was wrapped. */
  readonly original: (this: This, ...args: Args) => Result
}

/** The keys of the calls of one function. */
export interface CallKeys<This, Args> {
  of(self: This, args: Args): Key
  /** The arguments as they are now, for a call that may take place later. */
  kept(args: Args): Args
  /** @throws TypeError that names the argument which cannot be part of a key */
  check(args: Args): void
}

/** Option names of both memoizing functions. */
export const MEMOIZE_OPTIONS: readonly string[] = ['name', 'ttl', 'tag', 'typed', 'ignore', 'key']

/** Checks the options and returns those that `getOrSet` takes. */
export function resolveMemoizing(
  options: { readonly ttl?: Duration | null; readonly tag?: Tag },
  recipe: string,
  known: ReadonlySet<string>,
): Computing {
  checkOptionsObject(options, recipe)
  checkOptionNames(options, known, recipe)
  const { ttl, tag } = options
  if (ttl !== undefined && ttl !== null) milliseconds(ttl, 'ttl')
  if (tag !== undefined) encodeTag(tag)
  return { ttl, tag }
}

export function callKeys<This, Args extends readonly unknown[], Result>(
  cache: DiskCache,
  fn: (this: This, ...args: Args) => Result,
  { key, name, typed, ignore }: MemoizeOptions<This, Args>,
  recipe: string,
): CallKeys<This, Args> {
  if (key === undefined) {
    const isTyped: unknown = typed === undefined ? false : typed
    if (typeof isTyped !== 'boolean') throw new TypeError(`typed must be true or false, got ${kindOf(typed)}`)
    const rules: KeyRules = { name: nameOf(cache, fn, name, { recipe }), typed: isTyped, ignore: resolveIgnore(ignore) }
    return {
      of: (_self, args) => argumentsKey(rules, args),
      kept: args => keptArguments(rules, args) as Args,
      check: args => checkArguments(rules, args),
    }
  }
  if (typeof key !== 'function') throw new TypeError(`key must be a function that makes a key, got ${kindOf(key)}`)
  if (typed !== undefined || ignore !== undefined) {
    throw new TypeError(`${recipe}: key makes the whole key, typed and ignore mean nothing beside it`)
  }
  return { of: (self, args) => Reflect.apply(key, self, args), kept: args => args, check: () => undefined }
}

/** Gives the wrapper the members of a memoized function. */
export function asMemoized<This, Args extends readonly unknown[], Result>(
  wrapper: AsyncCall<This, Args, Result>,
  original: (this: This, ...args: Args) => Result,
  keys: CallKeys<This, Args>,
): Memoized<This, Args, Result> {
  const cacheKey = function (this: unknown, ...args: Args): Key {
    keys.check(args)
    // Called as a method, `this` is the wrapper. `cacheKey.call(self, …)` sets the `this` that `key` gets.
    return keys.of((this === wrapper ? undefined : this) as This, args)
  }
  return dressAs(Object.assign(wrapper, { cacheKey, original }), original)
}
