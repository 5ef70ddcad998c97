import { request as httpRequest } from 'node:http'
import compression from 'compression'
import type { Request, Response } from 'express'
import { purge } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { type Asking, ask } from '../support/http.js'
import { FRAMEWORKS, settled, site, statusOf } from './support/app.js'

const FRESH = 'max-age=60'

describe('one client takes nothing from others', () => {
  it.each<[string, Asking, object]>([
    ['Authorization', { headers: { authorization: 'x' } }, {}],
    ['a cookie', { headers: { cookie: 'a=b' } }, { ttl: '1m' }],
    ['no-store', { headers: { 'cache-control': 'no-store' } }, {}],
  ])('by %s: those who wait share one call', async (_what, first, options) => {
    const gate = new Gate()
    let calls = 0
    let arrived = 0
    const { get, status } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          const call = ++calls
          await gate.opened
          if (!('ttl' in options)) res.set('Cache-Control', FRESH)
          res.send(`${call}`)
        }),
      {
        options,
        above: app =>
          void app.use((_req, _res, next) => {
            arrived++
            next()
          }),
      },
    )
    const one = get('/', first)
    await expect.poll(() => calls).toBe(1)
    const others = Array.from({ length: 20 }, () => get('/'))
    await expect.poll(() => arrived).toBe(21)
    gate.open()
    await one
    expect(new Set((await Promise.all(others)).map(({ text }) => text))).toEqual(new Set(['2']))
    expect(await status('/')).toMatch(/^hit/)
  })

  it('nor do many who may not share wait for one another', async () => {
    const gate = new Gate()
    let calls = 0
    const { get } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          if (++calls > 1) await gate.opened
          res.set('Cache-Control', FRESH).send('mine')
        }),
    )
    const headers = { authorization: 'x' }
    await get('/', { headers })
    const replies = Array.from({ length: 10 }, () => get('/', { headers }))
    await expect.poll(() => calls).toBe(11)
    gate.open()
    expect((await Promise.all(replies)).map(({ text }) => text)).toEqual(Array(10).fill('mine'))
  })

  it('by going away, at whatever moment', async () => {
    let calls = 0
    const body = 'x'.repeat(200_000)
    const { get, port, status } = await site(
      app =>
        void app.get('/:page', async (_req, res) => {
          calls++
          await new Promise(resolve => setImmediate(resolve))
          res.set('Cache-Control', FRESH).write(body.slice(0, 100_000))
          await new Promise(resolve => setImmediate(resolve))
          res.end(body.slice(100_000))
        }),
    )
    for (let round = 0; round < 12; round++) {
      const leaving = Array.from({ length: 5 }, (_, at) => {
        const sent = httpRequest({ port, host: '127.0.0.1', path: `/${round}`, agent: false }).on(
          'error',
          () => undefined,
        )
        sent.on('response', reply => reply.on('error', () => undefined).once('data', () => sent.destroy()))
        sent.end()
        if (at % 2 === 0) setTimeout(() => sent.destroy(), round)
        return new Promise(resolve => sent.on('close', resolve))
      })
      // Whoever has had nothing yet when it breaks off is answered anew; others are cut.
      const staying = Array.from({ length: 5 }, () => get(`/${round}`))
      await Promise.all(leaving)
      const whole = (await Promise.all(staying)).filter(({ cut }) => !cut)
      expect(whole.every(reply => reply.text === body)).toBe(true)
      expect((await get(`/${round}`)).text).toBe(body)
      await expect.poll(() => status(`/${round}`)).toMatch(/^hit/)
    }
    expect(calls).toBeLessThan(12 * 8)
  })

  it('nor do 200 with all kinds of Vary get the answer of another', async () => {
    const { get } = await site(
      app =>
        void app.get('/', async (req, res) => {
          await new Promise(resolve => setImmediate(resolve))
          const names = ['X-A', 'X-A, X-B', 'X-B']
          const { 'x-a': a = '', 'x-b': b = '' } = req.headers as Record<string, string>
          res.set({ 'Cache-Control': FRESH, Vary: names[Number(a) % 3] ?? '' }).send(`${a} ${b}`)
        }),
    )
    const asked = Array.from({ length: 200 }, async (_, at) => {
      const headers = { 'x-a': String(at % 4), 'x-b': String(at % 7) }
      const { text } = await get('/', { headers })
      const [a, b] = text.split(' ')
      const varies = Number(a) % 3
      return (varies === 2 || a === headers['x-a']) && (varies === 0 || b === headers['x-b'])
    })
    expect(await Promise.all(asked)).toEqual(Array(200).fill(true))
  })

  it.each(['gzip;q=2', 'gzip;level=9', 'gzip;q=0, gzip', 'x-gzip;q=0, gzip'])(
    'nor do those who cannot read gzip get what was compressed for %s',
    async odd => {
      const { get, status } = await site(app => {
        app.use(compression({ threshold: 0 }))
        app.get('/', (_req, res) => void res.set('Cache-Control', FRESH).type('text').send('x'.repeat(2000)))
      })
      const asking = (codings: string): Asking => ({ headers: { 'Accept-Encoding': codings } })
      expect((await get('/', asking(odd))).headers['content-encoding']).toBe('gzip')
      await expect.poll(() => status('/', asking(odd))).toMatch(/^hit/)
      const plain = await get('/', asking('identity'))
      expect([plain.headers['content-encoding'], plain.text]).toEqual([undefined, 'x'.repeat(2000)])
    },
  )
})

describe('a purge while an answer is validated', () => {
  it.each([10, 3_000_000])('takes the body of %d bytes from nobody who waits', async size => {
    const gate = new Gate()
    let calls = 0
    const { get, clock, cache, status } = await site(
      app =>
        void app.get('/', async (req, res) => {
          if (++calls === 2) await gate.opened
          res.set({ 'Cache-Control': 'max-age=5', ETag: '"1"' })
          if (req.headers['if-none-match']) res.status(304).end()
          else res.end(Buffer.alloc(size, 'x'))
        }),
    )
    await get('/')
    await settled(cache)
    clock.advance(6000)
    const waiting = [get('/'), get('/')]
    await expect.poll(() => calls).toBe(2)
    expect(await purge(cache, { url: '/' })).toBe(1)
    gate.open()
    const replies = await Promise.all(waiting)
    expect(replies.map(reply => [reply.status, reply.body.byteLength])).toEqual([
      [200, size],
      [200, size],
    ])
    await settled(cache)
    expect(await status('/')).not.toMatch(/fwd=stale/)
  })
})

describe('an unsafe method while an answer is under way', () => {
  it.each(['', 'X-A'])('keeps what is older than it from being stored (Vary: %s)', async vary => {
    const gate = new Gate()
    let state = 'old'
    let calls = 0
    const { get, status, cache } = await site(app => {
      app.get('/', async (_req, res) => {
        const seen = state
        if (++calls === 1) await gate.opened
        res.set({ 'Cache-Control': FRESH, ...(vary && { Vary: vary }) }).send(seen)
      })
      app.post('/', (_req, res) => {
        state = 'new'
        res.send('done')
      })
    })
    const first = get('/')
    await expect.poll(() => calls).toBe(1)
    await get('/', { method: 'POST' })
    const second = await get('/')
    expect(second.text).toBe('new')
    gate.open()
    expect((await first).text).toBe('old')
    await settled(cache)
    expect((await get('/')).text).toBe('new')
    expect(await status('/')).toMatch(/^hit/)
  })
})

describe('a handler that', () => {
  const broken: readonly (readonly [string, (res: Response, req: Request) => unknown, cut: boolean])[] = [
    [
      'throws after the head',
      res => {
        res.write('half')
        throw new Error('late')
      },
      true,
    ],
    [
      'destroys the response',
      res => {
        res.write('half')
        res.destroy()
      },
      true,
    ],
    ['destroys it before anything was sent', res => void res.destroy(), true],
    [
      'ends before the length it gave',
      res => {
        res.set('Content-Length', '9').write('half')
        res.end()
      },
      true,
    ],
  ]
  it.each(
    FRAMEWORKS.flatMap(([name, make]) => broken.map(([title, answer, cut]) => ({ title, name, make, answer, cut }))),
  )('$title leaves nothing ($name)', async ({ make, answer, cut }) => {
    let calls = 0
    const { get, cache } = await site(
      app => {
        app.get('/', (req, res) => {
          calls++
          res.set('Cache-Control', FRESH)
          answer(res, req)
        })
        app.use(((_error, req, _res, _next) => void req.socket.destroy()) as import('express').ErrorRequestHandler)
      },
      { make },
    )
    for (let round = 1; round <= 2; round++) {
      const reply = await get('/').catch(() => ({ cut: true }))
      expect(reply.cut).toBe(cut)
      await settled(cache)
    }
    expect([calls, await cache.count()]).toEqual([2, 0])
  })

  it.each<[string, (res: Response) => unknown]>([
    [
      'writes after the end',
      res => {
        res.on('error', () => undefined)
        res.send('x')
        res.write('more', () => undefined)
      },
    ],
    [
      'ends twice',
      res => {
        res.on('error', () => undefined)
        res.end('x')
        res.end('y')
      },
    ],
    [
      'writes its head twice',
      res => {
        res.writeHead(200)
        try {
          res.writeHead(404)
        } catch {
          res.end('x')
        }
      },
    ],
    [
      'sends its head early',
      res => {
        res.flushHeaders()
        res.end('x')
      },
    ],
    [
      'has trailers',
      res => {
        res.set('Trailer', 'X-Sum')
        res.write('x')
        res.addTrailers({ 'X-Sum': '1' })
        res.end()
      },
    ],
    [
      'corks',
      res => {
        res.cork()
        res.write('x')
        res.uncork()
        res.end()
      },
    ],
  ])('%s is answered the same from the cache', async (_what, answer) => {
    let calls = 0
    const { get, cache, clock } = await site(
      app =>
        void app.get('/', (_req, res) => {
          calls++
          res.set({ 'Cache-Control': 'max-age=9', ETag: '"1"' })
          answer(res)
        }),
    )
    expect((await get('/')).text).toBe('x')
    await settled(cache)
    const hit = await get('/')
    expect([hit.text, hit.headers.trailer, statusOf(hit).slice(0, 3), calls]).toEqual(['x', undefined, 'hit', 1])
    const same = await get('/', { headers: { 'if-none-match': '"1"' } })
    expect([same.status, same.text]).toEqual([304, ''])
    clock.advance(20_000)
    expect((await get('/', { headers: { 'if-none-match': '"1"' } })).status).toBe(304)
  })

  it('never ends keeps nobody from an answer when its client has gone', async () => {
    let calls = 0
    const { get, port } = await site(
      app =>
        void app.get('/', (_req, res) => {
          if (++calls > 1) res.set('Cache-Control', FRESH).send('x')
        }),
    )
    const first = httpRequest({ port, host: '127.0.0.1', agent: false }).on('error', () => undefined)
    first.end()
    await expect.poll(() => calls).toBe(1)
    const second = get('/')
    await new Promise(resolve => setTimeout(resolve, 20))
    first.destroy()
    expect((await second).text).toBe('x')
  })
})

describe('fields from above the cache', () => {
  it('make answers fresh as those of handlers do', async () => {
    const { status, get, cache } = await site(app => void app.get('/', (_req, res) => void res.send('x')), {
      above: app =>
        void app.use((_req, res, next) => {
          res.set('Cache-Control', FRESH)
          next()
        }),
    })
    await get('/')
    await settled(cache)
    expect(await status('/')).toMatch(/^hit/)
    expect((await get('/')).headers['cache-control']).toBe(FRESH)
  })
})

describe('compression', () => {
  it.each(['above', 'below'])('%s the cache changes no range, condition or HEAD', async where => {
    const text = 'compress me '.repeat(500)
    const { get, cache } = await site(
      app => {
        if (where === 'below') app.use(compression() as never)
        app.get('/', (_req, res) => void res.set({ 'Cache-Control': FRESH, ETag: '"1"' }).type('text').send(text))
      },
      { above: app => void (where === 'above' && app.use(compression() as never)) },
    )
    const plain = { 'accept-encoding': 'identity' }
    const zipped = { 'accept-encoding': 'gzip' }
    await get('/', { headers: plain })
    await get('/', { headers: zipped })
    await settled(cache)
    const range = await get('/', { headers: { ...plain, range: 'bytes=0-7' } })
    expect([range.status, range.text]).toEqual([206, 'compress'])
    const part = await get('/', { headers: { ...zipped, range: 'bytes=0-7' } })
    expect([part.status, part.body.byteLength]).toEqual([206, 8])
    const whole = await get('/', { headers: zipped })
    expect([whole.headers['content-encoding'], statusOf(whole).slice(0, 3)]).toEqual(['gzip', 'hit'])
    expect((await get('/', { headers: { ...zipped, 'if-none-match': 'W/"1"' } })).status).toBe(304)
    const head = await get('/', { method: 'HEAD', headers: zipped })
    expect([head.status, head.text, statusOf(head).slice(0, 3)]).toEqual([200, '', 'hit'])
  })
})

describe('fields that would split an answer', () => {
  it('are refused as without a cache', async () => {
    const { get, port } = await site(app => {
      app.get('/', (req, res) => {
        res.set('Cache-Control', FRESH).writeHead(200, { 'X-A': decodeURIComponent(String(req.query.a)) })
        res.end('x')
      })
      app.use(
        ((error, _req, res, _next) => void res.status(500).send(error.code)) as import('express').ErrorRequestHandler,
      )
    })
    const reply = await get('/?a=1%0d%0aX-Evil:%201')
    expect([reply.status, reply.text, reply.headers['x-evil']]).toEqual([500, 'ERR_INVALID_CHAR', undefined])
    expect((await ask(port, '/?a=ok')).headers['x-a']).toBe('ok')
  })
})
