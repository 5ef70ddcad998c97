import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { ExecutionContext } from '@nestjs/common'
import type { HttpAdapterHost } from '@nestjs/core'
import { type CacheStatus, cacheStatus } from '../middleware/policy/cache-status.js'
import { fieldValue, listMembers, setField } from '../middleware/policy/fields.js'
import type { Fields, RequestHead } from '../middleware/policy/message.js'

type HttpAdapter = HttpAdapterHost['httpAdapter']

/** The common part of requests of Express and Fastify. */
interface RequestLike {
  readonly headers: IncomingHttpHeaders
  readonly protocol?: string
  readonly socket?: { readonly localPort?: number }
  /** The authenticated user, as set by passport and most guards. */
  readonly user?: unknown
  /** The request that middleware gets under Fastify. */
  readonly raw?: { readonly user?: unknown }
}

/** The common part of their responses. */
interface ResponseLike {
  readonly statusCode: number
  getHeaders(): OutgoingHttpHeaders
  getHeader(name: string): unknown
}

/** The keys by request. An interceptor for the whole app and one of a controller see the same request. */
const begun = new WeakMap<object, Set<string>>()

/** A request and its response, accessed through the adapter of the platform. Rarely used parts are read on demand. */
export class HttpExchange {
  readonly method: string
  /** The default status of the handler. */
  readonly usualStatus: number
  readonly #adapter: HttpAdapter
  readonly #request: RequestLike
  readonly #response: ResponseLike
  /** Identifies the handler, since versions of a handler can share a URL. */
  readonly #place: string
  /** The fields of the response before the handler runs, as set by middleware, guards and decorators. */
  #before: OutgoingHttpHeaders = {}
  #head: RequestHead | undefined
  #origin: string | undefined

  constructor(adapter: HttpAdapter, context: ExecutionContext) {
    const http = context.switchToHttp()
    const request = http.getRequest<RequestLike>()
    this.#adapter = adapter
    this.#request = request
    this.#response = http.getResponse<ResponseLike>()
    this.#place = `${context.getClass().name}.${context.getHandler().name}`
    this.method = String(adapter.getRequestMethod(request))
    this.usualStatus = this.#response.statusCode
  }

  /** Whether a user was authenticated so far. Interceptors between ours and the handler may do so too. */
  get hasUser(): boolean {
    const { user, raw } = this.#request
    return (user ?? raw?.user ?? undefined) !== undefined
  }

  /** Whether another interceptor is waiting for the answer of the handler, to keep it under the same key. */
  isBegun(key: string): boolean {
    return begun.get(this.#request)?.has(key) ?? false
  }

  /** Called before the handler runs. @param key under which its answer may be kept */
  begin(key: string): void {
    begun.set(this.#request, (begun.get(this.#request) ?? new Set()).add(key))
    this.#before = { ...this.#response.getHeaders() }
    // While the connection is there, whose client may go away: without it the platforms know less of a request.
    this.#origin = this.origin
  }

  /** Called when the handler has answered. Others may call it again, as `retry` does. */
  end(key: string): void {
    begun.get(this.#request)?.delete(key)
  }

  /** Whether the request has a field. @param name in lower case */
  has(name: string): boolean {
    return this.#request.headers[name] !== undefined
  }

  get head(): RequestHead {
    this.#head ??= {
      method: this.method,
      url: `${this.#request.protocol ?? 'http'}://${this.#request.headers.host ?? ''}${String(this.#adapter.getRequestUrl(this.#request))}`,
      fields: fieldsOf(this.#request.headers),
    }
    return this.#head
  }

  /** Distinguishes answers of one URL: scheme and host of the request, and the handler. */
  get origin(): string {
    if (this.#origin !== undefined) return this.#origin
    const request = this.#request
    const host = sameInAllProcesses(request.headers.host, request)
    const known = sameInAllProcesses(this.#adapter.getRequestHostname(request), request)
    this.#origin = `${request.protocol ?? ''}://${known} ${host} ${this.#place}`
    return this.#origin
  }

  get status(): number {
    return this.#response.statusCode
  }

  /** All present fields of the response. */
  get fields(): Fields {
    return fieldsOf(this.#response.getHeaders())
  }

  /** Whether the handler has answered already through the response of the platform. */
  get isAnswered(): boolean {
    return Boolean(this.#adapter.isHeadersSent(this.#response))
  }

  isResponse(value: unknown): boolean {
    return value === this.#response
  }

  /** Returns the fields that the handler has set or changed. */
  changes(): Fields {
    const changed = Object.entries(this.#response.getHeaders()).filter(
      ([name, value]) => String(value) !== String(this.#before[name]),
    )
    return fieldsOf(Object.fromEntries(changed))
  }

  /** Writes the status and fields of a kept answer to the response. Existing names in `Vary` stay. */
  replay(status: number | undefined, fields: Fields): void {
    if (status !== undefined) this.#adapter.status(this.#response, status)
    if (fields.length === 0) return
    const merged = setVary(fields, this.#lineOf('Vary'))
    for (const name of new Set(merged.map(([name]) => name))) {
      const lines = merged.filter(line => line[0] === name).map(([, value]) => value)
      this.setHeader(name, lines.length === 1 ? (lines[0] as string) : lines)
    }
  }

  tell(status: CacheStatus): void {
    const there = this.#lineOf('Cache-Status')
    const own = cacheStatus(status)
    this.setHeader('Cache-Status', there === undefined ? own : `${there}, ${own}`)
  }

  #lineOf(name: string): string | undefined {
    // Of the response itself: the adapters of Nest 10.0 cannot read.
    const value = this.#response.getHeader(name)
    return value === undefined ? undefined : String(value)
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.isAnswered) return
    this.#adapter.setHeader(this.#response, name, value as string)
  }
}

/** Removes the port of this process from a host, so that processes of one app on several ports share answers. */
function sameInAllProcesses(host: unknown, { socket }: RequestLike): string {
  const text = String(host ?? '')
  const own = `:${socket?.localPort}`
  return text.endsWith(own) ? `${text.slice(0, -own.length)}:*` : text
}

/** A collision-free short text for a long one. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function setVary(fields: Fields, there: string | undefined): Fields {
  const stored = fieldValue(fields, 'Vary')
  if (stored === undefined || there === undefined) return fields
  const names = new Map(listMembers([there, stored]).map(name => [name.toLowerCase(), name]))
  return setField(fields, 'Vary', [...names.values()].join(', '))
}

function fieldsOf(headers: IncomingHttpHeaders | OutgoingHttpHeaders): Fields {
  return Object.entries(headers).flatMap(([name, value]): Fields => {
    if (value === undefined) return []
    return Array.isArray(value) ? value.map(line => [name, String(line)] as const) : [[name, String(value)]]
  })
}
