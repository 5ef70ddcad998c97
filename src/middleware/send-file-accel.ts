import { join } from 'node:path'
import type { HttpRequest } from './http-message.js'
import { isStrong } from './policy/conditional.js'
import { fieldLines, hasField } from './policy/fields.js'
import type { Fields, RequestHead } from './policy/message.js'
import type { ResolvedAcceleration } from './send-file-options.js'

/**
 * Set by the web server when it could not open the file, which is then streamed. A client that sends it gains nothing.
 */
export const FALLBACK_FIELD = 'x-cache-sendfile-fallback'

/**
 * Conditions that the web server would evaluate against its own validators, which differ from those sent to clients.
 */
const OWN_BUSINESS = ['If-Match', 'If-Unmodified-Since']

/** The field that tells the web server which file to send. `undefined` when it must not or cannot. */
export function redirectField(
  accel: ResolvedAcceleration,
  directory: string,
  path: string | undefined,
): readonly [name: string, value: string] | undefined {
  if (path === undefined || !staysBelow(path)) return undefined
  if (accel.type === 'nginx') return ['X-Accel-Redirect', accel.prefix + encodePath(path)]
  return ['X-Sendfile', encodePath(join(accel.root ?? directory, path).replaceAll('\\', '/'))]
}

/** Whether the web server may answer this request. */
export function mayRedirect(accel: ResolvedAcceleration, request: RequestHead, fields: Fields): boolean {
  if (hasField(request.fields, FALLBACK_FIELD)) return false
  if (OWN_BUSINESS.some(name => hasField(request.fields, name)) || hasLooseIfRange(request)) return false
  // mod_xsendfile drops the field.
  return accel.type === 'nginx' || !hasField(fields, 'Content-Encoding')
}

/**
 * Whether `If-Range` is anything but one strong tag. Web servers accept weak tags too, and dates, which two versions
 * within a second share, and would send a part of one version for a part of the other (RFC 9110 §13.1.5).
 */
function hasLooseIfRange({ fields }: RequestHead): boolean {
  const lines = fieldLines(fields, 'If-Range')
  return hasField(fields, 'Range') && lines.length > 0 && !(lines.length === 1 && isStrong(lines[0] ?? ''))
}

/** Whether the web server has tried to send the file and failed. */
export function hasFallback({ headers }: HttpRequest): boolean {
  return headers[FALLBACK_FIELD] !== undefined
}

/** Whether a request is for the internal location, whose error page sends such requests of clients here. */
export function isInternal(accel: ResolvedAcceleration | undefined, request: HttpRequest): boolean {
  if (accel?.type !== 'nginx') return false
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split(/[?#]/, 1)
  return [path, plainPath(path)].some(one => one.startsWith(accel.prefix) || `${one}/` === accel.prefix)
}

/** Normalises a path like web servers: decoded, without repeated slashes and dots. */
function plainPath(path: string): string {
  const decoded = path.replace(/%[0-9a-f]{2}/gi, code => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  const parts: string[] = []
  for (const part of decoded.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}${decoded.endsWith('/') && parts.length > 0 ? '/' : ''}`
}

/** Whether a path from the database stays inside the directory. Others are never sent. */
function staysBelow(path: string): boolean {
  if (path.includes('\0') || path.includes('\\')) return false
  return path.split('/').every(part => part !== '' && part !== '.' && part !== '..' && !part.includes('cache.db'))
}

/** Percent-encodes the parts of a path. nginx, mod_xsendfile and lighttpd decode it. */
function encodePath(path: string): string {
  return path
    .split('/')
    .map(part => encodeURIComponent(part.toWellFormed()))
    .join('/')
}
