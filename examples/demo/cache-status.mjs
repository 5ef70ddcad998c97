/**
 * What a Cache-Status field (RFC 9211) says of an answer of this demo.
 *
 * @param {string | undefined} field such as `fanout-cache; hit; ttl=598` or `fanout-cache; fwd=uri-miss; stored`
 * @returns {{ state: 'hit' | 'stale' | 'miss' | 'bypass', ttl?: number, stored: boolean, collapsed: boolean,
 *   forwarded?: string, detail?: string }} `ttl` is seconds
 */
export function readCacheStatus(field = '') {
  const [, ...members] = field.split(/\s*;\s*/)
  const parameters = new Map(members.map(member => member.split('=')))
  const ttl = parameters.has('ttl') ? Number(parameters.get('ttl')) : undefined
  const forwarded = parameters.get('fwd')
  return {
    state: stateOf(parameters.has('hit'), ttl, forwarded),
    ttl,
    stored: parameters.has('stored'),
    collapsed: parameters.has('collapsed'),
    forwarded,
    detail: parameters.get('detail'),
  }
}

/** For answers that are made anew each time, and have no entry in the cache. */
export function uncachedStatus(method) {
  return `fanout-cache; fwd=${method === 'GET' || method === 'HEAD' ? 'bypass' : 'method'}`
}

function stateOf(isHit, ttl, forwarded) {
  if (isHit) return ttl < 0 ? 'stale' : 'hit'
  return forwarded === undefined || forwarded === 'bypass' || forwarded === 'method' ? 'bypass' : 'miss'
}
