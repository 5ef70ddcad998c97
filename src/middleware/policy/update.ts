import { isStrong, isStrongDate, validatorsOf } from './conditional.js'
import { formatHttpDate } from './dates.js'
import { deleteField, fieldValue, hasField } from './fields.js'
import type { Fields, StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { fieldsToStore } from './stored-fields.js'
import { variesMore } from './vary.js'

/**
 * Fields of a 304 that do not replace stored ones (RFC 9111 §3.2). `Content-Encoding` says how to read the stored
 * bytes, so it is taken only from a 304 that is about exactly these bytes.
 */
function keptOf(stored: StoredResponse, notModified: StoredResponse): readonly string[] {
  return [
    'Content-Length',
    ...(isOfSameBytes(stored, notModified) ? [] : ['Content-Encoding']),
    // Compressing middleware adds to Vary only where there is a body, and a 304 has none: keep the stored Vary.
    ...(variesMore(notModified.fields, stored.fields) ? [] : ['Vary']),
  ]
}

/**
 * Whether a 304 is about exactly the stored bytes: both have the same strong validator, and no weak tag (RFC 9110
 * §8.8.1). A validator that the 304 leaves out is the one of the request.
 */
function isOfSameBytes(stored: StoredResponse, notModified: StoredResponse): boolean {
  const own = validatorsOf(stored.fields)
  const { etag = own.etag, lastModified = own.lastModified } = validatorsOf(notModified.fields)
  if ([own.etag, etag].some(tag => tag !== undefined && !isStrong(tag))) return false
  if (etag !== undefined && etag === own.etag) return true
  return lastModified !== undefined && lastModified === own.lastModified && isStrongDate(lastModified, own.date)
}

/**
 * Updates a stored response with the fields of the 304 that confirmed it (RFC 9111 §3.2, §4.3.4): each field of the 304
 * replaces all stored lines of that name. The age starts again. `Set-Cookie` of the 304 is left out unless the policy
 * stores it. The result may be one that must not be stored: see {@link afterUpdate}. Its `Vary` may have changed.
 *
 * @param notModified the 304, with the instants of its own request
 */
export function updatedBy304(
  stored: StoredResponse,
  notModified: StoredResponse,
  policy: Pick<Policy, 'targets' | 'storeSetCookie'>,
): StoredResponse {
  const kept = keptOf(stored, notModified)
  const unwanted = policy.storeSetCookie ? kept : [...kept, 'Set-Cookie']
  const news = deleteField(fieldsToStore(notModified.fields, policy), ...unwanted)
  // The stored Age belongs to the previous response. Without Date it would make the updated one too old.
  const old = deleteField(stored.fields, 'Age')
  const dated: Fields = hasField(news, 'Date') ? news : [...news, ['Date', formatHttpDate(notModified.receivedAt)]]
  const { requestedAt, receivedAt } = notModified
  return { status: stored.status, fields: fieldsToStore(merged(old, dated), policy), requestedAt, receivedAt }
}

/** Replaces fields: each new one takes the place of the first old line of its name. */
function merged(old: Fields, news: Fields): Fields {
  const fresh = new Map<string, (readonly [string, string])[]>()
  for (const line of news) {
    const name = line[0].toLowerCase()
    const lines = fresh.get(name)
    if (lines) lines.push(line)
    else fresh.set(name, [line])
  }
  const placed = new Set<string>()
  const kept = old.flatMap((line): Fields => {
    const name = line[0].toLowerCase()
    const lines = fresh.get(name)
    if (!lines) return [line]
    if (placed.has(name)) return []
    placed.add(name)
    return lines
  })
  return [...kept, ...news.filter(([name]) => !placed.has(name.toLowerCase()))]
}

/**
 * Updates the stored answer to a GET by an answer to a HEAD (RFC 9111 §4.3.5), if validators and length agree. If they
 * do not, the stored answer must be invalidated. It is returned unchanged if the answer to the HEAD is not a 200, as
 * from a server that does not support HEAD, or has neither validators nor a length.
 */
export function updatedByHead(
  stored: StoredResponse,
  head: StoredResponse,
  policy: Pick<Policy, 'targets' | 'storeSetCookie'>,
): StoredResponse | 'invalidate' {
  if (head.status !== 200) return stored
  if (stored.status !== 200) return 'invalidate'
  const [own, other] = [validatorsOf(stored.fields), validatorsOf(head.fields)]
  const length = fieldValue(head.fields, 'Content-Length')
  const contradicts =
    differs(other.etag, own.etag) ||
    differs(other.lastModified, own.lastModified) ||
    differs(length, fieldValue(stored.fields, 'Content-Length'))
  if (contradicts) return 'invalidate'
  const says = other.etag !== undefined || other.lastModified !== undefined || length !== undefined
  return says ? updatedBy304(stored, head, policy) : stored
}

/** Whether a field of the answer to HEAD is present and differs from the stored one. */
function differs(given: string | undefined, stored: string | undefined): boolean {
  return given !== undefined && given !== stored
}
