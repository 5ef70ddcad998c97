import { isUnqualified } from './cache-control.js'
import { hasField } from './fields.js'
import { currentAge, freshnessOf, residentTime } from './freshness.js'
import type { RequestHead, StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { type Demands, demandsOf } from './request-directives.js'
import { staleWindows } from './stale-windows.js'
import { permitsAuthorized } from './storability.js'
import { effectiveDirectives } from './targeted.js'

/** Age, and freshness that is left: milliseconds. `ttl` is 0 or less when stale. */
export interface Ageing {
  /** For {@link ageField}. */
  readonly age: number
  readonly ttl: number
}

/** What is to be done with a stored response that the key and `Vary` have selected. */
export type Decision = Ageing &
  (
    | { readonly kind: 'fresh' }
    /** Answer with it, and validate it behind the answer (RFC 5861 §3). */
    | { readonly kind: 'stale-while-revalidate' }
    /** Answer with it: the client takes stale ones (RFC 9111 §5.2.1.2). */
    | { readonly kind: 'stale' }
    /** Ask the handler, with {@link validationFields}: it is stale, may never be used unasked, or the client wants that. */
    | { readonly kind: 'validate'; readonly reason: 'stale' | 'no-cache' | 'request' }
    /** As validate, but the client does not want to wait for it: 504 (RFC 9111 §5.2.1.7). */
    | { readonly kind: 'gateway-timeout' }
    /** This request gets its answer from the handler, and the stored response stays as it is. */
    | { readonly kind: 'bypass'; readonly reason: 'authorization' | 'cookie' }
  )

/** Whether and how a stored response answers a request (RFC 9111 §4). Conditions and ranges are evaluated on the answer, afterwards. */
export function decide(request: RequestHead, stored: StoredResponse, now: number, policy: Policy): Decision {
  const { directives } = effectiveDirectives(stored.fields, policy.targets)
  const { source } = freshnessOf(stored, policy)
  const ageing = ageingOf(stored, now, policy)
  const demands = demandsOf(request, policy)
  if (hasField(request.fields, 'Authorization') && !permitsAuthorized(directives))
    return { kind: 'bypass', reason: 'authorization', ...ageing }
  if (source === 'option' && hasField(request.fields, 'Cookie') && !policy.ignoreCookies)
    return { kind: 'bypass', reason: 'cookie', ...ageing }
  const must = isUnqualified(directives, 'no-cache')
    ? 'no-cache'
    : demandsValidation(demands, ageing)
      ? 'request'
      : undefined
  const decision: Decision = must
    ? { kind: 'validate', reason: must, ...ageing }
    : byAge(stored, ageing, demands, policy)
  return decision.kind === 'validate' && demands.onlyIfCached ? { kind: 'gateway-timeout', ...ageing } : decision
}

/** How old a stored response is and how long it stays fresh, a soft purge included. */
export function ageingOf(stored: StoredResponse, now: number, policy: Policy): Ageing {
  const { lifetime, source } = freshnessOf(stored, policy)
  const age = currentAge(stored, now)
  // The developer's time counts from the arrival; a handler that took long has not used it up.
  const left = lifetime - (source === 'option' ? residentTime(stored, now) : age)
  const ttl = stored.staleSince === undefined ? left : Math.min(left, stored.staleSince - now)
  return { age, ttl }
}

function byAge(stored: StoredResponse, ageing: Ageing, demands: Demands, policy: Policy): Decision {
  if (ageing.ttl > 0) return { kind: 'fresh', ...ageing }
  const windows = staleWindows(stored, policy)
  const staleness = -ageing.ttl
  if (!windows.forbidden && demands.maxStale !== undefined && staleness <= demands.maxStale)
    return { kind: 'stale', ...ageing }
  const background = demands.minFresh === 0 && staleness < windows.whileRevalidate
  return background ? { kind: 'stale-while-revalidate', ...ageing } : { kind: 'validate', reason: 'stale', ...ageing }
}

/** What the client does not take though it is fresh (RFC 9111 §5.2.1). Freshness that runs out is none of its demands. */
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
  const { directives } = effectiveDirectives(stored.fields, policy.targets)
  if (isUnqualified(directives, 'no-cache')) return false
  const { ttl } = ageingOf(stored, now, policy)
  const windows = staleWindows(stored, policy)
  return ttl > 0 || (!windows.forbidden && -ttl < windows.ifError)
}
