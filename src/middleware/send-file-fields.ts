import { createHash } from 'node:crypto'
import { basename, extname } from 'node:path/posix'
import { create } from 'content-disposition'
import { contentType } from 'mime-types'
import type { Info, Key, PlainData } from '../engine/index.js'
import type { HttpRequest } from './http-message.js'
import { formatHttpDate } from './policy/dates.js'
import type { Fields } from './policy/message.js'
import {
  checkDisposition,
  checkFieldValue,
  type Disposition,
  type FillBody,
  fieldValueOrNone,
  type ResolvedSendFile,
} from './send-file-options.js'

/** The fields stored with a file, in its metadata. All are optional. */
export interface KeptFields {
  readonly type?: string
  readonly etag?: string
  /** Last-Modified in epoch milliseconds. */
  readonly lastModified?: number
  readonly disposition?: string
  readonly cacheControl?: string
  readonly encoding?: string
}

/** The source of fields: an entry of the cache, or a file on its way into it. */
export type Described = Pick<Info, 'key' | 'storedAt' | 'version' | 'meta' | 'path'>

const DEFAULT_TYPE = 'application/octet-stream'
const DEFAULT_CACHE_CONTROL = 'no-cache'
const ETAG = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
/** Characters of a hash in base64url, for 132 bits. */
const TAG_LENGTH = 22

/**
 * The fields of a file. The options of the route override the fields stored with the file, because they are newer.
 *
 * @param present the present Cache-Control of the response
 */
export function fieldsOf(request: HttpRequest, options: ResolvedSendFile, file: Described, present?: string): Fields {
  const kept = keptFields(file.meta)
  const type = chosen(options.type, 'type', request, file) ?? kept.type ?? typeByName(nameOf(request, file.key))
  const disposition = dispositionOf(request, options, file) ?? kept.disposition
  const control = chosen(options.cacheControl, 'cacheControl', request, file) ?? kept.cacheControl ?? present
  const modified = Math.min(kept.lastModified ?? file.storedAt, file.storedAt)
  const fields: (readonly [string, string])[] = [
    ['Content-Type', type],
    ['X-Content-Type-Options', 'nosniff'],
    ['Cache-Control', control ?? DEFAULT_CACHE_CONTROL],
    ['Last-Modified', formatHttpDate(modified)],
  ]
  const etag = kept.etag ?? versionTag(file)
  if (etag !== undefined) fields.push(['ETag', etag])
  if (disposition !== undefined) fields.push(['Content-Disposition', disposition])
  if (kept.encoding !== undefined) fields.push(['Content-Encoding', kept.encoding], ['Vary', 'Accept-Encoding'])
  return fields
}

/** The fields to store with a file of `fill`, except its tag, which is known at the end. */
export function toKeep(request: HttpRequest, key: Key, body: Omit<FillBody, 'body'>): KeptFields {
  const { type, disposition, cacheControl, encoding, lastModified } = body
  const modified = lastModified instanceof Date ? lastModified.getTime() : lastModified
  if (modified !== undefined && !Number.isFinite(modified)) {
    throw new TypeError('sendFile: lastModified of what fill answers must be a Date or epoch milliseconds')
  }
  return {
    type: type === undefined ? typeByName(nameOf(request, key)) : checkFieldValue(type, 'type of what fill answers'),
    ...(modified !== undefined && { lastModified: modified }),
    ...(disposition !== undefined && { disposition: dispositionText(disposition, nameOf(request, key)) }),
    ...(cacheControl !== undefined && {
      cacheControl: checkFieldValue(cacheControl, 'cacheControl of what fill answers'),
    }),
    ...(encoding !== undefined && { encoding: checkFieldValue(encoding, 'encoding of what fill answers') }),
  }
}

/** A strong entity tag of content. */
export function contentTag(hash: Buffer): string {
  return `"${hash.toString('base64url').slice(0, TAG_LENGTH)}"`
}

/** Reads fields from the metadata of an entry. Others may have written it, so that invalid parts are ignored. */
function keptFields(meta: PlainData | undefined): KeptFields {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return {}
  const { type, etag, lastModified, disposition, cacheControl, encoding } = meta as Record<string, unknown>
  return {
    type: fieldValueOrNone(type),
    etag: typeof etag === 'string' && ETAG.test(etag) ? etag : undefined,
    lastModified: typeof lastModified === 'number' && Math.abs(lastModified) < 8.64e15 ? lastModified : undefined,
    disposition: fieldValueOrNone(disposition),
    cacheControl: fieldValueOrNone(cacheControl),
    encoding: fieldValueOrNone(encoding),
  }
}

/** A tag from the path or the version, which are never reused. They are hashed, since clients must not learn them. */
function versionTag({ path, version }: Described): string | undefined {
  const known = path ?? version
  return known === '' ? undefined : contentTag(createHash('sha256').update(known).digest())
}

/** What an option says of a file: the same for all, or what its function answers for this one. */
function chosen(
  option: string | ((request: HttpRequest, file: Info) => string | undefined) | undefined,
  name: string,
  request: HttpRequest,
  file: Described,
): string | undefined {
  const value = typeof option === 'function' ? option(request, file as Info) : option
  return value === undefined ? undefined : checkFieldValue(value, name)
}

function dispositionOf(request: HttpRequest, { disposition }: ResolvedSendFile, file: Described): string | undefined {
  const given = typeof disposition === 'function' ? disposition(request, file as Info) : disposition
  return given === undefined ? undefined : dispositionText(given, nameOf(request, file.key))
}

function dispositionText(disposition: Disposition, name: string): string {
  const checked = checkDisposition(disposition)
  const { type = 'attachment', filename = name } = typeof checked === 'string' ? { type: checked } : checked
  // Clients save under this name, so it must not contain a path.
  const last = basename(withoutControls(filename).replaceAll('\\', '/')).toWellFormed()
  return create(/^\.*$/.test(last) ? undefined : last, { type })
}

function withoutControls(text: string): string {
  return [...text].filter(one => one > '\x1f' && one !== '\x7f').join('')
}

/** The last part of the key if that is a name, otherwise of the path of the request. */
function nameOf(request: HttpRequest, key: Key): string {
  const last = Array.isArray(key) ? key.at(-1) : key
  if (typeof last === 'string' && extname(last) !== '') return basename(last)
  const path = (request.originalUrl ?? request.url ?? '').split(/[?#]/, 1)[0] ?? ''
  const name = basename(path)
  try {
    return basename(decodeURIComponent(name))
  } catch {
    return name
  }
}

function typeByName(name: string): string {
  return contentType(extname(name)) || DEFAULT_TYPE
}
