import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { ExecutionContext } from '@nestjs/common'
import type { HttpAdapterHost } from '@nestjs/core'
import { type CacheStatus, cacheStatus } from '../middleware/policy/cache-status.js'
import { fieldValue, listMembers, setField } from '../middleware/policy/fields.js'
import type { Fields, RequestHead } from '../middleware/policy/message.js'

type HttpAdapter = HttpAdapterHost['httpAdapter']

/** What the requests of Express and Fastify have in common. */
interface RequestLike {
  readonly headers: IncomingHttpHeaders
  readonly protocol?: string
  readonly socket?: { readonly localPort?: number }
  /** Where passport and most guards put whom they have recognised. */
  readonly user?: unknown
}

/** What their responses have in common. */
interface ResponseLike {
  readonly statusCode: number
  getHeaders(): OutgoingHttpHeaders
}

/** A request and its response, through the adapter of the platform. What few answers need is looked at when it is asked for. */
export class HttpExchange {
  readonly method: string
  readonly hasUser: boolean
  /** The status that the handler has when it sets none. */
  readonly usualStatus: number
  readonly #adapter: HttpAdapter
  readonly #request: RequestLike
  readonly #response: ResponseLike
  /** The handler: of versions several can share a URL. */
  readonly #place: string
  /** The response before the handler ran: what middleware, guards and decorators have set. */
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
    this.hasUser = request.user !== undefined && request.user !== null
  }

  /** The handler is about to run. */
  begin(): void {
    this.#before = { ...this.#response.getHeaders() }
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

  /** Tells apart what one URL can mean: scheme and host of the request, and the handler. */
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

  /** All fields of the response as they are now. */
  get fields(): Fields {
    return fieldsOf(this.#response.getHeaders())
  }

  /** Somebody has answered already: the handler itself, through the response of the platform. */
  get isAnswered(): boolean {
    return Boolean(this.#adapter.isHeadersSent(this.#response))
  }

  isResponse(value: unknown): boolean {
    return value === this.#response
  }

  /** The fields that the handler has set or changed. */
  changes(): Fields {
    const changed = Object.entries(this.#response.getHeaders()).filter(
      ([name, value]) => String(value) !== String(this.#before[name]),
    )
    return fieldsOf(Object.fromEntries(changed))
  }

  /** Puts a kept answer into the response. Names that `Vary` has already stay there. */
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
    const value: unknown = this.#adapter.getHeader(this.#response, name)
    return value === undefined ? undefined : String(value)
  }

  setHeader(name: string, value: string | readonly string[]): void {
    if (this.isAnswered) return
    this.#adapter.setHeader(this.#response, name, value as string)
  }
}

/** A host without the port of this very process, so that processes of one app on several ports share answers. */
function sameInAllProcesses(host: unknown, { socket }: RequestLike): string {
  const text = String(host ?? '')
  const own = `:${socket?.localPort}`
  return text.endsWith(own) ? `${text.slice(0, -own.length)}:*` : text
}

/** A short text for a long one: two of them never meet. */
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
