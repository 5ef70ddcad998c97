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

/** Age and remaining freshness, in milliseconds. `ttl` is 0 or less when stale. */
export interface Ageing {
  /** For {@link ageField}. */
  readonly age: number
  readonly ttl: number
}

/** Why a stored response must not answer a request. */
export type BypassReason =
  /** The request has `Authorization`, and the response is not for everybody. */
  | 'authorization'
  /** The request has a cookie, and the response is fresh only because of an option. */
  | 'cookie'
  /** The response is a 206 that does not contain everything the request asks for. */
  | 'partial'

/** What to do with a stored response that the key and `Vary` have selected. */
export type Decision = Ageing &
  (
    | { readonly kind: 'fresh' }
    /** Answer with it, and validate it in the background (RFC 5861 §3). */
    | { readonly kind: 'stale-while-revalidate' }
    /** Answer with it: the client accepts stale answers (RFC 9111 §5.2.1.2). */
    | { readonly kind: 'stale' }
    /**
     * Ask the handler, with {@link validationFields}: it is stale, or it or the client demands validation each time.
     */
    | { readonly kind: 'validate'; readonly reason: 'stale' | 'no-cache' | 'request' }
    /** It would have to be validated, but the client accepts only stored answers: 504 (RFC 9111 §5.2.1.7). */
    | { readonly kind: 'gateway-timeout' }
    /** Answer this request by the handler, and leave the stored response unchanged. */
    | { readonly kind: 'bypass'; readonly reason: BypassReason }
  )

/**
 * Decides whether and how a stored response answers a request (RFC 9111 §4). Evaluate conditions and ranges afterwards.
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

/** How old a stored response is and how long it stays fresh, with soft purges taken into account. */
export function ageingOf(stored: StoredResponse, now: number, policy: Policy): Ageing {
  return ageOf(stored, now, freshnessOf(stored, policy))
}

function ageOf(stored: StoredResponse, now: number, { lifetime, source }: Freshness): Ageing {
  const age = currentAge(stored, now)
  // Lifetimes from options count from the arrival, so that a slow handler does not use them up.
  const left = lifetime - (source === 'option' ? residentTime(stored, now) : age)
  const ttl = stored.staleSince === undefined ? left : Math.min(left, stored.staleSince - now)
  return { age, ttl }
}

/** Why a response that the key of a request has selected must not answer it. */
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

/** Decides to validate if a directive of the request or of the response demands it, fresh or not. */
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
 * Whether the client refuses a response although it is fresh (RFC 9111 §5.2.1). {@link byAge} decides on stale ones.
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
