import { type Dictionary, parseDictionary, Token } from 'structured-headers'
import { type Argument, type Directives, parseCacheControl } from './cache-control.js'
import { fieldLines, fieldValue } from './fields.js'
import type { Fields } from './message.js'

/** The directives that apply to this cache. */
export interface Effective {
  readonly directives: Directives
  /** Whether they come from a targeted field, and `Cache-Control` and `Expires` are ignored (RFC 9213 §2.2). */
  readonly targeted: boolean
}

/** Directives that give seconds, which must be integers in a targeted field (RFC 9213 §2.1). */
const OF_SECONDS: ReadonlySet<string> = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'])

/** Finds decimals such as `max-age=60.0`, which look like integers when parsed. */
const DECIMAL_SECONDS = /(?:^|[\t ,])(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=-?\d+\./
const STRINGS = /"(?:[^"\\]|\\.)*"/g

/**
 * The directives of a response that apply to this cache: those of the first targeted field that is present, valid and
 * not empty, else those of `Cache-Control` (RFC 9213 §2.2).
 *
 * @param targets names of the targeted fields, the most specific first
 */
export function effectiveDirectives(fields: Fields, targets: readonly string[]): Effective {
  for (const target of targets) {
    const value = fieldValue(fields, target)
    const directives = value === undefined ? undefined : parseTargeted(value)
    if (directives) return { directives, targeted: true }
  }
  return { directives: parseCacheControl(fieldLines(fields, 'Cache-Control')), targeted: false }
}

/**
 * Parses the directives of a targeted field, a dictionary of structured fields (RFC 9213 §2.1), without parameters.
 *
 * @returns `undefined` if the field must be ignored: it is invalid, empty, or gives seconds that are not an integer
 */
export function parseTargeted(value: string): Directives | undefined {
  const dictionary = parsed(value)
  if (dictionary === undefined || dictionary.size === 0 || DECIMAL_SECONDS.test(value.replace(STRINGS, '')))
    return undefined
  const directives = new Map<string, (Argument | undefined)[]>()
  for (const [name, [bare]] of dictionary) {
    if (OF_SECONDS.has(name) && !Number.isInteger(bare)) return undefined
    if (bare !== false) directives.set(name, [argumentOf(bare)])
  }
  return directives
}

function parsed(value: string): Dictionary | undefined {
  try {
    return parseDictionary(value)
  } catch {
    // A field that the parser refuses must be ignored (RFC 9213 §2.1).
    return undefined
  }
}

/** Takes strings, such as lists of field names, and numbers as arguments, and ignores everything else. */
function argumentOf(bare: unknown): Argument | undefined {
  if (typeof bare === 'number') return { text: String(bare), quoted: false }
  if (typeof bare === 'string') return { text: bare, quoted: true }
  return bare instanceof Token ? { text: bare.toString(), quoted: false } : undefined
}
