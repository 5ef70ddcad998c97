import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheOptions } from 'fanout-cache'
import { type SendFileOptions, sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { peer } from '../helpers/peers.js'
import { app5 } from './support/apps.js'
import { type Asking, ask, listen, partsOf, type Reply } from './support/http.js'
import { exampleConfiguration, isRoot, nginx, openDirectory, startNginx } from './support/nginx.js'
import { readableCache } from './support/readable-cache.js'

const TEXT = 'abcdefghijklmnopqrstuvwxyz'
const ACCEL = { type: 'nginx', prefix: '/_cache/' } as const

async function start(options: Partial<SendFileOptions> = {}, disk?: CacheOptions['disk']) {
  const { directory, cache, seen, key } = await readableCache(disk)
  const app = await listen(app5(sendFile(cache, { key, accel: ACCEL, ...options })))
  const front = await startNginx(app.port, directory)
  const get = (path: string, headers: Asking['headers'] = {}, method = 'GET'): Promise<Reply> =>
    ask(front.port, path, { headers, method })
  return { cache, app, front, get, seen }
}

describe.runIf(peer('nginx'))('sendFile() behind nginx', () => {
  it('has nginx send the file, whole and in parts', async () => {
    const { cache, front, get } = await start()
    await cache.set('a.txt', Buffer.from(TEXT), { file: true })
    const whole = await get('/a.txt')
    expect(whole).toMatchObject({ status: 200, text: TEXT })
    expect(whole.headers).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'cache-status': 'fanout-cache; hit; detail=accel',
      'content-length': '26',
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    })
    expect(whole.headers['x-accel-redirect']).toBeUndefined()
    expect(await get('/a.txt', {}, 'HEAD')).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': '26' },
    })
    const { etag = '', 'last-modified': modified = '' } = whole.headers
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    const table: [Record<string, string>, number, string][] = [
      [{ Range: 'bytes=2-4' }, 206, 'cde'],
      [{ Range: 'bytes=-2' }, 206, 'yz'],
      [{ Range: 'bytes=0-' }, 206, TEXT],
      [{ Range: 'bytes=2-4', 'If-Range': etag }, 206, 'cde'],
      [{ Range: 'bytes=2-4', 'If-Range': '"old"' }, 200, TEXT],
      [{ 'If-None-Match': etag }, 304, ''],
      [{ 'If-None-Match': '"old"' }, 200, TEXT],
      [{ 'If-Modified-Since': modified }, 304, ''],
      [{ 'If-Match': etag }, 200, TEXT],
      [{ 'If-Match': '"old"' }, 412, ''],
      [{ 'If-Unmodified-Since': modified }, 200, TEXT],
      [{ 'If-Unmodified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 412, ''],
    ]
    for (const [headers, status, text] of table) {
      expect([headers, await get('/a.txt', headers)]).toMatchObject([headers, { status, text }])
    }
    expect((await get('/a.txt', { Range: 'bytes=26-' })).status).toBe(416)
    const parts = partsOf(await get('/a.txt', { Range: 'bytes=0-1,-1' }))
    expect(parts.map(({ bytes }) => bytes)).toEqual(['ab', 'z'])
    // Conditions that nginx would hold against a tag of its own are answered by the app.
    const byApp = 304 + 304 + 200 + 412 + 200 + 412
    const others = () => front.log().filter(line => !line.endsWith('accel'))
    await expect.poll(() => others().reduce((sum, line) => sum + Number.parseInt(line, 10), 0)).toBe(byApp)
  })

  it.each([
    ['é & ?#%.svg', 'image/svg+xml'],
    ['with space/дом.webm', 'video/webm'],
    ['none', 'application/octet-stream'],
  ])('sends odd names: %s', async (name, type) => {
    const { cache, get, front } = await start({ disposition: 'attachment' })
    await cache.set(name, Buffer.from(TEXT), { file: true })
    const reply = await get(`/${name.split('/').map(encodeURIComponent).join('/')}?a=b`)
    expect(reply).toMatchObject({ status: 200, text: TEXT, headers: { 'content-type': type } })
    expect(reply.headers['content-disposition']).toMatch(/^attachment; filename/)
    await expect.poll(() => front.log()).toEqual(['200 accel'])
  })

  it('sends encoded variants as they are', async () => {
    const { cache, get } = await start()
    const meta = { type: 'text/plain', encoding: 'br', etag: '"br"' }
    await cache.set('a.txt', Buffer.from(TEXT), { meta })
    const reply = await get('/a.txt', { 'Accept-Encoding': 'br, gzip' })
    expect(reply).toMatchObject({ status: 200, text: TEXT })
    expect(reply.headers).toMatchObject({ 'content-encoding': 'br', vary: 'Accept-Encoding', etag: '"br"' })
    expect(await get('/a.txt', { Range: 'bytes=0-1' })).toMatchObject({ status: 206, text: 'ab' })
  })

  it('sends no part of a file for a weak tag, or for a date of the same second', async () => {
    const { cache, get } = await start()
    await cache.set('weak', Buffer.from(TEXT), { meta: { etag: 'W/"same"' } })
    expect(await get('/weak', { Range: 'bytes=0-1', 'If-Range': 'W/"same"' })).toMatchObject({
      status: 200,
      text: TEXT,
    })
    await cache.set('old', Buffer.from(TEXT), { meta: { lastModified: 1.5e12 } })
    await cache.set('new', Buffer.from(TEXT), { meta: { lastModified: Date.now() + 1000 } })
    for (const [path, status] of [
      ['/old', 206],
      ['/new', 200],
    ] as const) {
      const modified = (await get(path)).headers['last-modified']
      expect(await get(path, { Range: 'bytes=0-1', 'If-Range': modified })).toMatchObject({ status })
    }
  })

  it('streams what is no file, and what is fetched', async () => {
    const { cache, get, front } = await start({ fill: () => Buffer.from('filled') })
    await cache.set('a', 'text')
    expect(await get('/a')).toMatchObject({
      text: 'text',
      headers: { 'cache-status': 'fanout-cache; hit; detail=stream' },
    })
    expect(await get('/b')).toMatchObject({ text: 'filled' })
    await expect.poll(() => cache.has('b')).toBe(true)
    expect(await get('/b')).toMatchObject({
      text: 'filled',
      headers: { 'cache-status': expect.stringMatching(/detail=accel/) },
    })
    // What comes at once is in the cache before it is sent.
    await expect.poll(() => front.log()).toEqual(['200', expect.stringMatching(/^200/), '200 accel'])
  })

  it('streams a file that nginx does not find', async () => {
    const fallback: Partial<SendFileOptions> = { fill: () => 'filled again' }
    const { cache, app, get } = await start(fallback)
    await cache.set('a', Buffer.from(TEXT), { file: true })
    // The file goes between the answer of the app and the look of nginx: a second app in front of the first removes it.
    const between = await listen(async (request, response) => {
      const headers = request.headers
      const inner = await ask(app.port, request.url ?? '', { headers })
      const path = inner.headers['x-accel-redirect']
      if (path !== undefined) rmSync(join(cache.directory, String(path).slice('/_cache/'.length)))
      response.writeHead(inner.status, inner.rawHeaders as string[]).end(inner.body)
    })
    const { port, log } = await startNginx(between.port, cache.directory)
    const reply = await ask(port, '/a', { headers: { Range: 'bytes=0-5' } })
    expect(reply).toMatchObject({ status: 206, text: 'filled' })
    expect(log()).toHaveLength(1)
    expect((await get('/a')).status).toBe(200)
  })

  it('does not show the internal location to strangers', async () => {
    const { cache, get, seen } = await start({ fill: () => 'filled' })
    await cache.set('a', Buffer.from(TEXT), { file: true })
    const path = (await cache.info('a'))?.path
    const paths = [
      `/_cache/${path}`,
      `/%5fcache/${path}`,
      `//_cache/${path}`,
      `/x/../_cache/${path}`,
      '/_cache/',
      '/_cache/../../etc/passwd',
    ]
    for (const one of paths) {
      const reply = await get(one)
      expect([one, reply.status, reply.text.includes('abc')]).toEqual([
        one,
        one === '/_cache/../../etc/passwd' ? 400 : 404,
        false,
      ])
    }
    expect(seen).toEqual([])
  })

  it('listens to no header of clients', async () => {
    const { cache, app, get, seen } = await start()
    await cache.set('a', Buffer.from(TEXT), { file: true })
    const spoofed = {
      'X-Sendfile-Type': 'X-Sendfile',
      'X-Accel-Mapping': '/=/etc/',
      'X-Accel-Redirect': '/_cache/passwd',
      'X-Sendfile': '/etc/passwd',
      'X-Cache-Sendfile-Fallback': '1',
    }
    const reply = await get('/a', spoofed)
    expect(reply).toMatchObject({
      status: 200,
      text: TEXT,
      headers: { 'cache-status': 'fanout-cache; hit; detail=accel' },
    })
    expect(seen[0]).not.toContain('fallback')
    // Without nginx in between: the type and the path stay as they are, and the fallback only costs its sender time.
    const direct = await ask(app.port, '/a', { headers: { ...spoofed, 'X-Cache-Sendfile-Fallback': '' } })
    expect(direct).toMatchObject({
      status: 200,
      text: TEXT,
      headers: { 'cache-status': expect.stringMatching(/detail=fallback/) },
    })
    expect(direct.headers['x-accel-buffering']).toBe('no')
    const { 'X-Cache-Sendfile-Fallback': _fallback, ...rest } = spoofed
    const accelerated = await ask(app.port, '/a', { headers: rest })
    expect(accelerated.headers['x-sendfile']).toBeUndefined()
    expect(accelerated.headers['x-accel-redirect']).toMatch(/^\/_cache\/00\d\/\w\w\/\w\w\/\w{28}\.val$/)
  })

  it.runIf(isRoot)('streams what nginx may not read, and says so', async () => {
    const warnings: string[] = []
    const listener = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', listener)
    onTestFinished(() => void process.off('warning', listener))
    const { cache, get, front } = await start({}, { directoryMode: 0o755, fileMode: 0o600 })
    await cache.set('a', Buffer.from(TEXT), { file: true })
    for (let time = 0; time < 2; time++) {
      expect(await get('/a')).toMatchObject({
        text: TEXT,
        headers: { 'cache-status': expect.stringMatching(/detail=fallback/) },
      })
    }
    await expect.poll(() => front.log()).toEqual(['200', '200'])
    expect(warnings).toEqual([
      expect.stringMatching(/^sendFile: .*\.val has the mode 0600: a web server that does not run/),
    ])
    // The same where it may not enter the directory.
    chmodSync(cache.directory, 0o700)
    expect(await get('/a')).toMatchObject({
      text: TEXT,
      headers: { 'cache-status': expect.stringMatching(/detail=fallback/) },
    })
  })

  it('has a configuration that nginx accepts', async () => {
    const work = openDirectory()
    const file = join(work, 'nginx.conf')
    writeFileSync(file, exampleConfiguration(work, 18_080, 13_000, work))
    const { status, stderr } = spawnSync(nginx, ['-t', '-p', work, '-c', file], { encoding: 'utf8' })
    expect(stderr).toContain('test is successful')
    expect(stderr).not.toContain('warn')
    expect(status).toBe(0)
  })
})
