import { isStrongDate, validatorsOf, weaklyEqual } from './conditional.js'
import type { Fields, ResponseHead } from './message.js'

/**
 * The fields that ask the handler whether a stored response is still valid (RFC 9111 §4.3.1): `If-None-Match` with its
 * entity tag, and `If-Modified-Since`. Empty if it has no validators.
 */
export function validationFields(stored: ResponseHead): Fields {
  const { etag, lastModified } = validatorsOf(stored.fields)
  const fields: [string, string][] = []
  if (etag !== undefined) fields.push(['If-None-Match', etag])
  if (lastModified !== undefined) fields.push(['If-Modified-Since', lastModified])
  return fields
}

/**
 * Whether a 304 freshens the stored response that was to be validated (RFC 9111 §4.3.4): it has one of its validators,
 * or none at all. If it does not, repeat the request without conditions.
 */
export function isFreshenedBy(stored: ResponseHead, notModified: ResponseHead): boolean {
  const own = validatorsOf(stored.fields)
  const { etag, lastModified, date } = validatorsOf(notModified.fields)
  const hasDate = lastModified !== undefined && own.lastModified === lastModified
  if (etag === undefined) return lastModified === undefined || hasDate
  // Compressing middleware may answer with the weak form of a tag that was strong before.
  if (own.etag !== undefined && weaklyEqual(own.etag, etag)) return true
  // The same strong date is enough: a handler may give the same content a new entity tag.
  return hasDate && isStrongDate(lastModified, date)
}
