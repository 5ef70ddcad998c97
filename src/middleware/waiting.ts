import { PollPauses } from '../engine/for-doors.js'
import { performance } from '../engine/timers.js'
import type { Exchange } from './core.js'
import type { Flight, Outcome } from './flights.js'
import { isGone } from './http-message.js'

/** Waits for what another request does. */
export function waitFor<T>({ core, key }: Exchange, work: Promise<T>): Promise<T> {
  return core.store.tracedWait('responseCache.wait', key, work)
}

/** Waits for the outcome of the flight of another request, or until it is late. */
export function newsOf(exchange: Exchange, flight: Flight): Promise<Outcome> {
  return flight.isSettled ? flight.news : waitFor(exchange, flight.news)
}

/** Waits until a flight has landed, if that is soon. */
export function landsSoon(exchange: Exchange, flight: Flight): Promise<boolean> {
  const { store, settings } = exchange.core
  return waitFor(
    exchange,
    flight.landsSoon(settings.collapseTimeout, () => store.isBlocked(exchange.key)),
  )
}

/** Waits until another process has stored the answer or has given up. Resolves to `false` when it takes too long. */
export function waitForOthers(exchange: Exchange, flight: Flight, deadline: number): Promise<boolean> {
  return waitFor(exchange, pollOthers(exchange, flight, deadline))
}

async function pollOthers({ core, key, res }: Exchange, flight: Flight, deadline: number): Promise<boolean> {
  // The lease belongs to a late flight of this process.
  if (core.flights.isLate(flight.subject)) return false
  for (const pauses = new PollPauses(); performance.now() < deadline; ) {
    await pauses.next()
    if (isGone(res) || core.store.isFree(key, flight.subject)) return true
  }
  return false
}
