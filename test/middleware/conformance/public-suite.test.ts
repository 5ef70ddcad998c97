import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ResponseCacheOptions } from 'fanout-cache/express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostApp, hostInstalled } from '../../helpers/host.js'
import { type Exceptions, OF_ALL, OF_OPENED, OF_SAFE } from './public-suite-exceptions.js'

/** What came of one test of the suite. */
interface Result {
  readonly id: string
  readonly kind: 'required' | 'optimal' | 'check'
  /** Tests without which this one says nothing. */
  readonly dependsOn: readonly string[]
  /** Of `Surrogate-Control`, which is no part of HTTP. */
  readonly isSurrogate: boolean
  readonly passed: boolean
  readonly message: string
}

interface Configuration {
  readonly title: string
  /** Its line in docs/http-rules.md. */
  readonly line: string
  readonly express: 'express' | 'express4'
  readonly options: ResponseCacheOptions
  readonly exceptions: readonly Exceptions[]
}

const PAGE = new URL('../../../docs/http-rules.md', import.meta.url)

const CONFIGURATIONS: readonly Configuration[] = [
  {
    title: 'with its defaults, in Express 5',
    line: '`responseCache`',
    express: 'express',
    options: {},
    exceptions: [OF_ALL, OF_SAFE],
  },
  {
    title: 'with all that can be opened, in Express 4',
    line: 'with all options below',
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

/** The suite, in a process for each run: it keeps what came out of a test in a place of the module. */
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
      // The test has a time of its own, after which the signal ends it.
      { signal: this.#gone.signal, maxBuffer: 2 ** 24 },
    )
    const results = /^results (.*)$/m.exec(stdout)?.[1]
    if (results === undefined) throw new Error(`no results: ${stdout.slice(-1000)}`)
    return JSON.parse(results)
  }

  remove(): void {
    this.#gone.abort()
    this.#app.remove()
  }
}

describe.runIf(hostInstalled('cache-tests'))('the public tests of HTTP caches', () => {
  let suite: Suite
  let running: (Promise<Result[]> | undefined)[] = []
  beforeAll(async () => {
    suite = new Suite(await HostApp.prepare('cache-tests'))
    // They wait for most of their time.
    running = CONFIGURATIONS.map(one => suite.run(one))
    for (const run of running) run?.catch(() => undefined)
  })
  afterAll(() => suite.remove())

  it.each(CONFIGURATIONS.map((one, at) => [one.title, one, at] as const))('pass %s', async (_title, one, at) => {
    const expected = new Map(one.exceptions.flatMap(group => Object.values(group).flat()).map(id => [id, false]))
    const surprises = (results: readonly Result[]) =>
      results.filter(({ id, passed }) => passed !== (expected.get(id) ?? true))
    // A second try runs them anew.
    const [begun] = running.splice(at, 1, undefined)
    let results: readonly Result[] = await (begun ?? suite.run(one))
    // Some of them are about freshness of two seconds, which a busy machine may miss.
    for (let tries = 0; tries < 4 && surprises(results).length > 0; tries++) {
      const doubtful = surprises(results).map(({ id }) => id)
      const again = await suite.run(one, doubtful)
      results = results.map(result => again.find(({ id }) => id === result.id) ?? result)
    }
    expect(surprises(results)).toEqual([])
    expect([...expected.keys()].filter(id => !results.some(result => result.id === id))).toEqual([])
    expect(readFileSync(PAGE, 'utf8')).toContain(`| ${one.line} | ${tallyOf(results).join(' | ')} |`)
  })
})

/** How many pass, of those that are required, optimal, and asked for. Who depends on one that fails does not pass. */
function tallyOf(results: readonly Result[]): number[] {
  const byId = new Map(results.map(result => [result.id, result]))
  const passes = (id: string): boolean => {
    const result = byId.get(id)
    return result?.passed === true && result.dependsOn.every(passes)
  }
  const ofHttp = results.filter(({ isSurrogate }) => !isSurrogate)
  return (['required', 'optimal', 'check'] as const).map(
    wanted => ofHttp.filter(({ id, kind }) => kind === wanted && passes(id)).length,
  )
}
