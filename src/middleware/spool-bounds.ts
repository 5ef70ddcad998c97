import type { DoorStore } from '../engine/for-doors.js'
import type { Settings } from './options.js'
import { lengthOfPart } from './parts.js'
import { fieldValue } from './policy/fields.js'
import type { ResponseHead } from './policy/message.js'

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
