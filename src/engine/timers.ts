import { performance as system } from 'node:perf_hooks'
import timers from 'node:timers'
import promised from 'node:timers/promises'

/*
 * Timers of the system, as they are when the package is loaded. The fake ones that a test installs later stand still, and
 * with them every wait for a turn of the loop, for a lock of another process and for its end. Such waits are no matter of
 * the test's time, which entries live by: that is `Date`, read by the clock. Nor are heartbeats: a test that runs all its
 * timers would never come to their end.
 */

export const setImmediate: typeof timers.setImmediate = timers.setImmediate
export const setTimeout: typeof timers.setTimeout = timers.setTimeout
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout
export const setInterval: typeof timers.setInterval = timers.setInterval
export const clearInterval: typeof timers.clearInterval = timers.clearInterval
export const nextTick: typeof process.nextTick = process.nextTick

/** Resolves in the next turn of the loop. */
export const turn: typeof promised.setImmediate = promised.setImmediate
/** Resolves after some milliseconds. */
export const sleep: typeof promised.setTimeout = promised.setTimeout

/** A clock that no step of the system's changes. */
export const performance: { readonly now: () => number; readonly timeOrigin: number } = {
  now: system.now.bind(system),
  timeOrigin: system.timeOrigin,
}

const systemDateNow = Date.now

/** Whether `Date` is still that of the system, and not the fake one of a test. */
export function isSystemDate(): boolean {
  return Date.now === systemDateNow
}
