import { isAbsolute } from 'node:path'
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { checkOptionNames, checkOptionsObject, type Duration, kindOf, milliseconds } from '../engine/for-doors.js'
import type { Info, Key, UpkeepOptions } from '../engine/index.js'
import type { HttpRequest } from './http-message.js'

/** What a file is sent as: shown in the page or saved, and under which name. */
export type Disposition =
  | 'inline'
  | 'attachment'
  | { readonly type?: 'inline' | 'attachment'; readonly filename?: string }

/** The bytes of a file. */
export type FillContent = Readable | ReadableStream | Blob | Uint8Array | string

/** What `fill` answers: the bytes, and what is known of them. */
export interface FillBody {
  readonly body: FillContent
  /** Content-Type. @default by the extension of the name */
  readonly type?: string
  /** Bytes of a stream, where they are known: then ranges of it can be sent while it arrives. */
  readonly size?: number
  /** @default the option `ttl` of sendFile, else the `defaultTtl` of the cache */
  readonly ttl?: Duration | null
  /** In addition to the option `tags` of sendFile. */
  readonly tags?: readonly string[]
  /** Date, or epoch milliseconds. @default when it was stored */
  readonly lastModified?: Date | number
  readonly disposition?: Disposition
  readonly cacheControl?: string
  /** Content-Encoding of the bytes, such as `br`. */
  readonly encoding?: string
}

/** The file is handed over by the web server in front, which is told its path. */
export type Acceleration =
  | {
      /** X-Accel-Redirect: nginx, and Caddy with `handle_response`. */
      readonly type: 'nginx'
      /** The internal location whose `alias` is the directory of the cache. Begins and ends with `/`. */
      readonly prefix: string
      /**
       * How long a replaced file stays where it is, so that nginx finds what it was told; what it does not find it asks
       * for again. Stored in the directory, unless a longer one is. @default '5s'
       */
      readonly grace?: Duration
    }
  | {
      /** X-Sendfile: Apache with mod_xsendfile, lighttpd. */
      readonly type: 'sendfile'
      /** The directory of the cache as the web server sees it. @default as this process sees it */
      readonly root?: string
      /** How long a replaced file stays where it is: what the server does not find is an error. @default '30s' */
      readonly grace?: Duration
    }

/** The options of `sendFile`. */
export interface SendFileOptions<Request extends HttpRequest = HttpRequest> {
  /** The key of the file that is asked for; `undefined`: others answer. */
  readonly key: (request: Request) => Key | undefined | Promise<Key | undefined>
  /**
   * Fetches a file that is not there: called once for all who ask, over all processes. It is sent while it arrives, and
   * stored when it is complete. `undefined`: there is none, others answer.
   */
  readonly fill?: (request: Request) => FillContent | FillBody | undefined | Promise<FillContent | FillBody | undefined>
  /** Content-Type of all answers. @default what is kept with the file, else by the extension of its name */
  readonly type?: string | ((request: Request, file: Info) => string | undefined)
  /** Content-Disposition of all answers. @default what is kept with the file, else none */
  readonly disposition?: Disposition | ((request: Request, file: Info) => Disposition | undefined)
  /** Cache-Control of all answers. @default what is kept with the file, else what the response has, else 'no-cache' */
  readonly cacheControl?: string | ((request: Request, file: Info) => string | undefined)
  /** Lets the web server send the file. @default it is sent by this process */
  readonly accel?: Acceleration
  /** Time to live of what `fill` answers. @default the `defaultTtl` of the cache */
  readonly ttl?: Duration | null
  /** Tags of what `fill` answers. */
  readonly tags?: readonly string[]
  /** How long after its last sign of life a process that fills is taken for dead. @default 10_000 */
  readonly lease?: Duration
  /** How long to wait for a file that another process fetches, before fetching it too. @default 5000 */
  readonly collapseTimeout?: Duration
  /** The name of this cache in Cache-Status (RFC 9211). @default 'fanout-cache' */
  readonly name?: string
  /** Keeps the directory up in a thread of one process, as `startUpkeep` does, until the cache is closed. @default false */
  readonly upkeep?: boolean | UpkeepOptions
}

/** Options after they were checked. Durations are milliseconds. */
export interface ResolvedSendFile extends Omit<SendFileOptions, 'accel' | 'lease' | 'collapseTimeout' | 'name'> {
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
/** Milliseconds between the answer of the app and the look of the web server, on a busy machine. */
const GRACE = { nginx: 5000, sendfile: 30_000 }
/** A token of RFC 9110 or a string without what would have to be escaped. */
const NAME = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/

/** @throws TypeError and RangeError that name the option */
export function resolveSendFile(options: unknown): ResolvedSendFile {
  checkOptionsObject(options, 'sendFile')
  checkOptionNames(options, OPTIONS, 'sendFile')
  const given = options as SendFileOptions
  const { key, fill, type, disposition, cacheControl, name = 'fanout-cache', tags, ttl } = given
  if (typeof key !== 'function') {
    throw new TypeError(`sendFile: key must be a function that answers the key of a request, got ${kindOf(key)}`)
  }
  if (fill !== undefined && typeof fill !== 'function') {
    throw new TypeError(`sendFile: fill must be a function that answers a file, got ${kindOf(fill)}`)
  }
  if (type !== undefined && typeof type !== 'function') checkFieldValue(type, 'type')
  if (cacheControl !== undefined && typeof cacheControl !== 'function') checkFieldValue(cacheControl, 'cacheControl')
  if (disposition !== undefined && typeof disposition !== 'function') checkDisposition(disposition)
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TypeError(`sendFile: name must be a string of printable ASCII, got ${kindOf(name)}`)
  }
  checkTags(tags)
  if (ttl !== undefined && ttl !== null) milliseconds(ttl, 'sendFile: ttl')
  const lease = milliseconds(given.lease ?? DEFAULT_LEASE, 'sendFile: lease')
  if (lease < LEAST_LEASE || lease === Number.POSITIVE_INFINITY) {
    throw new RangeError(`sendFile: lease must be at least ${LEAST_LEASE} milliseconds and finite, got ${lease}`)
  }
  const collapseTimeout = milliseconds(given.collapseTimeout ?? DEFAULT_COLLAPSE, 'sendFile: collapseTimeout')
  return { ...given, name, lease, collapseTimeout, accel: resolveAcceleration(given.accel) }
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
  if (typeof disposition === 'object' && disposition !== null) {
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

function checkTags(tags: unknown): void {
  if (tags === undefined || (Array.isArray(tags) && tags.every(tag => typeof tag === 'string'))) return
  throw new TypeError(`sendFile: tags must be an array of strings, got ${kindOf(tags)}`)
}
