import { isAbsolute } from 'node:path'
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { checkOptionNames, checkOptionsObject, type Duration, kindOf, milliseconds } from '../engine/for-doors.js'
import type { Info, Key, UpkeepOptions } from '../engine/index.js'
import type { HttpRequest, RoutedRequest } from './http-message.js'
import { syncOption } from './sync-option.js'

/** The Content-Disposition of a file: whether it is shown or saved, and its name. */
export type Disposition = 'inline' | 'attachment' | DispositionParts

/** The parts of a Content-Disposition. */
export interface DispositionParts {
  /** Whether the file is shown or saved. @default 'attachment' */
  readonly type?: 'inline' | 'attachment' | undefined
  /** The name under which it is saved, without a path. @default the last part of the key, or of the path of the URL */
  readonly filename?: string | undefined
}

/** The bytes of a file. */
export type FillContent = Readable | ReadableStream | Blob | Uint8Array | string

/** The result of `fill`: the bytes and their metadata. */
export interface FillBody {
  /** The bytes of the file. */
  readonly body: FillContent
  /** Content-Type. @default the type of the extension of the name */
  readonly type?: string | undefined
  /** Size of a stream in bytes, if known. Ranges can then be sent while it arrives. */
  readonly size?: number | undefined
  /** Time to live. @default the option `ttl` of sendFile, otherwise the `defaultTtl` of the cache */
  readonly ttl?: Duration | null | undefined
  /** Tags, in addition to the option `tags` of sendFile. */
  readonly tags?: readonly string[] | undefined
  /** Last-Modified: a Date or epoch milliseconds. @default when the file was stored */
  readonly lastModified?: Date | number | undefined
  /** Content-Disposition. @default none */
  readonly disposition?: Disposition | undefined
  /** Cache-Control. @default that of the response, otherwise 'no-cache' */
  readonly cacheControl?: string | undefined
  /** Content-Encoding of the bytes, such as `br`. */
  readonly encoding?: string | undefined
}

/** How the web server in front sends the file, whose path it is told. */
export type Acceleration = NginxAcceleration | SendfileAcceleration

/** X-Accel-Redirect: nginx, and Caddy with `handle_response`. */
export interface NginxAcceleration {
  /** Sends `X-Accel-Redirect`. */
  readonly type: 'nginx'
  /** The internal location whose `alias` is the directory of the cache. It begins and ends with `/`. */
  readonly prefix: string
  /**
   * How long a replaced file stays at its path, so that nginx finds it. A file that nginx does not find is requested
   * again. It is stored as setting of the directory, unless a longer one is stored.
   *
   * @default '5s'
   */
  readonly grace?: Duration | undefined
}

/** X-Sendfile: Apache with mod_xsendfile, lighttpd. */
export interface SendfileAcceleration {
  /** Sends `X-Sendfile`. */
  readonly type: 'sendfile'
  /** Path of the directory of the cache in the web server. @default its path in this process */
  readonly root?: string | undefined
  /** How long a replaced file stays at its path. A file that the server does not find is an error. @default '30s' */
  readonly grace?: Duration | undefined
}

/** Options of `sendFile`. */
export interface SendFileOptions<Request extends HttpRequest = RoutedRequest> {
  /** Returns the key of the requested file. `undefined`: the next handler answers. */
  readonly key: (request: Request) => Key | undefined | Promise<Key | undefined>
  /**
   * Fetches a missing file. It is called once for concurrent requests over all processes. The file is sent while it
   * arrives and stored when it is complete. `undefined`: there is no such file, and the next handler answers.
   *
   * @default the next handler answers
   */
  readonly fill?:
    | ((request: Request) => FillContent | FillBody | undefined | Promise<FillContent | FillBody | undefined>)
    | undefined
  /** Content-Type of all answers. @default that stored with the file, otherwise by the extension of its name */
  readonly type?: string | ((request: Request, file: Info) => string | undefined) | undefined
  /** Content-Disposition of all answers. @default that stored with the file, otherwise none */
  readonly disposition?: Disposition | ((request: Request, file: Info) => Disposition | undefined) | undefined
  /**
   * Cache-Control of all answers.
   *
   * @default that stored with the file, otherwise that of the response, else 'no-cache'
   */
  readonly cacheControl?: string | ((request: Request, file: Info) => string | undefined) | undefined
  /** Lets the web server send the file. @default this process sends it */
  readonly accel?: Acceleration | undefined
  /** Time to live of files from `fill`. @default the `defaultTtl` of the cache */
  readonly ttl?: Duration | null | undefined
  /** Tags of files from `fill`. @default none */
  readonly tags?: readonly string[] | undefined
  /** How long a process that fetches may give no sign of life before another takes over. @default 10_000 */
  readonly lease?: Duration | undefined
  /** How long a request waits for a file that another process fetches, before it fetches it too. @default 5000 */
  readonly collapseTimeout?: Duration | undefined
  /** The name of this cache in Cache-Status (RFC 9211). @default 'fanout-cache' */
  readonly name?: string | undefined
  /** Does the upkeep of the directory in a thread of one process, as `startUpkeep` does. @default false */
  readonly upkeep?: boolean | UpkeepOptions | undefined
}

/** The checked options. Durations are milliseconds. */
export interface ResolvedSendFile
  extends Omit<SendFileOptions<HttpRequest>, 'accel' | 'lease' | 'collapseTimeout' | 'name'> {
  readonly accel: ResolvedAcceleration | undefined
  readonly lease: number
  readonly collapseTimeout: number
  readonly name: string
}

export type ResolvedAcceleration =
  | { readonly type: 'nginx'; readonly prefix: string; readonly grace: number }
  | { readonly type: 'sendfile'; readonly root: string | undefined; readonly grace: number }

const OPTIONS = new Set([
  ...['key', 'fill', 'type', 'disposition', 'cacheControl', 'accel'],
  ...['ttl', 'tags', 'lease', 'collapseTimeout', 'name', 'upkeep'],
])
const NGINX = new Set(['type', 'prefix', 'grace'])
const SENDFILE = new Set(['type', 'root', 'grace'])
const DEFAULT_LEASE = 10_000
const LEAST_LEASE = 100
const DEFAULT_COLLAPSE = 5000
/**
 * Default grace: time between the answer of the app and the access of the web server on a busy machine. Milliseconds.
 */
const GRACE = { nginx: 5000, sendfile: 30_000 }
/** A token of RFC 9110 or a string without what would have to be escaped. */
const NAME = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/

/** @throws TypeError and RangeError that name the option */
export function resolveSendFile(options: unknown): ResolvedSendFile {
  checkOptionsObject(options, 'sendFile')
  checkOptionNames(options, OPTIONS, 'sendFile')
  const given = options as SendFileOptions<HttpRequest>
  const { key, fill, type, disposition, cacheControl, name = 'fanout-cache', tags, ttl } = given
  if (typeof key !== 'function') {
    throw new TypeError(`sendFile: key must be a function that answers the key of a request, got ${kindOf(key)}`)
  }
  if (fill !== undefined && typeof fill !== 'function') {
    throw new TypeError(`sendFile: fill must be a function that returns a file, got ${kindOf(fill)}`)
  }
  if (type !== undefined && typeof type !== 'function') checkFieldValue(type, 'type')
  if (cacheControl !== undefined && typeof cacheControl !== 'function') checkFieldValue(cacheControl, 'cacheControl')
  if (disposition !== undefined && typeof disposition !== 'function') checkDisposition(disposition)
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TypeError(`sendFile: name must be a string of printable ASCII, got ${kindOf(name)}`)
  }
  checkTags(tags, 'tags')
  if (ttl !== undefined && ttl !== null) milliseconds(ttl, 'sendFile: ttl')
  const lease = milliseconds(given.lease ?? DEFAULT_LEASE, 'sendFile: lease')
  if (lease < LEAST_LEASE || lease === Number.POSITIVE_INFINITY) {
    throw new RangeError(`sendFile: lease must be at least ${LEAST_LEASE} milliseconds and finite, got ${lease}`)
  }
  const collapseTimeout = milliseconds(given.collapseTimeout ?? DEFAULT_COLLAPSE, 'sendFile: collapseTimeout')
  const functions = {
    ...(typeof type === 'function' && { type: syncOption(type) }),
    ...(typeof cacheControl === 'function' && { cacheControl: syncOption(cacheControl) }),
    ...(typeof disposition === 'function' && { disposition: syncOption(disposition) }),
  }
  return { ...given, ...functions, name, lease, collapseTimeout, accel: resolveAcceleration(given.accel) }
}

function resolveAcceleration(accel: unknown): ResolvedAcceleration | undefined {
  if (accel === undefined) return undefined
  checkOptionsObject(accel, 'sendFile: accel')
  const { type, prefix, root, grace } = accel as Record<string, unknown>
  if (type === 'nginx') {
    checkOptionNames(accel, NGINX, 'sendFile: accel')
    return { type, prefix: checkPrefix(prefix), grace: milliseconds(grace ?? GRACE.nginx, 'sendFile: accel.grace') }
  }
  if (type === 'sendfile') {
    checkOptionNames(accel, SENDFILE, 'sendFile: accel')
    if (root !== undefined && !(typeof root === 'string' && isAbsolute(root) && root.isWellFormed())) {
      throw new TypeError(`sendFile: accel.root must be an absolute path, got ${kindOf(root)}`)
    }
    return { type, root, grace: milliseconds(grace ?? GRACE.sendfile, 'sendFile: accel.grace') }
  }
  throw new TypeError(`sendFile: accel.type must be 'nginx' or 'sendfile', got ${kindOf(type)}`)
}

/** A path that means the same to everybody who reads it: no escapes, no dots that lead elsewhere. */
function checkPrefix(prefix: unknown): string {
  if (typeof prefix !== 'string') {
    throw new TypeError(`sendFile: accel.prefix must be a path such as '/_cache/', got ${kindOf(prefix)}`)
  }
  const isPlain = /^\/([\w.~!$&'()*+,;=:@-]+\/)+$/.test(prefix)
  if (!isPlain || prefix.split('/').some(part => part === '.' || part === '..')) {
    throw new RangeError(
      `sendFile: accel.prefix must be a path that begins and ends with / such as '/_cache/', got '${prefix}'`,
    )
  }
  return prefix
}

/** @throws TypeError when it is none; what `fill` and functions among the options answer is checked by it too */
export function checkDisposition(disposition: unknown): Disposition {
  if (disposition === 'inline' || disposition === 'attachment') return disposition
  if (typeof disposition === 'object' && disposition !== null && !(disposition instanceof Promise)) {
    checkOptionNames(disposition, new Set(['type', 'filename']), 'sendFile: disposition')
    const { type, filename } = disposition as Record<string, unknown>
    const isType = type === undefined || type === 'inline' || type === 'attachment'
    if (isType && (filename === undefined || typeof filename === 'string')) return disposition
  }
  throw new TypeError(
    `sendFile: disposition must be 'inline', 'attachment' or { type, filename }, got ${kindOf(disposition)}`,
  )
}

/** @throws TypeError when it cannot be the value of a field */
export function checkFieldValue(value: unknown, name: string): string {
  if (typeof value === 'string' && FIELD_VALUE.test(value)) return value
  throw new TypeError(`sendFile: ${name} must be a string that can be the value of a field, got ${kindOf(value)}`)
}

/** The value when it can be that of a field: what lies in a database is not trusted. */
export function fieldValueOrNone(value: unknown): string | undefined {
  return typeof value === 'string' && FIELD_VALUE.test(value) ? value : undefined
}

/** @throws TypeError for what the cache would refuse when the file is stored */
export function checkTags(tags: unknown, name: string): void {
  if (tags === undefined) return
  if (Array.isArray(tags) && tags.every(tag => typeof tag === 'string' && tag.isWellFormed())) return
  throw new TypeError(`sendFile: ${name} must be an array of strings, got ${kindOf(tags)}`)
}
