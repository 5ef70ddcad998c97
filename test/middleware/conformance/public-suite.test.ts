import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ResponseCacheOptions } from 'fanout-cache/express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostApp, hostInstalled } from '../../helpers/host.js'
import { PATIENCE_MILLISECONDS } from '../../helpers/patience.js'
import { type Exceptions, OF_ALL, OF_OPENED, OF_SAFE } from './public-suite-exceptions.js'

/** What came of one test of the suite. */
interface Result {
  readonly id: string
  readonly kind: 'required' | 'optimal' | 'check'
  /** Of `Surrogate-Control`, which is no part of HTTP. */
  readonly isSurrogate: boolean
  readonly passed: boolean
  readonly message: string
}

interface Configuration {
  readonly title: string
  readonly express: 'express' | 'express4'
  readonly options: ResponseCacheOptions
  readonly exceptions: readonly Exceptions[]
}

const CONFIGURATIONS: readonly Configuration[] = [
  { title: 'with its defaults, in Express 5', express: 'express', options: {}, exceptions: [OF_ALL, OF_SAFE] },
  {
    title: 'with all that can be opened, in Express 4',
    express: 'express4',
    options: {
      heuristics: true,
      storePartial: true,
      cachePost: true,
      storeSetCookie: true,
      requestDirectives: 'all',
      staleIfError: '1m',
      targets: ['Surrogate-Control'],
    },
    exceptions: [OF_ALL, OF_OPENED],
  },
]

/** One time for the whole, and one for what did not come out as expected. */
class Suite {
  readonly #app: HostApp
  readonly #gone = new AbortController()

  constructor(app: HostApp) {
    this.#app = app
  }

  async run({ express, options }: Configuration, only?: readonly string[]): Promise<Result[]> {
    const directory = mkdtempSync(join(this.#app.directory, 'cache-'))
    const script = fileURLToPath(this.#app.script('run.mjs'))
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [script, JSON.stringify({ express, options, directory, only })],
      { signal: this.#gone.signal, timeout: PATIENCE_MILLISECONDS, maxBuffer: 2 ** 24 },
    )
    return JSON.parse(/^results (.*)$/m.exec(stdout)?.[1] ?? '')
  }

  remove(): void {
    this.#gone.abort()
    this.#app.remove()
  }
}

describe.runIf(hostInstalled('cache-tests'))('the public tests of HTTP caches', () => {
  let suite: Suite
  let running: Promise<Result[]>[] = []
  beforeAll(async () => {
    suite = new Suite(await HostApp.prepare('cache-tests'))
    // They wait for most of their time.
    running = CONFIGURATIONS.map(one => suite.run(one))
    for (const run of running) run.catch(() => undefined)
  })
  afterAll(() => suite.remove())

  it.each(CONFIGURATIONS.map((one, at) => [one.title, one, at] as const))('pass %s', async (_title, one, at) => {
    const expected = new Map(one.exceptions.flatMap(group => Object.values(group).flat()).map(id => [id, false]))
    const surprises = (results: readonly Result[]) =>
      results.filter(({ id, passed }) => passed !== (expected.get(id) ?? true))
    const results = (await running[at]) ?? []
    const first = surprises(results)
    // Some of them are about freshness of two seconds, which a busy machine may miss.
    const second =
      first.length === 0
        ? []
        : surprises(
            await suite.run(
              one,
              first.map(({ id }) => id),
            ),
          )
    expect(second).toEqual([])
    expect([...expected.keys()].filter(id => !results.some(result => result.id === id))).toEqual([])
    expect(results.length).toBe(350)
  })
})
