import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from './helpers/child-process.js'
import { HostApp, hostInstalled } from './helpers/host.js'
import { root } from './helpers/packed-package.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

const HOST = 'runtimes'
/** How many scenarios the app has: none of them may get lost. */
const SCENARIOS = 16
const TIMES = 200

/** The programs as their packages have them for this system. */
const PROGRAMS = {
  Deno: ['@deno/linux-x64-glibc/deno', 'run', '--allow-all'],
  Bun: ['@oven/bun-linux-x64/bin/bun'],
} as const

function programOf(name: keyof typeof PROGRAMS): readonly string[] | undefined {
  if (!hostInstalled(HOST)) return undefined
  const [path, ...args] = PROGRAMS[name]
  const program = join(root, 'test', 'hosts', HOST, 'node_modules', path)
  if (existsSync(program)) return [program, ...args]
  if (process.env['REQUIRE_ALL'] === '1' && process.arch === 'x64') throw new Error(`${program} is missing`)
  console.log(`skipped: no ${name} for this system`)
  return undefined
}

describe.each(['Deno', 'Bun'] as const)('the packed package in %s', name => {
  const program = programOf(name)

  it.runIf(program)('keeps what the engine promises', async () => {
    const app = await HostApp.prepare(HOST)
    onTestFinished(() => app.remove())
    const lines = await new FixtureProcess(app.script('app.mjs'), { root: temporaryDirectory() }, {}, program).done()
    expect(lines.filter(line => line.startsWith('failed'))).toEqual([])
    expect(lines.filter(line => line.startsWith('ok '))).toHaveLength(SCENARIOS)
    expect(lines.at(-1)).toBe('done')
  })

  it.runIf(program)('shares a directory with Node while both write', async () => {
    const app = await HostApp.prepare(HOST)
    onTestFinished(() => app.remove())
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory)
    onTestFinished(() => cache.close())
    const other = new FixtureProcess(app.script('count.mjs'), { directory, times: TIMES }, {}, program)
    for (let at = 0; at < TIMES; at++) await cache.incr('count')
    await other.done()
    expect(await cache.get('count')).toBe(2 * TIMES)
    expect(await cache.count()).toBe(TIMES + 1)
    expect(await cache.check()).toEqual([])
  })
  it.runIf(program)('says which better-sqlite3 it needs', async () => {
    const app = await HostApp.prepare(HOST)
    onTestFinished(() => app.remove())
    const script = app.script('open.mjs')
    writeFileSync(script, "import { Cache } from 'fanout-cache'\nawait new Cache().set('key', 'value')\n")
    const driver = join(
      dirname(fileURLToPath(script)),
      'node_modules',
      'fanout-cache',
      'node_modules',
      'better-sqlite3',
    )
    mkdirSync(dirname(driver), { recursive: true })
    symlinkSync(join(root, 'node_modules', 'better-sqlite3'), driver, 'junction')
    const { code, stderr } = await new FixtureProcess(script, {}, {}, program).ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/DriverError.*better-sqlite3 12.* is for Node alone: install better-sqlite3@\^13\.2\.0/s)
  })
})
