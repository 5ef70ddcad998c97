import { fieldLines, listMembers } from './fields.js'
import type { Fields, RequestHead } from './message.js'
import { normalised } from './vary-values.js'

/**
 * The fields that `Vary` names, in lower case, sorted, each once; `*` when a star is anywhere among them (RFC 9111
 * §4.1). Empty when there is no such field. What is no field name that a request can have counts as a star, since nobody
 * knows what was meant.
 */
export function varyOf(fields: Fields): readonly string[] | '*' {
  const names = new Set(listMembers(fieldLines(fields, 'Vary')).map(name => name.toLowerCase()))
  // Node leaves `__proto__` out of the fields of a request.
  if ([...names].some(name => name === '__proto__' || !/^[!#$%&'+.^_`|~0-9a-z-]+$/.test(name))) return '*'
  return [...names].sort()
}

/** Whether a response varies by more than another one did. */
export function variesMore(fields: Fields, than: Fields): boolean {
  const [names, others] = [varyOf(fields), varyOf(than)]
  return names === '*' ? others !== '*' : others !== '*' && names.some(name => !others.includes(name))
}

/**
 * What selects a variant: the values that a request has for the fields of `Vary`, in a form that is equal for values of
 * the same meaning (RFC 9111 §4.1). Text of one line per field, which cannot collide.
 *
 * Lines are joined and white space around commas goes. `Accept-Encoding` becomes the codings that are acceptable, by
 * weight, among br, zstd, gzip and identity. Of `Accept-Language`, `Accept` and `Accept-Charset` the case and the white
 * space go, and members are ordered by their weights. A field that is not there differs from one that is empty.
 */
export function selectingKey(names: readonly string[], request: Pick<RequestHead, 'fields'>): string {
  return [...new Set(names.map(name => name.toLowerCase()))]
    .sort()
    .map(name => {
      const lines = fieldLines(request.fields, name)
      return lines.length === 0 ? `${name}\n` : `${name}: ${escaped(normalised(name, lines))}\n`
    })
    .join('')
}

/** Line ends cannot be in fields that came over HTTP; a field that was made otherwise must not collide either. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '\\r').replaceAll('\n', '\\n')
}
