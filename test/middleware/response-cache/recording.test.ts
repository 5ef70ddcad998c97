import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import compression from 'compression'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { ask } from '../support/http.js'
import { FRAMEWORKS, settled, site, statusOf } from './support/app.js'

const sha = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

describe.each(FRAMEWORKS)('responseCache on %s', (_name, make) => {
  it('answers a range of all bytes with 206 on a miss, and stores the whole', async () => {
    const seen: unknown[] = []
    const { get, cache } = await site(
      app =>
        void app.get('/', (req, res) => {
          seen.push(req.headers.range)
          res.writeHead(200, 'Fine', { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Length': 10 })
          res.write('01234')
          res.end('56789')
        }),
      { make },
    )
    const miss = await get('/', { headers: { Range: 'bytes=0-' } })
    expect([miss.status, miss.text, seen]).toEqual([206, '0123456789', [undefined]])
    expect(miss.headers).toMatchObject({ 'content-range': 'bytes 0-9/10', 'content-length': '10' })
    expect(miss.headers['cache-control']).toBe('max-age=60, no-transform')
    expect(statusOf(miss)).toBe('fwd=uri-miss; fwd-status=200; stored')
    await settled(cache)
    const hit = await get('/')
    expect([hit.status, hit.text, hit.headers['cache-control']]).toEqual([200, '0123456789', 'max-age=60'])
    expect(hit.headers['content-range']).toBeUndefined()
  })

  it.each<[string, object, object]>([
    ['of another version', { 'Content-Length': 1, ETag: '"1"' }, { 'If-Range': '"2"' }],
    ['of unknown length', {}, {}],
    ['that is not stored', { 'Content-Length': 1, 'Cache-Control': 'no-store' }, {}],
    ['of a handler that knows no ranges', { 'Content-Length': 1, 'Accept-Ranges': 'none' }, {}],
  ])('answers a range of all bytes with 200 on a miss: %s', async (_what, fields, asked) => {
    const { get } = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.writeHead(200, { 'Cache-Control': 'max-age=60', ...fields })
          res.write('x')
          res.end()
        }),
      { make },
    )
    const miss = await get('/', { headers: { Range: 'bytes=0-', ...asked } })
    expect([miss.status, miss.text]).toEqual([200, 'x'])
  })

  it('answers a range of all bytes with 206 while another request fetches them', async () => {
    const rest = new Gate()
    const begun = new Gate()
    const { get } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', 'Content-Length': '4' }).write('ab')
          await rest.opened
          res.end('cd')
        }),
      { make },
    )
    const first = get('/', { onBytes: () => begun.open() })
    await begun.opened
    const second = get('/', { headers: { Range: 'bytes=0-' }, onBytes: () => rest.open() })
    expect([(await second).status, (await second).text]).toEqual([206, 'abcd'])
    expect((await first).status).toBe(200)
  })

  it.each(['/small', '/large', '/file'])('keeps a name in Content-Disposition beyond ASCII: %s', async path => {
    const made = await site(
      app => {
        app.use((_req, res, next) =>
          next(void res.set({ 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain' })),
        )
        app.use((_req, res, next) => next(void res.setHeader('Content-Disposition', 'attachment; filename="ü.txt"')))
        app.get('/small', (_req, res) => void Readable.from(['a']).pipe(res))
        app.get('/large', (_req, res) => void Readable.from(['a'.repeat(20_000)]).pipe(res))
        app.get('/file', (_req, res) => void Readable.from(['a'.repeat(200_000)]).pipe(res))
      },
      { make },
    )
    const first = await made.get(path)
    await expect.poll(async () => (await made.get(path)).headers['cache-status']).toMatch(/hit/)
    for (const headers of [{}, { Range: 'bytes=0-0' }]) {
      const hit = await made.get(path, { headers })
      expect(hit.headers['cache-status']).toMatch(/hit/)
      expect(hit.headers['content-disposition']).toBe(first.headers['content-disposition'])
    }
    expect(first.headers['content-disposition']).toBe('attachment; filename="ü.txt"')
  })

  it.each<[string, (res: import('express').Response) => void]>([
    ['send of text', res => void res.send('text ü')],
    ['send of bytes', res => void res.send(Buffer.from([0, 255, 128]))],
    ['json', res => void res.json({ a: 1 })],
    [
      'write and end',
      res => {
        res.write('a', 'latin1')
        res.write(Buffer.from('b'))
        res.end('c')
      },
    ],
    ['end alone', res => void res.end('done')],
    ['end without a body', res => void res.end()],
    ['writeHead with an object', res => void res.writeHead(200, { 'X-A': ['1', '2'] }).end('x')],
    ['writeHead with a list', res => void res.writeHead(200, 'Fine', ['X-A', '1', 'X-A', '2'] as never).end('x')],
    ['a pipe', res => void Readable.from(['a', 'b', 'c']).pipe(res)],
    [
      'flushHeaders first',
      res => {
        res.flushHeaders()
        res.end('later')
      },
    ],
    ['status 204', res => void res.status(204).end()],
    ['a redirect', res => void res.redirect(301, '/elsewhere')],
  ])('gives again what came by %s', async (_way, answer) => {
    const { get, cache } = await site(
      app => {
        app.get('/', (_req, res) => {
          res.set('Cache-Control', 'max-age=60')
          answer(res)
        })
      },
      { make },
    )
    const first = await get('/')
    await settled(cache)
    const second = await get('/')
    expect(second.headers['cache-status']).toMatch(/hit/)
    expect([second.status, second.text]).toEqual([first.status, first.text])
    const { 'cache-status': _a, connection: _b, 'transfer-encoding': _c, 'content-length': _d, ...kept } = first.headers
    expect(second.headers).toMatchObject(kept)
  })

  it('takes the fields of writeHead in place of those that were set, as Node does', async () => {
    const { get, cache } = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', 'X-A': '0' })
          res.writeHead(200, ['X-A', '1', 'X-A', '2'] as never).end('x')
        }),
      { make },
    )
    expect((await get('/')).headers['x-a']).toBe('1, 2')
    await settled(cache)
    expect((await get('/')).headers['x-a']).toBe('1, 2')
  })

  it.each([
    ['above', 1],
    ['below', 2],
  ])('works with compression %s', async (where, calls) => {
    let called = 0
    const compress = compression({ threshold: 0 }) as never
    const { get, cache } = await site(
      app => {
        if (where === 'below') app.use(compress)
        app.get('/', (_req, res) => {
          called++
          res.set('Cache-Control', 'max-age=60').send('y'.repeat(5000))
        })
      },
      { make, above: app => void (where === 'above' && app.use(compress)) },
    )
    for (let round = 0; round < 2; round++) {
      const zipped = await get('/', { headers: { 'accept-encoding': 'gzip' } })
      await settled(cache)
      const plain = await get('/')
      await settled(cache)
      expect(zipped.headers['content-encoding']).toBe('gzip')
      expect(gunzipSync(zipped.body).toString()).toBe('y'.repeat(5000))
      expect(plain.headers['content-encoding']).toBeUndefined()
      expect(plain.text).toBe('y'.repeat(5000))
    }
    expect(called).toBe(calls)
  })

  it('works without ETag', async () => {
    const { status, cache } = await site(
      app => {
        app.set('etag', false)
        app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
      },
      { make },
    )
    await status('/')
    await settled(cache)
    expect(await status('/')).toMatch(/^hit/)
  })

  it('gives the error of a handler to the error handlers, and stores nothing', async () => {
    const { get, cache } = await site(
      app => {
        app.get('/', () => {
          throw new Error('broken')
        })
        app.use(((error: Error, req: import('express').Request, res: import('express').Response, _next: unknown) => {
          res.status(500).send(`${error.message} ${req.get('if-none-match')}`)
        }) as never)
      },
      { make },
    )
    const reply = await get('/', { headers: { 'if-none-match': '"1"' } })
    expect([reply.status, reply.text.split(' ')[0]]).toEqual([500, 'broken'])
    expect(await cache.count()).toBe(0)
  })

  it('puts conditions back on the request when the answer is there', async () => {
    let seen: unknown
    const done = new Gate()
    const { get } = await site(
      app => {
        app.get('/', (req, res) => {
          seen = req.headers['if-none-match']
          res.on('finish', () => {
            seen = [seen, req.headers['if-none-match'], req.rawHeaders.includes('"1"')]
            done.open()
          })
          res.send('x')
        })
      },
      { make },
    )
    await get('/', { headers: { 'if-none-match': '"1"' } })
    await done.opened
    expect(seen).toEqual([undefined, '"1"', true])
  })

  it('answers requests in their order that come in one piece', async () => {
    const made = await site(
      app => app.get('/:id', (req, res) => void res.set('Cache-Control', 'max-age=60').send(`<${req.params.id} é>`)),
      { make },
    )
    for (const path of ['/0', '/1']) {
      await made.get(path)
      await expect.poll(() => made.status(path)).toMatch(/^hit/)
    }
    const socket = connect(made.port, '127.0.0.1')
    const asked = ['/0', '/1', '/2', '/1', '/0'].map(path => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${made.port}\r\n`)
    socket.write(`${asked.join('\r\n')}Connection: close\r\n\r\n`)
    const answers = await text(socket)
    expect(answers.match(/<\d é>/g)).toEqual(['<0 é>', '<1 é>', '<2 é>', '<1 é>', '<0 é>'])
    expect(answers.match(/hit; ttl/g)).toHaveLength(4)
  })

  it('lets middleware see its hits through methods of its own', async () => {
    const seen: string[] = []
    const above = (app: import('express').Express): void => {
      app.use((_req, res, next) => {
        const { end } = res
        res.end = ((...args: Parameters<typeof end>) => {
          seen.push(String(args[0]))
          return end.apply(res, args)
        }) as typeof end
        next()
      })
    }
    const made = await site(
      app => app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('all of it')),
      { make, above },
    )
    await made.get('/')
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    expect(seen.at(-1)).toBe('all of it')
  })

  it('leaves an app the listeners that Node lets it have', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void (warning.name.startsWith('MaxListeners') && warnings.push(warning))
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const listeners = (res: import('express').Response): void => {
      for (let count = 0; count < 3; count++) res.on('close', () => undefined)
    }
    const { get, cache, clock } = await site(
      app => {
        app.get('/', (_req, res) => {
          listeners(res)
          res.set({ 'Cache-Control': 'max-age=1', ETag: '"1"' })
          pipeline(Readable.from([Buffer.alloc(2 ** 20), Buffer.alloc(2 ** 20)]), res, () => undefined)
        })
      },
      { make },
    )
    for (let round = 0; round < 2; round++) {
      await get('/')
      await settled(cache)
      clock.advance(5_000)
    }
    expect(warnings).toEqual([])
  })

  it('tells the handler the same of a request in all ways there are', async () => {
    const seen: unknown[] = []
    const { get, cache, clock } = await site(
      app => {
        app.get('/', (req, res) => {
          const { headers, headersDistinct, rawHeaders } = req
          seen.push([headers['if-none-match'], headersDistinct['if-none-match'], headersDistinct['accept']])
          const names = rawHeaders.filter((_, at) => at % 2 === 0).map(name => name.toLowerCase())
          expect(Object.keys(headersDistinct).sort()).toEqual([...new Set(names)].sort())
          expect(Object.keys(headers).sort()).toEqual([...new Set(names)].sort())
          res.set({ 'Cache-Control': 'max-age=1, stale-while-revalidate=60', ETag: '"2"' }).send('x')
        })
      },
      { make },
    )
    const headers = { 'if-none-match': '"1"', accept: 'text/html' }
    await get('/', { headers })
    await settled(cache)
    clock.advance(100_000)
    await get('/', { headers })
    await settled(cache)
    clock.advance(2_000)
    await get('/', { headers })
    await expect.poll(() => seen).toHaveLength(3)
    expect(seen).toEqual([
      [undefined, undefined, ['text/html']],
      ['"2"', ['"2"'], ['text/html']],
      ['"2"', ['"2"'], ['text/html']],
    ])
  })
})

describe('a body', () => {
  it.each([
    [10, undefined],
    [40_000, undefined],
    [3_000_000, undefined],
    // In the database, though it is long.
    [3_000_000, 2 ** 22],
  ])('of %d bytes comes back as it was (files from: %s)', async (size, minFileSize) => {
    const bytes = randomBytes(size)
    const { get, status, cache } = await site(
      app => {
        app.get(
          '/',
          (_req, res) => void Readable.from(chunks(bytes, 20_000)).pipe(res.set('Cache-Control', 'max-age=60')),
        )
      },
      minFileSize === undefined ? {} : { cacheOptions: { disk: { minFileSize } } },
    )
    expect(sha((await get('/')).body)).toBe(sha(bytes))
    await expect.poll(() => cache.count()).toBe(1)
    expect(await status('/')).toMatch(/^hit/)
    expect(sha((await get('/')).body)).toBe(sha(bytes))
    const part = await get('/', { headers: { range: `bytes=${size - 5}-` } })
    expect([part.status, part.body.equals(bytes.subarray(size - 5))]).toEqual([206, true])
    expect(await cache.check()).toEqual([])
  })

  it.each<[string, (res: import('express').Response) => void]>([
    [
      'that is shorter than its Content-Length',
      res => {
        res.set('Content-Length', '10').write('short')
        res.destroy()
      },
    ],
    ['that is longer than its Content-Length', res => void res.set('Content-Length', '2').end('long')],
    [
      'that breaks off',
      res => {
        res.write('half')
        setImmediate(() => res.destroy())
      },
    ],
    ['that is larger than maxEntrySize', res => void res.send('x'.repeat(2000))],
    ['that the web server sends', res => void res.set('X-Accel-Redirect', '/x').end()],
    ['that says there is no such part', res => void res.status(416).set('Content-Range', 'bytes */1').send('x')],
  ])('%s is not stored', async (_what, answer) => {
    const { get, cache } = await site(
      app => {
        app.get('/', (_req, res) => {
          res.set('Cache-Control', 'max-age=60')
          answer(res)
        })
      },
      { options: { maxEntrySize: 1000 } },
    )
    await get('/').catch(() => undefined)
    await settled(cache)
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('whose client goes away leaves nothing', async () => {
    const gone = new Gate()
    const { port, cache } = await site(app => {
      app.get('/', (_req, res) => {
        res.set('Cache-Control', 'max-age=60').write(Buffer.alloc(100_000))
        res.on('close', () => gone.open())
      })
    })
    const sent = httpRequest({ port, host: '127.0.0.1' }).end()
    const [reply] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    await once(reply, 'data')
    reply.destroy()
    await gone.opened
    await settled(cache)
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('whose client leaves with all of it before the handler has ended is stored', async () => {
    const gone = new Gate()
    const { port, cache, get } = await site(app => {
      app.get('/', (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', 'Content-Length': '100000' }).write(Buffer.alloc(100_000, 'x'))
        res.on('close', () => gone.open())
      })
    })
    const sent = httpRequest({ port, host: '127.0.0.1' }).end()
    const [reply] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    reply.resume()
    await once(reply, 'end')
    sent.destroy()
    await gone.opened
    await expect.poll(() => cache.count()).toBe(1)
    const hit = await get('/')
    expect([statusOf(hit), hit.text]).toEqual(['hit; ttl=60', 'x'.repeat(100_000)])
  })
})

describe('fields from above the cache', () => {
  it('are those of the request that is answered', async () => {
    let number = 0
    const { get, cache } = await site(
      app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x')),
      {
        above: app =>
          void app.use((_req, res, next) => {
            res.set('X-Request-Id', String(++number))
            next()
          }),
      },
    )
    await get('/')
    await settled(cache)
    const hit = await get('/')
    expect([hit.headers['x-request-id'], hit.headers['cache-status']]).toEqual(['2', expect.stringMatching(/hit/)])
  })
})

describe('middleware that is mounted twice', () => {
  it('answers once', async () => {
    const { responseCache } = await import('fanout-cache/express')
    const { get } = await site((app, made) => {
      app.use((req, res, next) =>
        (responseCache(made().cache) as never as typeof next)(...([req, res, next] as never as [])),
      )
      app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
    })
    const reply = await get('/')
    expect([reply.status, reply.text]).toEqual([200, 'x'])
  })
})

describe('a client that has the answer, and closes its connection with the 304', () => {
  it('does not end a handler that streams: the answer is stored', async () => {
    const { get, cache, status } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', ETag: '"1"' }).write('begun, ')
          await Promise.race([once(res, 'close'), setTimeout(100)])
          res.end('ended')
        }),
    )
    const headers = { 'If-None-Match': '"1"', Connection: 'close' }
    const first = await get('/', { headers })
    expect([first.status, first.text]).toEqual([304, ''])
    await settled(cache)
    expect(await status('/')).toMatch(/^hit/)
    expect((await get('/')).text).toBe('begun, ended')
  })

  it('does not stop a handler that waits until each chunk is written', async () => {
    let calls = 0
    const { get, status } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          calls++
          res.set({ 'Cache-Control': 'max-age=60', ETag: '"1"' })
          await new Promise<unknown>(resolve => res.write('one, ', resolve))
          await new Promise<unknown>(resolve => res.write('two, ', 'utf8', resolve))
          res.end('three')
        }),
    )
    expect((await get('/', { headers: { 'If-None-Match': '"1"' } })).status).toBe(304)
    await expect.poll(() => status('/')).toMatch(/^hit/)
    expect([(await get('/')).text, calls]).toEqual(['one, two, three', 1])
  })

  it('has the 304 before a handler that takes long has ended', async () => {
    const gate = new Gate()
    const { get } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', ETag: '"1"' }).write('begun, ')
          await gate.opened
          res.end('ended')
        }),
    )
    expect((await get('/', { headers: { 'If-None-Match': '"1"', Connection: 'close' } })).status).toBe(304)
    gate.open()
  })
})

describe('other methods', () => {
  it('pass, and are said to', async () => {
    const { port } = await site(app => void app.all('/', (_req, res) => void res.send('x')))
    expect((await ask(port, '/', { method: 'OPTIONS' })).headers['cache-status']).toBe('fanout-cache; fwd=method')
  })
})

function* chunks(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
