import type { IncomingMessage, ServerResponse } from 'node:http'
import { kindOf } from '../engine/for-doors.js'
import type { Fields, RequestHead } from './policy/message.js'

/** A request of which nothing is said about the route. */
export interface RoutelessRequest extends IncomingMessage {
  /** The URL before routers removed their part. */
  readonly originalUrl?: string
  /** `http` or `https`, as a trusted proxy reports it. */
  readonly protocol?: string
}

/**
 * A request of node:http with the additions of Express, connect and others. It uses none of their types, so that it
 * fits all their versions.
 */
export interface HttpRequest extends RoutelessRequest {
  /** The parameters of the route. */
  readonly params?: Readonly<Record<string, string | readonly string[]>>
}

/** A request as the functions of the app get it: behind a router, which gives it parameters. */
export interface RoutedRequest extends HttpRequest {
  /** The parameters of the route. */
  readonly params: Readonly<Record<string, string | readonly string[]>>
}

/**
 * The request that a middleware is called with: of the type that the app has chosen. Without one it says nothing about
 * parameters. Express infers those of a route from all its handlers, so that the others would lose the types of theirs.
 */
export type Handled<Request extends HttpRequest> = RoutedRequest extends Request ? RoutelessRequest : Request

/** A response of node:http, with or without the additions of Express. */
export type HttpResponse = ServerResponse

/** Passes the request to the next handler or, with an error, to error handlers. */
export type Next = (error?: unknown) => void

/**
 * Checks what a plain server may have left out: it is seldom called, and a request would then have no answer.
 *
 * @throws TypeError
 */
export function assertNext(next: unknown, place: string): asserts next is Next {
  if (typeof next === 'function') return
  throw new TypeError(
    `${place}: the third argument must be a function that answers what is left to it, got ${kindOf(next)}`,
  )
}

/**
 * The request for the rules of HTTP. Fields are taken from `headers`, which middleware may have changed, and not from
 * the received lines.
 */
export function requestHead(request: HttpRequest): RequestHead {
  const { headers, method = 'GET' } = request
  const fields = Object.entries(headers).flatMap(([name, value]) => linesOf(name, value))
  const scheme = request.protocol ?? schemeOfConnection(request)
  const url = `${scheme}://${namedHost(request) ?? 'localhost'}${request.originalUrl ?? request.url ?? '/'}`
  return { method, url, fields }
}

/** The scheme of the connection over which a request has come, whatever a proxy says. */
export function schemeOfConnection({ socket }: HttpRequest): 'http' | 'https' {
  return (socket as { encrypted?: boolean } | undefined)?.encrypted === true ? 'https' : 'http'
}

/**
 * The host that a request names. In HTTP/2 it is `:authority`. A `Host` that differs from it is malformed (RFC 9113
 * §8.3.1), and handlers may use either, so that the result is `undefined`.
 */
export function namedHost({ headers }: HttpRequest): string | undefined {
  const { host, ':authority': authority } = headers
  if (typeof authority !== 'string') return host
  return host === undefined || host === authority ? authority : undefined
}

/** The lines of one field. Empty when it is missing. */
export function linesOf(name: string, value: string | number | readonly string[] | undefined): Fields {
  if (value === undefined) return []
  if (typeof value === 'object') return value.map(one => [name, one] as const)
  return [[name, String(value)]]
}

/** Whether the client has gone. */
export function isGone(response: HttpResponse): boolean {
  if (response.destroyed || response.closed || response.writableEnded) return true
  // Responses of HTTP/2 have their stream instead.
  const { stream } = response as { readonly stream?: { readonly destroyed?: boolean } }
  return stream?.destroyed === true
}

/** Clears the reason phrase. HTTP/2 has none, and Node warns of its use there. */
export function clearStatusMessage(response: HttpResponse): void {
  if (!((response.req?.httpVersionMajor ?? 1) > 1)) response.statusMessage = ''
}

/**
 * Calls a function when a response is closed. Its listener does not count among those of the app: Node warns of more
 * than ten, and a handler with `stream.pipeline` has seven.
 */
export function onClose(response: HttpResponse, listener: () => void): void {
  const most = response.getMaxListeners()
  if (most > 0) response.setMaxListeners(most + 1)
  response.once('close', listener)
}
