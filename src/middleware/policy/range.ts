import rangeParser from 'range-parser'
import { isStrong, stronglyEqual, type Validators } from './conditional.js'
import { parseHttpDate } from './dates.js'
import { fieldLines, listMembers } from './fields.js'
import type { RequestHead } from './message.js'

/** A range of bytes of a representation, including both ends, as in `Content-Range`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The parts of a representation that a request asks for. */
export type Ranges =
  /** All of it, with 200. */
  | { readonly kind: 'full' }
  /** One range, with 206 and {@link contentRange}. */
  | ({ readonly kind: 'single' } & ByteRange)
  /** Two or more that neither overlap nor touch, with 206 and `multipart/byteranges`. */
  | { readonly kind: 'multi'; readonly ranges: readonly ByteRange[] }
  /** Nothing that exists: answer 416 with {@link unsatisfiedRange}. */
  | { readonly kind: 'unsatisfiable' }

/** The representation whose ranges a request asks for. */
export interface Ranged extends Validators {
  /** Bytes. */
  readonly size: number
  /** Epoch milliseconds, for two-digit years: {@link parseHttpDate}. */
  readonly now?: number | undefined
}

const FULL: Ranges = { kind: 'full' }
/** A request for more ranges gets the whole representation: it is an attack or a mistake (RFC 9110 §14.2). */
const MOST_RANGES = 16
const RANGE_SPEC = /^(?:(\d+)-(\d*)|-(\d+))$/

/**
 * The ranges that a GET asks for (RFC 9110 §14.2), with `If-Range` evaluated. An unknown unit, invalid syntax or a
 * second `Range` line makes the answer a full one. Ranges that overlap or touch are joined, so that no byte is sent
 * twice. Evaluate preconditions first.
 */
export function rangesOf(request: RequestHead, ranged: Ranged): Ranges {
  const lines = fieldLines(request.fields, 'Range')
  const [value] = lines
  if (request.method !== 'GET' || value === undefined || lines.length > 1) return FULL
  const specs = specsOf(value)
  if (specs === undefined || !ifRange(request, ranged)) return FULL
  // Content-Range cannot express a range of an empty representation. A suffix of it is all of it (§14.1.2).
  if (ranged.size === 0) return specs.some(spec => /^-0*[1-9]/.test(spec)) ? FULL : { kind: 'unsatisfiable' }
  const ranges = satisfiable(specs, ranged.size)
  const [first] = ranges
  if (first === undefined) return { kind: 'unsatisfiable' }
  return ranges.length === 1 ? { kind: 'single', start: first.start, end: first.end } : { kind: 'multi', ranges }
}

/** The parts of a `Range` of bytes, if all are valid and not too many. The unit is case-insensitive (§14.1). */
function specsOf(value: string): string[] | undefined {
  if (!/^bytes=/i.test(value)) return undefined
  const specs = listMembers([value.slice('bytes='.length)])
  if (specs.length === 0 || specs.length > MOST_RANGES) return undefined
  const wellFormed = specs.every(spec => {
    const [match, first, last] = RANGE_SPEC.exec(spec) ?? []
    return match !== undefined && (!last || BigInt(first ?? 0) <= BigInt(last))
  })
  return wellFormed ? specs : undefined
}

function satisfiable(specs: readonly string[], size: number): ByteRange[] {
  // To the parser a suffix longer than the representation is unsatisfiable, but it means all of it (§14.1.2).
  const clamped = specs.map(spec => (spec.startsWith('-') && Number(spec.slice(1)) > size ? '0-' : spec))
  const parsed = rangeParser(size, `bytes=${clamped.join(',')}`, { combine: true })
  return typeof parsed === 'number' ? [] : parsed.map(({ start, end }) => ({ start, end }))
}

/**
 * Whether `If-Range` allows an answer with ranges (RFC 9110 §13.1.5): it is missing, or equals the strong entity tag,
 * or equals a `Last-Modified` that is strong, since it is a second before `Date` (§8.8.2.2). If no `date` is given,
 * `lastModified` is taken to be strong.
 */
function ifRange(request: RequestHead, { etag, lastModified, date, now }: Ranged): boolean {
  const lines = fieldLines(request.fields, 'If-Range')
  const [condition] = lines
  if (condition === undefined) return true
  if (lines.length > 1) return false
  if (isStrong(condition)) return etag !== undefined && stronglyEqual(condition, etag)
  const asked = parseHttpDate(condition, now)
  const modified = lastModified === undefined ? undefined : parseHttpDate(lastModified, now)
  if (asked === undefined || asked !== modified) return false
  const made = date === undefined ? undefined : parseHttpDate(date, now)
  return made === undefined || made - modified >= 1000
}

/** The value of `Content-Range` of a part (RFC 9110 §14.4). */
export function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end}/${size}`
}

/** The value of `Content-Range` for a 416. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`
}
