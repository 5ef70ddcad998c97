/**
 * The Cache-Status field (RFC 9211) of an answer that may have come from the cache.
 *
 * @param {{ hit: boolean, expiresAt?: number, stored?: boolean, collapsed?: boolean }} outcome
 */
export function cacheStatus({ hit, expiresAt, stored, collapsed }) {
  const members = ['fanout-cache', hit ? 'hit' : 'fwd=uri-miss']
  if (!hit && stored) members.push('stored')
  if (!hit && collapsed) members.push('collapsed')
  if (expiresAt !== undefined) members.push(`ttl=${Math.ceil((expiresAt - Date.now()) / 1000)}`)
  return members.join('; ')
}

/** For answers that are made anew each time, and have no entry in the cache. */
export function uncachedStatus(method) {
  return `fanout-cache; fwd=${method === 'GET' || method === 'HEAD' ? 'bypass' : 'method'}`
}
