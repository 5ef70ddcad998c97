import rangeParser from 'range-parser'
import { isStrong, stronglyEqual, type Validators } from './conditional.js'
import { parseHttpDate } from './dates.js'
import { fieldLines, listMembers } from './fields.js'
import type { RequestHead } from './message.js'

/** Bytes of a representation: both ends are in it, as in `Content-Range`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What of a representation is asked for. */
export type Ranges =
  /** All of it, with 200. */
  | { readonly kind: 'full' }
  /** One range, with 206 and {@link contentRange}. */
  | ({ readonly kind: 'single' } & ByteRange)
  /** Two or more that neither overlap nor touch, with 206 and `multipart/byteranges`. */
  | { readonly kind: 'multi'; readonly ranges: readonly ByteRange[] }
  /** None of what it has: 416 with {@link unsatisfiedRange}. */
  | { readonly kind: 'unsatisfiable' }

/** The representation that ranges are asked of. */
export interface Ranged extends Validators {
  /** Bytes. */
  readonly size: number
  /**
   * More ranges than this in one request are answered with all of it, since they are an attack or a mistake (RFC 9110
   * §14.2).
   *
   * @default 16
   */
  readonly maxRanges?: number
  /** Epoch milliseconds, for two-digit years: {@link parseHttpDate}. */
  readonly now?: number | undefined
}

const FULL: Ranges = { kind: 'full' }
const RANGE_SPEC = /^(?:(\d+)-(\d*)|-(\d+))$/

/**
 * The ranges that a GET asks for (RFC 9110 §14.2), `If-Range` included. Everything that is not understood, be it
 * another unit, a wrong syntax or a second `Range` line, is ignored: the answer is then the full one. Ranges that
 * overlap or touch are joined, so that no byte is sent twice. Preconditions are to be evaluated before.
 */
export function rangesOf(request: RequestHead, ranged: Ranged): Ranges {
  const lines = fieldLines(request.fields, 'Range')
  const [value] = lines
  if (request.method !== 'GET' || value === undefined || lines.length > 1) return FULL
  const specs = specsOf(value, ranged)
  if (specs === undefined || !ifRange(request, ranged)) return FULL
  // An empty representation has no range that Content-Range could tell: a suffix of it is all of it (§14.1.2).
  if (ranged.size === 0) return specs.some(spec => /^-0*[1-9]/.test(spec)) ? FULL : { kind: 'unsatisfiable' }
  const ranges = satisfiable(specs, ranged.size)
  const [first] = ranges
  if (first === undefined) return { kind: 'unsatisfiable' }
  return ranges.length === 1 ? { kind: 'single', start: first.start, end: first.end } : { kind: 'multi', ranges }
}

/** The parts of a `Range` of bytes, when all of them are right and not too many. The unit has no case (§14.1). */
function specsOf(value: string, { maxRanges = 16 }: Ranged): string[] | undefined {
  if (!/^bytes=/i.test(value)) return undefined
  const specs = listMembers([value.slice('bytes='.length)])
  if (specs.length === 0 || specs.length > maxRanges) return undefined
  const wellFormed = specs.every(spec => {
    const [match, first, last] = RANGE_SPEC.exec(spec) ?? []
    return match !== undefined && (!last || BigInt(first ?? 0) <= BigInt(last))
  })
  return wellFormed ? specs : undefined
}

function satisfiable(specs: readonly string[], size: number): ByteRange[] {
  // The parser takes a suffix that is longer than the representation for unsatisfiable; it means all of it (§14.1.2).
  const clamped = specs.map(spec => (spec.startsWith('-') && Number(spec.slice(1)) > size ? '0-' : spec))
  const parsed = rangeParser(size, `bytes=${clamped.join(',')}`, { combine: true })
  return typeof parsed === 'number' ? [] : parsed.map(({ start, end }) => ({ start, end }))
}

/**
 * Whether `If-Range` lets ranges pass (RFC 9110 §13.1.5): there is none, or it is the strong entity tag, or exactly the
 * date of a `Last-Modified` that is known to be strong, for it is a second older than `Date` (§8.8.2.2). Without a
 * `date` to compare with, the caller answers for the strength of `lastModified`.
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

/** The value of `Content-Range` that goes with 416. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`
}
