import type { Fields } from './message.js'

/** The values of all lines of a field, without white space around them. */
export function fieldLines(fields: Fields, name: string): string[] {
  const lines: string[] = []
  for (const line of fields) {
    if (sameName(line[0], name)) lines.push(trimmed(line[1]))
  }
  return lines
}

function sameName(given: string, name: string): boolean {
  return given.length === name.length && (given === name || given.toLowerCase() === name.toLowerCase())
}

/** All lines of a field as one value, joined by `, ` (RFC 9110 §5.2); `undefined` when there is none. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  const lines = fieldLines(fields, name)
  return lines.length === 0 ? undefined : lines.join(', ')
}

/** The value of a field that is not a list; `undefined` if it is missing, empty, or given with two values. */
export function singleValue(fields: Fields, name: string): string | undefined {
  const [first, ...others] = fieldLines(fields, name)
  return first === '' || others.some(other => other !== first) ? undefined : first
}

/** Whether there is a line of that name, even an empty one. */
export function hasField(fields: Fields, name: string): boolean {
  for (const line of fields) {
    if (sameName(line[0], name)) return true
  }
  return false
}

/**
 * The members of a list (RFC 9110 §5.6.1): split at commas outside of quoted strings and trimmed, without empty ones.
 * The text after a quote that is never closed is split as well, so that nobody can hide a directive there.
 */
export function listMembers(lines: readonly string[]): string[] {
  return lines.flatMap(splitLine).filter(Boolean)
}

/** Splits one line as {@link listMembers} does, but keeps empty members. */
export function splitLine(line: string): string[] {
  if (!line.includes('"')) return line.split(',').map(trimmed)
  const members: string[] = []
  let start = 0
  let quotes = true
  for (let at = 0; at <= line.length; at++) {
    if (at === line.length || line[at] === ',') {
      members.push(trimmed(line.slice(start, at)))
      start = at + 1
    } else if (quotes && line[at] === '"') {
      const end = endOfQuoted(line, at)
      if (end === undefined) quotes = false
      else at = end
    }
  }
  return members
}

/** The position of the closing quote of the quoted string that begins at `start` (RFC 9110 §5.6.4). */
function endOfQuoted(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return undefined
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Whether a text is a token (RFC 9110 §5.6.2), as the names of fields are. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** The text without spaces and tabs around it, the only white space in fields (RFC 9110 §5.6.3). */
export function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/**
 * Fields for a single connection (RFC 9110 §7.6.1), fields between a client and its proxy (RFC 9111 §3.1), and
 * `Trailer`, since trailers are not stored.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * The fields of a response that may be stored: all but hop-by-hop fields and those that `Connection` names (RFC 9111
 * §3.1).
 */
export function withoutHopByHop(fields: Fields): Fields {
  const named = new Set(listMembers(fieldLines(fields, 'Connection')).map(name => name.toLowerCase()))
  return fields.filter(([name]) => {
    const lower = name.toLowerCase()
    return !HOP_BY_HOP.has(lower) && !named.has(lower)
  })
}

/** Replaces all lines of a name by a single one, at the place of the first or, if there was none, at the end. */
export function setField(fields: Fields, name: string, value: string): Fields {
  const wanted = name.toLowerCase()
  const first = fields.findIndex(([given]) => given.toLowerCase() === wanted)
  if (first < 0) return [...fields, [name, value]]
  return fields.flatMap((line, at): Fields => {
    if (at === first) return [[name, value]]
    return line[0].toLowerCase() === wanted ? [] : [line]
  })
}

/** The fields without all lines of these names. */
export function deleteField(fields: Fields, ...names: readonly string[]): Fields {
  const unwanted = new Set(names.map(name => name.toLowerCase()))
  return fields.filter(([given]) => !unwanted.has(given.toLowerCase()))
}
