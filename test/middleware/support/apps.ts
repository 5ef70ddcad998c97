import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import express5 from 'express'
import express4 from 'express4'
import type { SendFileHandler } from 'fanout-cache/express'

export type Next = (error?: unknown) => void

/** An app of Express with one middleware, after which nothing is found and errors are told as text. */
export function app4(handler: SendFileHandler): RequestListener {
  return expressApp(express4, handler)
}

export function app5(handler: SendFileHandler): RequestListener {
  return expressApp(express5, handler)
}

/** Without a framework: a handler is all that there is. */
export function plain(handler: SendFileHandler): RequestListener {
  return (request, response) => {
    void handler(request, response, error => {
      response.statusCode = error === undefined ? 404 : 500
      response.end(error === undefined ? 'next' : `error: ${(error as Error).message}`)
    })
  }
}

export const APPS: readonly (readonly [string, (handler: SendFileHandler) => RequestListener])[] = [
  ['Express 5', app5],
  ['Express 4', app4],
  ['node:http', plain],
]

function expressApp(express: typeof express5, handler: SendFileHandler): RequestListener {
  const app = express()
  app.use(handler as never)
  app.use((_request, response) => void response.status(404).send('next'))
  app.use((error: Error, _request: unknown, response: express5.Response, _next: Next) => {
    response.status(500).send(`error: ${error.message}`)
  })
  return app as RequestListener
}

/** A server that may be closed before the test has finished. */
export async function serveUntilClosed(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
