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

/** Bytes that can be read, such as an open file of the cache. */
export interface StoredBody {
  /** Unknown of what has not come to its end yet: then it is sent whole, whatever range is asked for. */
  readonly size: number | undefined
  stream(range: { readonly start: number; readonly end?: number; readonly keepOpen?: boolean }): Readable
  close(): Promise<void>
}

/** An answer that is there to be sent, whole or in parts. */
export interface StoredAnswer {
  readonly status: number
  /** Fields of the whole answer. What depends on how much of it is sent is added or left out here. */
  readonly fields: Fields
  /**
   * Since when it is this version, epoch milliseconds, where the `Date` among the fields is that of this request: two
   * versions may share a `Last-Modified` of the second in which they were stored (RFC 9110 §8.8.2.2).
   */
  readonly storedAt?: number
  /** What is asked for of a body that is itself a part. */
  readonly part?: PartSlot
  /** Closed in any case. */
  readonly body: StoredBody | Uint8Array
}

/** A range of a representation of which only a part is stored. */
export interface PartSlot {
  /** What is sent, in positions of the whole. */
  readonly range: ByteRange
  /** Where the stored part begins. */
  readonly from: number
  /** Bytes of the whole. */
  readonly size: number
}

/** What was sent. */
export interface Sent {
  readonly status: number
  /** False when the client went away, or had to be cut off because the body could not be read to its end. */
  readonly complete: boolean
  /** Why the connection was cut. */
  readonly error?: unknown
}

const OBS_TEXT = /[\x80-\xff]/
/** Set by what sends. */
const OF_MESSAGE = new Set(['content-length', 'transfer-encoding'])

/**
 * Sends a stored answer, or what a conditional or range request asks of it: 304, 412, 206, 416 (RFC 9110 §13 and §14).
 * Fields that were set before stay unless the answer has them too; those of Vary are united.
 *
 * @returns when all was handed to the response
 * @throws what reading the body throws, as long as the response is untouched: others can answer then. Later errors cut
 *   the connection, so that nobody takes a part for the whole.
 */
export async function sendStored(request: RequestHead, response: HttpResponse, answer: StoredAnswer): Promise<Sent> {
  try {
    if (isGone(response)) return { status: answer.status, complete: false }
    return await send(request, response, answer)
  } finally {
    if ('close' in answer.body) await answer.body.close()
  }
}

/**
 * Puts status and fields on a response, over those that are there.
 *
 * @throws TypeError for fields that HTTP does not allow; the response is then as it was
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
  if (ranges.kind === 'single') return sendRange(response, answer, fields, ranges)
  if (ranges.kind === 'multi') return sendRanges(response, answer, fields, ranges.ranges)
  return sendWhole(request, response, answer, setField(fields, 'Accept-Ranges', 'bytes'))
}

/** For a status that says by itself that there is no content. */
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

function sendRange(response: HttpResponse, { body }: StoredAnswer, fields: Fields, range: ByteRange): Promise<Sent> {
  const head: Fields = [
    ...partial(fields),
    ['Content-Range', contentRange(range, sizeOf(body) ?? 0)],
    ['Content-Length', String(range.end - range.start + 1)],
  ]
  return sendBytes(response, body, { status: 206, fields: head }, range)
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
  const begun = await begin(source)
  const outlet = new Outlet(response)
  putHead(response, status, fields)
  return finish(response, status, () => outlet.pump(source, { begun, length }))
}

/**
 * Ends a response whose head is on it. Node damages a Content-Disposition with bytes beyond ASCII when it learns the
 * length of the content from `end`: then they are written before.
 */
function endWith(response: HttpResponse, bytes: Uint8Array): void {
  if (!OBS_TEXT.test(String(response.getHeader('Content-Disposition')))) return void response.end(bytes)
  response.write(bytes)
  response.end()
}

/** Several ranges as parts of one body (RFC 9110 §14.6), in the order in which they were asked for. */
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
      // As node:http writes fields: the type may have a character beyond ASCII.
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

/** Ends the response when its body was written; cuts the connection when it could not be. */
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

/** Fields of a part. What compresses answers on their way must not touch it: ranges count the bytes of the whole. */
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
