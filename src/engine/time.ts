/** A source of the wall clock: epoch milliseconds. Replaced in tests. */
export interface Clock {
  now(): number
}

/** A time span: milliseconds, or a number with a unit: `'250ms' '5s' '10m' '1h' '7d'`. */
export type Duration = number | string

export const systemClock: Clock = { now: () => Date.now() }

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * Milliseconds of a duration. `Infinity` passes; what is negative or not a number does not.
 *
 * @throws TypeError when it is neither a number nor a string; RangeError when it is negative, NaN or cannot be read
 */
export function milliseconds(duration: unknown, name: string): number {
  if (typeof duration === 'number') {
    if (duration >= 0) return duration
    throw new RangeError(`${name} must be a duration of 0 or more milliseconds, got ${duration}`)
  }
  if (typeof duration !== 'string') {
    throw new TypeError(`${name} must be milliseconds or a string such as '5m', got ${describe(duration)}`)
  }
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*$/.exec(duration)
  const unit = UNITS[match?.[2] ?? '']
  if (!match || unit === undefined) {
    throw new RangeError(
      `${name} must be milliseconds or a string such as '250ms', '5s', '10m', '1h', '7d', got '${duration}'`,
    )
  }
  return Number(match[1]) * unit
}

/** DiskCache writes instants as REAL seconds since the epoch. */
export function toSeconds(epochMilliseconds: number): number {
  return epochMilliseconds / 1000
}

/** Back to epoch milliseconds, rounded to the microsecond, which is what a REAL of this size can hold. */
export function toMilliseconds(epochSeconds: number): number {
  return Math.round(epochSeconds * 1e6) / 1000
}

/** When an entry expires, of its row; Python may have stored what never does as an endless time to live. */
export function toExpiry(epochSeconds: number | null): number | undefined {
  return epochSeconds === null || epochSeconds === Number.POSITIVE_INFINITY ? undefined : toMilliseconds(epochSeconds)
}

/**
 * A clock that never runs backwards. When the wall clock is set back, the step is added to an offset, so that time
 * goes on from where it was at the pace of the wall clock: expired items stay expired and new ones still expire.
 * It costs that this process is ahead by the step until it is restarted.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock
  #last = Number.NEGATIVE_INFINITY
  #offset = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether it is the system's time that it follows. */
  get isSystem(): boolean {
    return this.#clock === systemClock
  }

  now(): number {
    const wall = this.#clock.now()
    if (wall < this.#last) this.#offset += this.#last - wall
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

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}

/** The system's time for names of files. */
export function isoNow(): string {
  return new Date(systemClock.now()).toISOString()
}
