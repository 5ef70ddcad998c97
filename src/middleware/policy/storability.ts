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

/** Why a response is not stored, as a word for `Cache-Status`. */
export type NotStoredReason =
  /** Answers to this method are not stored. */
  | 'method'
  /** The status is not that of a final, independent answer: 1xx, 304, or no HTTP status. */
  | 'status'
  /** 206. */
  | 'partial'
  /** The web server sends a file instead: `X-Accel-Redirect`, `X-Sendfile`. */
  | 'accelerated'
  /** `must-understand` is given, and this cache does not know the status. */
  | 'must-understand'
  | 'no-store'
  | 'private'
  | 'request-no-store'
  /** The request has `Authorization`, and the response does not say that it is for everybody. */
  | 'authorization'
  | 'set-cookie'
  /** `Vary: *`. */
  | 'vary-star'
  | 'vary-cookie'
  | 'vary-authorization'
  /** `Vary: Accept-Encoding` is given, and variants do not distinguish the coding of the response. */
  | 'coding'
  /** Nothing says how long it is fresh. */
  | 'no-freshness'
  /** It would have to be validated each time, but has no validator. */
  | 'no-cache'
  /** It is already stale, and nothing allows using it. */
  | 'stale'
  /** It would be fresh only because of an option, and the request has a cookie. */
  | 'cookie'

export type Storability = { readonly store: true } | { readonly store: false; readonly reason: NotStoredReason }

/**
 * Whether a response may be stored and can be useful later (RFC 9111 §3, with safer defaults on top). Store only its
 * {@link fieldsToStore}. Ask again when a 304 has changed the fields.
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

/** What becomes of a stored response that was validated. */
export type Fate = 'update' | 'keep' | 'remove' | 'refetch'

/**
 * Decides what to do with a stored response whose fields a 304, or an answer to a HEAD, has updated: store the update;
 * remove the response, because it must no longer be stored; remove it and fetch it anew, because it now varies by more
 * than it was selected by; or keep the old response as stale, because only the exchange of this request may not be
 * stored. So a client that asks for `no-store` takes nothing away from others.
 */
export function afterUpdate(
  request: RequestHead,
  stored: StoredResponse,
  updated: StoredResponse,
  policy: Policy,
): Fate {
  if (!storability({ method: 'GET', url: request.url, fields: [] }, updated, policy).store) return 'remove'
  if (variesMore(updated.fields, stored.fields)) return 'refetch'
  return storability({ ...request, method: 'GET' }, updated, policy).store ? 'update' : 'keep'
}

/** Decides what to do with a stored response to GET after an answer to HEAD (RFC 9111 §4.3.5), and updates it. */
export function afterHead(
  request: RequestHead,
  stored: StoredResponse,
  head: StoredResponse,
  policy: Policy,
): { readonly fate: Exclude<Fate, 'update'> } | { readonly fate: 'update'; readonly updated: StoredResponse } {
  const updated = updatedByHead(stored, head, policy)
  if (updated === 'invalidate') return { fate: 'remove' }
  const fate = updated === stored ? 'keep' : afterUpdate(request, stored, updated, policy)
  return fate === 'update' ? { fate, updated } : { fate }
}

/** Whether a response is not stored only because of `Authorization`, cookies or directives of its request. */
export function isPersonal(request: RequestHead, response: StoredResponse, policy: Policy): boolean {
  return storability({ ...request, fields: [] }, response, policy).store
}

/** Checks method and status (RFC 9111 §3, first to third condition). */
function byMessage(request: RequestHead, response: StoredResponse, policy: Policy): NotStoredReason | undefined {
  if (request.method !== 'GET' && !isStorablePost(request, response, policy)) return 'method'
  const { status } = response
  if (!Number.isInteger(status) || status < 200 || status > 599 || status === 304) return 'status'
  if (status === 206 && !policy.storePartial) return 'partial'
  return ACCELERATED.some(name => hasField(response.fields, name)) ? 'accelerated' : undefined
}

const ACCELERATED = ['X-Accel-Redirect', 'X-Sendfile', 'X-LIGHTTPD-send-file']

/** Whether it has explicit freshness and a `Content-Location` that is the target URI (RFC 9110 §9.3.3). */
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
  // must-understand overrides a no-store given with it (RFC 9111 §5.2.2.3).
  if (directives.has('no-store') && !mustUnderstand) return 'no-store'
  if (isUnqualified(directives, 'private')) return 'private'
  return demandsOf(request, policy).noStore ? 'request-no-store' : undefined
}

/** Checks whether the response may be for one person only. */
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

/** Variants do not distinguish who accepts, for example, `deflate`: so a response with such a coding is not stored. */
function hasOtherCoding({ fields }: ResponseHead): boolean {
  return listMembers(fieldLines(fields, 'Content-Encoding')).some(coding => !isSelectableCoding(coding))
}

/** Whether answers to requests with `Authorization` are for everybody (RFC 9111 §3.5). */
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
