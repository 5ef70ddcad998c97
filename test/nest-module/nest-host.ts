import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { FixtureProcess } from '../helpers/child-process.js'
import { HostApp } from '../helpers/host.js'
import { compileNatively, root } from '../helpers/packed-package.js'

/** Migrations by what is changed in their one line. */
const MIGRATIONS: Readonly<Record<string, readonly [before: string, after: string]>> = {
  'migration-memory': ["'@nestjs/cache-manager'", "'fanout-cache/nest'"],
  'migration-redis': ["'@keyv/redis'", "'fanout-cache/keyv'"],
}

/** An app of one version of Nest, written in TypeScript as users write theirs. */
export class NestHost {
  readonly #host: HostApp
  readonly #sources: string

  private constructor(host: HostApp) {
    this.#host = host
    this.#sources = join(host.directory, 'src')
  }

  /** @param migrations those whose packages the host has; each becomes two scripts, `-before` and `-after` */
  static async prepare(name: string, migrations: readonly string[]): Promise<NestHost> {
    const nest = new NestHost(await HostApp.prepare(name))
    cpSync(join(root, 'test', 'hosts', 'nest'), nest.#host.directory, { recursive: true })
    for (const migration of Object.keys(MIGRATIONS)) nest.#migrate(migration, migrations.includes(migration))
    const { type } = JSON.parse(readFileSync(join(nest.#host.directory, 'package.json'), 'utf8')) as {
      readonly type?: string
    }
    const module = type === 'module' ? ts.ModuleKind.ES2022 : ts.ModuleKind.CommonJS
    transpile(nest.#sources, join(nest.#host.directory, 'out'), module)
    return nest
  }

  start(script: string, args: object): FixtureProcess {
    return new FixtureProcess(this.#host.script(`out/${script}.js`), args)
  }

  /** What the compiler objects to in the app and in the declarations of this package, those of others left out. */
  async typeErrors(): Promise<readonly string[]> {
    const { directory } = this.#host
    const types = join(directory, 'node_modules', '@types')
    mkdirSync(types, { recursive: true })
    symlinkSync(realpathSync(join(root, 'node_modules/@types/node')), join(types, 'node'), 'junction')
    return await compileNatively(join(directory, 'tsconfig.json'))
  }

  remove(): void {
    this.#host.remove()
  }

  #migrate(name: string, isWanted: boolean): void {
    const path = join(this.#sources, `${name}.ts`)
    const text = readFileSync(path, 'utf8')
    rmSync(path)
    if (!isWanted) return
    const [before, after] = MIGRATIONS[name] as readonly [string, string]
    writeFileSync(join(this.#sources, `${name}-before.ts`), text)
    const lines = text.split('\n')
    const changed = lines.filter(line => line.includes(before))
    if (changed.length !== 1) throw new Error(`${name} changes ${changed.length} lines instead of one`)
    writeFileSync(join(this.#sources, `${name}-after.ts`), text.replace(before, after))
  }
}

/** Compiles a folder of sources without looking at types, which takes longer than all else. */
export function transpile(sources: string, out: string, module: ts.ModuleKind): void {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    esModuleInterop: true,
  }
  mkdirSync(out)
  for (const name of readdirSync(sources)) {
    const { outputText } = ts.transpileModule(readFileSync(join(sources, name), 'utf8'), { compilerOptions })
    writeFileSync(join(out, name.replace('.ts', '.js')), outputText)
  }
}
