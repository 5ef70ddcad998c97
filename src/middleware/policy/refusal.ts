import { deleteField } from './fields.js'
import type { Fields } from './message.js'

/** Fields that describe the content, which an answer without it does not have. */
export const OF_CONTENT: readonly string[] = [
  ...['Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Language', 'Content-Range'],
]

const OF_FRESHNESS = /^(?:age|expires|pragma|surrogate-control|(?:.+-)?cache-control)$/i

/** Whether a field says how long an answer may be used, to this cache or to another one. */
export function isOfFreshness(name: string): boolean {
  return OF_FRESHNESS.test(name)
}

/**
 * The fields of the 412 or 416 that a request gets for its conditions or range in the place of a stored answer. How long
 * that is fresh is not said of the refusal: a cache on the way to the client would keep it, and give it to all who ask
 * for the same URI (RFC 9111 §3 lets it).
 */
export function refusalFields(fields: Fields): Fields {
  const left = deleteField(fields, ...OF_CONTENT).filter(([name]) => !isOfFreshness(name))
  return [...left, ['Cache-Control', 'no-store']]
}
