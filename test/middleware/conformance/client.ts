import { request } from 'node:http'

/** An answer as it came over the wire. */
export interface Reply {
  readonly status: number
  readonly text: string
  /** Statuses of the answers before it. */
  readonly informed: readonly number[]
  /** The lines of a field, joined; `undefined` when there is none. */
  field(name: string): string | undefined
}

export interface Asking {
  readonly method: string
  readonly lines: readonly (readonly [name: string, value: string])[]
  readonly body?: string
}

/** One request on a connection of its own. Lines of one name stay apart. */
export function ask(port: number, path: string, { method, lines, body }: Asking): Promise<Reply> {
  const names = new Set(lines.map(([name]) => name))
  const headers = Object.fromEntries(
    [...names].map(name => [name, lines.filter(([n]) => n === name).map(([, v]) => v)]),
  )
  return new Promise((resolve, reject) => {
    const informed: number[] = []
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const { statusCode = 0, headersDistinct } = answer
        const field = (name: string) => headersDistinct[name.toLowerCase()]?.join(', ')
        resolve({ status: statusCode, text: Buffer.concat(chunks).toString('latin1'), informed, field })
      })
    })
    sent.on('information', ({ statusCode }) => informed.push(statusCode))
    sent.on('error', reject)
    if (body !== undefined) sent.setHeader('Content-Length', Buffer.byteLength(body))
    sent.end(body)
  })
}
