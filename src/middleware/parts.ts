import type { Settings } from './options.js'
import { fieldLines, fieldValue } from './policy/fields.js'
import type { RequestHead, ResponseHead, StoredResponse } from './policy/message.js'
import { type ContentRange, parseContentRange, partOf } from './policy/partial.js'
import type { PartSlot } from './send-stored.js'
import { selectingNames } from './stored-answer.js'
import { type StoredHead, toStored } from './stored-head.js'

/** What part of a representation of known size an answer of 206 has; `undefined` for several parts, and for nonsense. */
function rangeOf({ fields }: Pick<ResponseHead, 'fields'>): (ContentRange & { readonly size: number }) | undefined {
  const [line, ...others] = fieldLines(fields, 'Content-Range')
  const range = line === undefined || others.length > 0 ? undefined : parseContentRange(line)
  return range?.size === undefined ? undefined : { ...range, size: range.size }
}

/**
 * Whether an answer of 206 can be stored (RFC 9111 §3.3): it is one range, and as long as that says. One that varies is not:
 * a part and a whole of different variants would have to share a place.
 */
export function isStorablePart(stored: StoredResponse, settings: Settings): boolean {
  const length = lengthOfPart(stored)
  const said = fieldValue(stored.fields, 'Content-Length') ?? String(length)
  return length !== undefined && said === String(length) && selectingNames(stored, settings).length === 0
}

/** The bytes that an answer of 206 with one range has to have. */
export function lengthOfPart(response: ResponseHead): number | undefined {
  const range = response.status === 206 ? rangeOf(response) : undefined
  return range && range.end - range.start + 1
}

/** Where what a request asks for lies in a stored part. */
export function slotOf(request: RequestHead, head: StoredHead): PartSlot | undefined {
  const stored = toStored(head)
  const [range, has] = [partOf(request, stored), rangeOf(stored)]
  return range && has && { range, from: has.start, size: has.size }
}
