import { createHash } from 'node:crypto'
import { kindOf } from '../../engine/option-names.js'
import { remembered } from './remembered.js'

/** What a key is made of. */
export interface KeyParts {
  /** The name of the cache: {@link checkCacheName}. */
  readonly name: string
  readonly scheme: string
  /** The host, with the port if it is not the default port of the scheme. */
  readonly authority: string
  /** `originalUrl`, byte for byte: path and query. */
  readonly target: string
}

/** Why there is no key, in a word for `Cache-Status`. */
export type NoKeyReason = 'no-host' | 'bad-host' | 'foreign-host' | 'bad-url' | 'long-url'

/** The longest key, in characters. A longer one is refused with `long-url`. */
export const LONGEST_KEY = 8192
/** The longest name of a cache, in characters. */
const LONGEST_NAME = 200
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~%!$&'()*+,;=-]{1,255})(?::\d{0,5})?$/

/**
 * Checks the name of a cache: any short text of one line, since it is the first line of every key.
 *
 * @throws TypeError if it is not a string
 * @throws RangeError if it is empty, longer than 200 characters or contains control characters
 */
export function checkCacheName(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError(`name must be a string, got ${kindOf(name)}`)
  if (name === '' || name.length > LONGEST_NAME || hasControl(name)) {
    throw new RangeError(
      `name must be 1 to ${LONGEST_NAME} characters of one line, got ${JSON.stringify(name.slice(0, 40))}`,
    )
  }
  return name
}

/**
 * Makes the key of a URI: `name⏎scheme://host/path?query`, which people can read and purge by prefix. Different
 * requests never get the same key: no part can contain a line end, the authority cannot contain a slash, and path and
 * query are taken byte for byte, neither decoded nor sorted. Only the authority is normalised (RFC 9110 §4.2.3).
 */
export function cacheKey(parts: KeyParts): { readonly key: string } | { readonly none: NoKeyReason } {
  const { name, scheme, target } = parts
  const authority = normalAuthority(parts.authority, scheme)
  if (authority === undefined) return { none: parts.authority === '' ? 'no-host' : 'bad-host' }
  if (!target.startsWith('/') || hasControl(target) || target.includes(' ')) return { none: 'bad-url' }
  const key = `${name}\n${scheme}://${authority}${target}`
  return key.length > LONGEST_KEY ? { none: 'long-url' } : { key }
}

/** Makes the key of one variant: the key, and a hash of the selecting text. No such key is a prefix of another. */
export function variantKey(key: string, selecting: string): string {
  return `${key}\n${createHash('sha256').update(selecting).digest('hex')}`
}

/** What follows the name of the cache in a key that is of no variant: a URL, or the text that the app made its key of. */
export function urlOfKey(key: string): string {
  return key.slice(key.indexOf('\n') + 1)
}

/** The parts of a key made by {@link cacheKey} or {@link variantKey}; `undefined` for other keys. */
export function parseCacheKey(key: string): { name: string; url: string; variant?: string } | undefined {
  const [name, url, variant, ...more] = key.split('\n')
  if (!name || url === undefined || more.length > 0 || !/^https?:\/\/[^/]+\//.test(url)) return undefined
  return variant === undefined ? { name, url } : { name, url, variant }
}

/** Which hosts a request may name. */
export interface HostRule {
  /** Used in place of the host that the request names. */
  readonly authority?: string | undefined
  /** The hosts to cache for, with ports other than the default port of the scheme. @default all hosts */
  readonly hosts?: readonly string[] | undefined
}

/**
 * The authority of a key: the configured one, or the host that the request names if it is allowed. Clients can send any
 * `Host`, and must not get the page of another host that way.
 */
export function authorityOf(
  host: string | undefined,
  scheme: string,
  rule: HostRule,
): { readonly authority: string } | { readonly none: NoKeyReason } {
  const given = rule.authority ?? host
  if (given === undefined || given === '') return { none: 'no-host' }
  const authority = normalAuthority(given, scheme)
  if (authority === undefined) return { none: 'bad-host' }
  const allowed =
    rule.authority !== undefined || !rule.hosts || rule.hosts.some(name => normalAuthority(name, scheme) === authority)
  return allowed ? { authority } : { none: 'foreign-host' }
}

/**
 * An authority in lower case, without the default port of the scheme (RFC 9110 §4.2.3). `undefined` if the text is not
 * an authority or contains a user (§4.2.4).
 */
export function normalAuthority(text: string, scheme: string): string | undefined {
  if (scheme === 'http') return normalHttp(text)
  return scheme === 'https' ? normalHttps(text) : undefined
}

const normalHttp = /* @__PURE__ */ remembered(text => withoutPort(text, /:(?:80)?$/))
const normalHttps = /* @__PURE__ */ remembered(text => withoutPort(text, /:(?:443)?$/))

function withoutPort(text: string, own: RegExp): string | undefined {
  return AUTHORITY.test(text) ? text.toLowerCase().replace(own, '') : undefined
}

/** Which keys a purge removes. */
export interface PurgeTarget {
  /** All keys that match begin with this. */
  readonly keyPrefix: string
  /** Whether to purge a key, of a page or of a variant. */
  matches(key: string): boolean
}

/**
 * The keys of all URIs that begin with a prefix: an absolute URI, or a path on all hosts. The prefix is compared as
 * text: `/news` matches `/newsletter`, `/news/` does not.
 *
 * @throws TypeError if the prefix is neither an absolute URI nor a path
 */
export function purgePrefix(name: string, prefix: string): PurgeTarget {
  return target(name, prefix, 'prefix', (wanted, text) => text.startsWith(wanted))
}

/**
 * The key of one URI and the keys of its variants. A path means this path on all hosts.
 *
 * @throws TypeError if it is neither an absolute URI nor a path
 */
export function purgeUrl(name: string, url: string): PurgeTarget {
  return target(name, url, 'url', (wanted, text) => text === wanted)
}

function target(
  name: string,
  asked: string,
  option: string,
  same: (wanted: string, text: string) => boolean,
): PurgeTarget {
  const absolute = normalUrl(asked)
  if (absolute === undefined && !asked.startsWith('/')) {
    throw new TypeError(
      `${option} must be an absolute http(s) URI or a path that begins with /, got ${JSON.stringify(asked.slice(0, 80))}`,
    )
  }
  return {
    keyPrefix: `${name}\n${absolute ?? ''}`,
    matches(key) {
      const parsed = parseCacheKey(key)
      if (parsed === undefined || parsed.name !== name) return false
      return absolute === undefined ? same(asked, pathOf(parsed.url)) : same(absolute, parsed.url)
    },
  }
}

/** An absolute URI with its authority as in keys, path and query unchanged, and without fragment. */
export function normalUrl(url: string): string | undefined {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(url)
  if (!match) return undefined
  const scheme = (match[1] ?? '').toLowerCase()
  const authority = normalAuthority(match[2] ?? '', scheme)
  const rest = match[3] ?? ''
  return authority === undefined || hasControl(url)
    ? undefined
    : `${scheme}://${authority}${rest.startsWith('/') ? rest : `/${rest}`}`
}

/** Scheme and authority of a {@link normalUrl}. */
export function originOf(url: string): string {
  return url.slice(0, url.indexOf('/', url.indexOf('://') + 3))
}

function pathOf(url: string): string {
  return url.slice(originOf(url).length)
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
