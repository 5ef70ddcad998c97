import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskCache, Key } from 'fanout-cache'
import { Cache, FanoutCache } from 'fanout-cache'
import { type SendFileOptions, sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redirectField } from '../../src/middleware/send-file-accel.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { APPS, plain } from './support/apps.js'
import { ask, listen, partsOf } from './support/http.js'

const TEXT = 'abcdefghijklmnopqrstuvwxyz'

/** The path of a request is the key, as a text. */
const byPath = (request: { readonly originalUrl?: string; readonly url?: string }): string =>
  decodeURIComponent((request.originalUrl ?? request.url ?? '').slice(1))

async function serve(cache: DiskCache, options: Partial<SendFileOptions> = {}, app = plain): Promise<number> {
  onTestFinished(() => cache.close())
  const { port } = await listen(app(sendFile(cache, { key: byPath, ...options })))
  return port
}

const newCache = (): Cache => new Cache(temporaryDirectory())

describe.each(APPS)('sendFile() under %s', (_name, app) => {
  it.each([
    ['all', {}, 200, TEXT],
    ['a range', { Range: 'bytes=2-4' }, 206, 'cde'],
    ['the last bytes', { Range: 'bytes=-2' }, 206, 'yz'],
    ['what is not there', { Range: 'bytes=26-' }, 416, ''],
    ['a range of an old version', { Range: 'bytes=2-4', 'If-Range': '"old"' }, 200, TEXT],
    ['another version only', { 'If-Match': '"old"' }, 412, ''],
    ['what has changed since', { 'If-Modified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 200, TEXT],
    ['what has not changed', { 'If-Unmodified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 412, ''],
  ])('answers who asks for %s', async (_what, headers, status, text) => {
    const cache = newCache()
    await cache.set('a.txt', Buffer.from(TEXT), { meta: { type: 'text/plain' } })
    const port = await serve(cache, {}, app)
    expect(await ask(port, '/a.txt', { headers })).toMatchObject({ status, text })
  })

  it('tells what it sends by tag and date, and sends nothing to who has it', async () => {
    const cache = newCache()
    await cache.set('a.txt', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, {}, app)
    const { headers } = await ask(port, '/a.txt')
    expect(headers.etag).toMatch(/^"[\w-]{22}"$/)
    const { etag = '', 'last-modified': modified = '' } = headers
    expect(await ask(port, '/a.txt', { headers: { 'If-None-Match': etag } })).toMatchObject({ status: 304, text: '' })
    expect(await ask(port, '/a.txt', { headers: { 'If-Modified-Since': modified } })).toMatchObject({ status: 304 })
    const ranged = { Range: 'bytes=0-1', 'If-Range': etag }
    expect(await ask(port, '/a.txt', { headers: ranged })).toMatchObject({ status: 206, text: 'ab' })
    await cache.set('a.txt', Buffer.from(TEXT.toUpperCase()), { file: true })
    expect(await ask(port, '/a.txt', { headers: ranged })).toMatchObject({ status: 200, text: TEXT.toUpperCase() })
  })

  it('sends no part for a date that two versions share, however late it is asked for', async () => {
    const clock = new ManualClock()
    const cache = new Cache(temporaryDirectory(), { clock })
    await cache.set('a.txt', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, {}, app)
    const { headers } = await ask(port, '/a.txt')
    clock.advance(500)
    await cache.set('a.txt', Buffer.from(TEXT.toUpperCase()), { file: true })
    clock.advance(60_000)
    const ranged = { Range: 'bytes=0-1', 'If-Range': headers['last-modified'] }
    expect(await ask(port, '/a.txt', { headers: ranged })).toMatchObject({ status: 200, text: TEXT.toUpperCase() })
  })

  it('answers HEAD', async () => {
    const cache = newCache()
    await cache.set('a.txt', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, {}, app)
    const reply = await ask(port, '/a.txt', { method: 'HEAD' })
    expect(reply).toMatchObject({ status: 200, text: '', headers: { 'content-length': '26' } })
  })

  it('leaves what is not there, other methods and requests without a key to others', async () => {
    const cache = newCache()
    await cache.set('a', 'here')
    const port = await serve(
      cache,
      { key: async request => (request.url === '/none' ? undefined : byPath(request)) },
      app,
    )
    const missing = await ask(port, '/b')
    expect(missing).toMatchObject({ status: 404, headers: { 'cache-status': 'fanout-cache; fwd=uri-miss' } })
    expect(await ask(port, '/none')).toMatchObject({
      status: 404,
      headers: { 'cache-status': 'fanout-cache; fwd=bypass; detail=no-key' },
    })
    expect(await ask(port, '/a', { method: 'POST' })).toMatchObject({
      status: 404,
      headers: { 'cache-status': 'fanout-cache; fwd=method' },
    })
    expect((await ask(port, '/a')).status).toBe(200)
  })

  it.each(['type', 'disposition', 'cacheControl'])('hands on what the function of %s throws', async name => {
    const cache = newCache()
    await cache.set('a', Buffer.from('a'), { file: true })
    const thrower = (): never => {
      throw new Error('no rules')
    }
    const port = await serve(cache, { [name]: thrower }, app)
    expect(await ask(port, '/a')).toMatchObject({
      status: 500,
      text: 'error: no rules',
      headers: { 'cache-status': 'fanout-cache; fwd=miss; detail=error' },
    })
  })

  it.each([
    ['type', async () => 'text/html'],
    ['disposition', async () => 'inline'],
    ['cacheControl', () => Promise.reject(new Error('no rules'))],
  ])('refuses a promise of the function of %s, whatever becomes of it', async (name, promise) => {
    const cache = newCache()
    await cache.set('a', Buffer.from('a'), { file: true })
    const port = await serve(cache, { [name]: promise }, app)
    const reply = await ask(port, '/a')
    expect([reply.status, reply.text]).toEqual([500, expect.stringMatching(`${name} must be .+, got a promise`)])
  })

  it('hands on what the function of the key throws', async () => {
    const key = (): Key => {
      throw new Error('no such route')
    }
    const port = await serve(newCache(), { key }, app)
    expect(await ask(port, '/a')).toMatchObject({
      status: 500,
      text: 'error: no such route',
      headers: { 'cache-status': 'fanout-cache; fwd=miss; detail=error' },
    })
  })
})

describe('the fields of sendFile()', () => {
  it.each<[string, Key, object | undefined, Partial<SendFileOptions>, object]>([
    ['the extension of the key', 'a.webm', undefined, {}, { 'content-type': 'video/webm' }],
    ['a text, with its charset', 'a.txt', undefined, {}, { 'content-type': 'text/plain; charset=utf-8' }],
    ['the end of a composite key', ['media', 'b.svg'], undefined, {}, { 'content-type': 'image/svg+xml' }],
    ['the path, where the key has none', ['film', 7], undefined, {}, { 'content-type': 'image/png' }],
    ['bytes when nothing is known', 'a.unheard-of', undefined, {}, { 'content-type': 'application/octet-stream' }],
    ['what is kept with it', 'a.txt', { type: 'text/csv' }, {}, { 'content-type': 'text/csv' }],
    [
      'the route, before what is kept',
      'a.txt',
      { type: 'text/html' },
      { type: 'text/plain' },
      { 'content-type': 'text/plain' },
    ],
    ['a function', 'a.txt', undefined, { type: (_request, { size }) => `x/${size}` }, { 'content-type': 'x/26' }],
    ['a tag that is kept', 'a', { etag: '"mine"' }, {}, { etag: '"mine"' }],
    ['a date that is kept', 'a', { lastModified: 0 }, {}, { 'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT' }],
    [
      'a date of the future, which is that of storing',
      'a',
      { lastModified: 8e15 },
      {},
      { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' },
    ],
    [
      'what it is to be saved as',
      'ä "b".txt',
      undefined,
      { disposition: 'attachment' },
      { 'content-disposition': `attachment; filename="? \\"b\\".txt"; filename*=UTF-8''%C3%A4%20%22b%22.txt` },
    ],
    [
      'another name',
      'a',
      undefined,
      { disposition: { type: 'inline', filename: '../b.txt' } },
      { 'content-disposition': 'inline; filename=b.txt' },
    ],
    [
      'no name that is none',
      'a',
      undefined,
      { disposition: { filename: 'a/..\\\x7f..' } },
      { 'content-disposition': 'attachment' },
    ],
    [
      'a name without line ends',
      'a',
      undefined,
      { disposition: { filename: 'a\r\nb.txt' } },
      { 'content-disposition': 'attachment; filename=ab.txt' },
    ],
    ['how it is kept by others', 'a', undefined, {}, { 'cache-control': 'no-cache' }],
    ['how long it is kept by others', 'a', { cacheControl: 'max-age=9' }, {}, { 'cache-control': 'max-age=9' }],
    [
      'how long, by the route',
      'a',
      { cacheControl: 'max-age=9' },
      { cacheControl: 'private' },
      { 'cache-control': 'private' },
    ],
    ['an encoding', 'a.txt', { encoding: 'br' }, {}, { 'content-encoding': 'br', vary: 'Accept-Encoding' }],
    ['that its type is not to be guessed', 'a', undefined, {}, { 'x-content-type-options': 'nosniff' }],
    [
      'nothing that is no field',
      'a.txt',
      { type: 'a\r\nb', etag: 'x', disposition: 7, lastModified: 'now' },
      {},
      { 'content-type': 'text/plain; charset=utf-8', etag: expect.stringMatching(/^"[\w-]{22}"$/) },
    ],
    [
      'no date that there is not',
      'a',
      { lastModified: -1e16 },
      {},
      { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' },
    ],
    ['nothing of metadata of another kind', 'a.txt', ['type'], {}, { 'content-type': 'text/plain; charset=utf-8' }],
  ])('tell %s', async (_what, key, meta, options, fields) => {
    const cache = new Cache(temporaryDirectory(), { clock: new ManualClock() })
    await cache.set(key, Buffer.from(TEXT), { file: true, ...(meta && { meta: meta as never }) })
    const port = await serve(cache, { ...options, key: () => key })
    const { status, headers } = await ask(port, '/path/c.png?q=1.txt')
    expect({ status, headers }).toMatchObject({ status: 200, headers: fields })
  })

  it('keep the tag when only the time to live is changed, and have another for each content', async () => {
    const cache = newCache()
    await cache.set('file', Buffer.from(TEXT), { file: true })
    await cache.set('text', TEXT)
    const port = await serve(cache)
    const tag = async (path: string) => (await ask(port, path)).headers.etag
    const [file, text] = [await tag('/file'), await tag('/text')]
    expect(text).toMatch(/^"[\w-]{22}"$/)
    await cache.touch('file', { ttl: '1h' })
    expect(await tag('/file')).toBe(file)
    await cache.set('text', TEXT.toUpperCase())
    expect(await tag('/text')).not.toBe(text)
  })

  it('tell nothing of where a file lies', async () => {
    const cache = newCache()
    await cache.set('file', Buffer.from(TEXT), { file: true })
    const port = await serve(cache)
    const tag = String((await ask(port, '/file')).headers.etag).slice(1, -1)
    const { path = '' } = (await cache.info('file')) ?? {}
    expect(path).toMatch(/\.val$/)
    expect(path.startsWith(Buffer.from(tag, 'base64url').toString())).toBe(false)
  })

  it('do not vary with the answers before them', async () => {
    const cache = newCache()
    await cache.set('a', 'x')
    const handler = sendFile(cache, { key: byPath })
    onTestFinished(() => cache.close())
    const { port } = await listen((request, response) => {
      response.setHeader('Cache-Control', 'max-age=5')
      response.setHeader('Cache-Status', 'edge; hit')
      void handler(request, response, () => response.end())
    })
    const { headers } = await ask(port, '/a')
    expect(headers).toMatchObject({
      'cache-control': 'max-age=5',
      'cache-status': 'edge; hit, fanout-cache; hit; detail=stream',
    })
  })

  it('say of a file what is stored with it, whatever stands on the response', async () => {
    const cache = newCache()
    await cache.set('a', 'x', { meta: { cacheControl: 'max-age=9' } })
    const handler = sendFile(cache, { key: byPath })
    onTestFinished(() => cache.close())
    const { port } = await listen((request, response) => {
      response.setHeader('Cache-Control', 'max-age=5')
      void handler(request, response, () => response.end())
    })
    expect((await ask(port, '/a')).headers['cache-control']).toBe('max-age=9')
  })

  it('say how long a file is kept', async () => {
    const cache = new Cache(temporaryDirectory(), { clock: new ManualClock() })
    await cache.set('a', 'x', { ttl: '90s' })
    const port = await serve(cache, { name: 'media' })
    expect((await ask(port, '/a')).headers['cache-status']).toBe('media; hit; ttl=90; detail=stream')
  })
})

describe('sendFile()', () => {
  it.each<[string, unknown, string]>([
    ['a string', 'héllo', 'héllo'],
    ['bytes', Buffer.from('abc'), 'abc'],
    ['an object', { a: 1 }, '{"a":1}'],
    ['an object in a file', { a: new Map([[1, 2]]) }, '{"a":{}}'],
  ])('sends %s', async (_what, value, text) => {
    const cache = newCache()
    await cache.set('a', value, { file: true })
    await cache.set('b', value)
    const port = await serve(cache)
    for (const path of ['/a', '/b']) expect(String((await ask(port, path)).body)).toBe(text)
  })

  it('sends parts of a file', async () => {
    const cache = new FanoutCache(temporaryDirectory())
    await cache.set('a.bin', Buffer.alloc(300_000, TEXT))
    const port = await serve(cache)
    const parts = partsOf(await ask(port, '/a.bin', { headers: { Range: 'bytes=0-1,260000-260001' } }))
    expect(parts.map(({ bytes, type }) => [bytes, type])).toEqual([
      ['ab', 'application/octet-stream'],
      ['ab', 'application/octet-stream'],
    ])
  })

  it('does not send what has expired', async () => {
    const clock = new ManualClock()
    const cache = new Cache(temporaryDirectory(), { clock })
    await cache.set('a', 'x', { ttl: 10 })
    const port = await serve(cache)
    expect((await ask(port, '/a')).status).toBe(200)
    clock.advance(10)
    expect((await ask(port, '/a')).status).toBe(404)
  })

  it('leaves a file to others that has vanished from the disk', async () => {
    const cache = newCache()
    await cache.set('a', 'x', { file: true })
    const port = await serve(cache)
    rmSync(join(cache.directory, (await cache.info('a'))?.path ?? ''))
    expect((await ask(port, '/a')).status).toBe(404)
  })

  it('answers as if there were no cache where there can be none', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'file'), '')
    const cache = new FanoutCache(join(directory, 'file', 'cache'))
    const errors: string[] = []
    cache.on('error', error => errors.push(error.message))
    const port = await serve(cache, { fill: () => 'filled' })
    expect(await ask(port, '/a')).toMatchObject({ status: 200, text: 'filled' })
    expect(errors.length).toBeGreaterThan(0)
  })

  it('refuses what is no key as any misuse', async () => {
    const port = await serve(newCache(), { key: () => Symbol('a') as never })
    expect((await ask(port, '/a')).status).toBe(500)
  })

  it.each<[object, RegExp]>([
    [{ key: 'a' }, /key must be a function/],
    [{ fil: () => '' }, /unknown option fil; did you mean fill\?/],
    [{ fill: 'a' }, /fill must be a function/],
    [{ type: 'a\nb' }, /type must be a string that can be the value of a field/],
    [{ disposition: 'download' }, /disposition must be 'inline', 'attachment'/],
    [{ disposition: { file: 'a' } }, /unknown option file/],
    [{ cacheControl: 7 }, /cacheControl must be/],
    [{ accel: 'nginx' }, /accel: options must be an object/],
    [{ accel: { type: 'apache' } }, /accel.type must be 'nginx' or 'sendfile', got 'apache'/],
    [{ accel: { type: 'nginx' } }, /accel.prefix must be a path such as '\/_cache\/'/],
    [{ accel: { type: 'nginx', prefix: '/_cache' } }, /accel.prefix must be a path that begins and ends with \//],
    [{ accel: { type: 'nginx', prefix: '/a/../b/' } }, /accel.prefix/],
    [{ accel: { type: 'nginx', prefix: '/a%2f/' } }, /accel.prefix/],
    [{ accel: { type: 'nginx', prefix: '/' } }, /accel.prefix/],
    [{ accel: { type: 'nginx', root: '/' } }, /unknown option root/],
    [{ accel: { type: 'sendfile', root: 'a/b' } }, /accel.root must be an absolute path/],
    [{ accel: { type: 'sendfile', grace: -1 } }, /accel.grace must be a duration/],
    [{ ttl: 'soon' }, /ttl must be milliseconds/],
    [{ tags: 'a' }, /tags must be an array of strings/],
    [{ tags: ['\ud800'] }, /tags must be an array of strings/],
    [{ lease: 1 }, /lease must be at least 100/],
    [{ collapseTimeout: true }, /collapseTimeout must be/],
    [{ name: '' }, /name must be a string/],
  ])('refuses the options %o', (options, message) => {
    const cache = newCache()
    expect(() => sendFile(cache, { key: byPath, ...options } as never)).toThrow(message)
  })

  it('refuses what is no cache and no options', () => {
    expect(() => sendFile({} as never, { key: byPath })).toThrow(/sendFile needs a Cache or FanoutCache/)
    expect(() => sendFile(newCache(), undefined as never)).toThrow(/options must be an object/)
  })
})

describe('acceleration', () => {
  it.each<[string, SendFileOptions['accel'], string, RegExp]>([
    ['nginx', { type: 'nginx', prefix: '/_cache/' }, 'x-accel-redirect', /^\/_cache\/\w\w\/\w\w\/\w{28}\.val$/],
    ['mod_xsendfile', { type: 'sendfile' }, 'x-sendfile', /^\/.*\/\w\w\/\w\w\/\w{28}\.val$/],
    ['another root', { type: 'sendfile', root: '/srv/é' }, 'x-sendfile', /^\/srv\/%C3%A9\/\w\w\/\w\w\/\w{28}\.val$/],
  ])('tells the path of a file: %s', async (_what, accel, field, path) => {
    const cache = newCache()
    await cache.set('a.txt', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, accel ? { accel } : {})
    const reply = await ask(port, '/a.txt')
    expect(reply).toMatchObject({
      status: 200,
      text: '',
      headers: { 'cache-status': 'fanout-cache; hit; detail=accel' },
    })
    expect(reply.headers[field]).toMatch(path)
    expect(reply.headers['accept-ranges']).toBeUndefined()
    const { etag = '' } = reply.headers
    expect(await ask(port, '/a.txt', { headers: { 'If-None-Match': etag } })).toMatchObject({ status: 304 })
    expect(await ask(port, '/a.txt', { headers: { 'If-Match': etag } })).toMatchObject({ status: 200, text: TEXT })
  })

  it('is not for values without a file of their own bytes, nor for what mod_xsendfile would send wrongly', async () => {
    const cache = newCache()
    await cache.set('inline', 'x')
    await cache.set('encoded', new Map([[1, 2]]), { file: true })
    await cache.set('brotli', Buffer.from('x'), { meta: { encoding: 'br' } })
    const port = await serve(cache, { accel: { type: 'sendfile' } })
    for (const path of ['/inline', '/encoded', '/brotli']) {
      const { headers, text } = await ask(port, path)
      expect([path, headers['x-sendfile'], text.length > 0]).toEqual([path, undefined, true])
    }
  })

  it.each<[SendFileOptions['accel'], number, number]>([
    [{ type: 'nginx', prefix: '/c/' }, 0, 5000],
    [{ type: 'nginx', prefix: '/c/', grace: 0 }, 0, 0],
    [{ type: 'sendfile' }, 0, 30_000],
    [{ type: 'sendfile', grace: '1m' }, 0, 60_000],
    [{ type: 'sendfile' }, 90_000, 90_000],
  ])('leaves replaced files where they are for a while: %o', async (accel, before, after) => {
    const cache = new Cache(temporaryDirectory(), { disk: { unlinkGrace: before } })
    await cache.set('file', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, accel ? { accel } : {})
    expect((await ask(port, '/file')).headers['cache-status']).toContain('detail=accel')
    await expect.poll(async () => (await cache.settings()).disk.unlinkGrace).toBe(after)
    // It is set beside the answer.
    for (let turn = 0; turn < 20; turn++) await cache.set('other', turn)
    expect((await cache.settings()).disk.unlinkGrace).toBe(after)
  })

  it.each(['/_cache/a', '/_cache', '/%5fcache/x/..'])('answers nothing for the internal %s', async path => {
    const port = await serve(newCache(), {
      key: () => 'a',
      fill: () => 'filled',
      accel: { type: 'nginx', prefix: '/_cache/' },
    })
    expect(await ask(port, path)).toMatchObject({
      status: 404,
      text: '',
      headers: { 'cache-status': 'fanout-cache; fwd=bypass; detail=internal' },
    })
  })

  it.each(['../cache/a.val', 'a/../../b', '/etc/passwd', 'a//b', './a', 'cache.db', '000/cache.db-wal', 'a\\b', 'a\0'])(
    'names no web server the path %j, whoever has let it through',
    path => {
      expect(redirectField({ type: 'nginx', prefix: '/_cache/', grace: 0 }, '/srv', path)).toBeUndefined()
      expect(redirectField({ type: 'sendfile', root: undefined, grace: 0 }, '/srv', path)).toBeUndefined()
    },
  )

  it('warns of nothing where a group of the web server can read', async () => {
    const warnings: string[] = []
    const listener = (warning: Error & { code?: string }): void => void warnings.push(warning.code ?? '')
    process.on('warning', listener)
    onTestFinished(() => void process.off('warning', listener))
    const root = temporaryDirectory()
    chmodSync(root, 0o750)
    const cache = new Cache(join(root, 'cache'), { disk: { directoryMode: 0o2750, fileMode: 0o640 } })
    await cache.set('file', Buffer.from(TEXT), { file: true })
    const port = await serve(cache, { accel: { type: 'nginx', prefix: '/_cache/' } })
    expect((await ask(port, '/file')).headers['cache-status']).toContain('detail=accel')
    for (let turn = 0; turn < 20; turn++) await cache.set('other', turn)
    expect(warnings).toEqual([])
  })

  it('warns where a web server could read nothing, once for a directory', async () => {
    const warnings: string[] = []
    const listener = (warning: Error & { code?: string }): void => void warnings.push(warning.code ?? '')
    process.on('warning', listener)
    onTestFinished(() => void process.off('warning', listener))
    const cache = newCache()
    await cache.open()
    for (let time = 0; time < 2; time++) await serve(cache, { accel: { type: 'nginx', prefix: '/_cache/' } })
    await expect.poll(() => warnings).toEqual(['FANOUT_CACHE_ACCEL_MODES'])
  })
})

describe('sendFile() over a namespace', () => {
  it('sends what is stored there, and fills it', async () => {
    const cache = newCache()
    const space = cache.namespace('files', { version: 2 })
    await cache.set('a.txt', Buffer.from('outside'))
    await cache.set('b.txt', Buffer.from('outside'))
    await space.set('a.txt', Buffer.from(TEXT), { file: true })
    onTestFinished(() => cache.close())
    const fill = (): Buffer => Buffer.from('filled')
    const { port } = await listen(plain(sendFile(space, { key: byPath, fill })))
    expect(await ask(port, '/a.txt', { headers: { Range: 'bytes=2-4' } })).toMatchObject({ status: 206, text: 'cde' })
    expect(await ask(port, '/b.txt')).toMatchObject({ status: 200, text: 'filled' })
    await expect.poll(() => space.get('b.txt')).toEqual(Buffer.from('filled'))
    expect(await cache.get('b.txt')).toEqual(Buffer.from('outside'))
    await space.delete('a.txt')
    expect(await ask(port, '/a.txt')).toMatchObject({ status: 200, text: 'filled' })
  })
})
