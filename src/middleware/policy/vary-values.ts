import { isToken, listMembers, splitLine, trimmed } from './fields.js'
import { remembered } from './remembered.js'

/** Brings values of a request field that mean the same into the same form. */
export function normalised(name: string, lines: readonly string[]): string {
  if (name === 'accept-encoding') return acceptedCodings(lines.join(','))
  if (name === 'accept-language' || name === 'accept-charset') return preferences(lines, 'unordered')
  if (name === 'accept') return preferences(lines, 'ordered')
  // The grammar of this field is unknown: empty members may mean something.
  return lines.flatMap(splitLine).join(', ')
}

/** The codings among which handlers and compressing middleware choose. */
const CODINGS = ['br', 'zstd', 'gzip', 'identity']

/** Whether variants by `Accept-Encoding` distinguish who accepts a coding. */
export function isSelectableCoding(coding: string): boolean {
  return CODINGS.includes(canonicalCoding(coding.toLowerCase()))
}

/** Replaces the old name `x-gzip` (RFC 9110 §8.4.1.3). */
function canonicalCoding(name: string): string {
  return name === 'x-gzip' ? 'gzip' : name
}

/**
 * The known codings that an `Accept-Encoding` accepts, those with greater weights first (RFC 9110 §12.5.3). Clients
 * that accept the same of these codings share a variant.
 *
 * A value with an invalid weight, other parameters or a coding that is there twice is a variant of its own: handlers
 * read it in their own ways, and others must not get a coding that it seems not to accept.
 */
const acceptedCodings: (value: string) => string = /* @__PURE__ */ remembered(value => {
  const weights = new Map<string, number>()
  for (const { value: name, weight } of weighted([value])) {
    const coding = canonicalCoding(name)
    if (weights.has(coding) || !isToken(coding)) return `?${value}`
    weights.set(coding, weight)
  }
  const star = weights.get('*')
  const weightOf = (coding: string) => weights.get(coding) ?? star ?? (coding === 'identity' ? LEAST : 0)
  return CODINGS.map(coding => ({ coding, weight: weightOf(coding) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ coding, weight }, at, all) => (at > 0 && weight === all[at - 1]?.weight ? `=${coding}` : coding))
    .join(' ')
})

/** The weight of `identity` if it is not mentioned: acceptable, but after everything else. */
const LEAST = 0.0001

/**
 * Orders a list of preferences by their weights. Members of equal weight keep their order if handlers depend on it, as
 * `res.format` does for `Accept`. Otherwise they are sorted: their order means nothing (RFC 9110 §12.5.4).
 */
function preferences(lines: readonly string[], order: 'ordered' | 'unordered'): string {
  const members = weighted(lines)
  members.sort((a, b) => {
    if (a.weight !== b.weight || order === 'ordered') return b.weight - a.weight
    return a.value < b.value ? -1 : Number(a.value > b.value)
  })
  return members.map(({ value, weight }) => (weight === 1 ? value : `${value};q=${weight}`)).join(', ')
}

/**
 * The members without white space around `;`, and their weights. The part before the first `;` is put into lower case.
 * Parameters keep their case, and a member that contains a quote stays unchanged.
 */
function weighted(lines: readonly string[]): { value: string; weight: number }[] {
  return listMembers(lines).map(member => {
    const [first = '', ...parameters] = (member.includes('"') ? [member] : member.split(';')).map(trimmed)
    const value = member.includes('"') ? member : first.toLowerCase()
    const at = parameters.findIndex(parameter => /^q=/i.test(parameter))
    const weight = at < 0 ? undefined : weightOf(parameters[at] ?? '')
    // An invalid weight stays in the value, and so makes a variant of its own.
    if (weight !== undefined) parameters.splice(at, 1)
    return { value: [value, ...parameters].join(';'), weight: weight ?? 1 }
  })
}

/** Parses a weight, which has at most three decimals (RFC 9110 §12.4.2). */
function weightOf(parameter: string): number | undefined {
  const match = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.exec(parameter)
  return match ? Number(match[1]) : undefined
}
