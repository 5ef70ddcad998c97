import type { DoorStore } from '../engine/for-doors.js'
import type { Settings } from './options.js'
import { isStorablePart, lengthOfPart } from './parts.js'
import { fieldValue, hasField } from './policy/fields.js'
import type { ResponseHead, StoredResponse } from './policy/message.js'

/** Characters of the fields of an answer that is stored: they lie in one row, and are in memory while it is answered. */
const MOST_FIELDS = 65_536

/** What bounds a body. */
export interface SpoolBounds {
  /** Above this the body goes to a file. */
  readonly inline: number
  /** Above this it is not stored. */
  readonly most: number
  /** What the head promised; another length is an error. */
  readonly length: number | undefined
}

/** The bounds of the body of an answer that will lie at a key. */
export function boundsOf(
  store: DoorStore,
  { maxEntrySize }: Settings,
  at: string,
  response: ResponseHead,
): SpoolBounds {
  const length = fieldValue(response.fields, 'Content-Length')
  return {
    inline: Math.max(0, store.fileSize(at) - 2048),
    most: Math.min(maxEntrySize, store.sizeLimit(at) / 2),
    length: length !== undefined && /^\d+$/.test(length) ? Number(length) : lengthOfPart(response),
  }
}

/** Whether there is room for an answer that the rules let be stored, as far as its head tells. */
export function canHold(store: DoorStore, settings: Settings, key: string, stored: StoredResponse): boolean {
  const { length = 0, most } = boundsOf(store, settings, key, stored)
  const isShort = length <= most || most === 0
  // A part has it, and what says that there is no such part. Elsewhere it means nothing (RFC 9110 §14.4).
  const isOfPart = stored.status === 416 && hasField(stored.fields, 'Content-Range')
  const isWrong = isOfPart || (stored.status === 206 && !isStorablePart(stored, settings))
  const head = stored.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return store.isWritable && isShort && !isWrong && head <= MOST_FIELDS
}
