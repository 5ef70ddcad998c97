import { parseHttpDate } from './dates.js'
import { fieldLines, fieldValue, singleValue } from './fields.js'
import type { Fields, RequestHead } from './message.js'

/** The validators of a representation, as values of its fields. */
export interface Validators {
  /** The value of `ETag`. */
  readonly etag?: string | undefined
  /** The value of `Last-Modified`. */
  readonly lastModified?: string | undefined
  /**
   * The value of `Date`. `If-Modified-Since` is compared with it if `Last-Modified` is missing (RFC 9111 §4.3.2).
   */
  readonly date?: string | undefined
}

/** What preconditions are evaluated against. */
export interface Evaluated extends Validators {
  /**
   * The status of the answer without preconditions. They are ignored unless it is 2xx or 412 (RFC 9110 §13.2.1).
   *
   * @default 200
   */
  readonly status?: number
  /** Epoch milliseconds, for two-digit years: {@link parseHttpDate}. */
  readonly now?: number | undefined
}

/** The validators among the fields of a response. A field that is given with two values is ignored. */
export function validatorsOf(fields: Fields): Validators {
  return {
    etag: singleValue(fields, 'ETag'),
    lastModified: singleValue(fields, 'Last-Modified'),
    date: singleValue(fields, 'Date'),
  }
}

/**
 * Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2: `If-Match`, else `If-Unmodified-Since`;
 * then `If-None-Match`, else `If-Modified-Since`. {@link rangesOf} evaluates `If-Range` afterwards.
 *
 * @returns the status to answer with, or `pass` if the preconditions hold
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

/** Evaluates `If-Modified-Since` (RFC 9110 §13.1.3; RFC 9111 §4.3.2 if there is no `Last-Modified`). */
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

/** Whether both are the same, weak or strong (RFC 9110 §8.8.3.2). */
export function weaklyEqual(a: string, b: string): boolean {
  return opaque(a) === opaque(b)
}

/** Whether the text is an entity tag, and a strong one. */
export function isStrong(etag: string): boolean {
  return /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)
}

/** Whether `Last-Modified` is at least a second before `Date`, and so a strong validator (RFC 9110 §8.8.2.2). */
export function isStrongDate(lastModified: string, date: string | undefined): boolean {
  const modified = parseHttpDate(lastModified)
  const made = date === undefined ? undefined : parseHttpDate(date)
  return modified !== undefined && made !== undefined && made - modified >= 1000
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/** Not a list of quoted strings: entity tags may contain commas, and a backslash in them escapes nothing. */
const ETAG_OR_WORD = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"|[^ \t,][^,]*)/y

/** The members of a list of entity tags. Malformed members, such as tags without quotes, are returned unchanged. */
function etagsOf(list: string): string[] {
  const members: string[] = []
  ETAG_OR_WORD.lastIndex = 0
  for (let match = ETAG_OR_WORD.exec(list); match; match = ETAG_OR_WORD.exec(list)) {
    members.push((match[1] ?? '').trimEnd())
  }
  return members
}
