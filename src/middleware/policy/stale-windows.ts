import { type Directives, durationOf, isUnqualified } from './cache-control.js'
import type { ResponseHead } from './message.js'
import type { Policy } from './options.js'
import { type Effective, effectiveDirectives } from './targeted.js'

/** What of the policy stale answers depend on. */
export type StalePolicy = Pick<Policy, 'staleWhileRevalidate' | 'staleIfError' | 'staleDespiteSMaxage' | 'targets'>

/** For how many milliseconds after its freshness a response may still be an answer. */
export interface StaleWindows {
  /** While it is validated in the background (RFC 5861 §3). */
  readonly whileRevalidate: number
  /** When the handler fails (RFC 5861 §4). */
  readonly ifError: number
  /** Nothing allows stale answers, not even a client (RFC 9111 §4.2.4). */
  readonly forbidden: boolean
}

const NONE: StaleWindows = { whileRevalidate: 0, ifError: 0, forbidden: true }

/**
 * The windows that the response gives, else the policy; none where the response forbids stale answers. A window that is
 * no number is none.
 */
export function staleWindows(
  response: ResponseHead,
  policy: StalePolicy,
  { directives }: Effective = effectiveDirectives(response.fields, policy.targets),
): StaleWindows {
  if (forbidsStale(directives, policy)) return NONE
  const window = (name: string, byDefault: number) => {
    const given = durationOf(directives, name) ?? byDefault
    return given === 'invalid' ? 0 : given
  }
  return {
    whileRevalidate: window('stale-while-revalidate', policy.staleWhileRevalidate),
    ifError: window('stale-if-error', policy.staleIfError),
    forbidden: false,
  }
}

/**
 * Whether a directive forbids to use the response when it is stale (RFC 9111 §4.2.4). Any argument forbids as well as
 * none.
 */
function forbidsStale(directives: Directives, { staleDespiteSMaxage }: StalePolicy): boolean {
  if (directives.has('must-revalidate') || directives.has('proxy-revalidate')) return true
  return isUnqualified(directives, 'no-cache') || (directives.has('s-maxage') && !staleDespiteSMaxage)
}
