import { Agent } from 'node:http'
import compression from 'compression'
import { describe, expect, it } from 'vitest'
import type { Asking } from '../support/http.js'
import { type Site, type SiteOptions, settled, site } from './support/app.js'

const TTL = { options: { ttl: '1m' } } as const

/** A site that says back what was asked, and may be cached unless the rules forbid it. */
async function echo(fields: Record<string, string>, options: SiteOptions = {}): Promise<Site> {
  return await site(
    app =>
      void app.use((req, res) => {
        res.set(fields).send(`${req.originalUrl} ${JSON.stringify(req.headers)}`)
      }),
    options,
  )
}

/** What the cache says of the second of two requests. */
async function second(
  made: Site,
  first: Asking & { path?: string },
  then: Asking & { path?: string },
): Promise<string> {
  await made.status(first.path ?? '/', first)
  await settled(made.cache)
  return made.status(then.path ?? '/', then)
}

const with_ = (headers: Asking['headers'], path?: string): Asking & { path?: string } => ({
  ...(headers && { headers }),
  ...(path !== undefined && { path }),
})
const FRESH = { 'Cache-Control': 'max-age=60' }

describe('a cache is not poisoned by', () => {
  it.each<[string, Asking['headers']]>([
    ['X-Forwarded-Host', { 'x-forwarded-host': 'evil' }],
    ['Host', { host: 'evil' }],
  ])('the field %s', async (name, headers) => {
    const made = await echo(FRESH)
    expect(await second(made, with_(headers), {})).toMatch(name === 'Host' ? /^fwd=uri-miss/ : /^hit/)
  })

  it('X-Forwarded-Host, where Express trusts its proxy, since it is part of the key', async () => {
    const made = await echo(FRESH)
    made.app.set('trust proxy', true)
    expect(await second(made, with_({ 'x-forwarded-host': 'a' }), with_({ 'x-forwarded-host': 'b' }))).toMatch(
      /^fwd=uri-miss/,
    )
    expect(await made.status('/', with_({ 'x-forwarded-host': 'a' }))).toMatch(/^hit/)
  })

  it('the hosts of further proxies, which come behind that of the client', async () => {
    const made = await echo(FRESH)
    made.app.set('trust proxy', true)
    const [direct, through] = [{ 'x-forwarded-host': 'a' }, { 'x-forwarded-host': 'a, b' }]
    expect(await second(made, with_(direct), with_(through))).toMatch(/^hit/)
  })

  it('keys of the app that differ in an escaped line end only', async () => {
    const made = await site(app => void app.use((req, res) => void res.set(FRESH).send(req.url)), {
      options: { key: req => decodeURIComponent(String(req.url)) },
    })
    expect((await made.get('/a%250Ab')).text).toBe('/a%250Ab')
    await settled(made.cache)
    expect((await made.get('/a%0Ab')).text).toBe('/a%0Ab')
  })

  it.each(['javascript', 'HTTPS', 'a://b/'])('X-Forwarded-Proto of %s that Express trusts', async scheme => {
    const made = await site(app => {
      app.set('trust proxy', true)
      app.get('/', (req, res) => void res.set(FRESH).send(req.protocol))
    })
    const asking = with_({ 'x-forwarded-proto': scheme })
    expect(await made.get('/', asking)).toMatchObject({ text: scheme })
    await settled(made.cache)
    expect(await made.get('/')).toMatchObject({ text: 'http' })
    expect(await made.status('/', asking)).toBe('fwd=bypass; detail=bad-scheme')
  })

  it('hosts that are not those of the site', async () => {
    const made = await echo(FRESH, { options: { hosts: ['good.example'] } })
    expect(await second(made, with_({ host: 'evil' }), with_({ host: 'evil' }))).toBe('fwd=bypass; detail=foreign-host')
    expect(await second(made, with_({ host: 'good.example' }), with_({ host: 'GOOD.example:80' }))).toMatch(/^hit/)
  })

  it('a coding that not all accept', async () => {
    const made = await site(app => {
      app.use(compression({ threshold: 0 }) as never)
      app.get('/', (_req, res) => void res.set(FRESH).type('text').send('plain text '.repeat(9)))
    })
    await made.get('/', with_({ 'accept-encoding': 'deflate' }))
    await settled(made.cache)
    for (const accepted of ['identity', 'compress', 'gzip']) {
      const { headers } = await made.get('/', with_({ 'accept-encoding': accepted }))
      expect(headers['content-encoding'], accepted).toBe(accepted === 'gzip' ? 'gzip' : undefined)
    }
  })

  it('a body of a GET', async () => {
    const made = await echo(FRESH)
    expect(await second(made, { body: 'x', headers: { 'content-length': '1' } }, {})).toMatch(/^fwd=uri-miss/)
  })

  it.each(['constructor', 'toString', 'hasOwnProperty'])('a field of the name %s', async name => {
    const made = await echo({ ...FRESH, Vary: name })
    const asking = with_({ [name]: 'x' })
    expect(await second(made, asking, asking)).toMatch(/^hit/)
    expect(await second(made, {}, {})).toMatch(/^hit/)
    expect(await made.status('/', asking)).toMatch(/^hit/)
    expect(await made.status('/', with_({ [name]: 'y' }))).toMatch(/^fwd=vary-miss/)
  })

  it('what cannot be a field of a request', async () => {
    const made = await echo({ ...FRESH, Vary: '__proto__' })
    expect(await second(made, {}, {})).toMatch(/detail=(vary-star|uncacheable)/)
  })

  it.each(['a, b', 'a/b', 'u@a', '[a'])('the host %j', async host => {
    const made = await echo(FRESH)
    expect(await second(made, with_({ host: 'a' }), with_({ host }))).toMatch(/^fwd=bypass; detail=(bad|no)-host/)
  })

  it('the address of another site in the request line', async () => {
    const made = await echo(FRESH)
    expect(await made.status('http://evil/')).toBe('fwd=bypass; detail=bad-url')
  })

  it('chunks that come with a GET', async () => {
    const made = await echo(FRESH)
    expect(await made.status('/', with_({ 'transfer-encoding': 'chunked' }))).toBe('fwd=bypass; detail=body')
  })

  it('paths that look like others', async () => {
    const made = await echo(FRESH)
    const paths = ['/a/b', '/a%2fb', '/a/./b', '//a/b', '/a/b/', '/a/b;x', '/a/b%00', '/a/b?', '/a/b.css', '/A/b']
    for (const path of paths)
      expect([path, await made.status(path)]).toEqual([path, expect.stringMatching(/^fwd=uri-miss/)])
  })
})

it('a hit unites what it varies by with what middleware above has named', async () => {
  const made = await site(
    app => void app.get('/', (_req, res) => void res.set({ 'Cache-Control': 'max-age=60', Vary: 'Accept' }).send('x')),
    {
      above: app =>
        app.use((_req, res, next) => {
          res.set('Vary', 'Origin')
          next()
        }),
    },
  )
  await made.get('/')
  await settled(made.cache)
  const { headers } = await made.get('/')
  expect([headers['cache-status'], headers.vary]).toEqual([expect.stringContaining('hit'), 'Origin, Accept'])
  const fallback = { headers: { 'X-Cache-Sendfile-Fallback': '1' } }
  expect(await made.status('/', fallback)).toBe('fwd=bypass; detail=fallback')
})

it('an answer in memory is not for a web server that could not send a file', async () => {
  const made = await site(
    app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x')),
    {
      cacheOptions: { memory: {} },
    },
  )
  await made.get('/')
  await settled(made.cache)
  for (let round = 0; round < 3; round++) expect(await made.status('/')).toMatch(/^hit/)
  const fallback = { headers: { 'X-Cache-Sendfile-Fallback': '1' } }
  expect(await made.status('/', fallback)).toBe('fwd=bypass; detail=fallback')
})

describe('answers for one person', () => {
  it.each([{}, { range: 'bytes=0-' }])(
    'are not taken for those of another that lie at their place, with %j',
    async more => {
      const made = await site(
        app =>
          void app.get('/', (req, res) => {
            res.set({ 'Cache-Control': 'max-age=60', Vary: 'X-Person' }).send(`for ${req.get('x-person')}`)
          }),
      )
      const people = ['ann', 'bob'].map(person => ({ headers: { 'x-person': person, ...more } }))
      for (const asked of people) await made.get('/', { headers: { 'x-person': asked.headers['x-person'] } })
      await settled(made.cache)
      const variants: string[] = []
      for await (const key of made.cache.keys()) if (String(key).split('\n').length === 3) variants.push(String(key))
      const answers = await made.cache.getMany(variants)
      expect(answers).toHaveLength(2)
      await made.cache.setMany([
        [variants[0] as string, answers[1]],
        [variants[1] as string, answers[0]],
      ])
      for (const asked of people) expect((await made.get('/', asked)).text).toBe(`for ${asked.headers['x-person']}`)
    },
  )

  it.each<[string, Record<string, string>, SiteOptions, Asking['headers']]>([
    ['with Set-Cookie', { ...FRESH, 'Set-Cookie': 'id=1' }, {}, {}],
    ['that vary by Cookie', { ...FRESH, Vary: 'Cookie' }, {}, {}],
    ['that vary by Authorization', { ...FRESH, Vary: 'Accept, authorization' }, {}, {}],
    ['to requests with Authorization', FRESH, {}, { authorization: 'Bearer 1' }],
    ['to requests with cookies, fresh by ttl', {}, TTL, { cookie: 'id=1' }],
    ['to requests with Authorization, fresh by ttl', {}, TTL, { authorization: 'Bearer 1' }],
    ['that are private for a CDN', { ...FRESH, 'CDN-Cache-Control': 'private' }, {}, {}],
  ])('%s are not stored', async (_what, fields, options, headers) => {
    const made = await echo(fields, options)
    expect(await second(made, with_(headers), {})).not.toMatch(/^hit/)
  })

  it('are not replaced by what others have, where a ttl alone made it fresh', async () => {
    const made = await echo({}, TTL)
    expect(await second(made, {}, {})).toMatch(/^hit/)
    expect(await made.status('/', with_({ cookie: 'id=1' }))).toBe('fwd=bypass; detail=cookie')
    expect(await made.status('/', with_({ authorization: 'x' }))).toBe('fwd=bypass; detail=authorization')
  })

  it('are not cached for their extension', async () => {
    expect(await second(await echo({}), with_({}, '/account/x.css'), with_({}, '/account/x.css'))).not.toMatch(/^hit/)
  })

  it('that middleware below gives a cookie at the last moment are not stored', async () => {
    const { default: session } = await import('express-session')
    const made = await site(app => {
      app.use(session({ secret: 's', resave: false, saveUninitialized: true }) as never)
      app.get('/', (_req, res) => void res.set(FRESH).end('x'))
    })
    expect(await second(made, {}, {})).toMatch(/detail=(set-cookie|uncacheable)/)
  })
})

describe('bounds', () => {
  it('a URL that is too long bypasses the cache', async () => {
    const made = await echo(FRESH)
    expect(await made.status(`/${'x'.repeat(9000)}`)).toBe('fwd=bypass; detail=long-url')
  })

  it('a URL has so many variants and no more', async () => {
    const made = await echo({ ...FRESH, Vary: 'X-N' }, { options: { maxVariants: 3 } })
    for (let n = 0; n < 8; n++) await second(made, with_({ 'x-n': String(n) }), with_({ 'x-n': String(n) }))
    await expect.poll(() => made.cache.count()).toBe(4)
    expect(await made.status('/', with_({ 'x-n': '7' }))).toMatch(/^hit/)
    expect(await made.status('/', with_({ 'x-n': '0' }))).toMatch(/^fwd=vary-miss/)
  })

  it('a variant that is gone takes no place of one that is there', async () => {
    const lives: Record<string, number> = { long: 1000, short: 1, new: 1000 }
    const made = await site(
      app =>
        // What has a tag is kept for longer, to be validated.
        void app.set('etag', false).get('/', (req, res) => {
          res.set({ 'Cache-Control': `max-age=${lives[String(req.get('x-n'))]}`, Vary: 'X-N' }).send('x')
        }),
      { options: { maxVariants: 2 } },
    )
    for (const n of ['long', 'short']) await second(made, with_({ 'x-n': n }), with_({ 'x-n': n }))
    made.clock.advance(100_000)
    await second(made, with_({ 'x-n': 'new' }), with_({ 'x-n': 'new' }))
    expect(await made.status('/', with_({ 'x-n': 'long' }))).toMatch(/^hit/)
  })

  it('no client can go past the cache', async () => {
    const made = await echo(FRESH)
    await second(made, {}, {})
    const tries = [
      { 'cache-control': 'no-cache' },
      { pragma: 'no-cache' },
      { 'cache-control': 'max-age=0' },
      { 'x-fanout-cache-validation': 'x' },
    ]
    for (const headers of tries) expect(await made.status('/', { headers })).toMatch(/^hit/)
  })

  it('more URLs than fit are bounded in bytes', async () => {
    const sizeLimit = 2 ** 20
    const made = await site(app => void app.use((req, res) => void res.set(FRESH).send('x'.repeat(16_000) + req.url)), {
      cacheOptions: { sizeLimit },
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 10 })
    await Promise.all(Array.from({ length: 250 }, (_, page) => made.get(`/?page=${page}`, { agent })))
    agent.destroy()
    await settled(made.cache)
    expect(await made.cache.volume()).toBeLessThan(1.5 * sizeLimit)
    expect(await made.cache.check()).toEqual([])
    expect(await second(made, with_({}, '/?page=last'), with_({}, '/?page=last'))).toMatch(/^hit/)
  })

  it('heads of more than 64 KiB are not stored', async () => {
    const made = await site(app => {
      app.get(
        '/:length',
        (req, res) => void res.set({ ...FRESH, 'X-Long': 'x'.repeat(Number(req.params.length)) }).send('y'),
      )
    })
    for (const path of ['/30000', '/70000']) {
      await made.get(path)
      await settled(made.cache)
    }
    expect(await made.status('/30000')).toMatch(/^hit/)
    expect(await made.status('/70000')).toMatch(/^fwd=/)
  })

  it('heads that are too long for the cache are not stored with large bodies', async () => {
    const made = await site(app => {
      app.get('/', (_req, res) => void res.set({ ...FRESH, 'X-Long': 'x'.repeat(15_900) }).send('y'.repeat(100_000)))
    })
    await second(made, {}, {})
    expect(await made.cache.count()).toBe(0)
    expect(await made.cache.check()).toEqual([])
  })
})

describe('an entry that is none of ours', () => {
  it.each([
    ['text', 'hello'],
    ['an object', { v: 1 }],
    ['short bytes', Buffer.from([1])],
    ['bytes that lie about their length', Buffer.from([255, 255, 255, 127, 123])],
    ['bytes that are no head', Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from('[]body')])],
  ])('is a miss: %s', async (_what, value) => {
    const made = await echo(FRESH)
    const key = `fanout-cache\nhttp://127.0.0.1:${made.port}/`
    await made.cache.set(key, value)
    expect(await made.status('/')).toMatch(/^fwd=/)
    await settled(made.cache)
    expect(await made.status('/')).toMatch(/^hit/)
  })

  it.each<[string, object]>([
    ['of no status', { s: 0 }],
    ['of a status that begins no answer', { s: 101 }],
    ['of a status that HTTP has not', { s: 99_999 }],
    ['with a field that is no pair', { f: [1] }],
    ['with a field whose value is a number', { f: [['ETag', 5]] }],
    ['with an instant that is text', { u: 'x' }],
    ['with tags that are no list', { g: 5, u: 0 }],
    ['with variants that are none', { variants: [null] }],
    ['with variants of numbers', { variants: [{ n: [5], k: 7, i: 0, e: 'x' }] }],
  ])('is a miss, and no error: a head %s', async (_what, change) => {
    const made = await echo(FRESH)
    const errors: Error[] = []
    made.cache.on('error', error => errors.push(error))
    await made.get('/')
    await settled(made.cache)
    const key = `fanout-cache\nhttp://127.0.0.1:${made.port}/`
    await made.cache.set(key, withHead((await made.cache.get(key)) as Buffer, change))
    expect(await made.status('/')).toMatch(/^fwd=uri-miss/)
    await settled(made.cache)
    expect(await made.status('/')).toMatch(/^hit/)
    expect(errors).toEqual([])
  })
})

/** A stored answer whose head says something else. */
function withHead(stored: Buffer, change: object): Buffer {
  const end = 4 + stored.readUInt32LE(0)
  const head = Buffer.from(JSON.stringify({ ...JSON.parse(stored.toString('utf8', 4, end)), ...change }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.byteLength)
  return Buffer.concat([length, head, stored.subarray(end)])
}
