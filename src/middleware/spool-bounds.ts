import type { DoorStore } from '../engine/for-doors.js'
import type { Settings } from './options.js'
import { isStorablePart, lengthOfPart } from './parts.js'
import { fieldValue, hasField } from './policy/fields.js'
import type { ResponseHead, StoredResponse } from './policy/message.js'

/** Limit of the fields of a stored answer in characters. They lie in one row and are in memory while it is sent. */
const MOST_FIELDS = 65_536

/** Bytes of a row that are left for the head, which lies in it with a small body. */
const HEAD_ROOM = 2048

/** The limits of a body. Bytes. */
export interface SpoolBounds {
  /** A larger body goes to a file. */
  readonly inline: number
  /** A larger body is not stored. */
  readonly most: number
  /** The length announced by the head. Another length is an error. */
  readonly length: number | undefined
}

/** The limits of the body of an answer with a key. */
export function boundsOf(
  store: DoorStore,
  { maxEntrySize }: Settings,
  at: string,
  response: ResponseHead,
): SpoolBounds {
  const length = fieldValue(response.fields, 'Content-Length')
  return {
    inline: Math.max(0, store.minFileSize(at) - HEAD_ROOM),
    most: Math.min(maxEntrySize, store.sizeLimit(at) / 2),
    length: length !== undefined && /^\d+$/.test(length) ? Number(length) : lengthOfPart(response),
  }
}

/** Whether a storable answer fits, as far as its head shows. */
export function canHold(store: DoorStore, settings: Settings, key: string, stored: StoredResponse): boolean {
  const { length = 0, most } = boundsOf(store, settings, key, stored)
  const isShort = length <= most || most === 0
  // Content-Range is defined for 206 and 416 only (RFC 9110 §14.4).
  const isOfPart = stored.status === 416 && hasField(stored.fields, 'Content-Range')
  const isWrong = isOfPart || (stored.status === 206 && !isStorablePart(stored, settings))
  const head = stored.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return store.isWritable && isShort && !isWrong && head <= MOST_FIELDS
}
