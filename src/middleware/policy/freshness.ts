import { type Directives, durationOf, isUnqualified, MOST_SECONDS } from './cache-control.js'
import { parseHttpDate } from './dates.js'
import { fieldLines, listMembers, singleValue } from './fields.js'
import type { StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { isHeuristicallyCacheable } from './statuses.js'
import { type Effective, effectiveDirectives } from './targeted.js'

/** What determines how long a response is fresh. */
export type FreshnessSource =
  /** Fields of the response (RFC 9111 §4.2.1). */
  | 'explicit'
  /** The developer's `ttl` or `statusTtl`. */
  | 'option'
  /** `Last-Modified` (RFC 9111 §4.2.2). */
  | 'heuristic'
  /** Nothing: it is never fresh. */
  | 'none'

export interface Freshness {
  /** The response is fresh up to this age, in milliseconds. */
  readonly lifetime: number
  readonly source: FreshnessSource
}

/** The options of the policy that freshness depends on. */
export type FreshnessPolicy = Pick<Policy, 'ttl' | 'statusTtl' | 'heuristics' | 'targets'>

/**
 * How long a response is fresh and why (RFC 9111 §4.2.1): `s-maxage`, else `max-age`, else `Expires`. The first of them
 * that is present counts, even if it is invalid: then the response is stale. Without any of them, the developer's
 * options count, then the heuristic.
 *
 * @param effective the directives that count, if already known
 */
export function freshnessOf(
  response: StoredResponse,
  policy: FreshnessPolicy,
  effective: Effective = effectiveDirectives(response.fields, policy.targets),
): Freshness {
  const { directives, targeted } = effective
  const explicit =
    durationOf(directives, 's-maxage') ??
    durationOf(directives, 'max-age') ??
    (targeted ? undefined : expires(response))
  if (explicit !== undefined) return { lifetime: explicit === 'invalid' ? 0 : explicit, source: 'explicit' }
  if (isReserved(response, directives)) return { lifetime: 0, source: 'none' }
  const option = policy.statusTtl.get(response.status) ?? (TTL_STATUSES.has(response.status) ? policy.ttl : undefined)
  if (option !== undefined) return { lifetime: option, source: 'option' }
  const heuristic = heuristicLifetime(response, directives, policy)
  return heuristic === undefined ? { lifetime: 0, source: 'none' } : { lifetime: heuristic, source: 'heuristic' }
}

/** The statuses that `ttl` applies to: final, complete and no error. 302, 303 and 307 are temporary by definition. */
const TTL_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308])

/**
 * Whether a response without explicit freshness looks as if it should not be cached. `Pragma` in a response has no
 * defined meaning (RFC 9111 §5.4), but shows this intention.
 */
function isReserved(response: StoredResponse, directives: Directives): boolean {
  if (directives.has('no-store') || isUnqualified(directives, 'private') || isUnqualified(directives, 'no-cache'))
    return true
  return fieldLines(response.fields, 'Pragma').some(line => /\bno-cache\b/i.test(line))
}

/** `Expires` minus `Date` (RFC 9111 §5.3). A value that is not a date, or is given twice, means stale. */
function expires(response: StoredResponse): number | 'invalid' | undefined {
  const lines = fieldLines(response.fields, 'Expires')
  const [line] = lines
  if (line === undefined) return undefined
  const at = lines.length === 1 ? parseHttpDate(line, response.receivedAt) : undefined
  return at === undefined ? 'invalid' : Math.max(0, at - dateOf(response))
}

/** RFC 9111 §4.2.2. */
function heuristicLifetime(
  response: StoredResponse,
  directives: Directives,
  policy: FreshnessPolicy,
): number | undefined {
  if (!policy.heuristics || !(isHeuristicallyCacheable(response.status) || directives.has('public'))) return undefined
  const lines = fieldLines(response.fields, 'Last-Modified')
  const modified = lines.length === 1 ? parseHttpDate(lines[0] ?? '', response.receivedAt) : undefined
  if (modified === undefined) return undefined
  const unchanged = Math.max(0, dateOf(response) - modified)
  return Math.min(unchanged * policy.heuristics.fraction, policy.heuristics.max)
}

/**
 * When the origin made the response: `Date`, or the time of arrival if `Date` is missing, invalid or given with two
 * values (RFC 9110 §6.6.1).
 */
function dateOf(response: StoredResponse): number {
  const line = singleValue(response.fields, 'Date')
  const date = line === undefined ? undefined : parseHttpDate(line, response.receivedAt)
  return date ?? wholeSeconds(response.receivedAt)
}

/**
 * The age on arrival, as other caches report it: the first member of `Age`, or 0 if that is not a number of seconds
 * (RFC 9111 §5.1).
 */
export function ageValue(response: Pick<StoredResponse, 'fields'>): number {
  const [first = ''] = listMembers(fieldLines(response.fields, 'Age'))
  return /^\d+$/.test(first) ? Math.min(Number(first), MOST_SECONDS) * 1000 : 0
}

/**
 * Milliseconds since the origin made or validated the response (RFC 9111 §4.2.3). At least the time since it arrived.
 * `Date` has whole seconds only, so the fraction of a second after it does not add to the age.
 */
export function currentAge(stored: StoredResponse, now: number): number {
  const apparent = Math.max(0, wholeSeconds(stored.receivedAt) - dateOf(stored))
  const delay = Math.max(0, stored.receivedAt - stored.requestedAt)
  const corrected = Math.max(apparent, ageValue(stored) + delay)
  return corrected + residentTime(stored, now)
}

/** Milliseconds since the response arrived. */
export function residentTime(stored: StoredResponse, now: number): number {
  return Math.max(0, now - stored.receivedAt)
}

/** The value of `Age` for an age in milliseconds (RFC 9111 §5.1). */
export function ageField(age: number): string {
  return String(Math.min(Math.floor(Math.max(0, age) / 1000), MOST_SECONDS))
}

function wholeSeconds(instant: number): number {
  return Math.floor(instant / 1000) * 1000
}
