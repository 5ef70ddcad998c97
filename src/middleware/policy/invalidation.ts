import { normalUrl, originOf } from './cache-key.js'
import { fieldLines } from './fields.js'
import type { RequestHead, ResponseHead } from './message.js'

/** Methods that change nothing (RFC 9110 §9.2.1, RFC 4918, RFC 5323 and RFC 3253). Unknown methods count as unsafe. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'])

/** Whether a method changes nothing, so that stored responses stay valid. */
export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/**
 * The URIs whose stored responses an exchange makes invalid (RFC 9111 §4.4). After an unsafe method answered with 2xx
 * or 3xx: the target, and the URIs in `Location` and `Content-Location` that have the same origin. Absolute, as in
 * keys. Otherwise empty.
 */
export function urisToInvalidate(request: RequestHead, response: ResponseHead): string[] {
  const target = normalUrl(request.url)
  if (target === undefined || isSafe(request.method) || response.status < 200 || response.status > 399) return []
  const named = ['Location', 'Content-Location'].flatMap(name => fieldLines(response.fields, name))
  return [...new Set([target, ...named.flatMap(reference => sameOrigin(reference, target))])]
}

/** A reference resolved to absolute URIs of the target's origin: as written, and as a browser would normalise it. */
function sameOrigin(reference: string, target: string): string[] {
  const origin = originOf(target)
  const written = /^\/(?!\/)/.test(reference) ? normalUrl(origin + reference) : normalUrl(reference)
  const parsed = URL.canParse(reference, target) ? normalUrl(new URL(reference, target).href) : undefined
  return [written, parsed].filter(url => url !== undefined).filter(url => originOf(url) === origin)
}
