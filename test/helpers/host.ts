import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { manifest, type PackedPackage, packPackage, root, run } from './packed-package.js'

/**
 * An app of test/hosts with one version of a framework and the packed package, as a user would have them: a copy in a
 * temporary directory, so that what this repository has installed is not found by accident.
 */
export class HostApp {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** @param name the folder in test/hosts; it must be installed, see `hostInstalled` */
  static async prepare(name: string, packed?: PackedPackage): Promise<HostApp> {
    const source = join(root, 'test', 'hosts', name)
    const directory = mkdtempSync(join(tmpdir(), `fanout-cache-host-${name}-`))
    cpSync(source, directory, { recursive: true, filter: path => path !== join(source, 'node_modules') })
    cpSync(join(root, 'test', 'hosts', 'shared'), join(directory, 'shared'), { recursive: true })
    linkAll(join(source, 'node_modules'), join(directory, 'node_modules'))
    await unpack(directory, packed ?? (await packOnce()))
    return new HostApp(directory)
  }

  /** A script of the app, for a FixtureProcess. */
  script(path: string): URL {
    return pathToFileURL(join(this.directory, path))
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * Whether a folder of test/hosts is installed. Its absence is said on the console, and is a failure where REQUIRE_ALL=1
 * asks that nothing be skipped.
 */
export function hostInstalled(name: string): boolean {
  if (existsSync(join(root, 'test', 'hosts', name, 'node_modules', '.package-lock.json'))) return true
  const message = `test/hosts/${name} is not installed: npm run hosts:install`
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${message}, as REQUIRE_ALL=1 asks`)
  console.log(`skipped: ${message}`)
  return false
}

let packing: Promise<PackedPackage> | undefined

/** The package is packed once in a process of tests. */
function packOnce(): Promise<PackedPackage> {
  packing ??= packPackage().then(
    packed => {
      process.once('exit', () => rmSync(dirname(packed.tarball), { recursive: true, force: true }))
      return packed
    },
    error => {
      packing = undefined
      throw error
    },
  )
  return packing
}

/** Links the packages of one node_modules into another; their own dependencies are found where they are. */
function linkAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    if (name.startsWith('.')) continue
    if (name.startsWith('@')) linkAll(join(from, name), join(to, name))
    else symlinkSync(realpathSync(join(from, name)), join(to, name), 'junction')
  }
}

/**
 * Its dependencies are those of this repository, below it: the host may have others of the same names. Only another
 * better-sqlite3 is taken from a host that depends on one.
 */
async function unpack(app: string, { tarball }: PackedPackage): Promise<void> {
  const installed = join(app, 'node_modules', 'fanout-cache')
  mkdirSync(installed)
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed], app)
  for (const name of Object.keys(manifest.dependencies)) {
    if (name === 'better-sqlite3' && existsSync(join(app, 'node_modules', name))) continue
    const link = join(installed, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(join(root, 'node_modules', name)), link, 'junction')
  }
}
