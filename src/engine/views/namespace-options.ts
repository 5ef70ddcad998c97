import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Storing } from '../options.js'
import { type Duration, milliseconds } from '../time.js'
import { encodeName } from './namespace-keys.js'

/** What a namespace is told when it is made. */
export interface NamespaceOptions {
  /**
   * A whole number of 0 or more, part of every key: with another one the namespace begins empty, and what the old one
   * holds is left to those who still use it. Source: DjangoCache's VERSION. @default 1
   */
  readonly version?: number
  /** Time to live of entries stored without one; `null`: never expires. @default that of the cache around it */
  readonly defaultTtl?: Duration | null
}

const OPTIONS = new Set(['version', 'defaultTtl'])

export interface ResolvedNamespace {
  readonly name: string
  readonly version: number
  readonly defaultTtl: Duration | null | undefined
  /** What its keys begin with, whatever the version. */
  readonly family: string
  /** What its keys begin with. */
  readonly prefix: string
}

/** @throws TypeError for a name that is no text, and for unknown options; RangeError for what is out of range */
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

/** The entries of a model among those of a cache. No name of a namespace has `=` in keys. */
export function modelPart(name: string): ResolvedNamespace {
  const prefix = `model=${encodeName(name)}:`
  return { name, version: 0, defaultTtl: undefined, family: prefix, prefix }
}

/** @throws TypeError when it is no well-formed text, RangeError when it is empty */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string' || !name.isWellFormed()) {
    throw new TypeError(`${what} must be a well-formed string, got ${kindOf(name)}`)
  }
  if (name === '') throw new RangeError(`${what} must not be empty`)
}

/** Puts the time to live of a view where an entry is stored without one. */
export function defaultsOf(
  defaultTtl: Duration | null | undefined,
  outer: <O extends Storing | undefined>(options: O) => O,
): <O extends Storing | undefined>(options: O) => O {
  if (defaultTtl === undefined) return outer
  return <O extends Storing | undefined>(options: O): O => {
    // What is no object is refused by the verb.
    if (options !== undefined && (typeof options !== 'object' || options === null)) return options
    if (options?.ttl !== undefined) return options
    return { ...options, ttl: defaultTtl } as O
  }
}
