import { listMembers, splitLine, trimmed } from './fields.js'
import { remembered } from './remembered.js'

/** One form for all values of a request field that mean the same. */
export function normalised(name: string, lines: readonly string[]): string {
  if (name === 'accept-encoding') return acceptedCodings(lines.join(','))
  if (name === 'accept-language' || name === 'accept-charset') return preferences(lines, 'unordered')
  if (name === 'accept') return preferences(lines, 'ordered')
  // Nobody knows the grammar of this one: empty members may mean something.
  return lines.flatMap(splitLine).join(', ')
}

/** Codings that handlers and compressing middleware choose among. Others make no difference to them. */
const CODINGS = ['br', 'zstd', 'gzip', 'identity']

/** Whether variants of `Accept-Encoding` tell who accepts a coding. */
export function isSelectableCoding(coding: string): boolean {
  return CODINGS.includes(canonicalCoding(coding.toLowerCase()))
}

/** RFC 9110 §8.4.1.3. */
function canonicalCoding(name: string): string {
  return name === 'x-gzip' ? 'gzip' : name
}

/**
 * `Accept-Encoding` by what it allows (RFC 9110 §12.5.3): the known codings that are acceptable, those of greater
 * weight first. A browser and curl that both take gzip share a variant if they take the same others.
 */
const acceptedCodings: (value: string) => string = /* @__PURE__ */ remembered(value => {
  const weights = new Map<string, number>()
  for (const { value: name, weight } of weighted([value])) {
    const coding = canonicalCoding(name)
    if (!weights.has(coding)) weights.set(coding, weight)
  }
  const star = weights.get('*')
  const weightOf = (coding: string) => weights.get(coding) ?? star ?? (coding === 'identity' ? LEAST : 0)
  return CODINGS.map(coding => ({ coding, weight: weightOf(coding) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ coding, weight }, at, all) => (at > 0 && weight === all[at - 1]?.weight ? `=${coding}` : coding))
    .join(' ')
})

/** Identity that is not mentioned is acceptable, and what is left when nothing else is. */
const LEAST = 0.0001

/**
 * A list of preferences by their weights. Members of one weight keep their order where handlers go by it, as those of
 * `Accept` do with `res.format`; else they are sorted: their order means nothing (RFC 9110 §12.5.4).
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
 * The members without white space around `;`, and their weights. What is before the first `;` has no case; parameters
 * may have one, and a member with a quote in it stays as it is.
 */
function weighted(lines: readonly string[]): { value: string; weight: number }[] {
  return listMembers(lines).map(member => {
    const [first = '', ...parameters] = (member.includes('"') ? [member] : member.split(';')).map(trimmed)
    const value = member.includes('"') ? member : first.toLowerCase()
    const at = parameters.findIndex(parameter => /^q=/i.test(parameter))
    const weight = at < 0 ? undefined : weightOf(parameters[at] ?? '')
    // What is no weight stays in the value, so that it makes a variant of its own.
    if (weight !== undefined) parameters.splice(at, 1)
    return { value: [value, ...parameters].join(';'), weight: weight ?? 1 }
  })
}

/** RFC 9110 §12.4.2: at most three digits. */
function weightOf(parameter: string): number | undefined {
  const match = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.exec(parameter)
  return match ? Number(match[1]) : undefined
}
