import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fields, RequestHead } from './policy/message.js'

/**
 * A request of node:http, with what Express, connect and others add to it. No type of theirs is needed, so that every
 * version of them fits.
 */
export interface HttpRequest extends IncomingMessage {
  /** The URL before routers took their part off it. */
  readonly originalUrl?: string
  /** `http` or `https`, also behind a trusted proxy. */
  readonly protocol?: string
  /** What the route matched. */
  readonly params?: Readonly<Record<string, string | readonly string[]>>
}

export type HttpResponse = ServerResponse

/** What a middleware calls when others shall answer; with an error, when they shall tell of it. */
export type Next = (error?: unknown) => void

/**
 * The request as the rules of HTTP see it. Fields are taken from `headers`, which middleware may have changed, and not
 * from the lines that came in.
 */
export function requestHead(request: HttpRequest): RequestHead {
  const { headers, method = 'GET' } = request
  const fields = Object.entries(headers).flatMap(([name, value]) => linesOf(name, value))
  const encrypted = (request.socket as { encrypted?: boolean } | undefined)?.encrypted === true
  const scheme = request.protocol ?? (encrypted ? 'https' : 'http')
  const url = `${scheme}://${namedHost(request) ?? 'localhost'}${request.originalUrl ?? request.url ?? '/'}`
  return { method, url, fields }
}

/**
 * The host that a request names. In HTTP/2 that is `:authority`; a `Host` beside it that differs is malformed (RFC 9113
 * §8.3.1), and handlers may look at either: that names none.
 */
export function namedHost({ headers }: HttpRequest): string | undefined {
  const { host, ':authority': authority } = headers
  if (typeof authority !== 'string') return host
  return host === undefined || host === authority ? authority : undefined
}

/** The lines of one field; none when it is not there. */
export function linesOf(name: string, value: string | number | readonly string[] | undefined): Fields {
  if (value === undefined) return []
  if (typeof value === 'object') return value.map(one => [name, one] as const)
  return [[name, String(value)]]
}

/** Whether nobody is there any more who could read an answer. */
export function isGone(response: HttpResponse): boolean {
  if (response.destroyed || response.closed || response.writableEnded) return true
  // Responses of HTTP/2 have their stream instead.
  const { stream } = response as { readonly stream?: { readonly destroyed?: boolean } }
  return stream?.destroyed === true
}

/** Forgets the reason phrase. HTTP/2 has none, and Node warns of every use of it there. */
export function clearStatusMessage(response: HttpResponse): void {
  if (!((response.req?.httpVersionMajor ?? 1) > 1)) response.statusMessage = ''
}

/**
 * Calls a function when a response is closed, by a listener that does not count among those of the app: Node warns of
 * more than ten, and a handler that uses `stream.pipeline` has seven.
 */
export function onClose(response: HttpResponse, listener: () => void): void {
  const most = response.getMaxListeners()
  if (most > 0) response.setMaxListeners(most + 1)
  response.once('close', listener)
}
