import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root: string = fileURLToPath(new URL('../../', import.meta.url))

export interface Manifest {
  readonly main: string
  readonly module: string
  readonly types: string
  readonly exports: Readonly<Record<string, string | Readonly<Record<'import' | 'require', Target>>>>
  readonly typesVersions?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Target {
  readonly types: string
  readonly default: string
}

export const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Runs a program to its end and answers what it printed; a failure carries its whole output. */
export async function run(program: string, args: readonly string[], directory: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd: directory,
      timeout: 300_000,
      maxBuffer: 2 ** 24,
    })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error })
  }
}

/** The package as `npm publish` would send it. `dist` is taken as it is. */
export interface PackedPackage {
  readonly tarball: string
  readonly files: readonly string[]
}

export async function packPackage(): Promise<PackedPackage> {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-packed-'))
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]
  const packed = firstOf(JSON.parse(await run('npm', args, root)))
  return { tarball: join(directory, packed.filename), files: packed.files.map(({ path }) => path) }
}

/** npm up to 11 prints a list, later ones an object by package name. */
function firstOf(output: object): { readonly filename: string; readonly files: readonly { readonly path: string }[] } {
  return Object.values(output)[0]
}

/**
 * Puts the packed package into the node_modules of an app. Its dependencies, and `others`, are those of this
 * repository: better-sqlite3 takes a minute to compile.
 */
export async function installPackage(
  app: string,
  { tarball }: PackedPackage,
  others: readonly string[] = [],
): Promise<void> {
  const installed = join(app, 'node_modules', 'fanout-cache')
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed], app)
  for (const name of [...Object.keys(manifest.dependencies), ...others]) {
    const link = join(app, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(join(root, 'node_modules', name)), link, 'dir')
  }
}

/**
 * Compiles apps, and answers for each, by its tsconfig, what is wrong in it and in the declarations of this package.
 */
export async function compile(projects: readonly string[]): Promise<readonly (readonly string[])[]> {
  return JSON.parse(await run(process.execPath, [join(root, 'test/helpers/compile.mjs'), ...projects], root))
}

/** The same for one app, by TypeScript 7: its compiler is a program, and offers no way to leave out files. */
export async function compileNatively(project: string): Promise<readonly string[]> {
  const compiler = join(root, 'node_modules/typescript-native/bin/tsc')
  const child = spawn(process.execPath, [compiler, '--project', project, '--noEmit', '--pretty', 'false'], {
    cwd: dirname(project),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = (await text(child.stdout)).split(/\n(?! )/).filter(line => line !== '')
  const [code] = await ended
  if (code !== 0 && lines.length === 0) throw new Error(`${compiler} ended with ${code}`)
  return lines.filter(line => !line.includes('node_modules/') || line.includes('node_modules/fanout-cache/dist/'))
}
