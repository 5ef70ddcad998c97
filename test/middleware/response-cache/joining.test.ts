import type { ServerResponse } from 'node:http'
import type { Express } from 'express'
import type { FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { openFiles } from '../../helpers/open-files.js'
import { settled, site, statusOf } from './support/app.js'

/** Tells when so many requests have reached the cache, and had some turns of the loop to look up what is stored. */
function arrivals() {
  const waiting = new Map<number, Gate>()
  let count = 0
  return {
    above: (app: Express) =>
      void app.use((_req, _res, next) => {
        next()
        waiting.get(++count)?.open()
      }),
    async reached(wanted: number, cache: FanoutCache): Promise<void> {
      const gate = new Gate()
      waiting.set(wanted, gate)
      if (count < wanted) await gate.opened
      await settled(cache)
    },
  }
}

/** A route that sends its head and half of its body, and waits at a gate for the rest. */
async function halting(cacheControl: string) {
  const rest = new Gate()
  let calls = 0
  const made = await site(
    app =>
      void app.get('/', async (_req, res) => {
        const call = ++calls
        res.set({ 'Cache-Control': cacheControl, ETag: `"${call}"` }).write(`${call} `)
        if (call === 1) await rest.opened
        res.end('end')
      }),
  )
  const begun = new Gate()
  const first = made.get('/', { onBytes: () => begun.open() })
  await begun.opened
  return { ...made, first, rest, calls: () => calls }
}

describe('a request that comes while an answer is under way', () => {
  it.each(['no-cache', 'max-age=0', 'max-age=0, must-revalidate'])(
    'goes to the handler when it says %s',
    async said => {
      const { get, first, rest } = await halting(said)
      expect((await get('/')).text).toBe('2 end')
      rest.open()
      expect((await first).text).toBe('1 end')
    },
  )

  it.each(['max-age=60', 'max-age=0, stale-while-revalidate=60'])('gets it when it says %s', async said => {
    const { get, first, rest, clock, calls } = await halting(said)
    const second = get('/')
    const status = new Gate()
    const third = get('/', { onBytes: () => status.open() })
    await status.opened
    clock.advance(100)
    rest.open()
    expect((await Promise.all([first, second, third])).map(({ text }) => text)).toEqual(Array(3).fill('1 end'))
    expect(calls()).toBe(1)
  })

  it('is told at once that it has it, by the tag', async () => {
    const { get, first, rest } = await halting('max-age=60')
    const { status, text, headers } = await get('/', { headers: { 'If-None-Match': '"1"' } })
    expect([status, text, headers['content-length'], headers.etag]).toEqual([304, '', undefined, '"1"'])
    rest.open()
    expect((await first).text).toBe('1 end')
  })

  it('does not wait for its body when it is a HEAD', async () => {
    const rest = new Gate()
    let calls = 0
    const { get, cache, clock } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set({ 'Cache-Control': 'max-age=1', 'Content-Length': '6', ETag: `"${++calls}"` }).write(`${calls} `)
          if (calls > 1) await rest.opened
          res.end('body')
        }),
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    const begun = new Gate()
    const first = get('/', { onBytes: () => begun.open() })
    await begun.opened
    const { status, headers, cut } = await get('/', { method: 'HEAD' })
    expect([status, headers['content-length'], headers.etag, cut]).toEqual([200, '6', '"2"', false])
    rest.open()
    expect([(await first).text, calls]).toEqual(['2 body', 2])
  })

  it('leaves no file open when somebody else has begun to answer it', async () => {
    const rest = new Gate()
    const { above, reached } = arrivals()
    const responses: ServerResponse[] = []
    const { get, cache } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          res.set('Cache-Control', 'max-age=60').flushHeaders()
          await rest.opened
          res.end(Buffer.alloc(2 ** 20))
        }),
      {
        above: app => {
          app.use((_req, res, next) => {
            responses.push(res)
            next()
          })
          above(app)
        },
      },
    )
    const isCut = [get('/'), get('/')].map(reply =>
      reply.then(
        ({ cut }) => cut,
        () => true,
      ),
    )
    await reached(2, cache)
    responses[1]?.write('too late')
    rest.open()
    expect(await Promise.all(isCut)).toEqual([false, true])
    await expect.poll(() => openFiles(cache.directory)).toEqual([])
  })

  it('is told how long the handler took', async () => {
    const gate = new Gate()
    const { above, reached } = arrivals()
    const { get, clock, cache } = await site(
      app =>
        void app.get('/', async (_req, res) => {
          await gate.opened
          res.set('Cache-Control', 'max-age=60').send('x')
        }),
      { above },
    )
    const replies = [get('/'), get('/'), get('/')]
    await reached(3, cache)
    clock.advance(5000)
    gate.open()
    const collapsed = (await Promise.all(replies)).filter(reply => statusOf(reply).includes('collapsed'))
    expect(collapsed.map(({ headers }) => headers.age)).toEqual(['5', '5'])
  })
})

describe('requests that wait for a validation', () => {
  async function waiting(status: number, cacheControl: string) {
    const gate = new Gate()
    const { above, reached } = arrivals()
    let calls = 0
    const { get, cache, clock } = await site(
      app =>
        void app.get('/', async (req, res) => {
          if (++calls > 1) await gate.opened
          res.set({ 'Cache-Control': cacheControl, ETag: '"1"' })
          if (calls > 1 && status !== 304) res.status(status).send('failed')
          else if (req.get('if-none-match')) res.status(304).end()
          else res.send('whole')
        }),
      { above },
    )
    await get('/')
    await settled(cache)
    clock.advance(5000)
    const asked = Array.from({ length: 5 }, () => get('/'))
    await reached(6, cache)
    gate.open()
    return { replies: await Promise.all(asked), calls: () => calls }
  }

  it('share it when the answer was stale', async () => {
    const { replies, calls } = await waiting(304, 'max-age=0')
    expect(replies.map(({ text }) => text)).toEqual(Array(5).fill('whole'))
    expect(calls()).toBe(2)
  })

  it('ask each for itself when the answer is to be validated each time', async () => {
    const { replies, calls } = await waiting(304, 'no-cache')
    expect(replies.map(({ text }) => text)).toEqual(Array(5).fill('whole'))
    expect(calls()).toBe(6)
  })

  it('share what stands in for an error', async () => {
    const { replies, calls } = await waiting(503, 'max-age=1, stale-if-error=60')
    expect(replies.map(({ text }) => text)).toEqual(Array(5).fill('whole'))
    expect(calls()).toBe(2)
  })
})

describe('fields from above the cache', () => {
  it('are those of each request, also when the answer was renewed', async () => {
    let request = 0
    const { get, cache, clock } = await site(
      app => void app.get('/', (_req, res) => void res.set({ 'Cache-Control': 'max-age=2', ETag: '"1"' }).send('x')),
      {
        above: app =>
          void app.use((_req, res, next) => {
            res.set('X-Request', String(++request))
            next()
          }),
      },
    )
    await get('/')
    await settled(cache)
    clock.advance(3000)
    expect((await get('/')).headers['x-request']).toBe('2')
    await settled(cache)
    const hit = await get('/')
    expect([statusOf(hit).slice(0, 3), hit.headers['x-request']]).toEqual(['hit', '3'])
  })
})
