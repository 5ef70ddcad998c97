import { parseList, serializeString } from 'structured-headers'
import { fieldLines } from './fields.js'
import type { Fields } from './message.js'
import { remembered } from './remembered.js'

/** Why a request went on to the handler (RFC 9211 §2.2). */
export type ForwardReason =
  /** The cache was configured not to handle the request. */
  | 'bypass'
  /** Requests with this method are always forwarded. */
  | 'method'
  /** Nothing is stored for the URI. */
  | 'uri-miss'
  /** Something is stored for the URI, but not for the values of the fields that `Vary` names. */
  | 'vary-miss'
  /** Nothing suitable is stored; whether because of the URI or of `Vary` is not known. */
  | 'miss'
  /** A directive of the request demands it. */
  | 'request'
  /** What is stored is stale. */
  | 'stale'
  /** Only a part of the needed content is stored. */
  | 'partial'

/** What one cache reports about one answer (RFC 9211 §2). */
export interface CacheStatus {
  /** Names the cache. */
  readonly name: string
  /** Whether it was answered without the handler. Must not be given together with `fwd`. */
  readonly hit?: boolean
  readonly fwd?: ForwardReason
  /** The status of the handler's answer, if it differs from the status sent: for example 304. */
  readonly fwdStatus?: number
  /** Remaining freshness in milliseconds; negative when stale. Sent in seconds. */
  readonly ttl?: number
  readonly stored?: boolean
  /** Whether the request waited for the answer to another request. */
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
 * Adds a member to `Cache-Status`, after those of caches nearer to the origin (RFC 9211 §2). Removes existing lines
 * that are not lists: they would make the whole field unreadable.
 */
export function appendCacheStatus(fields: Fields, status: CacheStatus): Fields {
  const lines = fieldLines(fields, 'Cache-Status').filter(isCacheStatus)
  const others = fields.filter(([name]) => name.toLowerCase() !== 'cache-status')
  return [...others, ['Cache-Status', [...lines, cacheStatus(status)].join(', ')]]
}

/** Whether a line can be parsed: it is a list of structured fields and not empty. */
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

/** Replaces what a string of structured fields cannot contain: line ends by spaces, the rest by question marks. */
function printable(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll(/[^\x20-\x7e]/g, '?')
}

/** Limits a number to the range of integers of structured fields (RFC 9651 §3.3.1). */
function integer(value: number): number {
  const limit = 999_999_999_999_999
  return Number.isNaN(value) ? 0 : Math.max(-limit, Math.min(limit, Math.trunc(value)))
}
