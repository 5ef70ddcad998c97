import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import config from '../tsdown.config.js'
import { HostApp, hostInstalled } from './helpers/host.js'
import {
  installPackage,
  manifest,
  type PackedPackage,
  packPackage,
  root,
  run,
  type Target,
} from './helpers/packed-package.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

/** Started by the package as threads; exported so that a bundler can build them beside an app. */
const THREADS = ['fanout-cache/maintenance-worker', 'fanout-cache/upkeep-worker']
/** Built for the package's own use: reached by `bin`. */
const INTERNAL = [...THREADS, 'cli']

const dist = join(root, 'dist')
const built = Object.keys((config as { entry: Record<string, string> }).entry)
const doors = built.filter(name => !INTERNAL.includes(name))
const pathOf = (door: string) => (door === 'index' ? '.' : `./${door}`)

let packing: Promise<PackedPackage> | undefined
let packed: PackedPackage

// Once; a second try of the first test tries it again.
beforeEach(async () => {
  if (!existsSync(join(dist, 'index.mjs'))) throw new Error('dist is not built: npm run build')
  packing ??= forgotten(packPackage(), () => (packing = undefined))
  packed = await packing
})

afterAll(() => {
  if (packed) rmSync(dirname(packed.tarball), { recursive: true })
})

describe('the package', () => {
  it('holds what is built, and its papers', () => {
    const others = packed.files.filter(
      path =>
        !/^(dist\/|bin\/fanout-cache\.cjs$|docs\/[\w-]+\.(md|json)$|(README\.md|LICENSE|CHANGELOG\.md|package\.json)$)/.test(
          path,
        ),
    )
    expect(others).toEqual([])
    const scripts = ['index', ...THREADS].flatMap(name => [`dist/${name}.mjs`, `dist/${name}.cjs`])
    expect(packed.files).toEqual(expect.arrayContaining(['LICENSE', 'package.json', ...scripts]))
  })

  it('exports every door that is built, and no other', () => {
    const paths = Object.keys(manifest.exports).filter(path => path !== './package.json')
    const threads = THREADS.map(name => name.replace('fanout-cache/', './'))
    expect(paths.sort()).toEqual([...doors.map(pathOf), ...threads].sort())
    const old = Object.keys(manifest.typesVersions?.['*'] ?? {}).map(name => `./${name}`)
    expect(['.', ...old].sort()).toEqual(paths.sort())
  })

  it.each(doors)('names the files of %s', door => {
    const target = (extension: 'm' | 'c'): Target => ({
      types: `./dist/${door}.d.${extension}ts`,
      default: `./dist/${door}.${extension}js`,
    })
    // Within a condition the types come first: the first that matches is taken.
    const expected = { import: target('m'), require: target('c') }
    expect(JSON.stringify(manifest.exports[pathOf(door)])).toBe(JSON.stringify(expected))
    const types = door === 'index' ? manifest.types : manifest.typesVersions?.['*']?.[door]?.[0]
    expect(types).toBe(expected.require.types)
  })

  it.each(THREADS)('names the files of %s', name => {
    const { import: imported, require: required } = manifest.exports[name.replace('fanout-cache/', './')] as never
    expect(imported).toEqual({ types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` })
    expect(required).toEqual({ types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` })
  })

  it('has every file it names', () => {
    const named = JSON.stringify([manifest.exports, manifest.main, manifest.module, manifest.types, manifest.bin ?? {}])
    const paths = named.match(/\.\/dist\/[^"]+/g) ?? []
    expect(paths.filter(path => !packed.files.includes(path.slice(2)))).toEqual([])
  })

  it.each(doors)('exports the same names to import and require: %s', async door => {
    const imported: object = await import(join(dist, `${door}.mjs`))
    const required: object = createRequire(import.meta.url)(join(dist, `${door}.cjs`))
    expect(Object.keys(required).sort()).toEqual(Object.keys(imported).sort())
  })

  it('loads nothing that an install does not bring', () => {
    const known = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const unknown = readdirSync(dist)
      .filter(file => /\.[cm](js|ts)$/.test(file))
      .flatMap(file => packagesOf(readFileSync(join(dist, file), 'utf8')).map(name => `${file}: ${name}`))
      .filter(line => !known.includes(line.split(': ')[1] ?? ''))
    expect(unknown).toEqual([])
  })
})

describe('an app of its own', () => {
  let app: string

  function copy(consumer: string): void {
    app = temporaryDirectory()
    cpSync(join(root, 'test/consumers', consumer), app, { recursive: true })
  }

  const start = (...args: string[]) => run(process.execPath, [...args, join(app, 'cache')], app)

  it('imports it', async () => {
    copy('esm')
    await installPackage(app, packed)
    expect(await start('app.js')).toBe('ok\n')
  })

  it('requires it', async () => {
    copy('commonjs')
    await installPackage(app, packed)
    expect(await start('app.js')).toBe('ok\n')
  })

  it.each([
    ['--frozen-intrinsics', 12],
    ['--disallow-code-generation-from-strings', 13],
  ])('works with %s, or is told that better-sqlite3 %s does not', async (flag, refusing) => {
    copy('commonjs')
    await installPackage(app, packed)
    const { version } = createRequire(import.meta.url)('better-sqlite3/package.json') as { version: string }
    const said = await start('--no-warnings', flag, 'app.js').catch((error: Error) => error.message)
    if (Number.parseInt(version, 10) !== refusing) expect(said).toBe('ok\n')
    else expect(said).toMatch(new RegExp(`DriverError: better-sqlite3 ${refusing} .*${flag}`))
  })

  it('runs its command line', async () => {
    app = temporaryDirectory()
    await installPackage(app, packed)
    const bin = join(app, 'node_modules/fanout-cache', manifest.bin?.['fanout-cache'] ?? '')
    const place = join(app, 'cache')
    await run(process.execPath, [bin, 'set', place, 'key', 'value', '--create'], app)
    expect(await run(process.execPath, [bin, 'get', place, 'key'], app)).toBe('value')
  })

  it.runIf(hostInstalled('jest'))('tests with it under Jest', async () => {
    const host = await HostApp.prepare('jest', packed)
    onTestFinished(() => host.remove())
    const results = join(host.directory, 'results.json')
    await run(
      process.execPath,
      ['node_modules/jest/bin/jest.js', '--ci', '--json', `--outputFile=${results}`],
      host.directory,
    )
    const { numPassedTests } = JSON.parse(readFileSync(results, 'utf8')) as { numPassedTests: number }
    expect(numPassedTests).toBeGreaterThan(0)
  })
})

/** What has failed is not kept for the next one who asks. */
function forgotten<T>(work: Promise<T>, forget: () => void): Promise<T> {
  work.catch(forget)
  return work
}

/** Packages which a built file imports, requires or takes types from. */
function packagesOf(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  const specifiers = [...code.matchAll(/(?:\bfrom |\bimport |\bimport\(|\brequire\()["']([^"'.][^"']*)["']/g)]
  const packages = specifiers.map(([, name = '']) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
  return packages.filter(name => !isBuiltin(name))
}
