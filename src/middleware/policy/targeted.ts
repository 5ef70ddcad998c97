import { type Dictionary, parseDictionary, Token } from 'structured-headers'
import { type Argument, type Directives, parseCacheControl } from './cache-control.js'
import { fieldLines, fieldValue } from './fields.js'
import type { Fields } from './message.js'

/** The directives that count for this cache. */
export interface Effective {
  readonly directives: Directives
  /** They came from a targeted field, so that `Cache-Control` and `Expires` count for nothing (RFC 9213 §2.2). */
  readonly targeted: boolean
}

/** Directives that give seconds, which must be integers in a targeted field (RFC 9213 §2.1). */
const OF_SECONDS: ReadonlySet<string> = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'])

/** `max-age=60.0` is a decimal, which parsed looks like the integer. */
const DECIMAL_SECONDS = /(?:^|[\t ,])(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)=-?\d+\./
const STRINGS = /"(?:[^"\\]|\\.)*"/g

/**
 * The directives of a response for this cache: those of the first field of the target list that is there, valid and not
 * empty, else those of `Cache-Control` (RFC 9213 §2.2).
 *
 * @param targets names of fields, the most specific first
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
 * The directives of a targeted field, a dictionary of structured fields (RFC 9213 §2.1). `undefined` when the field has
 * to be ignored: it does not parse, is empty, or gives seconds as anything else than an integer. Parameters mean
 * nothing.
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
    // Whatever it was that the parser did not like, RFC 9213 §2.1 says to do as if there were no such field.
    return undefined
  }
}

/** A list of field names may be a string, as it would be in `Cache-Control`. All else but numbers is no argument. */
function argumentOf(bare: unknown): Argument | undefined {
  if (typeof bare === 'number') return { text: String(bare), quoted: false }
  if (typeof bare === 'string') return { text: bare, quoted: true }
  return bare instanceof Token ? { text: bare.toString(), quoted: false } : undefined
}
