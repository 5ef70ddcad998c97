import { describe, expect, it } from 'vitest'
import { FixtureProcess } from './helpers/child-process.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

describe('express-session/app.mjs', () => {
  it('keeps a visitor logged in over two processes and a killed one, until the logout', async () => {
    const start = starter('express-session/app.mjs', 'SESSIONS')
    const [one, two] = await Promise.all([start(), start()])
    expect(await ask(`${one.url}login`, { method: 'POST', body: new URLSearchParams() })).toMatchObject({ status: 400 })
    expect(await ask(two.url)).toMatchObject({ status: 401 })
    const login = await ask(`${one.url}login`, { method: 'POST', body: new URLSearchParams({ name: 'ada' }) })
    const headers = { cookie: login.headers.get('set-cookie')?.split(';')[0] ?? '' }
    expect(login.text).toBe('Hello ada, visit 1\n')
    expect((await ask(two.url, { headers })).text).toBe('Hello ada, visit 2\n')

    await one.process.kill()
    const three = await start()
    expect((await ask(three.url, { headers })).text).toBe('Hello ada, visit 3\n')
    expect((await ask(`${three.url}logout`, { method: 'POST', headers })).text).toBe('Goodbye.\n')
    expect(await ask(two.url, { headers })).toMatchObject({ status: 401 })
    expect(await stopped(three)).toEqual({ code: 0, signal: null, stderr: '' })
  })
})

describe('express-rate-limit/app.mjs', () => {
  it('counts a client once over two processes, and after one was killed', async () => {
    const start = starter('express-rate-limit/app.mjs', 'LIMITS')
    const [one, two] = await Promise.all([start(), start()])
    const first = [await ask(one.url), await ask(two.url), await ask(one.url), await ask(two.url)]
    expect(first.map(({ headers }) => /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])).toEqual([
      '9',
      '8',
      '7',
      '6',
    ])
    await one.process.kill()
    const three = await start()
    const others = await Promise.all(Array.from({ length: 10 }, (_, at) => ask(at % 2 ? two.url : three.url)))
    expect(others.map(({ status }) => status).sort()).toEqual([...Array(6).fill(200), ...Array(4).fill(429)])
    expect(await stopped(three)).toEqual({ code: 0, signal: null, stderr: '' })
  })

  it('counts failed logins alone', async () => {
    const app = await starter('express-rate-limit/app.mjs', 'LIMITS')()
    const statuses: number[] = []
    for (const password of ['open sesame', 'open sesame', 'a', 'b', 'c', 'd']) {
      const body = new URLSearchParams({ password })
      statuses.push((await ask(`${app.url}login`, { method: 'POST', body })).status)
    }
    expect(statuses).toEqual([200, 200, 403, 403, 403, 429])
  })
})

interface App {
  readonly url: string
  readonly process: FixtureProcess
}

/** Starts processes of an app on free ports, which share a fresh directory. */
function starter(example: string, variable: string): () => Promise<App> {
  const env = { PORT: '0', [variable]: temporaryDirectory() }
  return async () => {
    const process = new FixtureProcess(new URL(`../examples/${example}`, import.meta.url), {}, env)
    const line = await process.line('listening on ')
    return { url: line.slice('listening on '.length), process }
  }
}

async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** How an app ends that is asked to. */
function stopped({ process: app }: App) {
  process.kill(app.pid, 'SIGTERM')
  return app.ended
}
