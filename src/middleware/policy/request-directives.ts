import { durationOf, parseCacheControl } from './cache-control.js'
import { fieldLines, hasField, listMembers } from './fields.js'
import type { RequestHead } from './message.js'
import type { Policy } from './options.js'

/** What a client demands of the cache, as far as the policy allows it to. Durations are in milliseconds. */
export interface Demands {
  /** Nothing of this exchange may be stored (RFC 9111 §5.2.1.5). The answer may still be a stored one. */
  readonly noStore: boolean
  /** A stored answer must be validated first (§5.2.1.4, and §5.4 for `Pragma`). */
  readonly noCache: boolean
  /** The greatest acceptable age (§5.2.1.1). */
  readonly maxAge: number | undefined
  /** The least acceptable remaining freshness (§5.2.1.3). */
  readonly minFresh: number
  /** How stale an answer may be (§5.2.1.2); `Infinity` if the client sets no limit. */
  readonly maxStale: number | undefined
  /** Answer from the cache, or 504 (§5.2.1.7). */
  readonly onlyIfCached: boolean
}

/** The directives of a request that the policy follows (RFC 9111 §5.2.1). Those with invalid arguments are ignored. */
export function demandsOf(request: Pick<RequestHead, 'fields'>, policy: Pick<Policy, 'requestDirectives'>): Demands {
  const lines = fieldLines(request.fields, 'Cache-Control')
  if (lines.length === 0 && !(policy.requestDirectives.has('no-cache') && pragmaNoCache(request))) return NO_DEMANDS
  const given = parseCacheControl(lines)
  const heeded = policy.requestDirectives
  const has = (name: 'no-store' | 'no-cache' | 'only-if-cached') => heeded.has(name) && given.has(name)
  const duration = (name: 'max-age' | 'min-fresh' | 'max-stale') => {
    const value = heeded.has(name) ? durationOf(given, name) : undefined
    return value === 'invalid' ? undefined : value
  }
  const anyStale = heeded.has('max-stale') && given.get('max-stale')?.every(argument => argument === undefined)
  return {
    noStore: has('no-store'),
    noCache: has('no-cache') || (heeded.has('no-cache') && pragmaNoCache(request)),
    maxAge: duration('max-age'),
    minFresh: duration('min-fresh') ?? 0,
    maxStale: anyStale ? Number.POSITIVE_INFINITY : duration('max-stale'),
    onlyIfCached: has('only-if-cached'),
  }
}

const NO_DEMANDS: Demands = {
  noStore: false,
  noCache: false,
  maxAge: undefined,
  minFresh: 0,
  maxStale: undefined,
  onlyIfCached: false,
}

/** `Pragma: no-cache` counts only without `Cache-Control` (RFC 9111 §5.4). */
function pragmaNoCache({ fields }: Pick<RequestHead, 'fields'>): boolean {
  if (hasField(fields, 'Cache-Control')) return false
  return listMembers(fieldLines(fields, 'Pragma')).some(member => member.toLowerCase() === 'no-cache')
}

/** Why a request bypasses the cache, as a word for `Cache-Status`. */
export type RequestBypass = 'method' | 'body' | 'upgrade'

/**
 * Returns `undefined` if a request may be answered from the cache, else the reason why not. It may if it is a GET or
 * HEAD (RFC 9110 §9.2.3) without `Upgrade` and without a body, which the handler could read but is not in the key.
 */
export function bypassOf({ method, fields }: Pick<RequestHead, 'method' | 'fields'>): RequestBypass | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 'method'
  if (hasField(fields, 'Upgrade')) return 'upgrade'
  const hasLength = fieldLines(fields, 'Content-Length').some(line => !/^0+$/.test(line))
  return hasLength || hasField(fields, 'Transfer-Encoding') ? 'body' : undefined
}
