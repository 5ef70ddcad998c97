import { performance, setTimeout } from '../engine/timers.js'
import type { Exchange } from './core.js'
import type { Flight } from './flights.js'
import { isGone } from './http-message.js'

const FIRST_POLL = 2
const LONGEST_POLL = 50

/** Waits until another process has stored the answer or has given up. Resolves to `false` when it takes too long. */
export async function waitForOthers({ core, key, res }: Exchange, flight: Flight, deadline: number): Promise<boolean> {
  // The lease belongs to a late flight of this process.
  if (core.flights.isLate(flight.subject)) return false
  for (let wait = FIRST_POLL; performance.now() < deadline; wait = Math.min(LONGEST_POLL, wait * 1.5)) {
    await new Promise(resolve => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
    if (isGone(res) || core.store.isFree(key, flight.subject)) return true
  }
  return false
}
