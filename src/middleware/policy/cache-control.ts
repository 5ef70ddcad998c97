import { isToken, listMembers } from './fields.js'
import { remembered } from './remembered.js'

/** What follows the `=` of a directive. */
export interface Argument {
  readonly text: string
  /** Whether it was given as a quoted string. The text here is without quotes and escapes. */
  readonly quoted: boolean
}

/**
 * Directives by their names in lower case, each with one argument for every time that it was given. `undefined` stands
 * for a directive without argument.
 */
export type Directives = ReadonlyMap<string, readonly (Argument | undefined)[]>

/** The greatest number of seconds: greater numbers count as this one (RFC 9111 §1.2.2). */
export const MOST_SECONDS = 2_147_483_648

/**
 * Parses the directives of all lines of `Cache-Control` (RFC 9111 §5.2). Names are case-insensitive. Malformed
 * directives are kept, with whatever follows the name as the argument: so `no-store;` still forbids storing, and
 * `max-age =60` allows nothing.
 */
export function parseCacheControl(lines: readonly string[]): Directives {
  const [first] = lines
  if (first === undefined) return NO_DIRECTIVES
  return lines.length === 1 ? directivesOfLine(first) : directivesOf(lines)
}

const NO_DIRECTIVES: Directives = new Map()
const directivesOfLine = /* @__PURE__ */ remembered(line => directivesOf([line]))

function directivesOf(lines: readonly string[]): Directives {
  const directives = new Map<string, (Argument | undefined)[]>()
  for (const member of listMembers(lines)) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(.*)$/s.exec(member)
    if (!match) continue
    const name = (match[1] ?? '').toLowerCase()
    const argument = argumentOf(match[2] ?? '')
    const before = directives.get(name)
    if (before) before.push(argument)
    else directives.set(name, [argument])
  }
  return directives
}

function argumentOf(rest: string): Argument | undefined {
  if (rest === '') return undefined
  if (!rest.startsWith('=')) return { text: rest, quoted: false }
  const text = rest.slice(1)
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)
  return quoted ? { text: (quoted[1] ?? '').replaceAll(/\\(.)/gs, '$1'), quoted: true } : { text, quoted: false }
}

/**
 * The seconds that a directive gives, quoted or not (RFC 9111 §5.2), in milliseconds.
 *
 * @returns `undefined` if it is missing, `invalid` if it is not a number of seconds or is given twice with different
 *   ones
 */
export function durationOf(directives: Directives, name: string): number | 'invalid' | undefined {
  const values = directives.get(name)
  if (values === undefined) return undefined
  const seconds = values.map(value =>
    value && /^\d+$/.test(value.text) ? Math.min(Number(value.text), MOST_SECONDS) : undefined,
  )
  const [first] = seconds
  return first === undefined || seconds.some(other => other !== first) ? 'invalid' : first * 1000
}

/** Whether a directive that allows something is valid: it must be given without argument. */
export function isGranted(directives: Directives, name: string): boolean {
  return directives.get(name)?.some(value => value === undefined) ?? false
}

/**
 * Whether `private` or `no-cache` applies to the whole response and not only to some fields (RFC 9111 §5.2.2.4,
 * §5.2.2.7). An argument that is not a quoted list of field names is ignored: `private=true` means private.
 */
export function isUnqualified(directives: Directives, name: 'private' | 'no-cache'): boolean {
  return directives.get(name)?.some(value => namesIn(value) === undefined) ?? false
}

/** The field names, in lower case, that `private="…"` or `no-cache="…"` is limited to. */
export function qualifiedNames(directives: Directives, name: 'private' | 'no-cache'): readonly string[] {
  return (directives.get(name) ?? []).flatMap(value => namesIn(value) ?? [])
}

function namesIn(value: Argument | undefined): string[] | undefined {
  if (!value?.quoted) return undefined
  const names = listMembers([value.text]).map(name => name.toLowerCase())
  const valid = names.length > 0 && names.every(isToken)
  return valid ? names : undefined
}
