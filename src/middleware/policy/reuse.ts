import { isUnqualified } from './cache-control.js'
import { hasField } from './fields.js'
import { currentAge, type Freshness, freshnessOf, residentTime } from './freshness.js'
import type { RequestHead, StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { partOf } from './partial.js'
import { type Demands, demandsOf } from './request-directives.js'
import { type StaleWindows, staleWindows } from './stale-windows.js'
import { permitsAuthorized } from './storability.js'
import { type Effective, effectiveDirectives } from './targeted.js'

/** Age, and freshness that is left: milliseconds. `ttl` is 0 or less when stale. */
export interface Ageing {
  /** For {@link ageField}. */
  readonly age: number
  readonly ttl: number
}

/** Why a stored response is not for a request. */
export type BypassReason =
  /** The request has `Authorization`, and the response is not for all. */
  | 'authorization'
  /** The request has a cookie, and the response is fresh by an option only. */
  | 'cookie'
  /** The response is a 206 that has not all that is asked for. */
  | 'partial'

/** What is to be done with a stored response that the key and `Vary` have selected. */
export type Decision = Ageing &
  (
    | { readonly kind: 'fresh' }
    /** Answer with it, and validate it behind the answer (RFC 5861 §3). */
    | { readonly kind: 'stale-while-revalidate' }
    /** Answer with it: the client takes stale ones (RFC 9111 §5.2.1.2). */
    | { readonly kind: 'stale' }
    /**
     * Ask the handler, with {@link validationFields}: it is stale, may never be used unasked, or the client wants that.
     */
    | { readonly kind: 'validate'; readonly reason: 'stale' | 'no-cache' | 'request' }
    /** As validate, but the client does not want to wait for it: 504 (RFC 9111 §5.2.1.7). */
    | { readonly kind: 'gateway-timeout' }
    /** This request gets its answer from the handler, and the stored response stays as it is. */
    | { readonly kind: 'bypass'; readonly reason: BypassReason }
  )

/**
 * Whether and how a stored response answers a request (RFC 9111 §4). Conditions and ranges are evaluated on the answer,
 * afterwards.
 */
export function decide(request: RequestHead, stored: StoredResponse, now: number, policy: Policy): Decision {
  const effective = effectiveDirectives(stored.fields, policy.targets)
  const freshness = freshnessOf(stored, policy, effective)
  const ageing = ageOf(stored, now, freshness)
  const reason = notFor(request, stored, effective, freshness, policy)
  if (reason) return { kind: 'bypass', reason, ...ageing }
  const demands = demandsOf(request, policy)
  const decision =
    byDemands(effective, ageing, demands) ?? byAge(staleWindows(stored, policy, effective), ageing, demands)
  return decision.kind === 'validate' && demands.onlyIfCached ? { kind: 'gateway-timeout', ...ageing } : decision
}

/** How old a stored response is and how long it stays fresh, a soft purge included. */
export function ageingOf(stored: StoredResponse, now: number, policy: Policy): Ageing {
  return ageOf(stored, now, freshnessOf(stored, policy))
}

function ageOf(stored: StoredResponse, now: number, { lifetime, source }: Freshness): Ageing {
  const age = currentAge(stored, now)
  // The developer's time counts from the arrival; a handler that took long has not used it up.
  const left = lifetime - (source === 'option' ? residentTime(stored, now) : age)
  const ttl = stored.staleSince === undefined ? left : Math.min(left, stored.staleSince - now)
  return { age, ttl }
}

/** Why a request does not get a response that its key has selected. */
function notFor(
  request: RequestHead,
  stored: StoredResponse,
  { directives }: Effective,
  { source }: Freshness,
  policy: Policy,
): BypassReason | undefined {
  if (stored.status === 206 && !partOf(request, stored)) return 'partial'
  if (hasField(request.fields, 'Authorization') && !permitsAuthorized(directives)) return 'authorization'
  return source === 'option' && !policy.ignoreCookies && hasField(request.fields, 'Cookie') ? 'cookie' : undefined
}

/** Validation that is demanded of a response that may be fresh. */
function byDemands({ directives }: Effective, ageing: Ageing, demands: Demands): Decision | undefined {
  if (isUnqualified(directives, 'no-cache')) return { kind: 'validate', reason: 'no-cache', ...ageing }
  return demandsValidation(demands, ageing) ? { kind: 'validate', reason: 'request', ...ageing } : undefined
}

function byAge(windows: StaleWindows, ageing: Ageing, demands: Demands): Decision {
  const staleness = -ageing.ttl
  if (staleness < 0) return { kind: 'fresh', ...ageing }
  const taken = !windows.forbidden && demands.maxStale !== undefined && staleness <= demands.maxStale
  if (taken) return { kind: 'stale', ...ageing }
  const background = demands.minFresh === 0 && staleness < windows.whileRevalidate
  return background ? { kind: 'stale-while-revalidate', ...ageing } : { kind: 'validate', reason: 'stale', ...ageing }
}

/**
 * What the client does not take though it is fresh (RFC 9111 §5.2.1). Freshness that runs out is none of its demands.
 */
function demandsValidation(demands: Demands, { age, ttl }: Ageing): boolean {
  if (demands.noCache || demands.maxAge === 0) return true
  if (demands.maxAge !== undefined && age > demands.maxAge) return true
  return ttl > 0 && ttl < demands.minFresh
}

/**
 * Whether a stored response may be the answer when the handler threw or answered 500, 502, 503 or 504
 * (RFC 5861 §4; RFC 9111 §4.2.4). A response that is still fresh may, unless it has to be validated each time.
 */
export function mayServeStaleOnError(stored: StoredResponse, now: number, policy: Policy): boolean {
  const effective = effectiveDirectives(stored.fields, policy.targets)
  if (isUnqualified(effective.directives, 'no-cache')) return false
  const { ttl } = ageOf(stored, now, freshnessOf(stored, policy, effective))
  const windows = staleWindows(stored, policy, effective)
  return ttl > 0 || (!windows.forbidden && -ttl < windows.ifError)
}
