import { kindOf, milliseconds, systemClock } from '../engine/for-adapters.js'

/**
 * What the hosts mean by a time to live, as the engine's `ttl`. Keyv and cache-manager agree: milliseconds; 0, `NaN` and
 * `Infinity` never expire; what is negative has expired already. Strings such as '5m' are ours.
 *
 * @returns `undefined`: none was given; `null`: never; 0: has expired, and is not worth storing
 * @throws TypeError when it is neither a number nor a string, RangeError when the string cannot be read
 */
export function hostTtl(ttl: unknown): number | null | undefined {
  if (ttl === undefined || ttl === null) return undefined
  if (typeof ttl === 'string') return milliseconds(ttl, 'ttl') || null
  if (typeof ttl !== 'number')
    throw new TypeError(`ttl must be milliseconds or a string such as '5m', got ${kindOf(ttl)}`)
  if (ttl === 0 || !Number.isFinite(ttl)) return null
  return Math.max(0, ttl)
}

/** The same of an instant, epoch milliseconds, as Keyv 6 gives it: what is not finite never expires. */
export function ttlUntil(expires: unknown): number | null | undefined {
  if (expires === undefined || expires === null) return undefined
  if (typeof expires !== 'number') throw new TypeError(`expires must be epoch milliseconds, got ${kindOf(expires)}`)
  if (!Number.isFinite(expires)) return null
  return Math.max(0, expires - systemClock.now())
}

/** Milliseconds until an instant; `undefined` when there is none. */
export function timeLeft(expiresAt: number | undefined): number | undefined {
  return expiresAt === undefined ? undefined : Math.max(0, expiresAt - systemClock.now())
}

/** A default time to live for hosts that know numbers only; `undefined`: none. */
export function defaultTtl(ttl: unknown): number | undefined {
  const life = hostTtl(ttl)
  // What has expired is negative to them; their 0 never expires.
  return life === 0 ? -1 : (life ?? undefined)
}
