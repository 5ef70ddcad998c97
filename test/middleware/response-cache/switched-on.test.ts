import { readdirSync } from 'node:fs'
import type { Express, Request, Response } from 'express'
import { purge } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { openFiles } from '../../helpers/open-files.js'
import { forbidRemoval, settled, site, statusOf } from './support/app.js'

const WHOLE = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 256))

/** A handler that answers ranges itself, and counts its calls by what was asked for. */
function ranged(
  calls: string[],
  { fields = {}, size = WHOLE.byteLength }: { fields?: object; size?: number | '*' } = {},
) {
  return (app: Express): void => {
    app.get('/', (req: Request, res: Response) => {
      calls.push(req.headers.range ?? 'all')
      res.set({ 'Cache-Control': 'max-age=60', ETag: '"v1"' })
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '') ?? []
      if (start === undefined) return void res.end(WHOLE)
      const part = WHOLE.subarray(Number(start), Number(end) + 1)
      res
        .status(206)
        .set({ 'Content-Range': `bytes ${start}-${end}/${size}`, ...fields })
        .end(part)
    })
  }
}

const range = (start: number, end: number, more: object = {}) => ({
  headers: { range: `bytes=${start}-${end}`, ...more },
})

describe('storePartial', () => {
  it.each<[string, number, number, object, RegExp, number, number]>([
    ['the same range', 100, 299, {}, /^hit/, 206, 200],
    ['a range within it', 150, 160, {}, /^hit/, 206, 11],
    ['a range within it, with If-Range', 150, 160, { 'if-range': '"v1"' }, /^hit/, 206, 11],
    ['what the client has already', 150, 160, { 'if-none-match': '"v1"' }, /^hit/, 304, 0],
    ['a range beyond it', 250, 320, {}, /^fwd=partial/, 206, 71],
  ])('answers %s from a stored part, or asks', async (_what, start, end, more, status, code, length) => {
    const calls: string[] = []
    const { get, cache } = await site(ranged(calls), { options: { storePartial: true } })
    const first = await get('/', range(100, 299))
    expect(statusOf(first)).toBe('fwd=uri-miss; stored')
    await settled(cache)
    const second = await get('/', range(start, end, more))
    expect(statusOf(second)).toMatch(status)
    expect([second.status, second.body.byteLength]).toEqual([code, length])
    if (code === 304) return
    expect(second.body).toEqual(WHOLE.subarray(start, end + 1))
    expect(second.headers['content-range']).toBe(`bytes ${start}-${end}/1000`)
  })

  it('asks for the whole where a part is stored, and lets no part replace the whole', async () => {
    const calls: string[] = []
    const { get, cache } = await site(ranged(calls), { options: { storePartial: true } })
    await get('/', range(0, 9))
    await settled(cache)
    const whole = await get('/')
    expect([statusOf(whole), whole.status]).toEqual(['fwd=partial; stored', 200])
    expect(whole.body).toEqual(WHOLE)
    await settled(cache)
    const part = await get('/', range(500, 599))
    expect([statusOf(part).slice(0, 3), part.status]).toEqual(['hit', 206])
    expect(part.body).toEqual(WHOLE.subarray(500, 600))
    expect(calls).toEqual(['bytes=0-9', 'all'])
  })

  it('lets no part that comes late replace the whole', async () => {
    const calls: string[] = []
    const late = new Gate()
    const { get, cache } = await site(
      app => {
        app.use((req, _res, next) => void (req.headers.range ? late.opened.then(() => next()) : next()))
        ranged(calls)(app)
      },
      { options: { storePartial: true } },
    )
    const part = get('/', range(0, 9))
    const whole = await get('/')
    expect(whole.body).toEqual(WHOLE)
    await settled(cache)
    late.open()
    expect((await part).status).toBe(206)
    await settled(cache)
    const again = await get('/')
    expect([statusOf(again).slice(0, 3), again.body.equals(WHOLE)]).toEqual(['hit', true])
  })

  it.each<[string, Parameters<typeof ranged>[1]]>([
    ['varies', { fields: { Vary: 'Accept' } }],
    ['is not the length that it says', { fields: { 'Content-Range': 'bytes 0-998/1000' } }],
    ['does not tell the size of the whole', { size: '*' }],
  ])('does not store a part that %s', async (_what, options) => {
    const calls: string[] = []
    const app = ranged(calls, options)
    const { get, cache } = await site(app, { options: { storePartial: true } })
    await get('/', range(0, 9))
    await settled(cache)
    await get('/', range(0, 9))
    expect(calls).toHaveLength(2)
  })

  it.each([
    ['as long as its range', 10, 1],
    ['shorter than its range', 9, 0],
    ['longer than its range', 11, 0],
  ])('keeps a part that tells no length if it is as long as its range: %s', async (_what, length, stored) => {
    const { get, cache } = await site(
      app => {
        app.get('/', (_req, res) => {
          res.status(206).set({ 'Cache-Control': 'max-age=60', 'Content-Range': 'bytes 5-14/1000' })
          res.write(WHOLE.subarray(5, 7))
          res.end(WHOLE.subarray(7, 5 + length))
        })
      },
      { options: { storePartial: true } },
    )
    expect((await get('/', range(5, 14))).body).toEqual(WHOLE.subarray(5, 5 + length))
    await settled(cache)
    expect(await cache.count()).toBe(stored)
  })

  it('stores the whole behind a part that must not be stored', async () => {
    const calls: string[] = []
    const app = ranged(calls, { fields: { 'Cache-Control': 'no-store' } })
    const { get, status, cache } = await site(app, { options: { storePartial: true } })
    expect(statusOf(await get('/', range(0, 9)))).toBe('fwd=uri-miss; detail=no-store')
    expect(await status('/')).toBe('fwd=uri-miss; stored')
    await settled(cache)
    expect(await status('/')).toMatch(/^hit/)
  })

  it('asks for a stale part as for a new one', async () => {
    const calls: string[] = []
    const { get, cache, clock } = await site(ranged(calls), { options: { storePartial: true } })
    await get('/', range(0, 9))
    await settled(cache)
    clock.advance(61_000)
    const again = await get('/', range(0, 9))
    expect([again.status, again.body.equals(WHOLE.subarray(0, 10))]).toEqual([206, true])
    expect(calls).toEqual(['bytes=0-9', 'bytes=0-9'])
  })

  it('forgets a part that was purged', async () => {
    const calls: string[] = []
    const { get, cache } = await site(ranged(calls), { options: { storePartial: true } })
    await get('/', range(0, 9))
    await settled(cache)
    expect(await purge(cache, { url: '/' })).toBe(1)
    expect(statusOf(await get('/', range(0, 9)))).toMatch(/^fwd=uri-miss/)
  })

  it('is off', async () => {
    const calls: string[] = []
    const { get, cache } = await site(ranged(calls))
    for (let turn = 0; turn < 2; turn++) {
      expect(statusOf(await get('/', range(0, 9)))).toBe('fwd=bypass; detail=range')
      await settled(cache)
    }
  })
})

describe('cachePost', () => {
  const post = (headers: object = {}) => ({ method: 'POST', headers: { ...headers } })
  const noTagsOfPost = ({ method }: { method: string }): string[] => {
    if (method === 'POST') throw new Error('no tags')
    return []
  }

  /** A document that POST changes, and answers with. */
  function document(answer: (req: Request, res: Response) => void) {
    const state = { version: 0, gets: 0 }
    return {
      state,
      mount: (app: Express): void => {
        app.get('/doc', (_req, res) => {
          state.gets++
          res.set('Cache-Control', 'max-age=60').send(`version ${state.version}`)
        })
        app.post('/doc', (req, res) => {
          state.version++
          res.set({ 'Cache-Control': 'max-age=60', 'Content-Location': '/doc' })
          answer(req, res)
        })
      },
    }
  }

  it('answers later GETs with what a POST has brought', async () => {
    const { state, mount } = document((_req, res) => void res.send(`version ${state.version}`))
    const { get, cache } = await site(mount, { options: { cachePost: true } })
    await get('/doc')
    await settled(cache)
    const posted = await get('/doc', post())
    expect([posted.text, statusOf(posted)]).toEqual(['version 1', 'fwd=method; stored'])
    await settled(cache)
    const later = await get('/doc')
    expect([later.text, statusOf(later).slice(0, 3), state.gets]).toEqual(['version 1', 'hit', 1])
    // A POST always reaches the handler.
    expect((await get('/doc', post())).text).toBe('version 2')
  })

  it.each<[string, object, (res: Response) => unknown]>([
    ['another Content-Location', { cachePost: true }, res => res.set('Content-Location', '/other').send('x')],
    [
      'no freshness of its own',
      { cachePost: true, ttl: '1m' },
      res => res.removeHeader('Cache-Control') ?? res.send('x'),
    ],
    ['a cookie', { cachePost: true }, res => res.set('Set-Cookie', 'a=b').send('x')],
    ['an error half-way', { cachePost: true }, res => res.set('Content-Length', '10').write('x', () => res.destroy())],
    ['the option off', {}, res => res.send('x')],
    ['tags that fail', { cachePost: true, tags: noTagsOfPost }, res => res.send('x')],
    ['a developer’s key', { cachePost: true, key: () => 'same' }, res => res.send('x')],
  ])('stores nothing with %s, and still forgets what was there', async (_what, options, answer) => {
    const { state, mount } = document((_req, res) => void answer(res))
    const { get, cache } = await site(mount, { options })
    await get('/doc')
    await settled(cache)
    await get('/doc', post()).catch(() => undefined)
    await settled(cache)
    expect([(await get('/doc')).text, state.gets]).toEqual(['version 1', 2])
  })

  it('is reached by purges of tags that stand above the cache', async () => {
    const { state, mount } = document((_req, res) => void res.send(`version ${state.version}`))
    const { get, cache } = await site(mount, {
      options: { cachePost: true },
      above: app => void app.use((_req, res, next) => next(void res.set('Cache-Tag', 'documents'))),
    })
    await get('/doc', post())
    await settled(cache)
    expect(await purge(cache, { tag: 'documents' })).toBe(1)
    await get('/doc')
    expect(state.gets).toBe(1)
  })

  it('leaves nothing of an answer that comes when those before it cannot be removed', async () => {
    const rest = new Gate()
    const { mount } = document(async (_req, res) => {
      res.write('the beginning')
      await rest.opened
      res.end(Buffer.alloc(2 ** 20))
    })
    const { get, cache } = await site(mount, { options: { cachePost: true } })
    await get('/doc')
    await settled(cache)
    forbidRemoval(cache)
    const errors: string[] = []
    cache.on('error', error => void errors.push(error.message))
    const posted = get('/doc', post())
    await expect.poll(() => errors).toEqual([expect.stringContaining('no removal')])
    rest.open()
    expect((await posted).cut).toBe(false)
    await settled(cache)
    await expect.poll(() => openFiles(cache.directory)).toEqual([])
    expect(readdirSync(cache.directory, { recursive: true }).filter(name => String(name).includes('-tmp-'))).toEqual([])
  })

  it('does not store what was purged while the handler ran', async () => {
    const { state, mount } = document(async (_req, res) => {
      const text = `version ${state.version}`
      await purge(made().cache, { url: '/doc' })
      state.version++
      res.send(text)
    })
    let made: () => Awaited<ReturnType<typeof site>> = () => {
      throw new Error('not yet')
    }
    const { get, cache } = await site(
      (app, own) => {
        made = own
        mount(app)
      },
      { options: { cachePost: true } },
    )
    expect((await get('/doc', post())).text).toBe('version 1')
    await settled(cache)
    expect((await get('/doc')).text).toBe('version 2')
  })
})
