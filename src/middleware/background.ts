import { randomBytes } from 'node:crypto'
import { request as httpRequest, type OutgoingHttpHeaders, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import * as streams from 'node:stream'
import { clearTimeout, setTimeout } from '../engine/timers.js'
import type { Flight, Flights } from './flights.js'
import { type HttpRequest, schemeOfConnection } from './http-message.js'
import { linesWithout, putLines } from './request-lines.js'

/** The field with the token of a request that the cache makes itself. */
const TOKEN_FIELD = 'x-fanout-cache-validation'
/** Limit of requests that a cache makes itself at the same time. */
const MOST_UNDER_WAY = 64
/** How long such a request may go without a byte, since no client would end it. Milliseconds. */
const PATIENCE = 120_000
/** Fields that are not copied: they concern the connection of the client or request less than the whole answer. */
const LEFT_OUT = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect', 'range', 'if-range'],
  ...['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'cache-control', 'pragma'],
  ...['transfer-encoding', 'content-length', TOKEN_FIELD],
])

type DuplexPair = () => [Duplex, Duplex]
const { duplexPair }: { readonly duplexPair?: DuplexPair } = streams

/**
 * Repeats a request for the cache itself, through the whole app, so that middleware above the cache, such as
 * authorization, sees it as well. It arrives over an internal connection, with a token that is valid once.
 */
export class Background {
  readonly #flights: Flights
  readonly #underWay = new Map<string, Flight>()

  constructor(flights: Flights) {
    this.#flights = flights
  }

  /** Starts a flight for a subject in the background of `request`. Returns `false` when that is not possible here. */
  begin(request: HttpRequest, subject: string): boolean {
    const server = serverOf(request)
    if (!duplexPair || !server || request.httpVersionMajor > 1) return false
    // A flight is under way already, or there are too many. The stale answer is enough.
    const isUnderWay = this.#flights.find(subject) !== undefined || this.#flights.isLate(subject)
    if (isUnderWay || this.#underWay.size >= MOST_UNDER_WAY) return true
    const token = randomBytes(24).toString('base64url')
    const flight = this.#flights.begin(subject)
    this.#underWay.set(token, flight)
    send(server, request, token, duplexPair).finally(() => {
      this.#underWay.delete(token)
      // Middleware above the cache has answered.
      flight.settle({ kind: 'again' })
      if (!flight.isLed) this.#flights.end(flight)
    })
    return true
  }

  /** Returns the flight of a request that the cache made itself. Removes the token from the request. */
  claim(request: HttpRequest): Flight | undefined {
    if (this.#underWay.size === 0) return undefined
    const token = request.headers[TOKEN_FIELD]
    const flight = typeof token === 'string' ? this.#underWay.get(token) : undefined
    if (!flight || typeof token !== 'string' || flight.isLed) return undefined
    delete request.headers[TOKEN_FIELD]
    putLines(request, linesWithout(request, [TOKEN_FIELD]))
    return flight
  }
}

function serverOf(request: HttpRequest): Server | undefined {
  const { server } = request.socket as Socket & { readonly server?: unknown }
  return typeof server === 'object' && server !== null && 'emit' in server ? (server as Server) : undefined
}

/** Sends the request. Never rejects, since nobody waits for it. */
async function send(server: Server, original: HttpRequest, token: string, makePair: DuplexPair): Promise<void> {
  const [near, far] = makePair()
  const { remoteAddress, remotePort, remoteFamily } = original.socket
  const encrypted = schemeOfConnection(original) === 'https'
  // The app sees the connection of the client for whose answer the request is made.
  // A server of HTTP/2 that speaks HTTP/1 too tells them apart by `alpnProtocol`.
  Object.assign(far, { remoteAddress, remotePort, remoteFamily, encrypted, server, alpnProtocol: 'http/1.1' })
  const timer = setTimeout(() => near.destroy(), PATIENCE).unref()
  try {
    server.emit(encrypted ? 'secureConnection' : 'connection', far)
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest({
        method: 'GET',
        path: original.originalUrl ?? original.url ?? '/',
        headers: { ...copied(original), [TOKEN_FIELD]: token, connection: 'close' },
        createConnection: () => near as Socket,
        setHost: false,
      })
      request.on('response', response =>
        response
          .on('error', reject)
          .on('close', resolve)
          .on('data', () => timer.refresh()),
      )
      request.on('error', reject)
      request.end()
    })
  } catch {
    // The answer stays stale, and the next request tries again.
  } finally {
    clearTimeout(timer)
    near.destroy()
    far.destroy()
  }
}

function copied({ headers }: HttpRequest): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !LEFT_OUT.has(name)))
}
