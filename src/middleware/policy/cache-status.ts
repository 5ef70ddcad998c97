import { parseList, serializeString } from 'structured-headers'
import { fieldLines } from './fields.js'
import type { Fields } from './message.js'
import { remembered } from './remembered.js'

/** Why a request went on to the handler (RFC 9211 §2.2). */
export type ForwardReason =
  /** The cache was told to keep out of it. */
  | 'bypass'
  /** The method has to be. */
  | 'method'
  /** Nothing is stored for the URI. */
  | 'uri-miss'
  /** Something is, but not for the fields that `Vary` names. */
  | 'vary-miss'
  /** Nothing is, and it is not known whether for the URI or the fields. */
  | 'miss'
  /** Directives of the request demand it. */
  | 'request'
  /** What is stored is stale. */
  | 'stale'
  /** A part is stored, but not all that is needed. */
  | 'partial'

/** What one cache says of one answer (RFC 9211 §2). */
export interface CacheStatus {
  /** Names the cache. */
  readonly name: string
  /** Answered without the handler. Left out when `fwd` is given: the two exclude each other. */
  readonly hit?: boolean
  readonly fwd?: ForwardReason
  /** The status that the handler answered, where it is another than the one that is sent, as 304 is. */
  readonly fwdStatus?: number
  /** Milliseconds of freshness that are left; negative when stale. Told in seconds. */
  readonly ttl?: number
  readonly stored?: boolean
  /** Joined the flight of another request. */
  readonly collapsed?: boolean
  readonly key?: string
  /** A word or two more, such as why nothing was stored. */
  readonly detail?: string
}

const LONGEST_KEY = 256

/** The member of `Cache-Status` for one answer, such as `app; hit; ttl=30`. */
export function cacheStatus(status: CacheStatus): string {
  const { name, fwd, fwdStatus, ttl, key, detail } = status
  let member = word(name)
  if (fwd !== undefined) member += `; fwd=${fwd}`
  else if (status.hit) member += '; hit'
  if (fwdStatus !== undefined) member += `; fwd-status=${integer(fwdStatus)}`
  if (ttl !== undefined) member += `; ttl=${integer(Math.floor(ttl / 1000))}`
  if (status.stored) member += '; stored'
  if (status.collapsed && fwd !== undefined) member += '; collapsed'
  if (key !== undefined) member += `; key=${serializeString(printable(key).slice(0, LONGEST_KEY))}`
  if (detail !== undefined) member += `; detail=${word(detail)}`
  return member
}

/**
 * The fields with this member added to `Cache-Status`, after those of caches that are nearer to the origin (RFC 9211
 * §2). Lines there that are no list are left out: they would make the whole field unreadable.
 */
export function appendCacheStatus(fields: Fields, status: CacheStatus): Fields {
  const lines = fieldLines(fields, 'Cache-Status').filter(isCacheStatus)
  const others = fields.filter(([name]) => name.toLowerCase() !== 'cache-status')
  return [...others, ['Cache-Status', [...lines, cacheStatus(status)].join(', ')]]
}

/** Whether a line is one that others can read: a list of structured fields, and not an empty one. */
export function isCacheStatus(line: string): boolean {
  try {
    return parseList(line).length > 0
  } catch {
    return false
  }
}

/** A token where the grammar allows it (RFC 9651 §3.3.4), else a string. */
const word: (text: string) => string = /* @__PURE__ */ remembered(text =>
  /^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*$/.test(text) ? text : serializeString(printable(text)),
)

/** What a string of structured fields can hold; line ends as spaces, the rest as question marks. */
function printable(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll(/[^\x20-\x7e]/g, '?')
}

/** Within what an integer of structured fields can hold (RFC 9651 §3.3.1). */
function integer(value: number): number {
  const limit = 999_999_999_999_999
  return Number.isNaN(value) ? 0 : Math.max(-limit, Math.min(limit, Math.trunc(value)))
}
