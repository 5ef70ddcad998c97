import { parseHttpDate } from './dates.js'
import { fieldLines, fieldValue, singleValue } from './fields.js'
import type { Fields, RequestHead } from './message.js'

/** What a representation is known by: values of its fields. */
export interface Validators {
  /** The value of `ETag`. */
  readonly etag?: string | undefined
  /** The value of `Last-Modified`. */
  readonly lastModified?: string | undefined
  /**
   * The value of `Date`: stands in for a missing `Last-Modified` when `If-Modified-Since` is evaluated (RFC 9111
   * §4.3.2).
   */
  readonly date?: string | undefined
}

/** What preconditions are evaluated against. */
export interface Evaluated extends Validators {
  /**
   * The status that would be answered without them; others than 2xx and 412 ignore them (RFC 9110 §13.2.1). 200 when
   * left out.
   */
  readonly status?: number
  /** Epoch milliseconds, for two-digit years: {@link parseHttpDate}. */
  readonly now?: number | undefined
}

/** The validators among the fields of a response. One that is given with two values is none. */
export function validatorsOf(fields: Fields): Validators {
  return {
    etag: singleValue(fields, 'ETag'),
    lastModified: singleValue(fields, 'Last-Modified'),
    date: singleValue(fields, 'Date'),
  }
}

/**
 * Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2: `If-Match`, else `If-Unmodified-Since`;
 * then `If-None-Match`, else `If-Modified-Since`. `If-Range` is the business of {@link rangesOf}, afterwards.
 *
 * @returns 304 or 412 when that is the answer, `pass` when the request goes on
 */
export function evaluate(request: RequestHead, against: Evaluated): 'pass' | 304 | 412 {
  const status = against.status ?? 200
  if ((status < 200 || status > 299) && status !== 412) return 'pass'
  // Most requests have none.
  if (!request.fields.some(([name]) => /^if-/i.test(name))) return 'pass'
  if (!firstPrecondition(request, against)) return 412
  const safe = request.method === 'GET' || request.method === 'HEAD'
  const noneMatch = fieldValue(request.fields, 'If-None-Match')
  if (noneMatch !== undefined) {
    if (!matches(noneMatch, against.etag, weaklyEqual)) return 'pass'
    return safe ? 304 : 412
  }
  return safe && notModifiedSince(request, against) ? 304 : 'pass'
}

/** `If-Match`, else `If-Unmodified-Since` (RFC 9110 §13.1.1, §13.1.4). */
function firstPrecondition(request: RequestHead, against: Evaluated): boolean {
  const match = fieldValue(request.fields, 'If-Match')
  if (match !== undefined) return matches(match, against.etag, stronglyEqual)
  const since = dateOf(request, 'If-Unmodified-Since', against)
  const modified = parsed(against.lastModified, against)
  return since === undefined || modified === undefined || modified <= since
}

/** RFC 9110 §13.1.3, and RFC 9111 §4.3.2 for what has no `Last-Modified`. */
function notModifiedSince(request: RequestHead, against: Evaluated): boolean {
  const since = dateOf(request, 'If-Modified-Since', against)
  const modified = parsed(against.lastModified ?? against.date, against)
  return since !== undefined && modified !== undefined && modified <= since
}

function dateOf(request: RequestHead, name: string, { now }: Evaluated): number | undefined {
  const lines = fieldLines(request.fields, name)
  return lines.length === 1 ? parseHttpDate(lines[0] ?? '', now) : undefined
}

function parsed(date: string | undefined, { now }: Evaluated): number | undefined {
  return date === undefined ? undefined : parseHttpDate(date, now)
}

function matches(list: string, etag: string | undefined, equal: (a: string, b: string) => boolean): boolean {
  if (list === '*') return true
  return etag !== undefined && etagsOf(list).some(member => equal(member, etag))
}

/** Whether both are strong and the same (RFC 9110 §8.8.3.2). */
export function stronglyEqual(a: string, b: string): boolean {
  return a === b && isStrong(a)
}

/** Whether both are the same but for being weak (RFC 9110 §8.8.3.2). */
export function weaklyEqual(a: string, b: string): boolean {
  return opaque(a) === opaque(b)
}

/** Whether the text is an entity tag, and a strong one. */
export function isStrong(etag: string): boolean {
  return /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)
}

/** Whether a response was made a second after the date of its content at least (RFC 9110 §8.8.2.2). */
export function isStrongDate(lastModified: string, date: string | undefined): boolean {
  const modified = parseHttpDate(lastModified)
  const made = date === undefined ? undefined : parseHttpDate(date)
  return modified !== undefined && made !== undefined && made - modified >= 1000
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/** Backslashes are no escapes in entity tags, and commas may be in them: this is not a list of quoted strings. */
const ETAG_OR_WORD = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"|[^ \t,][^,]*)/y

/** The members of a list of entity tags. What is none, such as a tag without quotes, comes as it stands. */
function etagsOf(list: string): string[] {
  const members: string[] = []
  ETAG_OR_WORD.lastIndex = 0
  for (let match = ETAG_OR_WORD.exec(list); match; match = ETAG_OR_WORD.exec(list)) {
    members.push((match[1] ?? '').trimEnd())
  }
  return members
}
