import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'tsdown'
import { expect, it } from 'vitest'
import { root, run } from './helpers/packed-package.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

const THREADS = ['fanout-cache/maintenance-worker', 'fanout-cache/upkeep-worker'] as const

interface Bundle {
  readonly format: 'esm' | 'cjs'
  /** Whether the threads are built beside the app, as docs/bundlers.md says. */
  readonly threads: boolean
  /** Whether the bundler knows what `import.meta.url` is. */
  readonly knowsUrl: boolean
  /** Whether better-sqlite3 is in it too, by mistake. */
  readonly driver?: boolean
}

/** Bundles an app with the package in it, and answers what it prints where nothing is installed but better-sqlite3. */
async function runBundled({ format, threads, knowsUrl, driver = false }: Bundle): Promise<Record<string, unknown>> {
  const directory = temporaryDirectory()
  installDriver(directory)
  await build({
    config: false,
    cwd: root,
    entry: {
      app: 'test/consumers/bundled/app.js',
      ...(threads && Object.fromEntries(THREADS.map(name => [name, name]))),
    },
    format,
    outDir: join(directory, 'out'),
    fixedExtension: true,
    dts: false,
    clean: false,
    logLevel: 'silent',
    deps: { alwaysBundle: [/./], neverBundle: driver ? [] : ['better-sqlite3'], onlyBundle: false },
    define: knowsUrl ? {} : { 'import.meta.url': 'undefined' },
  })
  const app = join(directory, 'out', format === 'esm' ? 'app.mjs' : 'app.cjs')
  return JSON.parse(await run(process.execPath, [app, join(directory, 'cache')], directory)) as Record<string, unknown>
}

function installDriver(directory: string): void {
  const modules = join(directory, 'node_modules')
  mkdirSync(modules)
  const driver = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'))
  symlinkSync(realpathSync(driver), join(modules, 'better-sqlite3'), 'junction')
}

it.each([
  ['an ES module', { format: 'esm', threads: true, knowsUrl: true }],
  ['CommonJS', { format: 'cjs', threads: true, knowsUrl: true }],
  ['CommonJS of a bundler that knows no import.meta.url', { format: 'cjs', threads: true, knowsUrl: false }],
] as const)('a bundle with its threads beside it works: %s', async (_name, bundle) => {
  expect(await runBundled(bundle)).toEqual({ size: 1, findings: [], worked: true, errors: [] })
})

it.each([
  ['an ES module', { format: 'esm', threads: false, knowsUrl: true }],
  ['CommonJS of a bundler that knows no import.meta.url', { format: 'cjs', threads: false, knowsUrl: false }],
] as const)('a bundle without its threads works, and says what they need: %s', async (_name, bundle) => {
  const { size, findings, worked, errors } = await runBundled(bundle)
  expect({ size, worked }).toEqual({ size: 1, worked: false })
  const sentence = expect.stringContaining('leave fanout-cache out of the bundle, or build its threads into it')
  expect(findings).toEqual(sentence)
  expect(errors).toEqual([sentence])
})

it.each(['esm', 'cjs'] as const)(
  'a bundle with better-sqlite3 in it says that it belongs outside: %s',
  async format => {
    const running = runBundled({ format, threads: true, knowsUrl: true, driver: true })
    await expect(running).rejects.toThrow(/DriverError: .*leave better-sqlite3 out of the bundle/)
  },
)

it('no thread is started in the form whose neighbours Turbopack takes into the build, declarations too', () => {
  const dist = join(root, 'dist')
  const files = readdirSync(dist).filter(name => /\.[cm]js$/.test(name))
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter(name => /new [\w.]*\bWorker\(/.test(readFileSync(join(dist, name), 'utf8')))).toEqual([])
})

it('the banner that docs/bundlers.md has for esbuild declares no name that the package declares too', () => {
  const [, name = '', text = ''] =
    /--banner:js="import { createRequire as (\w+) } from 'node:module'; (const require = \w+)/.exec(
      readFileSync(join(root, 'docs/bundlers.md'), 'utf8'),
    ) ?? []
  expect(text).toBe(`const require = ${name}`)
  const dist = join(root, 'dist')
  const declared = new RegExp(`^(?:(?:async )?function\\*?|const|let|class|var) ${name}\\b`, 'm')
  const files = readdirSync(dist).filter(file => file.endsWith('.mjs'))
  expect(files.filter(file => declared.test(readFileSync(join(dist, file), 'utf8')))).toEqual([])
})
