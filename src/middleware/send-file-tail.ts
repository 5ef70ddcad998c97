import { Readable } from 'node:stream'
import { LONGEST_TIMER, within } from '../engine/for-doors.js'
import { clearTimeout, setTimeout } from '../engine/timers.js'
import type { HttpResponse } from './http-message.js'
import { Intake } from './intake.js'
import { deleteField, fieldValue, hasField } from './policy/fields.js'
import type { RequestHead } from './policy/message.js'
import type { Fill, Filled } from './send-file-fill.js'
import type { StoredBody } from './send-stored.js'

/** How long a request waits for a file to be stored that has arrived. A lock may hold that up. Milliseconds. */
const LANDING = 30

/** Whether a request needs the hash or the length of a file, which are unknown at its beginning. */
export function mustWait(request: RequestHead, size: number | undefined): boolean {
  const { fields } = request
  if (hasField(fields, 'If-Match') || hasField(fields, 'If-None-Match')) return true
  const range = fieldValue(fields, 'Range')
  if (range === undefined) return false
  return hasField(fields, 'If-Range') || (size === undefined && range !== 'bytes=0-')
}

/**
 * Waits until the file is in the cache, or it is clear that it never will be, or the time is over, or the client has
 * gone. Resolves to whether the file is in the cache.
 */
export async function waitForStored(
  fill: Fill,
  { content }: Filled,
  response: HttpResponse,
  time: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  let leave = (): void => undefined
  try {
    const over = new Promise<boolean>(resolve => {
      leave = () => resolve(false)
      if (time <= LONGEST_TIMER) timer = setTimeout(leave, time)
      response.once('close', leave)
    })
    const ways = [fill.settled, over]
    if (content instanceof Intake)
      ways.push(
        content.spilled.then(() => false),
        storedSoon(fill, content),
      )
    return await Promise.race(ways)
  } finally {
    clearTimeout(timer)
    response.off('close', leave)
  }
}

/** Whether a file is stored soon after it has arrived. */
async function storedSoon(fill: Fill, intake: Intake): Promise<boolean> {
  await intake.ended.catch(() => undefined)
  return within(fill.settled, LANDING, false)
}

/** The request without several ranges, which cannot be sent while a file arrives. */
export function forTail(request: RequestHead): RequestHead {
  const several = fieldValue(request.fields, 'Range')?.includes(',') === true
  return several ? { ...request, fields: deleteField(request.fields, 'Range') } : request
}

/** An arriving file as a body to be sent. Call it in the turn in which the outcome of the fill is known. */
export function tailBody(intake: Intake, size: number | undefined): StoredBody {
  // Joins now, so that all bytes are kept until it is known which are read.
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
