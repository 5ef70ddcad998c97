import { qualifiedNames } from './cache-control.js'
import { deleteField, withoutHopByHop } from './fields.js'
import type { Fields } from './message.js'
import type { Policy } from './options.js'
import { effectiveDirectives } from './targeted.js'

/**
 * What is stored of the fields of a response (RFC 9111 §3.1): no field that concerns one connection, and none that
 * `private="…"` or `no-cache="…"` names (§5.2.2.7, §5.2.2.4): those are for who caused the response, and others get it
 * without them.
 */
export function fieldsToStore(fields: Fields, policy: Pick<Policy, 'targets'>): Fields {
  const { directives } = effectiveDirectives(fields, policy.targets)
  const qualified = [...qualifiedNames(directives, 'private'), ...qualifiedNames(directives, 'no-cache')]
  return deleteField(withoutHopByHop(fields), ...qualified.filter(name => name !== 'cache-control'))
}
