import { Readable } from 'node:stream'
import type { HttpResponse } from './http-message.js'
import { Intake } from './intake.js'
import { deleteField, fieldValue, hasField } from './policy/fields.js'
import type { RequestHead } from './policy/message.js'
import type { Fill, Filled } from './send-file-fill.js'
import type { StoredBody } from './send-stored.js'

/** What asks for more than the beginning of a file shows: its hash, or its length. */
export function mustWait(request: RequestHead, size: number | undefined): boolean {
  const { fields } = request
  if (hasField(fields, 'If-Match') || hasField(fields, 'If-None-Match')) return true
  const range = fieldValue(fields, 'Range')
  if (range === undefined) return false
  return hasField(fields, 'If-Range') || (size === undefined && range !== 'bytes=0-')
}

/**
 * Waits until the file is in the cache; until it is clear that it never will be, some milliseconds are over, or the client
 * has gone. Answers whether it is.
 */
export async function waitForStored(
  fill: Fill,
  { content }: Filled,
  response: HttpResponse,
  time: number,
): Promise<boolean> {
  if (time === 0) return false
  let timer: NodeJS.Timeout | undefined
  let leave = (): void => undefined
  try {
    const over = new Promise<boolean>(resolve => {
      leave = () => resolve(false)
      timer = setTimeout(leave, time)
      response.once('close', leave)
    })
    const ways = [fill.settled, over]
    if (content instanceof Intake) ways.push(content.spilled.then(() => false))
    return await Promise.race(ways)
  } finally {
    clearTimeout(timer)
    response.off('close', leave)
  }
}

/** The request without what cannot be answered while a file arrives: several ranges would read it in any order. */
export function forTail(request: RequestHead): RequestHead {
  const several = fieldValue(request.fields, 'Range')?.includes(',') === true
  return several ? { ...request, fields: deleteField(request.fields, 'Range') } : request
}

/** A file on its way as a body that can be sent. To be taken in the turn in which the fill has told of it. */
export function tailBody(intake: Intake, size: number | undefined): StoredBody {
  // Nothing is given up before it is known from where on it is read.
  const place = intake.join()
  return {
    size,
    stream({ start, end }) {
      const reader = intake.join(start)
      intake.leave(place)
      return Readable.from(intake.read(reader, end), { objectMode: false })
    },
    async close() {
      intake.leave(place)
    },
  }
}
