import type { HttpRequest } from './http-message.js'
import type { Fields } from './policy/message.js'
import { linesWithout, putLines } from './request-lines.js'

/** Fields that are hidden from a handler whose answer is stored, because it would not answer in full. */
const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since'] as const
const STRIPPED = [...CONDITIONS, 'if-range', 'range'] as const

/**
 * Replaces the conditions and ranges of a request by the conditions of the cache.
 *
 * @param options `keepsRange`: the handler sees the requested range
 * @returns a function that restores the request
 */
export function replaceConditions(
  request: HttpRequest,
  own: Fields,
  { keepsRange }: { readonly keepsRange: boolean },
): () => void {
  const { headers, rawHeaders } = request
  const stripped = keepsRange ? CONDITIONS : STRIPPED
  const before = stripped.flatMap(name => (headers[name] === undefined ? [] : [[name, headers[name]] as const]))
  if (before.length === 0 && own.length === 0) return () => undefined
  for (const name of stripped) delete headers[name]
  for (const [name, value] of own) headers[name.toLowerCase()] = value
  putLines(request, [...linesWithout(request, stripped), ...own.flat()])
  return () => {
    for (const [name] of own) delete headers[name.toLowerCase()]
    for (const [name, value] of before) Reflect.set(headers, name, value)
    putLines(request, rawHeaders)
  }
}
