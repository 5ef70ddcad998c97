import { validatorsOf } from './conditional.js'
import { fieldLines } from './fields.js'
import type { RequestHead, ResponseHead } from './message.js'
import { type ByteRange, rangesOf } from './range.js'

/** What part of a representation a response has (RFC 9110 §14.4). */
export interface ContentRange extends ByteRange {
  /** Bytes of the whole representation; `undefined` when it is not known. */
  readonly size: number | undefined
}

/** Reads `Content-Range`; `undefined` when it is wrong, of another unit, or tells of no range. */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/i.exec(value)
  if (!match) return undefined
  const [start, end] = [Number(match[1]), Number(match[2])]
  const size = match[3] === undefined ? undefined : Number(match[3])
  return start > end || (size !== undefined && end >= size) ? undefined : { start, end, size }
}

/**
 * The bytes that a request asks for of a stored 206, when it has them all (RFC 9111 §3.3): one range that lies within
 * what is stored, of a representation whose size is known. Positions are those of the whole representation.
 */
export function partOf(request: RequestHead, stored: ResponseHead): ByteRange | undefined {
  const lines = fieldLines(stored.fields, 'Content-Range')
  const has = lines.length === 1 ? parseContentRange(lines[0] ?? '') : undefined
  if (has?.size === undefined) return undefined
  const asked = rangesOf(request, { size: has.size, ...validatorsOf(stored.fields) })
  const within = asked.kind === 'single' && asked.start >= has.start && asked.end <= has.end
  return within ? { start: asked.start, end: asked.end } : undefined
}
