import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { INestApplication, ModuleMetadata } from '@nestjs/common'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { onTestFinished } from 'vitest'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

/** An app of Nest on a free port, closed when the test has finished. */
export class NestApp {
  readonly app: INestApplication
  readonly #url: string

  constructor(app: INestApplication, url: string) {
    this.app = app
    this.#url = url
  }

  async get(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
    signal: AbortSignal | null = null,
  ): Promise<Answered> {
    const response = await fetch(this.#url + path, { headers, method, signal })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') && text !== ''
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }

  /** A request with fields or a path that `fetch` does not let through. */
  async raw(path: string, headers: Record<string, string>): Promise<IncomingMessage> {
    const sent = request(this.#url, { path, headers, agent: false }).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    response.resume()
    return response
  }

  /** What `X-Cache` says of one request after another. */
  async cached(
    ...requests: readonly (readonly [path: string, headers?: Record<string, string>])[]
  ): Promise<unknown[]> {
    const said: unknown[] = []
    for (const [path, headers] of requests) said.push((await this.get(path, headers)).headers.get('x-cache'))
    return said
  }
}

/** @param metadata of the root module */
export async function startApp(
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => unknown = () => {},
): Promise<NestApp> {
  const app = await createApp(metadata, configure)
  await app.listen(0, '127.0.0.1')
  const { port } = app.getHttpServer().address() as AddressInfo
  return new NestApp(app, `http://127.0.0.1:${port}`)
}

/** The app without a port. Rejects where the app would not start. */
export async function createApp(
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => unknown = () => {},
): Promise<INestApplication> {
  class AppModule {}
  Module(metadata)(AppModule)
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false })
  onTestFinished(() => app.close())
  configure(app)
  return app.init()
}
