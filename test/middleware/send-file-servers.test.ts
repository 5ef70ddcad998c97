import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheOptions, FanoutCache } from 'fanout-cache'
import { type SendFileOptions, sendFile } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { peer } from '../helpers/peers.js'
import { app5 } from './support/apps.js'
import { type Asking, ask, listen, partsOf, type Reply } from './support/http.js'
import { isRoot } from './support/nginx.js'
import { readableCache } from './support/readable-cache.js'
import { SERVERS, startServer } from './support/web-servers.js'

const TEXT = 'abcdefghijklmnopqrstuvwxyz'

interface Started {
  readonly cache: FanoutCache
  readonly seen: string[]
  get(path: string, headers?: Asking['headers'], method?: string): Promise<Reply>
}

/** @param lose whether files go between the answer of the app and the look of the server */
async function start(
  name: keyof typeof SERVERS,
  { lose = false, disk, ...options }: Partial<SendFileOptions> & Extra = {},
): Promise<Started> {
  const { directory, cache, seen, key } = await readableCache(disk)
  const app = app5(sendFile(cache, { key, accel: SERVERS[name].accel, ...options }))
  const { port: appPort } = await listen((request, response) => {
    const end = response.end
    response.end = ((...args: Parameters<typeof end>) => {
      const told = response.getHeader('X-Sendfile') ?? response.getHeader('X-Accel-Redirect')
      const file = /[^/]+\/[^/]+\/[^/]+\/[^/]+\.val$/.exec(String(told))?.[0]
      if (lose && file !== undefined) rmSync(join(directory, file))
      return end.apply(response, args)
    }) as typeof end
    app(request, response)
  })
  const port = await startServer(name, appPort, directory)
  return { cache, seen, get: (path, headers = {}, method = 'GET') => ask(port, path, { headers, method }) }
}

interface Extra {
  readonly lose?: boolean
  readonly disk?: CacheOptions['disk']
}

const accel = expect.stringMatching(/^fanout-cache; hit; .*detail=accel$/)

for (const name of ['apache', 'caddy', 'lighttpd'] as const) {
  describe.runIf(peer(name))(`sendFile() behind ${name}, set up as its page says`, () => {
    it('has it send the file, whole and in parts, with the fields of the app', async () => {
      const { cache, get } = await start(name, { cacheControl: 'max-age=60' })
      await cache.set('a.txt', Buffer.from(TEXT), { file: true, meta: { etag: '"one"', lastModified: 1.5e12 } })
      const whole = await get('/a.txt')
      expect(whole).toMatchObject({ status: 200, text: TEXT })
      expect(whole.headers).toMatchObject({
        'cache-control': 'max-age=60',
        'cache-status': accel,
        'content-length': '26',
        'content-type': 'text/plain; charset=utf-8',
        'x-content-type-options': 'nosniff',
        etag: '"one"',
        'last-modified': 'Fri, 14 Jul 2017 02:40:00 GMT',
      })
      for (const field of ['x-sendfile', 'x-accel-redirect']) expect(whole.headers).not.toHaveProperty(field)
      const head = await get('/a.txt', {}, 'HEAD')
      expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '26', etag: '"one"' } })
      const modified = 'Fri, 14 Jul 2017 02:40:00 GMT'
      const table: [Record<string, string>, number, string][] = [
        [{ Range: 'bytes=2-4' }, 206, 'cde'],
        [{ Range: 'bytes=-2' }, 206, 'yz'],
        [{ Range: 'bytes=0-' }, 206, TEXT],
        [{ Range: 'bytes=2-4', 'If-Range': '"one"' }, 206, 'cde'],
        [{ Range: 'bytes=2-4', 'If-Range': '"two"' }, 200, TEXT],
        [{ Range: 'bytes=2-4', 'If-Range': modified }, 206, 'cde'],
        [{ Range: 'bytes=2-4', 'If-Range': 'Fri, 14 Jul 2017 02:40:01 GMT' }, 200, TEXT],
        [{ Range: 'bytes=2-4', 'If-None-Match': '"two"' }, 206, 'cde'],
        [{ 'If-None-Match': '"one"' }, 304, ''],
        [{ 'If-None-Match': 'W/"one"' }, 304, ''],
        [{ 'If-None-Match': '"two"', 'If-Modified-Since': modified }, 200, TEXT],
        [{ 'If-Modified-Since': modified }, 304, ''],
        [{ 'If-Match': '"one"' }, 200, TEXT],
        [{ 'If-Match': '"two"' }, 412, ''],
        [{ 'If-Unmodified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 412, ''],
      ]
      for (const [headers, status, text] of table) {
        expect([headers, await get('/a.txt', headers)]).toMatchObject([headers, { status, text }])
      }
      expect((await get('/a.txt', { Range: 'bytes=26-' })).status).toBe(416)
      await cache.set('long', Buffer.alloc(5000, TEXT), { file: true })
      const parts = partsOf(await get('/long', { Range: 'bytes=0-1,1000-1001,-1' }))
      expect(parts.map(({ bytes }) => bytes)).toEqual(['ab', 'mn', 'h'])
    })

    it('sends no part of one version for a part of another', async () => {
      const { cache, get } = await start(name)
      await cache.set('weak', Buffer.from(TEXT), { meta: { etag: 'W/"same"' } })
      await cache.set('a', Buffer.from(TEXT), { file: true })
      const { headers: first } = await get('/a')
      await cache.set('a', Buffer.from(TEXT.toUpperCase()), { file: true })
      const { headers: second } = await get('/a')
      expect(second.etag).not.toBe(first.etag)
      const table: [string, string | undefined, string][] = [
        ['/weak', 'W/"same"', TEXT],
        ['/a', first.etag, TEXT.toUpperCase()],
      ]
      // A date that both may have; lighttpd goes by it whatever the app says.
      if (name !== 'lighttpd') table.push(['/a', second['last-modified'], TEXT.toUpperCase()])
      for (const [path, tag, text] of table) {
        const reply = await get(path, { Range: 'bytes=0-1', 'If-Range': tag })
        expect([tag, reply]).toMatchObject([tag, { status: 200, text }])
      }
    })

    it('sends odd names, encoded variants and what is no file', async () => {
      const { cache, get } = await start(name, { disposition: 'attachment' })
      for (const [key, type] of [
        ['é & ?#%.svg', 'image/svg+xml'],
        ['quo"te\'s;.html', 'text/html; charset=utf-8'],
        ['with space дом.webm', 'video/webm'],
        ['none', 'application/octet-stream'],
      ] as const) {
        await cache.set(key, Buffer.from(TEXT), { file: true })
        const reply = await get(`/${encodeURIComponent(key)}?a=%20b`)
        expect(reply).toMatchObject({
          status: 200,
          text: TEXT,
          headers: { 'content-type': type, 'cache-status': accel },
        })
        expect(reply.headers['content-disposition']).toMatch(/^attachment; filename/)
      }
      await cache.set('br', Buffer.from(TEXT), { meta: { type: 'text/plain', encoding: 'br', etag: '"br"' } })
      const encoded = await get('/br', { 'Accept-Encoding': 'br, gzip' })
      expect(encoded).toMatchObject({ status: 200, text: TEXT })
      expect(encoded.headers).toMatchObject({ 'content-encoding': 'br', vary: 'Accept-Encoding', etag: '"br"' })
      expect(await get('/br', { Range: 'bytes=0-1' })).toMatchObject({ status: 206, text: 'ab' })
      await cache.set('inline', 'text')
      expect(await get('/inline')).toMatchObject({ status: 200, text: 'text' })
      await cache.set('empty', Buffer.alloc(0), { file: true })
      expect(await get('/empty')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } })
    })

    it('shows files to nobody who asks for them by their paths, and listens to no header of clients', async () => {
      const { cache, get, seen } = await start(name)
      await cache.set('a', Buffer.from(TEXT), { file: true })
      const path = (await cache.info('a'))?.path
      for (const one of [`/_cache/${path}`, `//_cache/${path}`, `/${path}`, '/000/cache.db', '/-again']) {
        const reply = await get(one)
        expect([one, reply.status, reply.text.includes('abc')]).toEqual([one, 404, false])
      }
      seen.length = 0
      const spoofed = {
        'X-Sendfile-Type': 'X-Accel-Redirect',
        'X-Accel-Mapping': '/=/etc/',
        'X-Accel-Redirect': '/_cache/passwd',
        'X-Sendfile': '/etc/passwd',
      }
      expect(await get('/a', spoofed)).toMatchObject({ status: 200, text: TEXT, headers: { 'cache-status': accel } })
      const reply = await get('/a', { 'X-Cache-Sendfile-Fallback': '1' })
      expect(reply).toMatchObject({ status: 200, text: TEXT })
      // lighttpd lets the field through, which costs its sender time.
      expect(seen.at(-1)?.includes('fallback')).toBe(name === 'lighttpd')
    })

    it(name === 'lighttpd' ? 'says that a file is gone' : 'streams a file that is gone when it looks', async () => {
      const { cache, get, seen } = await start(name, { lose: true, fill: () => ({ body: 'filled', ttl: 0 }) })
      for (const [method, text] of [
        ['GET', 'filled'],
        ['HEAD', ''],
      ] as const) {
        await cache.set('a b', Buffer.from(TEXT), { file: true })
        const reply = await get('/a%20b?c=%2Fd', {}, method)
        if (name === 'lighttpd') expect(reply.status).toBe(404)
        else expect(reply).toMatchObject({ status: 200, text, headers: { 'content-length': '6' } })
      }
      if (name === 'lighttpd') return
      expect(seen.map(one => one.split(' ')[0])).toEqual(Array(4).fill('/a%20b?c=%2Fd'))
      await cache.set('a b', Buffer.from(TEXT), { file: true })
      expect(await get('/a%20b', { Range: 'bytes=0-2' })).toMatchObject({ status: 206, text: 'fil' })
    })

    it.runIf(isRoot)('says what it may not read', async () => {
      const { cache, get } = await start(name, { disk: { directoryMode: 0o755, fileMode: 0o600 } })
      await cache.set('a', Buffer.from(TEXT), { file: true, meta: { cacheControl: 'max-age=60' } })
      const reply = await get('/a')
      if (name === 'apache') expect(reply).toMatchObject({ status: 200, text: TEXT })
      // Nobody is to keep the error.
      else expect([reply.status, reply.headers['cache-control'] ?? 'no-store']).toEqual([403, 'no-store'])
    })

    it('answers every request while files are replaced and evicted', async () => {
      const { cache, get } = await start(name, { fill: () => Buffer.alloc(40_000, 'f') })
      const write = (letter: string) => cache.set('a', Buffer.alloc(40_000, letter), { file: true, tags: ['t'] })
      await write('a')
      let isOver = false
      const writing = (async () => {
        for (let time = 0; !isOver; time++)
          await (time % 5 === 4 ? cache.evict('t') : write('abcd'[time % 4] as string))
      })()
      const replies = (
        await Promise.all(
          Array.from({ length: 4 }, async () => {
            const got: Reply[] = []
            for (let time = 0; time < 20; time++) got.push(await get('/a', time % 2 ? { Range: 'bytes=1000-' } : {}))
            return got
          }),
        )
      ).flat()
      isOver = true
      await writing
      for (const { status, body } of replies) {
        expect(status).toBe(body.length === 40_000 ? 200 : 206)
        expect(body.every(byte => byte === body[0])).toBe(true)
      }
      expect(new Set(replies.map(({ body }) => body[0])).size).toBeGreaterThan(1)
    })
  })
}
