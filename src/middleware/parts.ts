import type { Settings } from './options.js'
import { fieldLines, fieldValue } from './policy/fields.js'
import type { RequestHead, ResponseHead, StoredResponse } from './policy/message.js'
import { type ContentRange, parseContentRange, partOf } from './policy/partial.js'
import type { PartSlot } from './send-stored.js'
import { selectingNames } from './stored-answer.js'
import { type StoredHead, toStored } from './stored-head.js'

/** The range of a 206 answer with a known total size. `undefined` for several ranges and for invalid ones. */
function rangeOf({ fields }: Pick<ResponseHead, 'fields'>): (ContentRange & { readonly size: number }) | undefined {
  const [line, ...others] = fieldLines(fields, 'Content-Range')
  const range = line === undefined || others.length > 0 ? undefined : parseContentRange(line)
  return range?.size === undefined ? undefined : { ...range, size: range.size }
}

/**
 * Whether a 206 answer can be stored (RFC 9111 §3.3): it has one range and the right length. An answer with `Vary` is
 * not stored, because a part and a whole of different variants would share a key.
 */
export function isStorablePart(stored: StoredResponse, settings: Settings): boolean {
  const length = lengthOfPart(stored)
  const said = fieldValue(stored.fields, 'Content-Length') ?? String(length)
  return length !== undefined && said === String(length) && selectingNames(stored, settings).length === 0
}

/** The length that a 206 answer with one range must have. Bytes. */
export function lengthOfPart(response: ResponseHead): number | undefined {
  const range = response.status === 206 ? rangeOf(response) : undefined
  return range && range.end - range.start + 1
}

/** The position of the requested range in a stored part. */
export function slotOf(request: RequestHead, head: StoredHead): PartSlot | undefined {
  const stored = toStored(head)
  const [range, has] = [partOf(request, stored), rangeOf(stored)]
  return range && has && { range, from: has.start, size: has.size }
}
