import { PollPauses } from '../engine/for-doors.js'
import { performance } from '../engine/timers.js'
import type { Exchange } from './core.js'
import type { Flight } from './flights.js'
import { isGone } from './http-message.js'

/** Waits until another process has stored the answer or has given up. Resolves to `false` when it takes too long. */
export async function waitForOthers({ core, key, res }: Exchange, flight: Flight, deadline: number): Promise<boolean> {
  // The lease belongs to a late flight of this process.
  if (core.flights.isLate(flight.subject)) return false
  for (const pauses = new PollPauses(); performance.now() < deadline; ) {
    await pauses.next()
    if (isGone(res) || core.store.isFree(key, flight.subject)) return true
  }
  return false
}
