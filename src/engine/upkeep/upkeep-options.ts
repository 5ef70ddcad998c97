import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import { type Duration, LONGEST_TIMER, milliseconds } from '../time.js'

/** Options of `startUpkeep`, and of the option `upkeep` of doors. */
export interface UpkeepOptions {
  /** The time between two rounds: milliseconds or a string. @default '5s' */
  readonly every?: Duration | undefined
  /**
   * How long the working process may give no sign of life before another one takes over.
   *
   * @default '15s'
   */
  readonly lease?: Duration | undefined
  /**
   * The share of `sizeLimit` and `maxItems`, 0.5 to 1, to which a round evicts, so that writes seldom do.
   *
   * @default 0.95
   */
  readonly target?: number | undefined
}

/** The checked options. Durations are milliseconds. */
export interface ResolvedUpkeep {
  readonly every: number
  readonly lease: number
  readonly target: number
  /** Names of the options that were given. */
  readonly given: readonly (keyof UpkeepOptions)[]
}

const NAMES = ['every', 'lease', 'target'] as const
const LEAST_EVERY = 20
const LEAST_LEASE = 100
const LEAST_TARGET = 0.5

/** Checks the options. @throws TypeError for unknown options and wrong types; RangeError for values out of range */
export function resolveUpkeep(options: UpkeepOptions = {}): ResolvedUpkeep {
  checkOptionsObject(options, 'upkeep')
  checkOptionNames(options, new Set(NAMES), 'upkeep')
  return {
    every: span(options.every ?? '5s', 'every', LEAST_EVERY),
    lease: span(options.lease ?? '15s', 'lease', LEAST_LEASE),
    target: part(options.target ?? 0.95),
    given: NAMES.filter(name => options[name] !== undefined),
  }
}

function span(value: unknown, name: string, least: number): number {
  const time = milliseconds(value, `upkeep.${name}`)
  if (time >= least && time <= LONGEST_TIMER) return time
  throw new RangeError(`upkeep.${name} must be from ${least} milliseconds to 24 days, got ${String(value)}`)
}

function part(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`upkeep.target must be a number, got ${kindOf(value)}`)
  if (value >= LEAST_TARGET && value <= 1) return value
  throw new RangeError(`upkeep.target must be from ${LEAST_TARGET} to 1, got ${value}`)
}
