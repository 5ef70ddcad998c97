import { validatorsOf } from './conditional.js'
import { fieldLines } from './fields.js'
import type { RequestHead, ResponseHead } from './message.js'
import { type ByteRange, rangesOf } from './range.js'

/** The part of a representation that a response contains (RFC 9110 §14.4). */
export interface ContentRange extends ByteRange {
  /** The size of the whole representation in bytes; `undefined` if unknown. */
  readonly size: number | undefined
}

/** Parses `Content-Range`; `undefined` if it is invalid, has another unit than bytes, or contains no range. */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/i.exec(value)
  if (!match) return undefined
  const [start, end] = [Number(match[1]), Number(match[2])]
  const size = match[3] === undefined ? undefined : Number(match[3])
  return start > end || (size !== undefined && end >= size) ? undefined : { start, end, size }
}

/**
 * The bytes of a stored 206 that answer a request (RFC 9111 §3.3). `undefined` unless the request asks for one range
 * that is completely stored, of a representation of known size. Positions are those in the whole representation.
 */
export function partOf(request: RequestHead, stored: ResponseHead): ByteRange | undefined {
  const lines = fieldLines(stored.fields, 'Content-Range')
  const has = lines.length === 1 ? parseContentRange(lines[0] ?? '') : undefined
  if (has?.size === undefined) return undefined
  const asked = rangesOf(request, { size: has.size, ...validatorsOf(stored.fields) })
  const within = asked.kind === 'single' && asked.start >= has.start && asked.end <= has.end
  return within ? { start: asked.start, end: asked.end } : undefined
}
