import { type HttpRequest, namedHost } from './http-message.js'
import type { Settings } from './options.js'
import { authorityOf, cacheKey } from './policy/cache-key.js'

/** The key of a request, or why it has none. */
export type RequestKey = { readonly key: string } | { readonly none: string }

const LONGEST_KEY = 8192

/** What Express puts on requests, as far as it is used here. */
interface WithApp {
  readonly app?: { get?(name: string): unknown }
}

/**
 * The key of what a request asks for: scheme, host and `originalUrl` as it came. Two URLs that mean the same to a router
 * have two keys, and no two that differ have one.
 */
export function keyOf(request: HttpRequest, settings: Settings): RequestKey {
  return keyOfTarget(request, settings, request.originalUrl ?? request.url ?? '/')
}

/**
 * The key of the URI that an unsafe request is for. It may name that with scheme and host (RFC 9112 §3.2.2), as some
 * proxies do; apps take its path, and such a GET has no key, since handlers may show what they were asked with.
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
  return cacheKey({ name: policy.name, scheme, authority: host.authority, target, maxLength: LONGEST_KEY })
}

/** `name⏎=text`: the text has no line end of its own, and is no URL, whatever it is made of. */
export function ownKey(text: unknown, name: string): RequestKey {
  if (text === undefined || text === null) return { none: 'no-key' }
  if (typeof text !== 'string' || !text.isWellFormed()) return { none: 'bad-key' }
  const key = `${name}\n=${text.replaceAll('%', '%25').replaceAll('\n', '%0A')}`
  return key.length > LONGEST_KEY ? { none: 'long-key' } : { key }
}

/**
 * `http` or `https`, also behind a proxy that Express was told to trust. `undefined` for all else that such a proxy lets
 * through: handlers see it in `req.protocol`, and what they make of it is nobody else's.
 */
export function schemeOf(request: HttpRequest): 'http' | 'https' | undefined {
  // Express's own answer depends on nothing else, and takes longer than the rest of the key.
  const { protocol } = request.headers['x-forwarded-proto'] === undefined ? {} : (request as { protocol?: string })
  if (protocol !== undefined) return protocol === 'http' || protocol === 'https' ? protocol : undefined
  return (request.socket as { encrypted?: boolean } | undefined)?.encrypted === true ? 'https' : 'http'
}

/** The host that the client asked for; what a proxy says of it counts only where Express was told to trust that proxy. */
function hostOf(request: HttpRequest): string | undefined {
  const forwarded = request.headers['x-forwarded-host']
  if (typeof forwarded !== 'string') return namedHost(request)
  const trust: unknown = (request as WithApp).app?.get?.('trust proxy fn')
  if (typeof trust !== 'function' || !trust(request.socket.remoteAddress, 0)) return namedHost(request)
  return forwarded.split(',', 1)[0]?.trim()
}
