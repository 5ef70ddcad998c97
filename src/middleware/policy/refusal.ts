import { deleteField } from './fields.js'
import type { Fields } from './message.js'

/** Fields that describe the content, and are left out of an answer without content. */
export const OF_CONTENT: readonly string[] = [
  ...['Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Language', 'Content-Range'],
]

const OF_FRESHNESS = /^(?:age|expires|pragma|surrogate-control|(?:.+-)?cache-control)$/i

/** Whether a field tells a cache, this or another, how long an answer may be used. */
export function isOfFreshness(name: string): boolean {
  return OF_FRESHNESS.test(name)
}

/**
 * The fields of a 412 or 416 that is sent instead of a stored answer. Fields about freshness are left out: otherwise a
 * cache on the way to the client could store the refusal and send it to everybody who asks for this URI (RFC 9111 §3).
 */
export function refusalFields(fields: Fields): Fields {
  const left = deleteField(fields, ...OF_CONTENT).filter(([name]) => !isOfFreshness(name))
  return [...left, ['Cache-Control', 'no-store']]
}
