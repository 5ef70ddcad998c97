import { fieldLines, isToken, listMembers } from './fields.js'
import type { Fields, RequestHead } from './message.js'
import { normalised } from './vary-values.js'

/**
 * The fields that `Vary` names, in lower case, sorted, without duplicates; `*` if one of them is a star (RFC 9111
 * §4.1). Empty without `Vary`. A member that is not the name of a possible request field counts as a star.
 */
export function varyOf(fields: Fields): readonly string[] | '*' {
  const names = new Set(listMembers(fieldLines(fields, 'Vary')).map(name => name.toLowerCase()))
  // Node leaves `__proto__` out of the fields of a request.
  if ([...names].some(name => name === '__proto__' || name.includes('*') || !isToken(name))) return '*'
  return [...names].sort()
}

/** Whether a response varies by fields by which another one did not vary. */
export function variesMore(fields: Fields, than: Fields): boolean {
  const [names, others] = [varyOf(fields), varyOf(than)]
  return names === '*' ? others !== '*' : others !== '*' && names.some(name => !others.includes(name))
}

/**
 * The text that selects a variant: the values of a request for the fields of `Vary`, one line for each field, in a form
 * that is the same for values of the same meaning (RFC 9111 §4.1). Different values cannot collide.
 *
 * Lines are joined, and white space around commas is removed. `Accept-Encoding` is reduced to the acceptable codings
 * among br, zstd, gzip and identity, ordered by weight. `Accept-Language`, `Accept` and `Accept-Charset` are put into
 * lower case, without white space, their members ordered by weight. A missing field differs from an empty one.
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

/** Escapes line ends. Fields received over HTTP have none, but others must not collide either. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '\\r').replaceAll('\n', '\\n')
}
