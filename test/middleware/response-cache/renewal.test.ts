import { statSync } from 'node:fs'
import { join } from 'node:path'
import { purge } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { forbidRemoval, type Site, site, statusOf } from './support/app.js'

const BODY = Buffer.alloc(3_000_000, 'a long body, ')

/** The file of the only answer that is stored, as the disk knows it. */
async function fileOf({ cache }: Site): Promise<{ path: string; ino: number; mtimeMs: number }> {
  for await (const key of cache.keys()) {
    const { path = '' } = (await cache.info(key)) ?? {}
    const { ino, mtimeMs } = statSync(join(cache.directory, path))
    return { path, ino, mtimeMs }
  }
  throw new Error('nothing is stored')
}

describe('a 304 for a long answer', () => {
  it('renews its fields and its tags, and writes no file', async () => {
    const made = await site(app => {
      app.get('/', (req, res) => {
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"', 'Cache-Tag': 'long' })
        if (req.headers['if-none-match'] === '"1"') return void res.set('X-Renewed', 'yes').status(304).end()
        res.end(BODY)
      })
    })
    await made.get('/')
    await expect.poll(() => made.cache.count()).toBe(1)
    const before = await fileOf(made)
    made.clock.advance(11_000)
    const renewed = await made.get('/')
    expect([statusOf(renewed), renewed.body.equals(BODY)]).toEqual(['fwd=stale; fwd-status=304; stored', true])
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    const hit = await made.get('/')
    expect([hit.headers['x-renewed'], hit.body.equals(BODY)]).toEqual(['yes', true])
    expect(await fileOf(made)).toEqual(before)
    expect(await made.cache.evict('long')).toBe(1)
  })

  it.each([
    ['long', BODY],
    ['short', Buffer.from('short')],
  ])('adds the tags that it names to those of a %s answer', async (_what, body) => {
    const made = await site(app => {
      app.get('/', (req, res) => {
        const isAsked = req.headers['if-none-match'] === '"1"'
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"', 'Cache-Tag': isAsked ? 'new, both' : 'old, both' })
        if (isAsked) return void res.status(304).end()
        res.end(body)
      })
    })
    for (const tag of ['new', 'both', 'old']) {
      await made.get('/')
      await expect.poll(() => made.status('/')).toMatch(/^hit/)
      made.clock.advance(11_000)
      expect(statusOf(await made.get('/'))).toBe('fwd=stale; fwd-status=304; stored')
      await expect.poll(() => made.status('/')).toMatch(/^hit/)
      expect([await purge(made.cache, { tag }), await made.cache.count()]).toEqual([1, 0])
    }
  })

  it('comes to those who wait for it, of whom each reads the same file', async () => {
    const asked = new Gate()
    const answered = new Gate()
    let calls = 0
    const made = await site(app => {
      app.get('/', async (req, res) => {
        calls++
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"' })
        if (req.headers['if-none-match'] === undefined) return void res.end(BODY)
        asked.open()
        await answered.opened
        res.status(304).end()
      })
    })
    await made.get('/')
    await expect.poll(() => made.cache.count()).toBe(1)
    made.clock.advance(11_000)
    const first = made.get('/')
    await asked.opened
    const others = [made.get('/'), made.get('/', { headers: { Range: 'bytes=5-9' } })]
    answered.open()
    const replies = await Promise.all([first, ...others])
    expect(replies.map(({ status, cut }) => [status, cut])).toEqual([
      [200, false],
      [200, false],
      [206, false],
    ])
    expect(replies.map(({ body }) => body.equals(BODY) || body.toString())).toEqual([
      true,
      true,
      BODY.toString('latin1', 5, 10),
    ])
    expect(calls).toBe(2)
  })
})

describe('what a 304 or a HEAD says of a stored answer', () => {
  it('ends no process when the answer that it forbids to keep cannot be removed', async () => {
    const lost: unknown[] = []
    const onLost = (error: unknown): void => void lost.push(error)
    process.prependListener('unhandledRejection', onLost)
    onTestFinished(() => void process.off('unhandledRejection', onLost))
    const made = await site((app, own) => {
      app.get('/', (req, res) => {
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"' })
        if (req.headers['if-none-match'] !== '"1"') return void res.end(BODY)
        forbidRemoval(own().cache)
        res.set('Cache-Control', 'no-store').status(304).end()
      })
    })
    await made.get('/')
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    const errors: string[] = []
    made.cache.on('error', error => void errors.push(error.message))
    made.clock.advance(11_000)
    const reply = await made.get('/')
    expect([reply.status, reply.cut, reply.body.equals(BODY)]).toEqual([200, false, true])
    await expect.poll(() => errors).toEqual([expect.stringContaining('no removal')])
    expect(lost).toEqual([])
  })

  it.each(['GET', 'HEAD'])('parts those whom a new Vary tells apart (%s)', async method => {
    const made = await site(app => {
      app.get('/', (req, res) => {
        const isAsked = req.method === 'HEAD' || req.headers['if-none-match'] === '"1"'
        res.set({ 'Cache-Control': isAsked ? 'max-age=1000' : 'max-age=10', ETag: '"1"' })
        if (isAsked) res.set('Vary', 'Accept-Language')
        if (req.headers['if-none-match']) return void res.status(304).end()
        res.end(`in ${req.headers['accept-language']}`)
      })
    })
    const get = async (language: string) =>
      (await made.get('/', { headers: { 'accept-language': language } })).body.toString()
    expect(await get('en')).toBe('in en')
    await expect.poll(() => made.status('/', { headers: { 'accept-language': 'en' } })).toMatch(/^hit/)
    made.clock.advance(11_000)
    const renewed = await made.get('/', { method, headers: { 'accept-language': 'en' } })
    expect([renewed.status, renewed.headers.vary]).toEqual([200, 'Accept-Language'])
    await expect.poll(() => made.cache.count()).toBe(0)
    expect(await get('de')).toBe('in de')
  })

  it('takes nothing from what is known to vary', async () => {
    const made = await site(app => {
      app.get('/', (req, res) => {
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"', Vary: 'Origin' })
        if (req.headers['if-none-match'] === '"1"') return void res.status(304).end()
        res.vary('Accept-Language').end('long')
      })
    })
    await made.get('/')
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    made.clock.advance(11_000)
    expect((await made.get('/')).headers.vary).toBe('Origin, Accept-Language')
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    expect((await made.get('/')).headers.vary).toBe('Origin, Accept-Language')
  })
})
