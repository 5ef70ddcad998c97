import { kindOf } from './option-names.js'
import { isSystemDate, performance } from './timers.js'

/** A wall clock. Tests replace it. */
export interface Clock {
  /** The current time in epoch milliseconds. */
  now(): number
}

/**
 * A span of time: milliseconds, or a string of a number and a unit, such as `'250ms'`, `'5s'`, `'10m'`, `'1h'`, `'7d'`
 * or `'2w'`.
 */
export type Duration = number | string

export const systemClock: Clock = { now: () => Date.now() }

/** The longest delay of setTimeout: a longer one would fire at once. Milliseconds. */
export const LONGEST_TIMER: number = 2 ** 31 - 1

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * Converts a duration to milliseconds. `Infinity` is accepted; negative numbers and NaN are not.
 *
 * @throws TypeError when it is neither a number nor a string; RangeError when it is negative, NaN or not a duration
 */
export function milliseconds(duration: unknown, name: string): number {
  if (typeof duration === 'number') {
    // Plus 0, because Node and SQLite's driver refuse -0 where they want a whole number.
    if (duration >= 0) return duration + 0
    throw new RangeError(`${name} must be a duration of 0 or more milliseconds, got ${duration}`)
  }
  if (typeof duration !== 'string') {
    throw new TypeError(`${name} must be milliseconds or a string such as '5m', got ${kindOf(duration)}`)
  }
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*$/.exec(duration)
  const unit = UNITS[match?.[2] ?? '']
  if (!match || unit === undefined) {
    throw new RangeError(
      `${name} must be milliseconds or a string such as '250ms', '5s', '10m', '1h', '7d', got ${kindOf(duration)}`,
    )
  }
  return Number(match[1]) * unit
}

/** Converts epoch milliseconds to REAL seconds since the epoch, which is how DiskCache stores instants. */
export function toSeconds(epochMilliseconds: number): number {
  return epochMilliseconds / 1000
}

/**
 * Converts seconds to epoch milliseconds, rounded to the microsecond, which is the precision of a REAL of this size.
 */
export function toMilliseconds(epochSeconds: number): number {
  return Math.round(epochSeconds * 1e6) / 1000
}

/** The expiry of a row in epoch milliseconds. `undefined`: never, which Python may have stored as an infinite time. */
export function toExpiry(epochSeconds: number | null): number | undefined {
  return epochSeconds === null || epochSeconds === Number.POSITIVE_INFINITY ? undefined : toMilliseconds(epochSeconds)
}

/** The pace at which a clock that is ahead goes on, so that it does not stay ahead for ever. */
const PACE_AHEAD = 0.99

/** A clock that goes on from a time. `since` is on the clock of `performance.now()`. */
interface Ahead {
  readonly time: number
  readonly since: number
}

/**
 * A clock that never runs backwards: expired items stay expired and new ones still expire. When the clock of the system
 * is set back, the time goes on from where it was, a hundredth slower, by a clock that is never set, until that of the
 * system has come up with it. So it is never further ahead than by the longest step, however often there are some.
 *
 * The clock of a test has no such second clock beside it. When it is set back, the step is added to an offset, and the
 * time goes on at its pace.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock
  #last: number
  #offset = 0
  #ahead: Ahead | undefined

  /** @param from the time that it has reached already, when it continues another clock */
  constructor(clock: Clock, from: number = Number.NEGATIVE_INFINITY) {
    this.#clock = clock
    this.#last = from
  }

  /** Whether it follows the clock of the system. */
  get isSystem(): boolean {
    return this.#clock === systemClock
  }

  now(): number {
    const wall = this.#clock.now()
    if (this.#ahead) return this.#catchUp(wall, this.#ahead)
    if (wall < this.#last) {
      if (this.isSystem && isSystemDate()) {
        this.#ahead = { time: this.#last + this.#offset, since: performance.now() }
        return this.#ahead.time
      }
      this.#offset += this.#last - wall
    }
    this.#last = wall
    return wall + this.#offset
  }

  #catchUp(wall: number, { time, since }: Ahead): number {
    // Whole milliseconds, as the clock of the system has them.
    const now = Math.floor(time + (performance.now() - since) * PACE_AHEAD)
    const isFake = !isSystemDate()
    if (wall + this.#offset < now && !isFake) return now
    // A test that has replaced `Date` meanwhile goes on at its pace from here.
    this.#ahead = undefined
    this.#offset = Math.max(this.#offset, now - wall)
    this.#last = wall
    return wall + this.#offset
  }
}

/**
 * Milliseconds since now, which no step of the system's clock changes. Who brings a clock of his own may have it run
 * faster than the time, and what it times lives by it as well: then the longer of both counts.
 */
export function stopwatch(clock: Clock): () => number {
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  if (clock instanceof SteadyClock && clock.isSystem) return elapsed
  const began = clock.now()
  return () => Math.max(elapsed(), clock.now() - began)
}

/**
 * Milliseconds since a file was changed, as far as two clocks agree. The fake `Date` of a test may be years ahead, and a
 * wall clock that is set forward makes a file look old that is just being written.
 */
export function ageOf(changedAt: number): number {
  return Math.min(systemClock.now(), performance.timeOrigin + performance.now()) - changedAt
}

/** The current time of the system in ISO form, for names of files. */
export function isoNow(): string {
  return new Date(systemClock.now()).toISOString()
}
