import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import {
  compile,
  compileNatively,
  installPackage,
  type PackedPackage,
  packPackage,
  root,
  run,
} from './helpers/packed-package.js'

/** What an app that uses all doors has besides. */
const PEERS = [
  ...['keyv', 'cache-manager', 'express', '@types/express', 'zod'],
  ...['@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata'],
  ...['prom-client', '@opentelemetry/api'],
]

/** Ways of finding modules, and the kind of app that uses them. */
const RESOLUTIONS = [
  ['esm', 'module'],
  ['commonjs', 'commonjs'],
  ['bundler', 'module'],
  ['node10', 'commonjs'],
] as const

let packed: PackedPackage | undefined
let typed: Compiling | undefined

// Once; a second try of the first test tries it again.
beforeEach(async () => {
  packed ??= await packPackage()
  typed ??= compileAll(packed)
  typed.catch(() => (typed = undefined))
})

afterAll(() => {
  if (packed) rmSync(dirname(packed.tarball), { recursive: true })
})

it.each(RESOLUTIONS)('an app compiles against the types of the package: %s', async resolution => {
  const { directory, errors } = (await (typed as Compiling)).get(resolution) as Compiled
  expect(errors).toEqual([])
  const output = await run(process.execPath, [join(directory, 'out/app.js'), join(directory, 'cache')], directory)
  expect(output).toBe('ok\n')
})

it('an app compiles against them with TypeScript 7 too', async () => {
  const { directory } = (await (typed as Compiling)).get('esm') as Compiled
  expect(await compileNatively(join(directory, 'tsconfig.esm.json'))).toEqual([])
})

it('an app compiles against them that has no other package, and names no types', async () => {
  const { errors } = (await (typed as Compiling)).get('bare') as Compiled
  expect(errors).toEqual([])
})

type Compiling = Promise<ReadonlyMap<string, Compiled>>

interface Compiled {
  readonly directory: string
  readonly errors: readonly string[]
}

/** One app for each way of finding modules, and one with nothing else installed, all compiled by one process. */
async function compileAll(packed: PackedPackage): Compiling {
  const place = mkdtempSync(join(dirname(packed.tarball), 'compiled-'))
  const apps = [...RESOLUTIONS, ['bare', 'module'] as const].map(([name, type]) => ({
    name,
    type,
    directory: join(place, name),
    consumer: name === 'bare' ? 'bare' : 'typescript',
    project: join(place, name, name === 'bare' ? 'tsconfig.json' : `tsconfig.${name}.json`),
  }))
  for (const { name, type, directory, consumer } of apps) {
    cpSync(join(root, 'test/consumers', consumer), directory, { recursive: true })
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, type }))
    await installPackage(directory, packed, ['@types/node', ...(name === 'bare' ? [] : PEERS)])
  }
  const errors = await compile(apps.map(({ project }) => project))
  return new Map(apps.map(({ name, directory }, at) => [name, { directory, errors: errors[at] as readonly string[] }]))
}
