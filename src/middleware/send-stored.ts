import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type HttpResponse, isGone } from './http-message.js'
import { begin, Outlet } from './outlet.js'
import { evaluate, validatorsOf } from './policy/conditional.js'
import { formatHttpDate } from './policy/dates.js'
import { deleteField, fieldLines, fieldValue, listMembers, setField } from './policy/fields.js'
import type { Fields, RequestHead } from './policy/message.js'
import { type ByteRange, contentRange, type Ranges, rangesOf, unsatisfiedRange } from './policy/range.js'
import { isOfFreshness, OF_CONTENT, refusalFields } from './policy/refusal.js'

/** A readable body, such as an open file of the cache. */
export interface StoredBody {
  /** Its size in bytes. `undefined` while it is still arriving; it is then sent whole, whatever range is requested. */
  readonly size: number | undefined
  stream(range: { readonly start: number; readonly end?: number; readonly keepOpen?: boolean }): Readable
  close(): Promise<void>
}

/** An answer to be sent, whole or in parts. */
export interface StoredAnswer {
  readonly status: number
  /** Fields of the whole answer. Fields that depend on the sent part are added or removed when it is sent. */
  readonly fields: Fields
  /**
   * Since when this version exists, in epoch milliseconds. Given where `Date` is that of this request: two versions
   * stored in the same second share a `Last-Modified` (RFC 9110 §8.8.2.2).
   */
  readonly storedAt?: number
  /** The requested range, when the body is itself a part. */
  readonly part?: PartSlot
  /** The body. It is closed in any case. */
  readonly body: StoredBody | Uint8Array
}

/** A requested range of a representation of which only a part is stored. */
export interface PartSlot {
  /** The range to send, in positions of the whole. */
  readonly range: ByteRange
  /** The position at which the stored part begins. */
  readonly from: number
  /** Size of the whole. Bytes. */
  readonly size: number
}

/** The result of sending. */
export interface Sent {
  readonly status: number
  /** `false` when the client went away, or the connection was cut because the body could not be read to its end. */
  readonly complete: boolean
  /** Why the connection was cut. */
  readonly error?: unknown
}

const OBS_TEXT = /[\x80-\xff]/
/** Fields that are set when the answer is sent. */
const OF_MESSAGE = new Set(['content-length', 'transfer-encoding'])

/**
 * Sends a stored answer, or the result of a conditional or range request: 304, 412, 206, 416 (RFC 9110 §13 and §14).
 * Fields that were set before stay unless the answer has them too; the names in Vary are merged.
 *
 * @returns when everything was written to the response
 * @throws the error of reading the body while the response is untouched, so that others can answer. Later errors cut
 *   the connection, so that nobody takes a part for the whole.
 */
export async function sendStored(request: RequestHead, response: HttpResponse, answer: StoredAnswer): Promise<Sent> {
  try {
    if (isGone(response)) return { status: answer.status, complete: false }
    return await send(request, response, answer)
  } catch (error) {
    // The body may have been closed because the client has gone.
    if (isGone(response)) return { status: answer.status, complete: false }
    throw error
  } finally {
    if ('close' in answer.body) await answer.body.close()
  }
}

/**
 * Sets status and fields of a response.
 *
 * @throws TypeError for fields that HTTP does not allow; the response is then unchanged
 */
export function putHead(response: HttpResponse, status: number, fields: Fields): void {
  const before = new Map<string, ReturnType<HttpResponse['getHeader']>>()
  try {
    for (const [key, [name, values]] of linesByName(fields)) {
      const present = response.getHeader(key)
      before.set(key, present)
      const all = [present ?? []].flat().map(String)
      if (key === 'vary') response.setHeader('Vary', united([...all, ...values]))
      else if (key === 'set-cookie') response.setHeader('Set-Cookie', [...all, ...values])
      else response.setHeader(name, values.length === 1 ? (values[0] as string) : values)
    }
    response.statusCode = status
  } catch (error) {
    // Somebody else has answered: there is nothing to put back.
    if (response.headersSent) throw error
    for (const [key, value] of before) {
      if (value === undefined) response.removeHeader(key)
      else response.setHeader(key, value)
    }
    throw error
  }
}

function linesByName(fields: Fields): Map<string, readonly [name: string, values: string[]]> {
  const lines = new Map<string, readonly [name: string, values: string[]]>()
  for (const [name, value] of fields) {
    const key = name.toLowerCase()
    const known = lines.get(key)
    if (known) known[1].push(value)
    else lines.set(key, [name, [value]])
  }
  return lines
}

async function send(request: RequestHead, response: HttpResponse, answer: StoredAnswer): Promise<Sent> {
  const { status } = answer
  const fields = answer.fields.filter(([name]) => !OF_MESSAGE.has(name.toLowerCase()))
  const { storedAt } = answer
  const date = storedAt === undefined ? undefined : { date: formatHttpDate(storedAt) }
  const validators = { ...validatorsOf(fields), ...date }
  const verdict = evaluate(request, { ...validators, status })
  if (verdict === 304) return sendHead(response, 304, deleteField(fields, ...OF_CONTENT))
  if (verdict === 412) return refuse(response, 412, refusalFields(fields))
  if (status === 204 || status === 304 || status < 200) return sendHead(response, status, fields)
  if (answer.part) return sendPart(response, answer, fields, answer.part)
  const size = sizeOf(answer.body)
  if (status !== 200 || fieldValue(fields, 'Accept-Ranges') === 'none') {
    return sendWhole(request, response, answer, fields)
  }
  const ranges: Ranges = size === undefined ? { kind: 'full' } : rangesOf(request, { size, ...validators })
  if (ranges.kind === 'unsatisfiable') {
    return refuse(response, 416, [...refusalFields(fields), ['Content-Range', unsatisfiedRange(size ?? 0)]])
  }
  if (ranges.kind === 'single') return sendPart(response, answer, fields, { range: ranges, from: 0, size: size ?? 0 })
  if (ranges.kind === 'multi') return sendRanges(response, answer, fields, ranges.ranges)
  return sendWhole(request, response, answer, setField(fields, 'Accept-Ranges', 'bytes'))
}

/** Sends a head with a status that has no content. */
function sendHead(response: HttpResponse, status: number, fields: Fields): Sent {
  for (const name of OF_CONTENT) response.removeHeader(name)
  putHead(response, status, fields)
  response.end()
  return { status, complete: true }
}

function refuse(response: HttpResponse, status: 412 | 416, fields: Fields): Sent {
  for (const name of response.getHeaderNames()) if (isOfFreshness(name)) response.removeHeader(name)
  return sendHead(response, status, setField(fields, 'Content-Length', '0'))
}

async function sendWhole(
  request: RequestHead,
  response: HttpResponse,
  { status, body }: StoredAnswer,
  fields: Fields,
): Promise<Sent> {
  const size = sizeOf(body)
  const head = size === undefined ? fields : setField(fields, 'Content-Length', String(size))
  const range = { start: 0, end: size === undefined ? undefined : size - 1 }
  if (request.method !== 'HEAD') return sendBytes(response, body, { status, fields: head }, range)
  putHead(response, status, head)
  response.end()
  return { status, complete: true }
}

function sendPart(
  response: HttpResponse,
  { body }: StoredAnswer,
  fields: Fields,
  { range, from, size }: PartSlot,
): Promise<Sent> {
  const length = String(range.end - range.start + 1)
  const head: Fields = [...partial(fields), ['Content-Range', contentRange(range, size)], ['Content-Length', length]]
  return sendBytes(response, body, { status: 206, fields: head }, { start: range.start - from, end: range.end - from })
}

interface Head {
  readonly status: number
  readonly fields: Fields
}

async function sendBytes(
  response: HttpResponse,
  body: StoredAnswer['body'],
  { status, fields }: Head,
  { start, end }: { readonly start: number; readonly end: number | undefined },
): Promise<Sent> {
  const length = end === undefined ? undefined : end - start + 1
  if (!('stream' in body) || length === 0) {
    putHead(response, status, fields)
    if ('stream' in body || length === 0) response.end()
    else endWith(response, body.subarray(start, start + (length ?? 0)))
    return { status, complete: true }
  }
  const source = body.stream(end === undefined ? { start } : { start, end })
  try {
    const begun = await begin(source)
    const outlet = new Outlet(response)
    putHead(response, status, fields)
    return await finish(response, status, () => outlet.pump(source, { begun, length }))
  } finally {
    source.destroy()
  }
}

/**
 * Ends a response whose head is set. Node damages a Content-Disposition with bytes beyond ASCII when it gets the
 * content with `end`. In that case the content is written before.
 */
function endWith(response: HttpResponse, bytes: Uint8Array): void {
  if (!OBS_TEXT.test(String(response.getHeader('Content-Disposition')))) return void response.end(bytes)
  response.write(bytes)
  response.end()
}

/** Sends several ranges as parts of one body (RFC 9110 §14.6), in the requested order. */
async function sendRanges(
  response: HttpResponse,
  { body }: StoredAnswer,
  fields: Fields,
  ranges: readonly ByteRange[],
): Promise<Sent> {
  const boundary = randomBytes(18).toString('base64url')
  const type = fieldValue(fields, 'Content-Type')
  const size = sizeOf(body) ?? 0
  const line = type === undefined ? '' : `Content-Type: ${type}\r\n`
  const heads = ranges.map(
    (range, at) => `${at > 0 ? '\r\n' : ''}--${boundary}\r\n${line}Content-Range: ${contentRange(range, size)}\r\n\r\n`,
  )
  const close = `\r\n--${boundary}--\r\n`
  const length = ranges.reduce((sum, { start, end }) => sum + end - start + 1, heads.join('').length + close.length)
  const head = setField(partial(fields), 'Content-Type', `multipart/byteranges; boundary=${boundary}`)
  const outlet = new Outlet(response)
  putHead(response, 206, setField(head, 'Content-Length', String(length)))
  return finish(response, 206, async () => {
    for (const [at, { start, end }] of ranges.entries()) {
      // Latin-1, as node:http writes fields, since the type may have a character beyond ASCII.
      if (!(await outlet.write(Buffer.from(heads[at] as string, 'latin1')))) return false
      const sent =
        'stream' in body
          ? await outlet.pump(body.stream({ start, end, keepOpen: true }), { length: end - start + 1 })
          : await outlet.write(body.subarray(start, end + 1))
      if (!sent) return false
    }
    return outlet.write(close)
  })
}

/** Ends the response after its body was written, or cuts the connection when that failed. */
async function finish(response: HttpResponse, status: number, write: () => Promise<boolean>): Promise<Sent> {
  try {
    const complete = await write()
    response.end()
    return { status, complete }
  } catch (error) {
    response.destroy()
    return { status, complete: false, error }
  }
}

/** The fields of a part. It must not be compressed on its way, since ranges count the bytes of the whole. */
function partial(whole: Fields): Fields {
  const fields = deleteField(whole, 'Content-Range')
  const directives = listMembers(fieldLines(fields, 'Cache-Control'))
  if (directives.some(one => one.toLowerCase() === 'no-transform')) return fields
  return setField(fields, 'Cache-Control', [...directives, 'no-transform'].join(', '))
}

function sizeOf(body: StoredAnswer['body']): number | undefined {
  return 'stream' in body ? body.size : body.byteLength
}

function united(values: readonly string[]): string {
  const members = listMembers(values)
  if (members.includes('*')) return '*'
  const seen = new Set<string>()
  return members.filter(one => seen.size < seen.add(one.toLowerCase()).size).join(', ')
}
