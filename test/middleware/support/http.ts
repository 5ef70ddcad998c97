import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { onTestFinished } from 'vitest'

/** An answer as it came over the wire. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as they were written. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
  /** Whether the connection was cut before the answer had ended. */
  readonly cut: boolean
}

/** Bytes of a head: more than Node takes by itself. */
const LONGEST_HEAD = 2 ** 18

export interface Asking {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly port?: number
  readonly body?: string
  readonly agent?: Agent
  /** Called with the first bytes of the body. */
  readonly onBytes?: () => void
}

/** Serves with a listener, such as an Express app, on a free port of loopback until the test has finished. */
export async function listen(listener: RequestListener): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, server }
}

/** One request, its path sent as it is given, and its whole answer. */
export function ask(port: number, path: string, asking: Asking = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body, agent = new Agent(), onBytes } = asking
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method, headers, agent, maxHeaderSize: LONGEST_HEAD },
      answer => {
        const chunks: Buffer[] = []
        const end = (cut: boolean): void => {
          const bytes = Buffer.concat(chunks)
          const { statusCode = 0, headers: fields, rawHeaders } = answer
          resolve({ status: statusCode, headers: fields, rawHeaders, body: bytes, text: bytes.toString('latin1'), cut })
        }
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        if (onBytes) answer.once('data', onBytes)
        answer.on('end', () => end(false))
        answer.on('error', () => end(true))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The parts of a multipart/byteranges body: the fields of each, and its bytes. */
export function partsOf(reply: Reply): { readonly type: string; readonly range: string; readonly bytes: string }[] {
  const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(String(reply.headers['content-type']))?.[1]
  if (boundary === undefined) throw new Error(`no multipart: ${reply.headers['content-type']}`)
  // nginx begins with an empty line.
  const [first, ...rest] = (reply.text.startsWith('--') ? `\r\n${reply.text}` : reply.text).split(`\r\n--${boundary}`)
  if (first !== '' || rest.pop() !== '--\r\n') throw new Error(`badly delimited: ${reply.text}`)
  return rest.map(part => {
    const [head = '', bytes = ''] = part.split(/\r\n\r\n([\s\S]*)/)
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(head)?.[1]?.trim() ?? ''
    return { type: field('Content-Type'), range: field('Content-Range'), bytes }
  })
}

/** A port on which nobody listens, for a server that cannot say which one it took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Waits until a server of another process listens. `failure` says why it never will. */
export async function listening(port: number, failure: () => string | false): Promise<void> {
  for (;;) {
    const message = failure()
    if (message !== false) throw new Error(message)
    const socket = connect(port, '127.0.0.1')
    const there = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (there) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
