import { durationOf, parseCacheControl } from './cache-control.js'
import { fieldLines, hasField, listMembers } from './fields.js'
import type { RequestHead } from './message.js'
import type { Policy } from './options.js'

/** What a client asks of the cache, as far as the policy heeds it. Milliseconds. */
export interface Demands {
  /** Nothing of this exchange may be stored (RFC 9111 §5.2.1.5). What is stored already may be the answer. */
  readonly noStore: boolean
  /** Nothing may be the answer without validation (§5.2.1.4, and §5.4 for `Pragma`). */
  readonly noCache: boolean
  /** The greatest age that is taken (§5.2.1.1). */
  readonly maxAge: number | undefined
  /** The least freshness that must be left (§5.2.1.3). */
  readonly minFresh: number
  /** How stale an answer may be (§5.2.1.2): `Infinity` when any is taken. */
  readonly maxStale: number | undefined
  /** Answer from the cache, or 504 (§5.2.1.7). */
  readonly onlyIfCached: boolean
}

/** The directives of a request that the policy heeds (RFC 9111 §5.2.1). An argument that is wrong makes no demand. */
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

/** `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111 §5.4). */
function pragmaNoCache({ fields }: Pick<RequestHead, 'fields'>): boolean {
  if (hasField(fields, 'Cache-Control')) return false
  return listMembers(fieldLines(fields, 'Pragma')).some(member => member.toLowerCase() === 'no-cache')
}

/** Why a request has nothing to do with the cache, in a word for `Cache-Status`; `undefined` when it may look there. */
export type RequestBypass = 'method' | 'body' | 'upgrade'

/**
 * Whether a request may be answered from the cache at all: a GET or HEAD (RFC 9110 §9.2.3), without a body that the
 * handler could look at while the key does not, and without `Upgrade`.
 */
export function bypassOf({ method, fields }: Pick<RequestHead, 'method' | 'fields'>): RequestBypass | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 'method'
  if (hasField(fields, 'Upgrade')) return 'upgrade'
  const hasLength = fieldLines(fields, 'Content-Length').some(line => !/^0+$/.test(line))
  return hasLength || hasField(fields, 'Transfer-Encoding') ? 'body' : undefined
}
