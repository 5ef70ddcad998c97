import { join } from 'node:path'
import type { HttpRequest } from './http-message.js'
import { isStrong } from './policy/conditional.js'
import { fieldLines, hasField } from './policy/fields.js'
import type { Fields, RequestHead } from './policy/message.js'
import type { ResolvedAcceleration } from './send-file-options.js'

/** Set by the web server when it could not open the file: then it is streamed. A client that sends it gains nothing. */
const FALLBACK_FIELD = 'X-Cache-Sendfile-Fallback'

/** These are evaluated by the web server against its own idea of the file, which differs from what clients were told. */
const OWN_BUSINESS = ['If-Match', 'If-Unmodified-Since']

/** The field that tells the web server which file to send; `undefined` when it must not or cannot. */
export function redirectField(
  accel: ResolvedAcceleration,
  directory: string,
  path: string | undefined,
): readonly [name: string, value: string] | undefined {
  if (path === undefined || !staysBelow(path)) return undefined
  if (accel.type === 'nginx') return ['X-Accel-Redirect', accel.prefix + encodePath(path)]
  return ['X-Sendfile', encodePath(join(accel.root ?? directory, path).replaceAll('\\', '/'))]
}

/** Whether the web server may answer this request. Nothing in a request can say how it is asked to. */
export function mayRedirect(accel: ResolvedAcceleration, request: RequestHead, fields: Fields): boolean {
  if (hasField(request.fields, FALLBACK_FIELD)) return false
  if (OWN_BUSINESS.some(name => hasField(request.fields, name)) || hasLooseIfRange(request)) return false
  // mod_xsendfile drops the field.
  return accel.type === 'nginx' || !hasField(fields, 'Content-Encoding')
}

/**
 * Whether a range is asked for by anything else than one strong tag. Web servers go by weak tags too, and by dates that
 * two versions of one second share, and would send a part of the one for a part of the other (RFC 9110 §13.1.5).
 */
function hasLooseIfRange({ fields }: RequestHead): boolean {
  const lines = fieldLines(fields, 'If-Range')
  return hasField(fields, 'Range') && lines.length > 0 && !(lines.length === 1 && isStrong(lines[0] ?? ''))
}

/** Whether the web server has tried in vain. */
export function hasFallback({ headers }: HttpRequest): boolean {
  return headers[FALLBACK_FIELD.toLowerCase()] !== undefined
}

/** Whether a request asks for the internal location: its error page brings such requests of strangers here. */
export function isInternal(accel: ResolvedAcceleration | undefined, request: HttpRequest): boolean {
  if (accel?.type !== 'nginx') return false
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split(/[?#]/, 1)
  return [path, plainPath(path)].some(one => one.startsWith(accel.prefix) || `${one}/` === accel.prefix)
}

/** The path as web servers read it: decoded, with one slash where there are several, and without dots. */
function plainPath(path: string): string {
  const decoded = path.replace(/%[0-9a-f]{2}/gi, code => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  const parts: string[] = []
  for (const part of decoded.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}${decoded.endsWith('/') && parts.length > 0 ? '/' : ''}`
}

/** Names come from the database: one that leads elsewhere is not told to anybody. */
function staysBelow(path: string): boolean {
  if (path.includes('\0') || path.includes('\\')) return false
  return path.split('/').every(part => part !== '' && part !== '.' && part !== '..' && !part.includes('cache.db'))
}

/** Percent-encoded part by part: nginx, mod_xsendfile and lighttpd decode it. */
function encodePath(path: string): string {
  return path
    .split('/')
    .map(part => encodeURIComponent(part.toWellFormed()))
    .join('/')
}
