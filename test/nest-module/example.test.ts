import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { root } from '../helpers/packed-package.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { transpile } from './nest-host.js'

describe('examples/nest-app', () => {
  it('keeps answers over a restart, for one query each', async () => {
    const app = temporaryDirectory()
    writeFileSync(join(app, 'package.json'), JSON.stringify({ type: 'module' }))
    transpile(join(root, 'examples/nest-app/src'), join(app, 'dist'), ts.ModuleKind.ES2022)
    mkdirSync(join(app, 'node_modules'))
    symlinkSync(root, join(app, 'node_modules/fanout-cache'), 'junction')
    for (const name of ['@nestjs', 'reflect-metadata', 'rxjs']) {
      symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name), 'junction')
    }
    const directory = temporaryDirectory()

    const first = await start(app, directory)
    expect(await first.get('/books')).toMatchObject([{ title: 'Sketch of the Analytical Engine' }, { id: '2' }])
    expect(await first.get('/books/2')).toEqual({ id: '2', title: 'On Computable Numbers', year: 1936 })
    const centuries = { 19: ['Sketch of the Analytical Engine'], 20: ['On Computable Numbers'] }
    expect(await first.get('/centuries')).toEqual(centuries)
    for (const reader of ['ada', 'alan']) expect(await first.get('/shelf', reader)).toMatchObject({ reader })
    expect(await first.get('/visits')).toEqual({ visits: 1, last: { number: 1 }, queries: 5 })
    expect(await first.get('/books/3')).toMatchObject({ statusCode: 404, message: 'no book 3' })
    await first.stop()

    const second = await start(app, directory)
    for (const path of ['/books', '/books/2', '/centuries']) await second.get(path)
    for (const reader of ['ada', 'alan']) expect(await second.get('/shelf', reader)).toMatchObject({ reader })
    expect(await second.get('/visits')).toEqual({ visits: 2, last: { number: 2 }, queries: 0 })
    expect(await second.get('/health')).toMatchObject({ status: 'ok', details: { cache: {}, reports: { count: 1 } } })
    expect(await second.get('/books/2', '', 'PATCH', { title: 'Renamed' })).toMatchObject({ title: 'Renamed' })
    expect(await second.get('/books/2')).toMatchObject({ title: 'Renamed' })
    expect(await second.get('/books')).toMatchObject([{}, { title: 'Renamed' }])
    await second.stop()
  })
})

async function start(app: string, directory: string) {
  const env = { CACHE_DIR: directory, PORT: '0' }
  const process = new FixtureProcess(pathToFileURL(join(app, 'dist/main.js')), {}, env)
  const url = (await process.line('listening on ')).slice('listening on '.length)
  return {
    get: async (path: string, authorization = '', method = 'GET', body?: object): Promise<unknown> => {
      const headers = { ...(authorization && { authorization }), 'content-type': 'application/json' }
      const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
      return response.json()
    },
    /** A signal closes the app, and the app its caches. */
    stop: async () => {
      globalThis.process.kill(process.pid, 'SIGTERM')
      expect(await process.ended).toMatchObject({ signal: 'SIGTERM', stderr: '' })
    },
  }
}
