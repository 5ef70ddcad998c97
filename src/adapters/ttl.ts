import { kindOf, milliseconds, systemClock } from '../engine/for-adapters.js'

/**
 * Converts a time to live of the hosts to the `ttl` of the engine. In Keyv and cache-manager it is milliseconds; 0,
 * `NaN` and `Infinity` never expire, and a negative one has expired already. Strings such as '5m' are our addition.
 *
 * @returns `undefined`: none was given; `null`: never expires; 0: has expired and is not stored
 * @throws TypeError when it is neither a number nor a string; RangeError when the string is no duration
 */
export function hostTtl(ttl: unknown): number | null | undefined {
  if (ttl === undefined || ttl === null) return undefined
  if (typeof ttl === 'string') return milliseconds(ttl, 'ttl') || null
  if (typeof ttl !== 'number')
    throw new TypeError(`ttl must be milliseconds or a string such as '5m', got ${kindOf(ttl)}`)
  if (ttl === 0 || !Number.isFinite(ttl)) return null
  return Math.max(0, ttl)
}

/**
 * Converts an expiry of Keyv 6 in epoch milliseconds to the `ttl` of the engine. One that is not finite never expires.
 */
export function ttlUntil(expires: unknown): number | null | undefined {
  if (expires === undefined || expires === null) return undefined
  if (typeof expires !== 'number') throw new TypeError(`expires must be epoch milliseconds, got ${kindOf(expires)}`)
  if (!Number.isFinite(expires)) return null
  return Math.max(0, expires - systemClock.now())
}

/** Milliseconds until an instant. `undefined` when there is none. */
export function timeLeft(expiresAt: number | undefined): number | undefined {
  return expiresAt === undefined ? undefined : Math.max(0, expiresAt - systemClock.now())
}

/** Converts a default time to live for hosts that know numbers only. `undefined`: none. */
export function defaultTtl(ttl: unknown): number | undefined {
  const life = hostTtl(ttl)
  // In the hosts an expired time is negative, and 0 never expires.
  return life === 0 ? -1 : (life ?? undefined)
}
