import { type HttpRequest, namedHost, schemeOfConnection } from './http-message.js'
import type { Settings } from './options.js'
import { authorityOf, cacheKey, LONGEST_KEY } from './policy/cache-key.js'

/** The key of a request, or why it has none. */
export type RequestKey = { readonly key: string } | { readonly none: string }

/** The additions of Express that are used here. */
interface WithApp {
  readonly app?: { get?(name: string): unknown }
}

/**
 * The key of a request: scheme, host and the unchanged `originalUrl`. Different URLs always have different keys, even
 * if they mean the same to a router.
 */
export function keyOf(request: HttpRequest, settings: Settings): RequestKey {
  return keyOfTarget(request, settings, request.originalUrl ?? request.url ?? '/')
}

/**
 * The key of the target of an unsafe request. The target may contain scheme and host (RFC 9112 §3.2.2), as some proxies
 * send it; apps use its path. A GET of that form has no key, since handlers may show the request target.
 */
export function keyOfUnsafe(request: HttpRequest, settings: Settings): RequestKey {
  const target = request.originalUrl ?? request.url ?? '/'
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return keyOfTarget(request, settings, path.startsWith('/') ? path : `/${path}`)
}

function keyOfTarget(request: HttpRequest, settings: Settings, target: string): RequestKey {
  const { policy, key, authority, hosts } = settings
  if (key) return ownKey(key(request), policy.name)
  const scheme = settings.scheme ?? schemeOf(request)
  if (scheme === undefined) return { none: 'bad-scheme' }
  const host = authorityOf(hostOf(request), scheme, { authority, hosts })
  if ('none' in host) return host
  return cacheKey({ name: policy.name, scheme, authority: host.authority, target })
}

/** The key of a custom text, `name⏎=text`. The text has no line end and never equals a URL. */
export function ownKey(text: unknown, name: string): RequestKey {
  if (text === undefined || text === null) return { none: 'no-key' }
  if (typeof text !== 'string' || !text.isWellFormed()) return { none: 'bad-key' }
  const key = `${name}\n=${text.replaceAll('%', '%25').replaceAll('\n', '%0A')}`
  return key.length > LONGEST_KEY ? { none: 'long-key' } : { key }
}

/**
 * The scheme of a request, `http` or `https`, as reported by a proxy that Express trusts. `undefined` for any other
 * value of such a proxy: handlers see it in `req.protocol`, and their answers must not be shared.
 */
function schemeOf(request: HttpRequest): 'http' | 'https' | undefined {
  // The getter of Express depends only on this field, and takes longer than the rest of the key.
  const protocol = request.headers['x-forwarded-proto'] === undefined ? undefined : request.protocol
  if (protocol === undefined) return schemeOfConnection(request)
  return protocol === 'http' || protocol === 'https' ? protocol : undefined
}

/** The host that the client requested. The value of a proxy counts only if Express trusts that proxy. */
function hostOf(request: HttpRequest): string | undefined {
  const forwarded = request.headers['x-forwarded-host']
  if (typeof forwarded !== 'string') return namedHost(request)
  const trust: unknown = (request as WithApp).app?.get?.('trust proxy fn')
  if (typeof trust !== 'function' || !trust(request.socket.remoteAddress, 0)) return namedHost(request)
  return forwarded.split(',', 1)[0]?.trim()
}
