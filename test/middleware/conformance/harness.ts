import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import express5 from 'express'
import { FanoutCache } from 'fanout-cache'
import { responseCache } from 'fanout-cache/express'
import { ManualClock } from '../../helpers/manual-clock.js'
import { ask, type Reply } from './client.js'
import type { Scenario, Step } from './scenario.js'

const DATES = ['date', 'expires', 'last-modified', 'if-modified-since', 'if-unmodified-since', 'if-range']
const PAUSE = 3000

/** How a handler hands on what the origin has answered. */
export type Proxy = 'writeHead' | 'setHeader'

export interface Setting {
  readonly directory: string
  readonly proxy: Proxy
  /** Lines of all requests. */
  readonly always: readonly string[]
  readonly make?: () => ReturnType<typeof express5>
}

/** Runs scenarios at the same time, and answers what was wrong with each. */
export async function run(scenarios: readonly Scenario[], setting: Setting): Promise<Map<string, string[]>> {
  const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000)
  const origin = new Origin(clock)
  const cache = new FanoutCache(setting.directory, { shards: 2, timeout: 60_000, clock })
  await cache.open()
  const make = setting.make ?? express5
  const originServer = await serve((request, response) => origin.answer(request, response))
  const byOptions = new Map<string, Scenario[]>()
  for (const one of scenarios) {
    const options = JSON.stringify(one.opened ?? {})
    byOptions.set(options, [...(byOptions.get(options) ?? []), one])
  }
  const results = new Map<string, string[]>()
  const pauses = new Pauses(clock, scenarios.length)
  const servers = [originServer]
  const play = async (scenario: Scenario, port: number): Promise<void> => {
    origin.expect(scenario)
    try {
      results.set(scenario.id, await new Play(scenario, { port, clock, origin, pauses, setting }).run())
    } catch (error) {
      results.set(scenario.id, [String(error)])
    } finally {
      pauses.leave()
    }
  }
  const groups = [...byOptions].map(async ([options, group], at) => {
    const app = make()
    app.use(
      responseCache(cache, { name: `cache${at}`, targets: ['CDN-Cache-Control'], ...JSON.parse(options) }) as never,
    )
    app.use(proxyTo(originServer.port, setting.proxy) as never)
    // What Express says of an error that nobody handles is no part of this.
    app.use(((_error, _req, res, _next) => void res.status(502).end()) as express5.ErrorRequestHandler)
    const server = await serve(app as unknown as RequestListener)
    servers.push(server)
    await Promise.all(group.map(scenario => play(scenario, server.port)))
  })
  await Promise.all(groups)
  for (const { close } of servers) await close()
  await cache.close()
  return results
}

async function serve(listener: RequestListener) {
  const server = createServer({ insecureHTTPParser: true }, listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): Promise<void> => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(() => resolve()))
  }
  return { port: (server.address() as AddressInfo).port, close }
}

/** Lets time pass when all scenarios that still run wait for it. */
class Pauses {
  readonly #clock: ManualClock
  #running: number
  readonly #waiting: (() => void)[] = []

  constructor(clock: ManualClock, running: number) {
    this.#clock = clock
    this.#running = running
  }

  wait(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#pass()
    })
  }

  leave(): void {
    this.#running--
    this.#pass()
  }

  #pass(): void {
    if (this.#waiting.length < this.#running || this.#running === 0) return
    this.#clock.advance(PAUSE)
    for (const go of this.#waiting.splice(0)) go()
  }
}

interface Asked {
  readonly step: number
  readonly headers: IncomingMessage['headers']
}

/** Answers as the scenarios say, and remembers what it was asked. */
class Origin {
  readonly #clock: ManualClock
  readonly #scenarios = new Map<string, Scenario>()
  readonly #asked = new Map<string, Asked[]>()
  readonly pausing = new Map<string, () => Promise<void>>()

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  expect(scenario: Scenario): void {
    this.#scenarios.set(scenario.id, scenario)
    this.#asked.set(scenario.id, [])
  }

  asked(id: string, step: number): Asked | undefined {
    return this.#asked.get(id)?.findLast(one => one.step === step)
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = decodeURIComponent(/^\/test\/([^/?]+)/.exec(request.url ?? '')?.[1] ?? '')
    const number = Number(request.headers['req-num'])
    const steps = this.#scenarios.get(id)?.steps ?? []
    const step = steps[number - 1]
    if (!step) throw new Error(`what is ${request.url} ${number}?`)
    this.#asked.get(id)?.push({ step: number, headers: request.headers })
    for (const [status, fields = {}] of step.interim ?? []) inform(response, status, fields)
    if (step.trouble === 'slow') await this.pausing.get(id)?.()
    if (step.trouble === 'closes') return void request.socket.destroy()
    const status = statusOf(step, steps[number - 2], request)
    const lines = [`Number: ${number}`, ...(step.origin ?? [])]
    const base = `/test/${encodeURIComponent(id)}`
    const placed = lines.map(line => lineOf(line.replace('{base}', base), this.#clock.now()))
    const dated = placed.some(([name]) => name === 'Date')
      ? placed
      : [...placed, ['Date', date(this.#clock.now())] as const]
    response.sendDate = false
    response.writeHead(status, dated.filter(([name, value]) => name !== 'Date' || value !== 'none').flat() as never)
    response.end([204, 304].includes(status) ? undefined : (step.body ?? `body of ${id}`))
  }
}

function inform(response: ServerResponse, status: number, fields: Readonly<Record<string, string>>): void {
  if (status === 102) response.writeProcessing()
  else response.writeEarlyHints({ link: '</a.css>; rel=preload', ...fields })
}

/** A handler that is to confirm does so if it is asked for the validator it gave. */
function statusOf(step: Step, before: Step | undefined, { headers }: IncomingMessage): number {
  if (step.is !== 'by tag' && step.is !== 'by date') return step.status ?? 200
  const given = (name: string) => before?.origin?.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2)
  const tag = given('ETag')
  if (tag !== undefined && headers['if-none-match'] === tag) return 304
  return given('Last-Modified') !== undefined && headers['if-modified-since'] !== undefined ? 304 : 599
}

export function date(instant: number): string {
  return new Date(instant).toUTCString()
}

/** `Name: value`, with dates put in. */
export function lineOf(line: string, now: number): readonly [name: string, value: string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, colon)
  const value = line.slice(colon + 1).replace(/^ /, '')
  const offset = /^@([+-]?\d+)$/.exec(value)?.[1]
  return [name, offset !== undefined && DATES.includes(name.toLowerCase()) ? date(now + Number(offset) * 1000) : value]
}

/** Hands all on to the origin, and its answer with all fields back. */
function proxyTo(port: number, how: Proxy): RequestListener {
  return (request, response) => {
    const { headers } = request
    const forwarded = httpRequest({
      port,
      host: '127.0.0.1',
      path: request.url,
      method: request.method,
      headers,
      insecureHTTPParser: true,
    })
    forwarded.on('information', ({ statusCode, headers: hints }) => {
      if (statusCode === 102) response.writeProcessing()
      else response.writeEarlyHints(hints as Record<string, string>)
    })
    forwarded.on('response', answer => {
      if (how === 'writeHead') response.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders)
      else {
        response.statusCode = answer.statusCode ?? 0
        for (const [name, lines] of Object.entries(answer.headersDistinct)) response.setHeader(name, lines ?? [])
      }
      answer.pipe(response)
    })
    forwarded.on('error', () => {
      if (!response.headersSent) response.writeHead(502)
      response.end()
    })
    request.pipe(forwarded)
  }
}

interface Stage {
  readonly port: number
  readonly clock: ManualClock
  readonly origin: Origin
  readonly pauses: Pauses
  readonly setting: Setting
}

/** One scenario while it runs. */
class Play {
  readonly #scenario: Scenario
  readonly #stage: Stage
  readonly #faults: string[] = []

  constructor(scenario: Scenario, stage: Stage) {
    this.#scenario = scenario
    this.#stage = stage
    stage.origin.pausing.set(scenario.id, () => stage.pauses.wait())
  }

  async run(): Promise<string[]> {
    const began = this.#stage.clock.now()
    for (const [at, step] of this.#scenario.steps.entries()) {
      const reply = await this.#ask(step, at + 1, began)
      this.#check(step, at + 1, reply)
      if (step.wait) await this.#stage.pauses.wait()
    }
    return this.#faults
  }

  #ask(step: Step, number: number, began: number): Promise<Reply> {
    const { port, setting } = this.#stage
    // Dates of requests are relative to the beginning, so that they can be those of the first answer.
    const lines = [...setting.always, ...(step.ask ?? []), `Req-Num: ${number}`].map(line => lineOf(line, began))
    const path = `/test/${encodeURIComponent(this.#scenario.id)}${step.url ?? ''}`
    return ask(port, path, {
      method: step.method ?? 'GET',
      lines,
      ...(step.payload !== undefined && { body: step.payload }),
    })
  }

  #check(step: Step, number: number, reply: Reply): void {
    const fault = (text: string): void => {
      this.#faults.push(`request ${number}: ${text} (${reply.status} ${reply.field('cache-status')})`)
    }
    const asked = this.#stage.origin.asked(this.#scenario.id, number)
    if (step.is === 'cached' && asked) fault('went to the origin')
    if (step.is !== undefined && step.is !== 'cached' && !asked) fault('was answered by the cache')
    if (step.is === 'by tag' && asked?.headers['if-none-match'] === undefined) fault('was not validated by tag')
    if (step.is === 'by date' && asked?.headers['if-modified-since'] === undefined) fault('was not validated by date')
    if (step.is === 'passed' && reply.field('number') !== String(number)) fault('got another answer')
    const wanted = step.gets ?? this.#statusFor(step, reply)
    if (wanted !== undefined && reply.status !== wanted) fault(`status, not ${wanted}`)
    if (step.text !== undefined && reply.text !== step.text) fault(`body ${JSON.stringify(reply.text)}`)
    if (step.informed && String(step.informed) !== String(reply.informed)) fault(`interim ${reply.informed}`)
    for (const line of step.has ?? []) this.#checkField(line, reply, fault)
    for (const line of step.asked ?? []) {
      const [name, value] = line.includes(':') ? lineOf(line, 0) : [line, undefined]
      if (asked && asked.headers[name.toLowerCase()] !== value)
        fault(`asked with ${name}: ${asked.headers[name.toLowerCase()]}`)
    }
  }

  #statusFor(step: Step, { status }: Reply): number | undefined {
    if (step.is === 'passed' || step.is === undefined) return step.status ?? 200
    return status < 500 || this.#scenario.steps[0]?.status === status ? undefined : 200
  }

  #checkField(line: string, reply: Reply, fault: (text: string) => void): void {
    const more = /^(\S+) > (\d+)$/.exec(line)
    if (more) {
      const value = Number(reply.field(more[1] ?? ''))
      if (!(value > Number(more[2]))) fault(`${more[1]} is ${value}`)
    } else if (line.includes(':')) {
      const [name, value] = lineOf(line, 0)
      if (reply.field(name) !== value) fault(`${name} is ${reply.field(name)}, not ${value}`)
    } else if (reply.field(line) !== undefined) fault(`${line} is there: ${reply.field(line)}`)
  }
}
