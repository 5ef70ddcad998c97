import type { OutgoingHttpHeader } from 'node:http'
import { setImmediate, setTimeout } from '../engine/timers.js'
import type { BodySink } from './body-sink.js'
import { isChunk, toBuffer } from './chunks.js'
import { clearStatusMessage, type HttpResponse, isGone, onClose } from './http-message.js'
import { OtherAnswer } from './other-answer.js'
import type { Fields, ResponseHead } from './policy/message.js'
import { addField, applyHeaders, headOf } from './response-fields.js'
import { confirm, type Done, Tee } from './tee.js'

/** What is done with the answer of a handler, once its head is known. */
export type Verdict =
  /** It goes to the client, with further fields, and another status if one is given; `sink` gets the body as well. */
  | {
      readonly kind: 'pass'
      readonly add: Fields
      readonly status?: 206 | undefined
      readonly sink?: BodySink | undefined
    }
  /** The client gets another head and no body, `sink` all of it. */
  | { readonly kind: 'replace'; readonly head: ResponseHead; readonly sink: BodySink }
  /** The client gets nothing of it: when the handler has ended it, `after` answers. */
  | { readonly kind: 'swallow'; readonly after: () => void }

const OF_ANSWER =
  /^(?:[\w-]*cache-control|expires|pragma|date|age|vary|etag|last-modified|content-(?:type|length|encoding|language|location|range))$/i

/** How long a client whose connection ends with its answer waits for a handler that is not needed for it. Ms. */
const CLOSING = 1000

type Chunk = string | Uint8Array | null | undefined

/**
 * Stands between a handler and its response. Whatever way the handler takes (`send`, `json`, `write` and `end`, a pipe,
 * middleware that compresses), all of it comes through `writeHead`, `write` and `end`. Interim responses (1xx) do not,
 * and go to the client as they are.
 */
export class Recorder {
  readonly #response: HttpResponse
  readonly #judge: (head: ResponseHead) => Verdict
  readonly #standIn: (() => (() => void) | undefined) | undefined
  /** What was on the response before the handler ran: own properties that others have put there, or none. */
  readonly #original: Pick<HttpResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'destroy' | 'on'>
  readonly #owned: ReadonlyMap<string, unknown>
  /** Fields that were there before, to tell them from those of the handler. */
  readonly #before: ReadonlyMap<string, OutgoingHttpHeader | undefined>
  #verdict: Verdict | undefined
  #tee: Tee | undefined
  #over = false
  /** The handler has destroyed the response, and another answer takes its place. */
  #isStoodIn = false
  #other: OtherAnswer | undefined

  /**
   * @param standIn what answers in place of a handler that destroys the response before its head; nothing, if it may
   */
  constructor(
    response: HttpResponse,
    judge: (head: ResponseHead) => Verdict,
    standIn?: () => (() => void) | undefined,
  ) {
    this.#response = response
    this.#judge = judge
    this.#standIn = standIn
    // Compression below keeps those who listen for `drain` to itself.
    const names = ['writeHead', 'write', 'end', 'flushHeaders', 'destroy', 'on', 'once', 'addListener'] as const
    this.#owned = new Map(names.map(name => [name, Object.getOwnPropertyDescriptor(response, name)?.value]))
    this.#original = {
      writeHead: response.writeHead,
      write: response.write,
      end: response.end,
      flushHeaders: response.flushHeaders,
      destroy: response.destroy,
      on: response.on,
    }
    this.#before = new Map(response.getHeaderNames().map((name: string) => [name, response.getHeader(name)]))
    this.#patch()
    onClose(response, this.#closed)
  }

  /**
   * Takes the response from the handler, without what the handler and middleware below have put on it, and returns it
   * for another answer. Whatever the handler still does with it has no effect.
   */
  takeBack(): HttpResponse {
    const response = this.#response
    response.off('close', this.#closed)
    for (const [name, value] of this.#owned) {
      if (value === undefined) Reflect.deleteProperty(response, name)
      else Reflect.set(response, name, value)
    }
    this.#patch()
    if (!response.headersSent) this.#resetHead()
    this.#other = new OtherAnswer(response, this.#original)
    return this.#other.response
  }

  #resetHead(): void {
    const response = this.#response
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    for (const [name, value] of this.#before) if (value !== undefined) response.setHeader(name, value)
    // removeHeader('date') has switched it off.
    response.sendDate = true
    response.statusCode = 200
    clearStatusMessage(response)
  }

  /** The fields that are the handler's. */
  withoutAbove(fields: Fields): Fields {
    return fields.filter(([name]) => !this.#isFromAbove(name))
  }

  /**
   * Whether a field was on the response before the handler ran, and is as it was: it will be there again at every hit.
   * Fields that say what the answer is and how long it is fresh are part of it all the same.
   */
  #isFromAbove(name: string): boolean {
    if (OF_ANSWER.test(name)) return false
    const before = this.#before.get(name.toLowerCase())
    return before !== undefined && String(before) === String(this.#response.getHeader(name))
  }

  #patch(): void {
    const self = this
    const response = this.#response
    response.writeHead = function writeHead(...args: unknown[]): HttpResponse {
      return self.#writeHead(args)
    } as HttpResponse['writeHead']
    response.write = function write(chunk: Chunk, encoding?: unknown, done?: unknown): boolean {
      return self.#write(chunk, encoding, done)
    } as HttpResponse['write']
    response.end = function end(chunk?: unknown, encoding?: unknown, done?: unknown): HttpResponse {
      return self.#end(chunk, encoding, done)
    } as HttpResponse['end']
    response.flushHeaders = function flushHeaders(): void {
      if (!self.#verdict && !response.headersSent) response.writeHead(response.statusCode)
      if (self.#other ? self.#other.isSending : self.#verdict?.kind !== 'swallow')
        self.#original.flushHeaders.call(response)
    }
    response.destroy = function destroy(error?: Error): HttpResponse {
      return self.#destroy(error)
    }
  }

  #destroy(error: Error | undefined): HttpResponse {
    const response = this.#response
    if (this.#other ? !this.#other.isSending : this.#isStoodIn) return response
    const isEarly = !this.#other && !this.#verdict && !this.#over && !response.headersSent && !isGone(response)
    const after = isEarly ? this.#standIn?.() : undefined
    if (!after) return Reflect.apply(this.#original.destroy, response, [error])
    // Most handlers hand their error on as well: what answers that is not for the client.
    this.#isStoodIn = true
    this.#verdict = { kind: 'swallow', after: () => undefined }
    setImmediate(after)
    return response
  }

  #writeHead(args: unknown[]): HttpResponse {
    const response = this.#response
    if (this.#other?.hasBegun) return this.#callWriteHead(args)
    if (this.#verdict?.kind === 'swallow' || this.#verdict?.kind === 'replace') return response
    if (this.#verdict || response.headersSent) return this.#callWriteHead(args)
    const [status, second, third] = args
    const message = typeof second === 'string' ? second : undefined
    const rest = message === undefined ? (second ?? third) : third
    // Errors of the caller: the original tells them.
    if (!Number.isInteger(status) || !applyHeaders(response, rest)) return this.#callWriteHead(args)
    response.statusCode = status as number
    if (message !== undefined) response.statusMessage = message
    const verdict = this.#decide()
    if (verdict.kind === 'swallow') return response
    if (verdict.kind === 'replace') return this.#putOther(verdict.head)
    for (const [name, value] of verdict.add) addField(response, name, value)
    if (verdict.status) {
      clearStatusMessage(response)
      response.statusCode = verdict.status
      return this.#callWriteHead([verdict.status])
    }
    return this.#callWriteHead(message === undefined ? [status] : [status, message])
  }

  #callWriteHead(args: unknown[]): HttpResponse {
    return Reflect.apply(this.#original.writeHead, this.#response, args) as HttpResponse
  }

  #decide(): Verdict {
    try {
      this.#verdict = this.#judge(headOf(this.#response))
      this.#tee = this.#teeOf(this.#verdict)
    } catch {
      // The cache is no reason not to answer.
      this.#verdict = { kind: 'pass', add: [] }
    }
    return this.#verdict
  }

  #teeOf(verdict: Verdict): Tee | undefined {
    if (verdict.kind === 'swallow' || !verdict.sink) return undefined
    return new Tee(this.#response, this.#original, verdict.sink, { hasClient: verdict.kind === 'pass' })
  }

  #putOther({ status, fields }: ResponseHead): HttpResponse {
    const response = this.#response
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.sendDate = true
    for (const [name, value] of fields) addField(response, name, value)
    clearStatusMessage(response)
    this.#callWriteHead([status])
    // The client has all of it now. The response ends with the handler: a pipe into one that has ended would stop. A
    // client that then closes its connection would stop the handler as well, so it waits for a moment.
    const flush = (): void => void (this.#over || this.#original.flushHeaders.call(response))
    setTimeout(flush, response.shouldKeepAlive === false ? CLOSING : 0)
    return response
  }

  #write(chunk: Chunk, encoding: unknown, done: unknown): boolean {
    const response = this.#response
    if (this.#other)
      return this.#other.isSending
        ? Reflect.apply(this.#original.write, response, [chunk, encoding, done])
        : swallow(encoding, done)
    if (this.#over && this.#tee?.isDetoured) return false
    // What is no chunk is an error that the original tells.
    if (this.#over || !isChunk(chunk)) return Reflect.apply(this.#original.write, response, [chunk, encoding, done])
    if (!this.#verdict && !response.headersSent) response.writeHead(response.statusCode)
    if (this.#tee) return this.#tee.write(chunk, encoding, done)
    if (this.#verdict?.kind !== 'swallow') return Reflect.apply(this.#original.write, response, [chunk, encoding, done])
    return swallow(encoding, done)
  }

  #end(first: unknown, second: unknown, third: unknown): HttpResponse {
    const response = this.#response
    const chunk = typeof first === 'function' ? undefined : (first as Chunk)
    const encoding = typeof second === 'function' ? undefined : second
    if (this.#other) return this.#endOther([first, second, third])
    if (this.#over && this.#tee?.isDetoured) return response
    if (this.#over || (chunk != null && !isChunk(chunk))) {
      return Reflect.apply(this.#original.end, response, [first, second, third])
    }
    const bytes = chunk == null ? undefined : toBuffer(chunk, encoding)
    if (!this.#verdict && !response.headersSent) {
      this.#announceLength(bytes?.byteLength ?? 0)
      response.writeHead(response.statusCode)
    }
    return this.#finish(bytes, [first, second, third])
  }

  #endOther(args: unknown[]): HttpResponse {
    const response = this.#response
    if (this.#other?.isSending) return Reflect.apply(this.#original.end, response, args)
    return whenFinished(response, args)
  }

  #finish(bytes: Buffer | undefined, args: unknown[]): HttpResponse {
    const response = this.#response
    const verdict = this.#verdict
    this.#over = true
    this.#tee?.end(bytes)
    if ((!verdict || verdict.kind === 'pass') && !this.#tee?.isDetoured)
      return Reflect.apply(this.#original.end, response, args)
    whenFinished(response, args)
    if (verdict?.kind === 'swallow') verdict.after()
    if (verdict?.kind === 'replace') Reflect.apply(this.#original.end, response, [])
    return response
  }

  /** What node:http does for a body that comes with `end`: the head is written by then, so it is done here. */
  #announceLength(length: number): void {
    const response = this.#response
    const { statusCode: status } = response
    if (status === 204 || status === 304 || status < 200 || response.req?.method === 'HEAD') return
    if (response.hasHeader('content-length') || response.hasHeader('transfer-encoding')) return
    if (!response.hasHeader('trailer')) response.setHeader('Content-Length', length)
  }

  readonly #closed = (): void => {
    if (this.#over) return
    this.#over = true
    this.#verdict ??= { kind: 'pass', add: [] }
    if (this.#verdict.kind !== 'swallow') this.#verdict.sink?.abort()
  }
}

/** Takes a chunk for nobody, as `write` does. */
function swallow(encoding: unknown, done: unknown): boolean {
  confirm(encoding, done)
  return true
}

/** Calls the callback among the arguments of `end` when the response has ended. */
function whenFinished(response: HttpResponse, args: readonly unknown[]): HttpResponse {
  const callback = args.find(one => typeof one === 'function') as Done
  if (callback) response.once('finish', callback)
  return response
}
