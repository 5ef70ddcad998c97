import { isStrong, isStrongDate, validatorsOf } from './conditional.js'
import { formatHttpDate } from './dates.js'
import { deleteField, fieldValue, hasField } from './fields.js'
import type { Fields, StoredResponse } from './message.js'
import type { Policy } from './options.js'
import { fieldsToStore } from './stored-fields.js'
import { variesMore } from './vary.js'

/**
 * Fields of a 304 that change nothing of what is stored (RFC 9111 §3.2). The coding says how the stored bytes are to be
 * read: it is taken only from a 304 that is about these very bytes, and not about others that mean the same.
 */
function keptOf(stored: StoredResponse, notModified: StoredResponse): readonly string[] {
  return [
    'Content-Length',
    ...(isOfSameBytes(stored, notModified) ? [] : ['Content-Encoding']),
    // Middleware that compresses tells what a body depends on, and a 304 has none: what was known stays known.
    ...(variesMore(notModified.fields, stored.fields) ? [] : ['Vary']),
  ]
}

/**
 * Whether the 304 is about the very bytes that are stored: they have the same strong validator, and no weak tag (RFC
 * 9110 §8.8.1). What it leaves out is that which was asked for.
 */
function isOfSameBytes(stored: StoredResponse, notModified: StoredResponse): boolean {
  const own = validatorsOf(stored.fields)
  const { etag = own.etag, lastModified = own.lastModified } = validatorsOf(notModified.fields)
  if ([own.etag, etag].some(tag => tag !== undefined && !isStrong(tag))) return false
  if (etag !== undefined && etag === own.etag) return true
  return lastModified !== undefined && lastModified === own.lastModified && isStrongDate(lastModified, own.date)
}

/**
 * A stored response with the fields of the 304 that has confirmed it (RFC 9111 §3.2, §4.3.4): each field that the 304
 * has replaces all lines of that name. Its age begins anew. `Set-Cookie` of the 304 is left out unless the policy
 * stores it. What comes out may be unfit for storing: ask {@link afterUpdate}, and mind that `Vary` may be another.
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
  // An age that others have told is that of the response they sent; without Date the stored one would make it old at
  // once.
  const old = deleteField(stored.fields, 'Age')
  const dated: Fields = hasField(news, 'Date') ? news : [...news, ['Date', formatHttpDate(notModified.receivedAt)]]
  const { requestedAt, receivedAt } = notModified
  return { status: stored.status, fields: fieldsToStore(merged(old, dated), policy), requestedAt, receivedAt }
}

/** Each name of the new fields takes the place where the old one had its first line. */
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
 * What an answer to a HEAD means for the stored answer to a GET (RFC 9111 §4.3.5): it is updated when validators and
 * length agree, else it has to be invalidated. An answer that is no 200, such as that of a server that knows no HEAD, and
 * one that has neither, say nothing of what is stored: then that comes back as it is.
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

/** A field of the HEAD that is there, and another one than the stored. */
function differs(given: string | undefined, stored: string | undefined): boolean {
  return given !== undefined && given !== stored
}
