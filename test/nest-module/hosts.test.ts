import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { FanoutCache } from 'fanout-cache'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { FixtureProcess } from '../helpers/child-process.js'
import { hostInstalled } from '../helpers/host.js'
import { peer } from '../helpers/peers.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { NestHost } from './nest-host.js'

interface Version {
  readonly name: string
  /** How else than by `register` the module is registered there. */
  readonly forms: readonly string[]
  readonly migrations: readonly string[]
  readonly platforms: readonly string[]
}

const SINGLE = ['create', 'instance', 'promise', 'useFactory', 'useClass', 'useExisting']
const VERSIONS: readonly Version[] = [
  { name: 'nest10', forms: SINGLE, migrations: ['migration-memory'], platforms: ['express'] },
  { name: 'nest11', forms: [...SINGLE, 'stores'], migrations: ['migration-memory'], platforms: ['express', 'fastify'] },
  {
    name: 'nest12',
    forms: [...SINGLE, 'stores'],
    migrations: ['migration-memory', 'migration-redis'],
    platforms: ['express'],
  },
]

/** An app that runs, and answers. */
class RunningApp {
  readonly #process: FixtureProcess
  readonly #url: string

  private constructor(process: FixtureProcess, url: string) {
    this.#process = process
    this.#url = url
  }

  static async of(process: FixtureProcess): Promise<RunningApp> {
    const line = await process.line('listening ')
    return new RunningApp(process, line.slice('listening '.length))
  }

  async get(path: string, headers: Record<string, string> = {}, method = 'GET') {
    const response = await fetch(this.#url + path, { headers, method })
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = response.headers.get('content-type')?.includes('json') && bytes.length > 0
    const { status } = response
    return {
      status,
      said: response.headers.get('x-cache'),
      headers: response.headers,
      bytes,
      body: isJson ? JSON.parse(String(bytes)) : String(bytes),
    }
  }

  /** Closes the app: its process must then end by itself, and well. */
  async close(): Promise<void> {
    this.#process.send('close')
    expect((await this.#process.done()).at(-1)).toBe('closed')
  }
}

describe.each(VERSIONS.map(version => ({ ...version, isInstalled: hostInstalled(version.name) })))(
  '$name',
  { timeout: 120_000 },
  ({ name, forms, migrations, platforms, isInstalled }) => {
    let host: NestHost
    let types: Promise<readonly string[]>

    beforeEach(context => context.skip(!isInstalled, `${name} is not installed`))
    beforeAll(async () => {
      if (!isInstalled) return
      host = await NestHost.prepare(name, migrations)
      types = host.typeErrors()
    }, 120_000)
    afterAll(async () => {
      if (!isInstalled) return
      await types
      host.remove()
    }, 120_000)

    const start = (args: object, script = 'app'): Promise<RunningApp> => RunningApp.of(host.start(script, args))
    const startTwo = (args: object): Promise<RunningApp[]> => Promise.all([start(args), start(args)])

    it.each(platforms)('shares answers between two processes on %s, and keeps them over a restart', async platform => {
      const args = { platform, directory: temporaryDirectory(), form: 'register' }
      const [one, two] = (await startTwo(args)) as [RunningApp, RunningApp]
      const made = await one.get('/call')
      expect([made.said, (await two.get('/call')).said]).toEqual(['MISS', 'HIT'])
      const paths = ['/call', '/status', '/bytes', '/null', '/named', '/cats/1', '/reports/2024', '/report-page']
      const before: Awaited<ReturnType<RunningApp['get']>>[] = []
      for (const path of paths) before.push(await one.get(path))
      const status = await two.get('/status')
      expect([status.status, status.headers.get('x-made')]).toEqual([202, before[1]?.headers.get('x-made')])
      if (platform === 'fastify') expect([...(await two.get('/bytes')).bytes]).toEqual([0, 1, 254, 255])
      await Promise.all([one.close(), two.close()])

      const again = await start(args)
      for (const [at, path] of paths.entries()) {
        const { body, bytes, said } = await again.get(path)
        expect([path, body, bytes]).toEqual([path, before[at]?.body, before[at]?.bytes])
        expect([path, said]).toEqual([path, path.startsWith('/cats') || path.startsWith('/reports') ? null : 'HIT'])
      }
      await again.close()
    })

    it('runs a handler once for all processes, and keeps people apart', async () => {
      const args = { directory: temporaryDirectory(), form: 'register' }
      const [one, two] = (await startTwo(args)) as [RunningApp, RunningApp]
      const slow = await Promise.all([one, two, one, two].map(app => app.get('/slow')))
      expect(new Set(slow.map(({ body }) => body.call)).size).toBe(1)
      expect(slow.filter(({ said }) => said === 'MISS')).toHaveLength(1)

      for (const path of ['/mine', '/per-person']) {
        for (const who of ['alice', 'bob', 'alice']) {
          for (const app of [one, two]) expect((await app.get(path, { authorization: who })).body.who).toBe(who)
        }
      }
      expect((await two.get('/per-person', { authorization: 'alice' })).said).toBe('HIT')
      expect((await two.get('/mine', { authorization: 'alice' })).said).toBe('MISS')

      for (const path of ['/never', '/by-hand', '/file']) {
        const [first, second] = [await one.get(path), await one.get(path)]
        expect([path, first.status, second.said === 'HIT']).toEqual([path, 200, false])
      }
      await Promise.all([one.close(), two.close()])
    })

    it('removes for all processes, and serves the cache manager that existing code injects', async () => {
      const directory = temporaryDirectory()
      const [one, two] = (await startTwo({ directory, form: 'register' })) as [RunningApp, RunningApp]
      const cat = await one.get('/cats/1')
      expect((await two.get('/cats/1')).body).toEqual(cat.body)
      await two.get('/cats/1', {}, 'DELETE')
      expect((await one.get('/cats/1')).body.call).not.toBe(cat.body.call)

      await one.get('/named')
      const managed = (await two.get('/manager', {}, 'POST')).body
      expect(managed).toMatchObject({ same: true, a: { list: [1] }, missing: null, report: 'report' })
      expect(managed.named.call).toMatch(/^\d+-\d+$/)
      expect(managed.directories).toEqual([directory, `${directory}/reports`])
      expect((await one.get('/manager', {}, 'POST')).body.wrapped).toEqual(managed.wrapped)
      expect((await two.get('/named')).said).toBe('HIT')
      await two.get('/evict/pages', {}, 'POST')
      expect((await one.get('/named')).said).toBe('MISS')
      await Promise.all([one.close(), two.close()])

      const cache = new FanoutCache(directory)
      expect(await cache.check()).toEqual([])
      await cache.close()
    })

    it('tells Terminus how the cache is', async () => {
      const directory = temporaryDirectory()
      const app = await start({ directory, form: 'register' })
      expect((await app.get('/health')).body).toMatchObject({ status: 'ok', details: { cache: { status: 'up' } } })
      expect((await app.get('/health/reports')).body).toMatchObject({
        details: { reports: { status: 'up', count: 0 } },
      })
      const others = rawDatabase(`${directory}/003`)
      others.exec('BEGIN IMMEDIATE')
      const down = await app.get('/health')
      others.exec('ROLLBACK')
      expect([down.status, down.body.status, down.body.error.cache.status]).toEqual([503, 'error', 'down'])
      await app.close()
    })

    it('takes the module in all its forms', async () => {
      const directory = temporaryDirectory()
      const first = await start({ directory, form: 'register' })
      const { body } = await first.get('/call')
      await first.close()
      const open = async (form: string): Promise<unknown> => {
        const app = await start({ directory, form })
        const answer = await app.get('/call')
        await app.close()
        return [form, answer.body]
      }
      expect(await Promise.all(forms.map(open))).toEqual(forms.map(form => [form, body]))
      const refusal = async (form: string): Promise<readonly string[]> => {
        const lines = await host.start('app', { directory, form }).done()
        // Nest itself may warn of a machine that is slow.
        return lines.filter(line => !line.includes('[ModuleTokenFactory]'))
      }
      expect(await Promise.all([refusal('wrong'), refusal('misnamed')])).toEqual([
        [expect.stringContaining('refused CacheModule: give store or stores, not both')],
        [expect.stringMatching(/refused @CacheName\('reprots'\) of MisnamedController.page: .*did you mean reports\?/)],
      ])
    })

    it('takes an app from @nestjs/cache-manager in memory by one line', async () => {
      for (const script of ['migration-memory-before', 'migration-memory-after']) {
        const app = await start({}, script)
        for (const path of ['/cats', '/dogs']) expect((await app.get(path)).body).toEqual((await app.get(path)).body)
        expect((await app.get('/cats')).said).toBe('HIT')
        await app.close()
      }
    })

    it.runIf(migrations.includes('migration-redis') && peer('redis'))(
      'takes an app from Redis by one line',
      async () => {
        const directory = temporaryDirectory()
        const redis = `redis://127.0.0.1:${await startRedis()}`
        for (const [script, url] of [
          ['migration-redis-before', redis],
          ['migration-redis-after', directory],
        ] as const) {
          const app = await start({ url }, script)
          const { body } = await app.get('/cats')
          await app.close()
          const again = await start({ url }, script)
          expect((await again.get('/cats')).body).toEqual(body)
          await again.close()
        }
      },
    )

    it('compiles against its declarations', async () => {
      expect(await types).toEqual([])
    })
  },
)

/** A Redis of this test, on a free port. */
async function startRedis(): Promise<number> {
  for (let port = 20_000 + (process.pid % 20_000); ; port++) {
    const args = ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1']
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const ended = once(server, 'exit')
    const lines = createInterface({ input: server.stdout })
    const isReady = await Promise.race([
      ended.then(() => false),
      (async () => {
        for await (const line of lines) if (/ready to accept connections/i.test(line)) return true
        return false
      })(),
    ])
    if (!isReady) continue
    onTestFinished(async () => {
      server.kill()
      await ended
    })
    return port
  }
}
