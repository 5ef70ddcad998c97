import { type Directives, durationOf, isUnqualified } from './cache-control.js'
import type { ResponseHead } from './message.js'
import type { Policy } from './options.js'
import { type Effective, effectiveDirectives } from './targeted.js'

/** The options of the policy that stale answers depend on. */
export type StalePolicy = Pick<Policy, 'staleWhileRevalidate' | 'staleIfError' | 'staleDespiteSMaxage' | 'targets'>

/** For how many milliseconds after it became stale a response may still be used. */
export interface StaleWindows {
  /** While it is validated in the background (RFC 5861 §3). */
  readonly whileRevalidate: number
  /** When the handler fails (RFC 5861 §4). */
  readonly ifError: number
  /** Whether the response must never be used when stale, not even if a client asks for it (RFC 9111 §4.2.4). */
  readonly forbidden: boolean
}

const NONE: StaleWindows = { whileRevalidate: 0, ifError: 0, forbidden: true }

/**
 * The windows that the response gives, else those of the policy; 0 if the response forbids stale answers. An invalid
 * number gives no window.
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
 * Whether a directive forbids to use the response when it is stale (RFC 9111 §4.2.4). Its arguments do not matter.
 */
function forbidsStale(directives: Directives, { staleDespiteSMaxage }: StalePolicy): boolean {
  if (directives.has('must-revalidate') || directives.has('proxy-revalidate')) return true
  return isUnqualified(directives, 'no-cache') || (directives.has('s-maxage') && !staleDespiteSMaxage)
}
