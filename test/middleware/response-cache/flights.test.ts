import { pbkdf2 } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { pipeline } from 'node:stream'
import express, { type RequestHandler } from 'express'
import { purge, responseCache } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { ask, listen, type Reply } from '../support/http.js'
import { settled, site, statusOf } from './support/app.js'

/** A route that waits at a gate, and counts its calls. */
async function slow(fields: Record<string, string>, options = {}) {
  const gate = new Gate()
  const calls: string[] = []
  let arrived = 0
  const above = (app: import('express').Express): void => {
    app.use((_req, _res, next) => {
      arrived++
      next()
    })
  }
  const made = await site(
    app =>
      void app.get('/', async (req, res) => {
        calls.push(String(req.headers['x-lang'] ?? ''))
        await gate.opened
        res.set(fields).send(`answer ${calls.length} ${req.headers['x-lang'] ?? ''}`)
      }),
    { options, above },
  )
  /** Until so many have come in, and had time to find the flight. */
  const waiting = async (count: number): Promise<void> => {
    await expect.poll(() => arrived).toBe(count)
    await settled(made.cache)
  }
  const called = (count: number) => expect.poll(() => calls.length).toBe(count)
  return { ...made, gate, calls, called, waiting }
}

/** Keeps the threads that read and write files busy for a while. Resolves to the milliseconds that they were. */
async function occupyThreads(): Promise<number> {
  const from = performance.now()
  const work = () => new Promise(resolve => pbkdf2('a', 'b', 300_000, 64, 'sha512', resolve))
  await Promise.all(Array.from({ length: 4 }, work))
  return performance.now() - from
}

const FRESH = { 'Cache-Control': 'max-age=60' }

/** A route of which each call waits at a gate of its own; those beyond the last answer at once. */
async function gated(gates: readonly Gate[], collapseTimeout: number) {
  let count = 0
  const made = await site(
    app =>
      void app.get('/', async (_req, res) => {
        const call = ++count
        await gates[call - 1]?.opened
        res.set(FRESH).send(`answer ${call}`)
      }),
    { options: { collapseTimeout } },
  )
  return { made, calls: () => count }
}

describe('one flight', () => {
  it('answers all who ask meanwhile', async () => {
    const { get, gate, calls, waiting } = await slow(FRESH)
    const asked = Array.from({ length: 100 }, () => get('/'))
    await waiting(100)
    gate.open()
    const replies = await Promise.all(asked)
    expect(calls).toHaveLength(1)
    expect(new Set(replies.map(({ text }) => text))).toEqual(new Set(['answer 1 ']))
    expect(replies.filter(reply => statusOf(reply).includes('collapsed')).length).toBeGreaterThan(90)
  })

  it('keeps nobody waiting for a handler that never answers', async () => {
    const gate = new Gate()
    const { made, calls } = await gated([gate], 300)
    const first = made.get('/')
    await expect.poll(calls).toBe(1)
    const others = Array.from({ length: 20 }, () => made.get('/'))
    expect(new Set((await Promise.all(others)).map(({ text }) => text))).toEqual(new Set(['answer 2']))
    // Nor do those wait who come now.
    expect((await made.get('/')).text).toBe('answer 3')
    gate.open()
    expect((await first).text).toBe('answer 1')
    await expect.poll(async () => (await made.get('/')).text).toBe('answer 1')
    expect(statusOf(await made.get('/'))).toMatch(/^hit/)
  })

  it('is what those wait for who gave it up, too', async () => {
    const gates = [new Gate(), new Gate()]
    const { made, calls } = await gated(gates, 500)
    const first = made.get('/')
    await expect.poll(calls).toBe(1)
    const others = Array.from({ length: 5 }, () => made.get('/'))
    await expect.poll(calls, { timeout: 10_000 }).toBe(2)
    gates[0]?.open()
    expect((await first).text).toBe('answer 1')
    await expect.poll(async () => (await made.get('/')).text).toBe('answer 1')
    gates[1]?.open()
    const texts = (await Promise.all(others)).map(({ text }) => text).sort()
    expect([texts[0], texts[4]]).toEqual(['answer 1', 'answer 2'])
    expect(calls()).toBe(2)
  })

  it('is shared however many of its handlers are late', async () => {
    const gates = [new Gate(), new Gate(), new Gate()]
    const { made, calls } = await gated(gates, 300)
    const asked = Array.from({ length: 8 }, () => made.get('/'))
    await expect.poll(calls, { timeout: 10_000 }).toBe(3)
    // The first hangs, and the third has just been asked.
    gates[1]?.open()
    await Promise.any(asked.map(async reply => expect(statusOf(await reply)).toContain('collapsed')))
    expect(calls()).toBe(3)
    for (const gate of gates) gate.open()
    const texts = (await Promise.all(asked)).map(({ text }) => text)
    expect(texts.filter(text => text === 'answer 2')).toHaveLength(6)
  })

  it('lets one of those who wait ask again at a time, however long they wait', async () => {
    const gate = new Gate()
    let calls = 0
    const made = await site(
      app =>
        void app.get('/', async (_req, res) => {
          calls++
          await gate.opened
          res.set(FRESH).send('answer')
        }),
      { options: { collapseTimeout: 30 } },
    )
    const asked = Array.from({ length: 40 }, () => made.get('/'))
    await expect.poll(() => calls, { timeout: 10_000 }).toBeGreaterThan(10)
    gate.open()
    const statuses = (await Promise.all(asked)).map(statusOf)
    expect(statuses.filter(status => status.includes('busy'))).toEqual([])
    expect(calls).toBeLessThan(40)
  })

  it('can be joined when it was late and comes all the same', async () => {
    const [head, body] = [new Gate(), new Gate()]
    let calls = 0
    const made = await site(
      app =>
        void app.get('/', async (_req, res) => {
          if (++calls > 1) return void res.send('another')
          await head.opened
          res.set(FRESH).write('an')
          await body.opened
          res.end('swer')
        }),
      { options: { collapseTimeout: 20 } },
    )
    const first = made.get('/')
    await expect.poll(() => calls).toBe(1)
    // Longer than the timer that ran before.
    await new Promise(resolve => setTimeout(resolve, 40))
    head.open()
    await settled(made.cache)
    const second = made.get('/')
    await settled(made.cache)
    body.open()
    expect([(await first).text, (await second).text, calls]).toEqual(['answer', 'answer', 1])
    expect(statusOf(await second)).toBe('fwd=uri-miss; collapsed')
  })

  it.each([
    ['', '/'],
    [', be its URL long', `/?${'q'.repeat(1000)}`],
  ])('lets each go alone when the answer is not for others%s', async (_what, url) => {
    const { get, gate, calls, waiting } = await slow({ 'Cache-Control': 'private' })
    const asked = Array.from({ length: 5 }, () => get(url))
    await waiting(5)
    gate.open()
    expect((await Promise.all(asked)).every(({ status }) => status === 200)).toBe(true)
    expect(calls).toHaveLength(5)
    expect(statusOf(await get(url))).toBe('fwd=uri-miss; detail=uncacheable')
  })

  it('lets each go alone when the answer is longer than what may be stored', async () => {
    const { get, gate, calls, waiting } = await slow(FRESH, { maxEntrySize: 4 })
    const asked = Array.from({ length: 5 }, () => get('/'))
    await waiting(5)
    gate.open()
    const replies = await Promise.all(asked)
    expect(replies.every(({ text, cut }) => text.startsWith('answer') && !cut)).toBe(true)
    expect(calls).toHaveLength(5)
  })

  it('is for those alone who ask for the same variant', async () => {
    const { get, gate, calls, called } = await slow({ ...FRESH, Vary: 'X-Lang' })
    const langs = ['de', 'en', 'de', 'en', 'de']
    const asked = langs.map(lang => get('/', { headers: { 'x-lang': lang } }))
    await called(1)
    gate.open()
    const texts = (await Promise.all(asked)).map(({ text }) => text.split(' ').at(-1))
    expect(texts).toEqual(langs)
    expect(calls.sort()).toEqual(['de', 'en'])
  })

  it('is led by another when the client of the first goes away', async () => {
    const { port, get, gate, calls, called } = await slow(FRESH)
    const first = httpRequest({ port, host: '127.0.0.1' }).on('error', () => undefined)
    first.end()
    await called(1)
    const second = get('/')
    first.destroy()
    await called(2)
    gate.open()
    expect((await second).text).toMatch(/^answer \d/)
    expect(calls).toHaveLength(2)
  })

  it('hands on the body while it comes, and at no less than its pace', async () => {
    const more = new Gate()
    const { get, port } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set(FRESH).write('first ')
          await more.opened
          res.end('last')
        }),
    )
    const leader = get('/')
    const follower = httpRequest({ port, host: '127.0.0.1' }).end()
    const [reply] = (await once(follower, 'response')) as [import('node:http').IncomingMessage]
    const [bytes] = await once(reply, 'data')
    expect(String(bytes)).toBe('first ')
    more.open()
    const rest: Buffer[] = []
    for await (const chunk of reply) rest.push(chunk)
    expect(Buffer.concat(rest).toString()).toBe('last')
    expect((await leader).text).toBe('first last')
  })

  it('cuts off whom it gave a part when the handler breaks off', async () => {
    const broken = new Gate()
    const { get } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set(FRESH).write('first ')
          await broken.opened
          res.destroy()
        }),
    )
    const begun = [new Gate(), new Gate()]
    const replies = begun.map(gate => get('/', { onBytes: () => gate.open() }))
    await Promise.all(begun.map(({ opened }) => opened))
    broken.open()
    expect((await Promise.all(replies)).map(({ cut }: Reply) => cut)).toEqual([true, true])
  })

  it('is joined by nobody when it has broken off, be the disk still busy with it', async () => {
    const long = Buffer.alloc(20_000_000, 'long')
    let calls = 0
    let next: Promise<Reply> | undefined
    const made = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.set(FRESH)
          if (++calls > 1) return void res.send('whole')
          res.on('close', () => {
            next = made.get('/')
          })
          res.write(long)
          setImmediate(() => res.destroy())
        }),
      { cacheOptions: { sizeLimit: 2 ** 30 } },
    )
    await made.get('/').catch(() => undefined)
    expect((await next)?.text.slice(0, 10)).toBe('whole')
    expect(calls).toBe(2)
  })

  it.each([
    ['url', 'removes'],
    ['address', 'removes'],
    ['prefix', 'removes'],
    ['tag', 'removes'],
    ['url', 'makes stale'],
    ['address', 'makes stale'],
    ['prefix', 'makes stale'],
    ['tag', 'makes stale'],
  ])('stores nothing that a purge by %s has overtaken, which %s', async (by, what) => {
    const { get, gate, called, cache, port, status } = await slow({ ...FRESH, 'Cache-Tag': 'news' })
    const first = get('/')
    await called(1)
    const targets = { url: { url: '/' }, address: { url: `http://127.0.0.1:${port}/` }, prefix: { prefix: '/' } }
    const target = by in targets ? targets[by as keyof typeof targets] : { tag: 'news' }
    await purge(cache, { ...target, soft: what === 'makes stale' })
    gate.open()
    await first
    await settled(cache)
    expect(await status('/')).toMatch(/^fwd=uri-miss/)
  })

  it('stores nothing after an hour, by when what was purged meanwhile is forgotten', async () => {
    const { get, gate, called, cache, clock, status } = await slow(FRESH)
    const first = get('/')
    await called(1)
    clock.advance(3_600_000)
    gate.open()
    expect((await first).text).toBe('answer 1 ')
    await settled(cache)
    expect(await status('/')).toMatch(/^fwd=uri-miss/)
  })

  it('is not joined by those who come after a purge', async () => {
    const { get, gate, called, cache } = await slow(FRESH)
    const first = get('/')
    await called(1)
    await purge(cache, { url: '/' })
    const second = get('/')
    await called(2)
    gate.open()
    const answers = await Promise.all([first, second])
    for (const { headers } of answers) expect(headers['cache-status']).toMatch(/fwd=uri-miss(?!.*collapsed)/)
  })

  it('is not joined by those who come after a purge of one of its tags, which its head tells', async () => {
    const { get, gate, called, waiting, cache, status } = await slow({ ...FRESH, 'Cache-Tag': 'news' })
    const first = get('/')
    await called(1)
    await purge(cache, { tag: 'sport' })
    await purge(cache, { tag: 'news' })
    const later = [get('/'), get('/')]
    await waiting(3)
    gate.open()
    const answers = await Promise.all([first, ...later])
    expect(answers.map(({ text }) => text)).toEqual(['answer 1 ', 'answer 2 ', 'answer 2 '])
    await settled(cache)
    expect(await status('/')).toMatch(/^hit/)
  })

  it('is joined by those who come after a purge of other tags', async () => {
    const { get, gate, called, waiting, cache, calls } = await slow({ ...FRESH, 'Cache-Tag': 'news' })
    const first = get('/')
    await called(1)
    await purge(cache, { tag: 'sport' })
    const later = get('/')
    await waiting(2)
    gate.open()
    await Promise.all([first, later])
    expect(calls).toHaveLength(1)
  })

  it('is validated by those who come while a slow disk stores an answer that is stale at once', async () => {
    let calls = 0
    const { get, cache } = await site(
      app =>
        void app.get('/', (_req, res) => {
          calls++
          res.set('Cache-Control', 'max-age=0').send('x'.repeat(100_000))
        }),
    )
    await cache.open()
    const free = occupyThreads()
    await get('/')
    const replies = await Promise.all([get('/'), get('/'), get('/')])
    expect(await free).toBeGreaterThan(100)
    for (const reply of replies) expect(statusOf(reply)).toMatch(/fwd=stale(; fwd-status=304|; collapsed)/)
    expect(calls).toBeLessThanOrEqual(4)
  })

  it('is not joined after a purge of one of its tags while its body comes', async () => {
    const rest = new Gate()
    let calls = 0
    const { get, cache } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          const call = ++calls
          res.set({ ...FRESH, 'Cache-Tag': 'news' }).write(`answer ${call} `)
          if (call === 1) await rest.opened
          res.end('end')
        }),
    )
    const begun = new Gate()
    const first = get('/', { onBytes: () => begun.open() })
    await begun.opened
    await purge(cache, { tag: 'news' })
    const second = get('/')
    await settled(cache)
    rest.open()
    expect((await Promise.all([first, second])).map(({ text }) => text)).toEqual(['answer 1 end', 'answer 2 end'])
    await settled(cache)
    expect((await get('/')).text).toBe('answer 2 end')
  })

  it('renews nothing for those who come after a purge of a tag of what is stored', async () => {
    const gate = new Gate()
    const waits = new Gate()
    let calls = 0
    const { get, cache } = await site(
      app =>
        void app.get('/', async (req, res) => {
          const call = ++calls
          if (call === 2) {
            waits.open()
            await gate.opened
          }
          res.set({ 'Cache-Control': 'max-age=0', 'Cache-Tag': 'news', ETag: '"one"' })
          if (call === 2 && req.headers['if-none-match']) res.status(304).end()
          else res.send(`answer ${call}`)
        }),
    )
    await get('/')
    await settled(cache)
    const first = get('/')
    await waits.opened
    await purge(cache, { tag: 'news' })
    const second = get('/')
    await settled(cache)
    gate.open()
    expect((await first).text).toBe('answer 1')
    expect((await second).text).toBe('answer 3')
  })
})

describe('an answer that is for one person, because of a cookie', () => {
  it('keeps nobody with a cookie waiting, and is stored where it comes without one', async () => {
    const [first, others] = [new Gate(), new Gate()]
    let [calls, arrived] = [0, 0]
    const made = await site(
      app =>
        void app.get('/', async (req, res) => {
          await (++calls === 1 ? first.opened : others.opened)
          res.send(`for ${req.get('cookie') ?? 'all'}`)
        }),
      {
        options: { ttl: '1m' },
        above: app =>
          app.use((_req, _res, next) => {
            arrived++
            next()
          }),
      },
    )
    const asked = ['a=1', 'b=2', 'c=3', undefined]
    const replies = asked.map(cookie => made.get('/', cookie === undefined ? {} : { headers: { cookie } }))
    await expect.poll(() => arrived).toBe(4)
    await expect.poll(() => calls).toBe(1)
    await settled(made.cache)
    first.open()
    await expect.poll(() => calls).toBe(4)
    others.open()
    const told = (await Promise.all(replies)).map(reply => [reply.text, statusOf(reply)])
    expect(told.find(([text]) => text === 'for all')?.[1]).toBe('fwd=uri-miss; stored')
    expect(told.map(([text]) => text).sort()).toEqual(['for a=1', 'for all', 'for b=2', 'for c=3'])
  })

  it('is stored again as soon as it is for all', async () => {
    const fields: Record<string, string> = {}
    const made = await site(app => void app.get('/', (_req, res) => void res.set(fields).send('x')), {
      options: { ttl: '1m' },
    })
    const asking = { headers: { cookie: 'a=1' } }
    expect(await made.status('/', asking)).toBe('fwd=uri-miss; detail=cookie')
    Object.assign(fields, FRESH)
    expect(await made.status('/', asking)).toBe('fwd=uri-miss; detail=uncacheable')
    expect(await made.status('/', asking)).toBe('fwd=uri-miss; stored')
  })
})

describe('a stale answer', () => {
  it('is validated anew when the client goes away before the handler has ended its 304', async () => {
    const told = new Gate()
    let calls = 0
    const { get, port, clock, cache } = await site(
      app =>
        void app.get('/', (_req, res) => {
          // A pipe behind it would stop with the client.
          if (++calls === 2) {
            res.writeHead(304)
            return told.open()
          }
          res.set({ 'Cache-Control': 'max-age=1', ETag: '"1"' }).send('x')
        }),
      { options: { collapseTimeout: '1h' } },
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    const leaving = httpRequest({ port, host: '127.0.0.1' }).on('error', () => undefined)
    leaving.end()
    await told.opened
    leaving.destroy()
    expect([(await get('/')).text, calls]).toEqual(['x', 3])
  })

  it('is given while a new one is fetched, once', async () => {
    const gate = new Gate()
    let calls = 0
    const { get, clock, status, cache } = await site(
      app =>
        void app.get('/', async (req, res) => {
          if (++calls > 1) await gate.opened
          res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(`${calls} ${req.get('cookie')}`)
        }),
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    const stale = await Promise.all([1, 2, 3].map(() => get('/', { headers: { cookie: 'a=b' } })))
    expect(stale.map(({ text }) => text)).toEqual(Array(3).fill('1 undefined'))
    await expect.poll(() => calls).toBe(2)
    gate.open()
    await expect.poll(() => status('/')).toBe('hit; ttl=1')
    expect((await get('/')).text).toBe('2 a=b')
    expect(calls).toBe(2)
  })

  it('is renewed later when what stands above the cache has refused to renew it', async () => {
    let [calls, arrived, refused] = [0, 0, 0]
    const made = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(`${++calls}`)
        }),
      {
        above: app =>
          app.use((_req, res, next) => {
            // The second request of the stale answer is that of the cache itself.
            if (++arrived !== 3) return next()
            refused++
            res.status(401).end()
          }),
      },
    )
    await made.get('/')
    await settled(made.cache)
    made.clock.advance(5000)
    expect((await made.get('/')).text).toBe('1')
    await expect.poll(() => refused).toBe(1)
    await expect.poll(async () => (await made.get('/')).text).toBe('2')
  })

  it('is renewed beside at most sixty-three others, and given all the same', async () => {
    const gate = new Gate()
    let [calls, isStale] = [0, false]
    const made = await site(
      app =>
        void app.get('/:page', async (req, res) => {
          calls++
          if (isStale) await gate.opened
          res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(req.params.page)
        }),
    )
    const pages = Array.from({ length: 70 }, (_, page) => `${page}`)
    for (const page of pages) await made.get(`/${page}`)
    await settled(made.cache)
    made.clock.advance(5000)
    isStale = true
    const stale = await Promise.all(pages.map(page => made.get(`/${page}`)))
    expect(stale.map(({ text }) => text)).toEqual(pages)
    await expect.poll(() => calls).toBeGreaterThanOrEqual(70 + 64)
    await settled(made.cache)
    expect(calls).toBe(70 + 64)
    gate.open()
  })

  it('is renewed by a request of the cache itself, whose token the handler does not see and nobody can use again', async () => {
    const TOKEN = 'x-fanout-cache-validation'
    const gate = new Gate()
    const seen: string[] = []
    let token: unknown
    const made = await site(
      app =>
        void app.get('/', async (req, res) => {
          seen.push(JSON.stringify([req.headers, req.headersDistinct, req.rawHeaders]).toLowerCase())
          if (seen.length > 1) await gate.opened
          res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(`${seen.length}`)
        }),
      {
        above: app =>
          app.use((req, _res, next) => {
            token ??= req.headers[TOKEN]
            next()
          }),
      },
    )
    await made.get('/')
    await settled(made.cache)
    made.clock.advance(5000)
    await made.get('/')
    await expect.poll(() => seen.length).toBe(2)
    const replayed = await made.get('/', { headers: { [TOKEN]: String(token) } })
    expect([replayed.status, replayed.text, seen.length]).toEqual([200, '1', 2])
    gate.open()
    await expect.poll(async () => (await made.get('/')).text).toBe('2')
    expect(token).toEqual(expect.any(String))
    expect(seen.filter(fields => fields.includes(TOKEN))).toEqual([])
  })

  it('is renewed later when another process was renewing it', async () => {
    const gate = new Gate()
    let calls = 0
    const handler: RequestHandler = async (_req, res) => {
      if (++calls === 2) await gate.opened
      res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(`${calls}`)
    }
    const made = await site(app => void app.get('/', handler), { options: { authority: 'a.test' } })
    const { port } = await listen(express().use(responseCache(made.cache, { authority: 'a.test' }) as never, handler))
    await made.get('/')
    await settled(made.cache)
    made.clock.advance(5000)
    const first = made.get('/', { headers: { 'cache-control': 'no-cache' } })
    await expect.poll(() => calls).toBe(2)
    expect((await ask(port, '/')).text).toBe('1')
    gate.open()
    await first
    await settled(made.cache)
    made.clock.advance(5000)
    await expect.poll(async () => (await ask(port, '/')).text).toBe('3')
  })

  it.each([10, 300_000])('of %i bytes stands in for it also when its error is answered otherwise', async size => {
    let calls = 0
    const made = await site(app => {
      app.get('/', (_req, res, next) => {
        if (++calls > 1) return void pipeline(createReadStream('/nowhere'), res, error => error && next(error))
        res.set('Cache-Control', 'max-age=1, stale-if-error=60').send('x'.repeat(size))
      })
      app.use(((_error, _req, res, _next) => void res.status(500).send('')) as import('express').ErrorRequestHandler)
    })
    await made.get('/')
    await expect.poll(() => made.cache.count()).toBe(1)
    made.clock.advance(5000)
    const reply = await made.get('/')
    expect([reply.status, reply.text.length]).toEqual([200, size])
    expect(statusOf(reply)).toBe('fwd=stale; detail=stale-if-error')
  })

  it('stands in for a handler that destroys the response, as a pipe does whose source fails', async () => {
    let calls = 0
    const made = await site(
      app =>
        void app.get('/', (_req, res) => {
          if (++calls > 1) return void pipeline(createReadStream('/nowhere'), res, () => undefined)
          res.set('Cache-Control', 'max-age=1, stale-if-error=60').send('x')
        }),
    )
    await made.get('/')
    await settled(made.cache)
    made.clock.advance(5000)
    const stale = await made.get('/')
    expect([stale.status, stale.text, statusOf(stale)]).toEqual([200, 'x', 'fwd=stale; detail=stale-if-error'])
    made.clock.advance(90_000)
    await expect(made.get('/')).rejects.toThrow()
    expect(calls).toBe(3)
  })

  it('keeps nobody waiting when its handler never answers behind it', async () => {
    const never = new Gate()
    let [calls, arrived] = [0, 0]
    const made = await site(
      app =>
        void app.get('/', async (_req, res) => {
          if (++calls === 2) await never.opened
          res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send(`${calls}`)
        }),
      {
        options: { collapseTimeout: 20 },
        above: app =>
          void app.use((_req, _res, next) => {
            arrived++
            next()
          }),
      },
    )
    await made.get('/')
    await settled(made.cache)
    made.clock.advance(5000)
    expect((await made.get('/')).text).toBe('1')
    await expect.poll(() => calls).toBe(2)
    // It is not made again for each who asks, be it late.
    for (let at = 0; at < 20; at++) {
      expect((await made.get('/')).text).toBe('1')
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    expect([calls, arrived]).toEqual([2, 23])
    made.clock.advance(90_000)
    expect((await made.get('/')).text).toBe('3')
    never.open()
  })

  it('is renewed through what stands above the cache', async () => {
    let seen: unknown[] = []
    const { get, clock, cache } = await site(
      app =>
        void app.get(
          '/',
          (_req, res) => void res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send('x'),
        ),
      {
        above: app =>
          void app.use((req, _res, next) => {
            seen.push(req.get('authorization'), req.ip)
            next()
          }),
      },
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    seen = []
    await get('/', { headers: { 'x-a': '1' } })
    await expect.poll(() => seen.length).toBe(4)
    expect(seen[1]).toBe(seen[3])
  })

  it('is validated in the foreground without a server of node:http', async () => {
    const { get, clock, status, cache } = await site(
      app => {
        app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=1, stale-while-revalidate=60').send('x'))
      },
      {
        above: app =>
          void app.use((req, _res, next) => {
            Reflect.set(req.socket, 'server', undefined)
            next()
          }),
      },
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    expect(await status('/')).toMatch(/^fwd=stale; fwd-status=304/)
  })
})
