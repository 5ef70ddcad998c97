import { milliseconds } from '../engine/time.js'

/**
 * Converts a time to live to milliseconds. `undefined`: none was given; 0: not cached.
 *
 * @throws TypeError or RangeError when it is no duration
 */
export function lifeOf(ttl: unknown, name: string): number | undefined {
  if (ttl === undefined || ttl === null) return undefined
  return milliseconds(ttl, name)
}
