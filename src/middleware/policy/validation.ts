import { isStrong, isStrongDate, validatorsOf, weaklyEqual } from './conditional.js'
import type { Fields, ResponseHead, StoredResponse } from './message.js'

/**
 * The fields that ask the handler whether stored responses are still valid (RFC 9111 §4.3.1): `If-None-Match` with the
 * entity tags of all of them, and `If-Modified-Since` if there is only one. Empty if they have no validators.
 */
export function validationFields(stored: readonly ResponseHead[]): Fields {
  const validators = stored.map(response => validatorsOf(response.fields))
  const etags = [...new Set(validators.flatMap(({ etag }) => etag ?? []))]
  const fields: [string, string][] = []
  if (etags.length > 0) fields.push(['If-None-Match', etags.join(', ')])
  const modified = validators.length === 1 ? validators[0]?.lastModified : undefined
  if (modified !== undefined) fields.push(['If-Modified-Since', modified])
  return fields
}

/**
 * The stored responses that a 304 freshens (RFC 9111 §4.3.4): all with one of its strong validators; else the latest
 * with a weak one; if the 304 has no validator, the only one there is. Empty if the 304 matches none: then repeat the
 * request without conditions.
 */
export function freshenedBy<S extends StoredResponse>(stored: readonly S[], notModified: ResponseHead): readonly S[] {
  const { etag, lastModified, date } = validatorsOf(notModified.fields)
  if (etag === undefined && lastModified === undefined) return stored.length === 1 ? stored : []
  const ofTag = etag === undefined ? [] : stored.filter(response => sameEtag(etag, response))
  const ofDate = stored.filter(response => lastModified && validatorsOf(response.fields).lastModified === lastModified)
  const strong = [
    ...(etag !== undefined && isStrong(etag) ? ofTag : []),
    // The same strong date is enough: a handler may give the same content a new entity tag.
    ...(lastModified !== undefined && isStrongDate(lastModified, date) ? ofDate : []),
  ]
  if (strong.length > 0) return stored.filter(response => strong.includes(response))
  return latest(etag === undefined ? ofDate : ofTag)
}

function sameEtag(etag: string, response: StoredResponse): boolean {
  const own = validatorsOf(response.fields).etag
  // Compressing middleware may answer with the weak form of a tag that was strong before.
  return own !== undefined && weaklyEqual(own, etag)
}

function latest<S extends StoredResponse>(stored: readonly S[]): readonly S[] {
  const [first, ...others] = stored
  if (first === undefined) return []
  return [others.reduce((last, next) => (next.receivedAt > last.receivedAt ? next : last), first)]
}
