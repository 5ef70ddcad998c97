import { qualifiedNames } from './cache-control.js'
import { deleteField, withoutHopByHop } from './fields.js'
import type { Fields } from './message.js'
import type { Policy } from './options.js'
import { effectiveDirectives } from './targeted.js'

/**
 * The fields of a response to store (RFC 9111 §3.1): all except those for a single connection, and those that
 * `private="…"` or `no-cache="…"` names (§5.2.2.7, §5.2.2.4), which only the client that caused the response gets.
 */
export function fieldsToStore(fields: Fields, policy: Pick<Policy, 'targets'>): Fields {
  const { directives } = effectiveDirectives(fields, policy.targets)
  const qualified = [...qualifiedNames(directives, 'private'), ...qualifiedNames(directives, 'no-cache')]
  return deleteField(withoutHopByHop(fields), ...qualified.filter(name => name !== 'cache-control'))
}
