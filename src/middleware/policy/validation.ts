import { isStrong, isStrongDate, validatorsOf, weaklyEqual } from './conditional.js'
import type { Fields, ResponseHead, StoredResponse } from './message.js'

/**
 * The fields that ask the handler whether stored responses are still right (RFC 9111 §4.3.1): `If-None-Match` with the
 * entity tags of all of them, and `If-Modified-Since` where it is one. Empty when there is nothing to validate by.
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
 * Which of the stored responses that were asked for a 304 freshens (RFC 9111 §4.3.4): all with one of its strong
 * validators; else the latest with a weak one; without a validator the only one there is. None: the 304 is about
 * something else, and the request is to be made again without conditions.
 */
export function freshenedBy<S extends StoredResponse>(stored: readonly S[], notModified: ResponseHead): readonly S[] {
  const { etag, lastModified, date } = validatorsOf(notModified.fields)
  if (etag === undefined && lastModified === undefined) return stored.length === 1 ? stored : []
  const ofTag = etag === undefined ? [] : stored.filter(response => sameEtag(etag, response))
  const ofDate = stored.filter(response => lastModified && validatorsOf(response.fields).lastModified === lastModified)
  const strong = [
    ...(etag !== undefined && isStrong(etag) ? ofTag : []),
    // The same strong date is enough: a handler may name the same content anew.
    ...(lastModified !== undefined && isStrongDate(lastModified, date) ? ofDate : []),
  ]
  if (strong.length > 0) return stored.filter(response => strong.includes(response))
  return latest(etag === undefined ? ofDate : ofTag)
}

function sameEtag(etag: string, response: StoredResponse): boolean {
  const own = validatorsOf(response.fields).etag
  if (own === undefined) return false
  // A handler may answer with the weak form of a tag that it gave as a strong one, as compressing middleware does.
  return isStrong(etag) && isStrong(own) ? own === etag : weaklyEqual(own, etag)
}

function latest<S extends StoredResponse>(stored: readonly S[]): readonly S[] {
  const [first, ...others] = stored
  if (first === undefined) return []
  return [others.reduce((last, next) => (next.receivedAt > last.receivedAt ? next : last), first)]
}
