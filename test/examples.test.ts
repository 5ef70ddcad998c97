import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Cache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compileNatively } from './helpers/packed-package.js'
import { PATIENCE_MILLISECONDS } from './helpers/patience.js'
import { peer, python } from './helpers/peers.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

describe('examples', () => {
  it('basic.mjs prints what its comments say', async () => {
    const { lines } = await run('basic.mjs')
    expect(lines).toEqual([
      "{ name: 'Ada', born: 1815-12-10T00:00:00.000Z }",
      'undefined',
      'thirty pages',
      'undefined',
      'true false',
      '1 11',
      '9',
      '1',
      'user:2',
      'true false',
      expect.stringMatching(/^\d+ bytes on disk$/),
    ])
  })

  it('files.mjs streams values in and out', async () => {
    const { lines } = await run('files.mjs')
    expect(lines[0]).toMatch(/^\{ type: 'text\/csv' \} \d+ bytes in \d{3}\/\w\w\/\w\w\/\w{28}\.val$/)
    expect(lines.slice(1)).toEqual(['true', '0;0', '1;1', '2;4', 'only a few bytes', 'ENOENT', 'false'])
  })

  it('work-queue.mjs gives each job to one of two processes', async () => {
    const { lines } = await run('work-queue.mjs')
    expect(lines).toEqual([
      'workers ended with [ 0, 0 ]',
      expect.stringMatching(/^100 of 100 jobs done, each once/),
      'left in the queue: undefined',
    ])
  })

  it('keyv/main.mjs shares values as they are with a second process', async () => {
    const { lines } = await run('keyv/main.mjs')
    expect(lines.join('\n').replaceAll(/\s+/g, ' ')).toBe(
      "in the second: [ Map(1) { 'USD' => 1.17 }, Map(1) { 'USD' => 1.31 }, undefined ] " +
        "back in the first: Map(1) { 'EUR' => 0.85 } cleared: false true",
    )
  })

  it('cache-manager/main.mjs computes once for three processes, and keeps it over a restart', async () => {
    const { lines } = await run('cache-manager/main.mjs')
    expect(lines).toEqual([
      '3 processes, 1 computation, 1 answer',
      'after a restart: 1 computation',
      'left to live: 1 min',
      'removed: undefined',
    ])
  })

  it('bentocache/main.mjs shares answers, serves old ones, and removes by tag in both processes', async () => {
    const { lines } = await run('bentocache/main.mjs')
    expect(lines).toEqual([
      "looked up: [ 'Oslo', 'Bergen', 'Trondheim' ]",
      "in the second: [ 'Oslo', 'Bergen', 'Trondheim' ]",
      'both layers: 3',
      "past its time: [ 'Stockholm', 'Göteborg', 'Malmö' ]",
      'removed by its tag: undefined',
    ])
  })

  it('cachified/main.mjs looks up once, also after a restart, and an old answer in the background', async () => {
    const { lines } = await run('cachified/main.mjs')
    const iceland = "[ [ 'Reykjavík', 'Kópavogur', 'Hafnarfjörður' ], [ 'Reykjavík', 'Kópavogur', 'Hafnarfjörður' ]]"
    expect(lines.join(' ').replaceAll(/\s+/g, ' ').replaceAll('] ]', ']]')).toBe(
      "first process looking up NO [ 'Oslo', 'Bergen', 'Trondheim' ] " +
        `looking up IS ${iceland} ` +
        `after a restart [ 'Oslo', 'Bergen', 'Trondheim' ] ${iceland} ` +
        "stale: [ 'Oslo', 'Bergen', 'Trondheim' ] looking up NO in the background",
    )
  })

  it('unstorage/main.mjs takes documents along, and shares, saves and restores them', async () => {
    const { lines } = await run('unstorage/main.mjs')
    expect(lines).toEqual([
      'as many as files: true',
      'of the page: true true',
      'in the second: # Keyv Ada',
      'views, counted by the second: 1',
      expect.stringMatching(/^seconds left: (3600|35\d\d)$/),
      'cleared: views:keyv.md',
      'restored: true',
    ])
  })

  it('crawl/main.mjs loses no page of workers that are killed', async () => {
    const { lines } = await run('crawl/main.mjs', {}, ['--kill', '3'])
    const [, done, found, words] = /^(\d+) of (\d+) pages, (\d+) words/.exec(lines[0] ?? '') ?? []
    expect(Number(found)).toBeGreaterThan(100)
    expect(done).toBe(found)
    expect(Number(words)).toBeGreaterThan(10_000)
    expect(lines[1]).toMatch(/^3 workers killed, \d+ pages begun again, 0 lost$/)
  })

  it('crawl/main.mjs goes on where it was when it was killed as a whole', async () => {
    let lines: readonly string[] = []
    let [before, known] = [0, 0]
    // On a busy machine it may be through before this process has looked at it.
    for (let tries = 0; tries < 5 && before === known; tries++) {
      const directory = await crawledInPart()
      lines = (await run('crawl/main.mjs', {}, [directory])).lines
      const figures = /^going on: (\d+) of (\d+) pages are done$/.exec(lines[0] ?? '') ?? []
      ;[before, known] = [Number(figures[1]), Number(figures[2])]
    }
    expect(before).toBeGreaterThan(10)
    expect(before).toBeLessThan(known)
    const [, done, found] = /^(\d+) of (\d+) pages/.exec(lines[1] ?? '') ?? []
    expect(done).toBe(found)
    expect(lines[2]).toMatch(/, 0 lost$/)
  })

  it('stampede/main.mjs shows how many searches each way of caching costs', async () => {
    const picture = join(temporaryDirectory(), 'stampede.svg')
    const { lines } = await run('stampede/main.mjs', {}, ['--seconds', '2', '--svg', picture])
    const figures = (title: string): number[] => {
      const line = lines.find(one => one.startsWith(`${title}: `)) ?? ''
      return (/: (\d+) searches for \d+ requests in ([\d.]+) s/.exec(line) ?? []).slice(1).map(Number)
    }
    const searches = (title: string): number => figures(title)[0] ?? Number.NaN
    // Four processes miss at once, and each again and again until it has the answer.
    expect(searches('get and set')).toBeGreaterThanOrEqual(4)
    // At most one for the beginning and one for each second that an answer lives.
    expect(searches('getOrSet')).toBeLessThanOrEqual(1 + Math.round(figures('getOrSet')[1] ?? 0))
    expect(searches('getOrSet')).toBeGreaterThanOrEqual(1)
    expect(searches('getOrSet with beta')).toBeGreaterThanOrEqual(1)
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg [\s\S]*getOrSet with beta[\s\S]*<\/svg>\n$/)
  })

  it('stampede/main.mjs ends, and leaves nothing, when one of its workers is killed', async () => {
    const directory = temporaryDirectory()
    const first = join(temporaryDirectory(), 'first')
    const preload = join(temporaryDirectory(), 'preload.cjs')
    writeFileSync(
      preload,
      `if (/worker\\.mjs$/.test(process.argv[1] ?? '')) try {
        require('node:fs').mkdirSync(${JSON.stringify(first)})
        process.kill(process.pid, 'SIGKILL')
      } catch {}`,
    )
    const env = { NODE_OPTIONS: `--require=${preload}`, TMPDIR: directory }
    const { code, stderr } = await end(`${PACKAGE}/examples/stampede/main.mjs`, env, ['--seconds', '1'])
    expect(code).toBe(1)
    expect(stderr).toContain('a worker ended before its time')
    expect(readdirSync(directory)).toEqual([])
  })

  it.each(['--workers', '--kill'])('crawl/main.mjs refuses a number of %s that is none', async option => {
    const { code, stderr } = await end(`${PACKAGE}/examples/crawl/main.mjs`, {}, [option, 'some'])
    expect(code).toBe(1)
    expect(stderr).toContain(`RangeError: ${option} must be a whole number`)
  })

  it('typed/main.mjs reads with a new model what an old one has stored', async () => {
    const { lines } = await run('typed/main.mjs')
    expect(lines).toEqual([
      'Weather: value.fahrenheit: Invalid input: expected number, received string',
      "migrated: { city: 'Oslo', celsius: -10, at: 2026-01-01T00:00:00.000Z }",
      'forgotten: weather:{city:Atlantis,units:metric} version',
      'computed: 20',
      'kept: 15',
      '{ hits: 2, misses: 1, migrated: 2, puts: 1, items: 3 }',
    ])
  })

  it('media/app.mjs serves the files of a directory, and of no other', async () => {
    const work = temporaryDirectory()
    mkdirSync(join(work, 'films', 'old'), { recursive: true })
    writeFileSync(join(work, 'films/old/été.txt'), 'abc')
    writeFileSync(join(work, 'secret.txt'), 'secret')
    symlinkSync(join(work, 'secret.txt'), join(work, 'films/link.txt'))
    const env = { ...process.env, PORT: '0', CACHE: join(work, 'cache') }
    const app = spawn(process.execPath, [`${PACKAGE}/examples/media/app.mjs`, join(work, 'films')], { env })
    onTestFinished(() => void app.kill('SIGKILL'))
    const ended = once(app, 'exit')
    const [line] = await once(app.stdout, 'data')
    const url = String(line).replace('listening on ', '').trim()
    const first = await fetch(`${url}old/%C3%A9t%C3%A9.txt`)
    expect([first.status, await first.text(), first.headers.get('cache-control')]).toEqual([
      200,
      'abc',
      'public, max-age=3600',
    ])
    for (const path of ['..%2fsecret.txt', 'old/..%2f..%2fsecret.txt', 'link.txt', 'old', '%00', 'none']) {
      expect([path, (await fetch(url + path)).status]).toEqual([path, 404])
    }
    app.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  it.runIf(peer('python'))('python-share/share.mjs shares a directory with Python', async () => {
    const { lines } = await run('python-share/share.mjs', { FANOUT_CACHE_PYTHON: python })
    expect(lines).toEqual([
      "Python reads: Hello from Node b'\\x01\\x02\\x03' None",
      'Python counts: 2',
      'Python finds fault with nothing: []',
      'Node reads: Hello from Python 3.14159',
      'Node counts: 3',
      'Node evicts by tag: 2',
      'Node finds fault with nothing: []',
    ])
  })
})

describe.each(['README.md', ...documents()])('%s', document => {
  const page = readFileSync(`${PACKAGE}/${document}`, 'utf8')
  const snippets = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(match => match[1] ?? '')

  it('holds snippets', () => {
    expect(snippets.length).toBeGreaterThan(0)
  })

  it.each(snippets)('snippet %# prints what its comments say', async snippet => {
    const directory = temporaryDirectory()
    linkModule(directory, 'fanout-cache', PACKAGE)
    for (const name of hostsOf(snippet)) linkModule(directory, name, join(PACKAGE, 'node_modules', name))
    writeFileSync(join(directory, 'snippet.mjs'), snippet)
    const { code, stdout, stderr } = await end(join(directory, 'snippet.mjs'), {}, [], directory)
    const said = [...snippet.matchAll(/console\.log\(.*\/\/ (.+)$/gm)].map(match => match[1])
    expect({ code, stderr, lines: linesOf(stdout) }).toEqual({ code: 0, stderr: '', lines: said })
  })

  it('links to places that there are', () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => link ?? '')
    const missing = links.filter(link => {
      const [path, anchor] = link.split('#')
      const target = path ? join(PACKAGE, dirname(document), path) : join(PACKAGE, document)
      return !existsSync(target) || (anchor !== undefined && !anchorsIn(readFileSync(target, 'utf8')).includes(anchor))
    })
    expect(missing).toEqual([])
  })

  const typed = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1] ?? '')
  const whole = typed.filter(snippet => snippet.includes("from 'fanout-cache'"))
  it.each(whole)('snippet %# of TypeScript compiles', { timeout: PATIENCE_MILLISECONDS }, async snippet => {
    const directory = temporaryDirectory()
    const names = [...hostsOf(snippet), '@types/node', 'undici-types']
    for (const name of names) linkModule(directory, name, join(PACKAGE, 'node_modules', name))
    linkModule(directory, 'fanout-cache', PACKAGE)
    writeFileSync(join(directory, 'snippet.mts'), snippet)
    const compilerOptions = { target: 'ES2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'] }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['snippet.mts'] }))
    expect(await compileNatively(join(directory, 'tsconfig.json'))).toEqual([])
  })
})

describe('demo', () => {
  it('--smoke passes all of its checks', async () => {
    const { lines } = await run('demo/main.mjs', {}, ['--smoke'])
    expect(lines.filter(line => line.startsWith('FAILED'))).toEqual([])
    expect(lines.at(-1)).toMatch(/^all \d+ checks passed$/)
  })

  it('says which port is wrong instead of starting', async () => {
    const { code, stderr } = await end(`${PACKAGE}/examples/demo/main.mjs`, {
      PORT: 'http',
      CACHE_DIR: temporaryDirectory(),
    })
    expect({ code, stderr }).toEqual({ code: 1, stderr: "PORT must be a port number, got 'http'\n" })
  })
})

/** The directory of a crawl that was killed when it had done some pages. */
async function crawledInPart(): Promise<string> {
  const directory = join(temporaryDirectory(), 'crawl')
  const crawl = spawn(process.execPath, [`${PACKAGE}/examples/crawl/main.mjs`, directory, '--workers', '1'])
  onTestFinished(() => void crawl.kill('SIGKILL'))
  const ended = once(crawl, 'exit')
  await using cache = new Cache(directory, { evictionPolicy: 'none' })
  await expect.poll(async () => (await cache.get<number>(['count', 'done'])) ?? 0).toBeGreaterThan(10)
  crawl.kill('SIGKILL')
  await ended
  return directory
}

/** Other packages that a snippet imports: those of this repository, one instance of each. */
function hostsOf(snippet: string): string[] {
  const specifiers = [...snippet.matchAll(/ from '([^'.][^']*)'/g)].map(([, specifier = '']) => specifier)
  const names = specifiers.map(specifier => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
  return [...new Set(names)].filter(name => name !== 'fanout-cache' && !isBuiltin(name))
}

/** Puts a package into the `node_modules` of a directory. */
function linkModule(directory: string, name: string, path: string): void {
  const place = join(directory, 'node_modules', name)
  mkdirSync(dirname(place), { recursive: true })
  symlinkSync(path, place, 'junction')
}

/** The anchors that GitHub gives to the headings of a page. */
function anchorsIn(page: string): string[] {
  const headings = [...page.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)]
  return headings.map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** The pages of docs. */
function documents(): string[] {
  const names = readdirSync(`${PACKAGE}/docs`).filter(name => name.endsWith('.md'))
  return names.map(name => `docs/${name}`)
}

/** Runs an example to its end, which must be a good one; answers the lines it printed. */
async function run(example: string, env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Promise<Printed> {
  const { code, stdout, stderr } = await end(`${PACKAGE}/examples/${example}`, env, args)
  expect({ code, stderr, stdout: code === 0 ? '' : stdout }).toEqual({ code: 0, stderr: '', stdout: '' })
  return { lines: linesOf(stdout) }
}

interface Printed {
  readonly lines: readonly string[]
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function end(
  script: string,
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
  cwd: string = PACKAGE,
): Promise<Ended> {
  // Examples make their temporary directories in the one of this test, so that a broken one leaves nothing either.
  const child = spawn(process.execPath, [script, ...args], {
    cwd,
    env: { ...process.env, TMPDIR: temporaryDirectory(), NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // One that hangs is asked to end what it has started, and itself.
  onTestFinished(() => {
    child.kill()
  })
  const [[code], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code: code as number | null, stdout, stderr }
}

function linesOf(output: string): readonly string[] {
  return output.split('\n').filter(line => line !== '')
}
