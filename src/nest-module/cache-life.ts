import { milliseconds } from '../engine/time.js'

/**
 * A time to live in milliseconds; `undefined`: none was given. 0 stays 0: not cached.
 *
 * @throws TypeError or RangeError when it cannot be read
 */
export function lifeOf(ttl: unknown, name: string): number | undefined {
  if (ttl === undefined || ttl === null) return undefined
  return milliseconds(ttl, name)
}
