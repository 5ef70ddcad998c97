import { type Directives, durationOf, isGranted, isUnqualified } from './cache-control.js'
import { normalUrl, originOf } from './cache-key.js'
import { validatorsOf } from './conditional.js'
import { fieldLines, hasField, listMembers } from './fields.js'
import { currentAge, type Freshness, freshnessOf, residentTime } from './freshness.js'
import type { RequestHead, ResponseHead, StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { demandsOf } from './request-directives.js'
import { staleWindows } from './stale-windows.js'
import { isHeuristicallyCacheable, isUnderstood } from './statuses.js'
import { type Effective, effectiveDirectives } from './targeted.js'
import { updatedByHead } from './update.js'
import { variesMore, varyOf } from './vary.js'
import { isSelectableCoding } from './vary-values.js'

/** Why a response is not stored, in a word for `Cache-Status`. */
export type NotStoredReason =
  /** The method is none whose answers are stored. */
  | 'method'
  /** A status that is no final answer of its own: 1xx, 304, or none of HTTP. */
  | 'status'
  /** 206. */
  | 'partial'
  /** The web server answers from a file instead: `X-Accel-Redirect`, `X-Sendfile`. */
  | 'accelerated'
  /** `must-understand`, and a status that this cache does not know. */
  | 'must-understand'
  | 'no-store'
  | 'private'
  | 'request-no-store'
  /** The request has `Authorization`, and the response does not say that all may have it. */
  | 'authorization'
  | 'set-cookie'
  /** `Vary: *`. */
  | 'vary-star'
  | 'vary-cookie'
  | 'vary-authorization'
  /** `Vary: Accept-Encoding`, and a coding that variants are not told apart by. */
  | 'coding'
  /** Nothing says how long it is fresh. */
  | 'no-freshness'
  /** It has to be validated each time, and has nothing to validate it by. */
  | 'no-cache'
  /** It is stale already, and nothing allows to use it. */
  | 'stale'
  /** Fresh by an option of the developer's, and the request has a cookie. */
  | 'cookie'

export type Storability = { readonly store: true } | { readonly store: false; readonly reason: NotStoredReason }

/**
 * Whether a response may be stored, and serves any purpose there (RFC 9111 §3, with the safe defaults on top of it).
 * What is to be stored of it is {@link fieldsToStore}. Ask again when a 304 has changed the fields.
 */
export function storability(request: RequestHead, response: StoredResponse, policy: Policy): Storability {
  const effective = effectiveDirectives(response.fields, policy.targets)
  const { directives } = effective
  const reason =
    byMessage(request, response, policy) ??
    byDirectives(request, response, directives, policy) ??
    byOwner(request, response, directives, policy) ??
    byFreshness(request, response, effective, policy)
  return reason === undefined ? { store: true } : { store: false, reason }
}

/**
 * What becomes of a stored response whose fields a 304, or an answer to a HEAD, has updated: the update is stored; the
 * response goes, since it says now that nobody may keep it; it goes and is to be fetched anew, since it depends on more
 * than it was selected by; or it is kept as it was, stale, for it is only this request whose exchange may not be stored.
 * A client can so ask for `no-store`, and takes nothing from others.
 */
export function afterUpdate(
  request: RequestHead,
  stored: StoredResponse,
  updated: StoredResponse,
  policy: Policy,
): 'update' | 'keep' | 'remove' | 'refetch' {
  if (!storability({ method: 'GET', url: request.url, fields: [] }, updated, policy).store) return 'remove'
  if (variesMore(updated.fields, stored.fields)) return 'refetch'
  return storability({ ...request, method: 'GET' }, updated, policy).store ? 'update' : 'keep'
}

/** What becomes of a stored response to GET after an answer to HEAD (RFC 9111 §4.3.5), and what it is then. */
export function afterHead(
  request: RequestHead,
  stored: StoredResponse,
  head: StoredResponse,
  policy: Policy,
): { readonly fate: 'keep' | 'remove' | 'refetch' } | { readonly fate: 'update'; readonly updated: StoredResponse } {
  const updated = updatedByHead(stored, head, policy)
  if (updated === 'invalidate') return { fate: 'remove' }
  const fate = updated === stored ? 'keep' : afterUpdate(request, stored, updated, policy)
  return fate === 'update' ? { fate, updated } : { fate }
}

/**
 * Whether a response that is not stored would be, had it been the answer to a request without `Authorization`, cookies
 * and directives.
 */
export function isPersonal(request: RequestHead, response: StoredResponse, policy: Policy): boolean {
  return storability({ ...request, fields: [] }, response, policy).store
}

/** Methods and statuses (RFC 9111 §3, first to third condition). */
function byMessage(request: RequestHead, response: StoredResponse, policy: Policy): NotStoredReason | undefined {
  if (request.method !== 'GET' && !isStorablePost(request, response, policy)) return 'method'
  const { status } = response
  if (!Number.isInteger(status) || status < 200 || status > 599 || status === 304) return 'status'
  if (status === 206 && !policy.storePartial) return 'partial'
  return ACCELERATED.some(name => hasField(response.fields, name)) ? 'accelerated' : undefined
}

const ACCELERATED = ['X-Accel-Redirect', 'X-Sendfile', 'X-LIGHTTPD-send-file']

/** RFC 9110 §9.3.3: explicit freshness, and a `Content-Location` that is the target URI. */
function isStorablePost(request: RequestHead, response: StoredResponse, policy: Policy): boolean {
  if (request.method !== 'POST' || !policy.cachePost) return false
  const { source } = freshnessOf(response, policy)
  const location = fieldLines(response.fields, 'Content-Location')
  const own = normalUrl(request.url)
  return source === 'explicit' && location.length === 1 && own !== undefined && resolved(location[0] ?? '', own) === own
}

function resolved(location: string, base: string): string | undefined {
  return location.startsWith('/') && !location.startsWith('//') ? originOf(base) + location : normalUrl(location)
}

function byDirectives(
  request: RequestHead,
  response: StoredResponse,
  directives: Directives,
  policy: Policy,
): NotStoredReason | undefined {
  const mustUnderstand = directives.has('must-understand')
  if (mustUnderstand && !isUnderstood(response.status)) return 'must-understand'
  // must-understand takes the place of a no-store beside it (RFC 9111 §5.2.2.3).
  if (directives.has('no-store') && !mustUnderstand) return 'no-store'
  if (isUnqualified(directives, 'private')) return 'private'
  return demandsOf(request, policy).noStore ? 'request-no-store' : undefined
}

/** What may belong to one person. */
function byOwner(
  request: RequestHead,
  response: StoredResponse,
  directives: Directives,
  policy: Policy,
): NotStoredReason | undefined {
  if (hasField(request.fields, 'Authorization') && !permitsAuthorized(directives)) return 'authorization'
  if (hasField(response.fields, 'Set-Cookie') && !policy.storeSetCookie) return 'set-cookie'
  const names = varyOf(response.fields)
  if (names === '*') return 'vary-star'
  if (names.includes('cookie')) return 'vary-cookie'
  if (names.includes('authorization')) return 'vary-authorization'
  return names.includes('accept-encoding') && hasOtherCoding(response) ? 'coding' : undefined
}

/** Who accepts `deflate`, and who does not, are one to the cache: neither may get what is coded so by its means. */
function hasOtherCoding({ fields }: ResponseHead): boolean {
  return listMembers(fieldLines(fields, 'Content-Encoding')).some(coding => !isSelectableCoding(coding))
}

/** Whether answers to requests with `Authorization` are for all (RFC 9111 §3.5). */
export function permitsAuthorized(directives: Directives): boolean {
  const shared = durationOf(directives, 's-maxage')
  return (
    isGranted(directives, 'public') ||
    isGranted(directives, 'must-revalidate') ||
    (shared !== undefined && shared !== 'invalid')
  )
}

function byFreshness(
  request: RequestHead,
  response: StoredResponse,
  effective: Effective,
  policy: Policy,
): NotStoredReason | undefined {
  const freshness = freshnessOf(response, policy, effective)
  const asks = isUnqualified(effective.directives, 'no-cache')
  if (freshness.source === 'none' && !(asks && isHeuristicallyCacheable(response.status))) return 'no-freshness'
  if (freshness.source === 'option' && hasField(request.fields, 'Cookie') && !policy.ignoreCookies) return 'cookie'
  if (!asks && isFreshOnArrival(response, freshness)) return undefined
  const windows = staleWindows(response, policy, effective)
  if (windows.whileRevalidate > 0 || windows.ifError > 0) return undefined
  // A 304 can renew it.
  if (policy.storeForValidation && hasValidator(response)) return undefined
  return asks ? 'no-cache' : 'stale'
}

function isFreshOnArrival(response: StoredResponse, { lifetime, source }: Freshness): boolean {
  const age = source === 'option' ? residentTime : currentAge
  return lifetime > age(response, response.receivedAt)
}

function hasValidator(response: ResponseHead): boolean {
  const { etag, lastModified } = validatorsOf(response.fields)
  return etag !== undefined || lastModified !== undefined
}
