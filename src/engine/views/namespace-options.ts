import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Storing } from '../options.js'
import { type Duration, milliseconds } from '../time.js'
import { encodeName } from './namespace-keys.js'

/** Options of `namespace`. */
export interface NamespaceOptions {
  /**
   * A whole number of 0 or more that is part of every key. With a new version the namespace starts empty; the entries
   * of the old one stay for processes that still use it. Source: DjangoCache's VERSION.
   *
   * @default 1
   */
  readonly version?: number | undefined
  /** Time to live of entries stored without one. `null`: they never expire. @default the cache's `defaultTtl` */
  readonly defaultTtl?: Duration | null | undefined
}

const OPTIONS = new Set(['version', 'defaultTtl'])

export interface ResolvedNamespace {
  readonly name: string
  readonly version: number
  readonly defaultTtl: Duration | null | undefined
  /** The prefix of its keys in all versions. */
  readonly family: string
  /** The prefix of its keys. */
  readonly prefix: string
}

/**
 * Checks name and options.
 *
 * @throws TypeError for wrong types and unknown options; RangeError for values out of range
 */
export function resolveNamespace(name: unknown, options: NamespaceOptions): ResolvedNamespace {
  checkName(name, 'the name of a namespace')
  checkOptionsObject(options, 'namespace')
  checkOptionNames(options, OPTIONS, 'namespace')
  const { version = 1, defaultTtl } = options
  if (typeof version !== 'number') {
    throw new TypeError(`version of a namespace must be a whole number, got ${kindOf(version)}`)
  }
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new RangeError(`version of a namespace must be a whole number of 0 or more, got ${version}`)
  }
  if (defaultTtl !== undefined && defaultTtl !== null) milliseconds(defaultTtl, 'defaultTtl')
  const family = `${encodeName(name)}:`
  return { name, version, defaultTtl, family, prefix: `${family}${version + 0}:` }
}

/** The part of a cache that holds the entries of a model. No namespace has `=` in its keys. */
export function modelPart(name: string): ResolvedNamespace {
  const prefix = `model=${encodeName(name)}:`
  return { name, version: 0, defaultTtl: undefined, family: prefix, prefix }
}

/** @throws TypeError when it is no well-formed string; RangeError when it is empty */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string' || !name.isWellFormed()) {
    throw new TypeError(`${what} must be a well-formed string, got ${kindOf(name)}`)
  }
  if (name === '') throw new RangeError(`${what} must not be empty`)
}

/** Adds the time to live of a view to options without one. */
export function defaultsOf(
  defaultTtl: Duration | null | undefined,
  outer: <O extends Storing | undefined>(options: O) => O,
): <O extends Storing | undefined>(options: O) => O {
  if (defaultTtl === undefined) return outer
  return <O extends Storing | undefined>(options: O): O => {
    // The verb refuses options that are no object.
    if (options !== undefined && (typeof options !== 'object' || options === null)) return options
    if (options?.ttl !== undefined) return options
    return { ...options, ttl: defaultTtl } as O
  }
}
