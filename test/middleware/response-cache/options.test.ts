import { Cache, FanoutCache } from 'fanout-cache'
import { type PurgeOptions, purge, type ResponseCacheOptions, responseCache } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { ask, listen } from '../support/http.js'
import { settled, site, statusOf } from './support/app.js'

describe('options', () => {
  it.each<[object, RegExp]>([
    [{ tll: 5 }, /unknown option tll; did you mean ttl\?/],
    [{ ttl: -1 }, /ttl must be a duration/],
    [{ name: '' }, /name must be/],
    [{ name: 'a\nb' }, /name must be/],
    [{ key: 'x' }, /key must be a function/],
    [{ bypass: true }, /bypass must be a function/],
    [{ tags: 'a' }, /tags must be an array/],
    [{ vary: ['*'] }, /vary must hold names/],
    [{ statusTtl: { 99: 1 } }, /status/],
    [{ maxEntrySize: -1 }, /maxEntrySize must be a whole number/],
    [{ maxVariants: 0 }, /maxVariants must be a whole number/],
    [{ authority: 'a/b' }, /authority must be/],
    [{ hosts: ['a b'] }, /hosts must hold hosts/],
    [{ heuristics: 1 }, /heuristics/],
    [{ storeSetCookie: 'yes' }, /storeSetCookie must be true or false/],
  ])('refuse %j', (options, message) => {
    const cache = new FanoutCache(temporaryDirectory())
    expect(() => responseCache(cache, options as ResponseCacheOptions)).toThrow(message)
  })

  it('allow an answer of any size', () => {
    const cache = new FanoutCache(temporaryDirectory())
    expect(() => responseCache(cache, { maxEntrySize: Number.POSITIVE_INFINITY })).not.toThrow()
  })

  it('refuse what is no cache', () => {
    expect(() => responseCache({} as never)).toThrow(/responseCache needs a Cache or FanoutCache/)
  })

  it('refuse a namespace, and say what to use instead', () => {
    const space = new FanoutCache(temporaryDirectory()).namespace('app')
    const message = /needs the Cache or FanoutCache, got a namespace of one: .* option name$/
    expect(() => responseCache(space as never)).toThrow(message)
    expect(() => responseCache(space as never)).toThrow(TypeError)
  })

  it('ttl, statusTtl and ignoreCookies make fresh what says nothing', async () => {
    const { status, cache } = await site(
      app => {
        app.get('/', (_req, res) => void res.send('x'))
        app.get('/reserved', (_req, res) => void res.set('Cache-Control', 'no-cache').send('x'))
      },
      { options: { ttl: '10s', statusTtl: { 404: '5s' }, ignoreCookies: true } },
    )
    for (const path of ['/', '/none', '/reserved']) await status(path, { headers: { cookie: 'a=b' } })
    await settled(cache)
    expect(await status('/', { headers: { cookie: 'c=d' } })).toMatch(/^hit; ttl=/)
    expect(await status('/none')).toMatch(/^hit; ttl=/)
    expect(await status('/reserved')).toMatch(/^fwd=/)
  })

  it.each<[keepStale: string | undefined, seconds: number, expected: RegExp]>([
    [undefined, 86_000, /^fwd=stale; fwd-status=304/],
    [undefined, 87_000, /^fwd=uri-miss/],
    ['1h', 3500, /^fwd=stale; fwd-status=304/],
    ['1h', 3700, /^fwd=uri-miss/],
  ])('keepStale %s keeps a stale answer for validation, after %d s: %s', async (keepStale, seconds, expected) => {
    const { status, cache, clock } = await site(
      app => void app.use((_req, res) => void res.set('Cache-Control', 'max-age=10').send('x')),
      { options: { keepStale } },
    )
    await status('/')
    await settled(cache)
    clock.advance(seconds * 1000)
    expect(await status('/')).toMatch(expected)
  })

  it('key, bypass and vary choose what is one answer', async () => {
    const { status, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: {
        ttl: '10s',
        key: req => (req.url?.startsWith('/none') ? undefined : String(req.url).split('?')[0]),
        bypass: req => req.headers['x-bypass'] !== undefined,
        vary: ['X-Tenant'],
      },
    })
    await status('/a?utm=1')
    await settled(cache)
    expect(await status('/a?utm=2')).toMatch(/^hit/)
    expect(await status('/a', { headers: { 'x-tenant': '2' } })).toMatch(/^fwd=vary-miss/)
    expect(await status('/a', { headers: { 'x-bypass': '1' } })).toBe('fwd=bypass; detail=option')
    expect(await status('/none')).toBe('fwd=bypass; detail=no-key')
    expect(await purge(cache, { key: '/a' })).toBe(2)
  })

  it.each<[string, () => unknown]>([
    ['a user', () => ({ name: 'ada' })],
    ['a text', () => 'yes'],
    ['a promise, be it of false', async () => false],
    ['a promise that is rejected', () => Promise.reject(new Error('no session'))],
  ])('bypass keeps the cache out of what it answers %s for', async (_what, answered) => {
    const { status, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: { ttl: '10s', bypass: answered as () => boolean },
    })
    for (let time = 0; time < 2; time++) expect(await status('/')).toBe('fwd=bypass; detail=option')
    expect(await cache.count()).toBe(0)
  })

  it.each<[string, () => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no tags')
      },
      /^no tags$/,
    ],
    ['answers a text', () => 'news', /tags must return an array of strings, got 'news'/],
    ['answers a promise', async () => ['news'], /tags must return an array of strings, got a promise/],
    [
      'answers a promise that is rejected',
      () => Promise.reject(new Error('no news')),
      /tags must return an array of strings, got a promise/,
    ],
    ['answers numbers', () => [5], /tags must return an array of strings/],
  ])('tags that %s leave the answer to the client alone', async (_what, tags, message) => {
    const { get, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: { ttl: '10s', tags: tags as never },
    })
    const errors: string[] = []
    cache.on('error', error => errors.push(error.message))
    const reply = await get('/')
    expect([reply.status, reply.text, statusOf(reply)]).toEqual([200, 'x', 'fwd=uri-miss; detail=error'])
    expect(errors).toEqual([expect.stringMatching(message)])
    await settled(cache)
    expect(await cache.count()).toBe(0)
  })

  it('tags are kept all, or the answer is not', async () => {
    const tagged = (count: number) => Array.from({ length: count }, (_, at) => `tag-${at}`)
    const { status, cache } = await site(
      app =>
        void app.get('/:count', (req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', 'Cache-Tag': tagged(Number(req.params.count)).join() }).send('x')
        }),
      { options: { tags: ['tag-0'] } },
    )
    const errors: string[] = []
    cache.on('error', error => errors.push(error.message))
    expect(await status('/256')).toBe('fwd=uri-miss; stored')
    expect(await status('/257')).toBe('fwd=uri-miss; detail=error')
    await settled(cache)
    expect(errors).toEqual(['responseCache: an answer can have 256 tags, got 257'])
    expect([await cache.count(), await purge(cache, { tag: 'tag-255' }), await cache.count()]).toEqual([1, 1, 0])
  })

  it('a key that is a rejected promise leaves the answer to the client alone', async () => {
    const { status, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: { ttl: '10s', key: (() => Promise.reject(new Error('no key'))) as never },
    })
    expect(await status('/')).toBe('fwd=bypass; detail=bad-key')
    expect(await cache.count()).toBe(0)
  })

  it.each(['key', 'bypass'])('hand on what the function %s throws', async name => {
    const cache = new Cache(temporaryDirectory())
    onTestFinished(() => cache.close())
    const failing = (): never => {
      throw new Error('no rules')
    }
    const cached = responseCache(cache, { [name]: failing })
    // Nobody catches what is thrown here.
    const { port } = await listen((req, res) =>
      cached(req, res, error => res.writeHead(500).end((error as Error | undefined)?.message)),
    )
    const reply = await ask(port, '/')
    expect([reply.status, reply.text, statusOf(reply)]).toEqual([500, 'no rules', 'fwd=miss; detail=error'])
  })

  it('minUses stores what is asked for more than once', async () => {
    const { status, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: { ttl: '10s', minUses: 2 },
    })
    for (let at = 0; at < 20; at++) expect(await status(`/${at}`)).toBe('fwd=uri-miss; detail=min-uses')
    await settled(cache)
    expect(await cache.count()).toBe(0)
    expect(await status('/3')).toBe('fwd=uri-miss; stored')
    await settled(cache)
    expect([await status('/3'), await cache.count()]).toEqual(['hit; ttl=10', 1])
  })

  it('authority makes one of many hosts', async () => {
    const { status, cache } = await site(app => void app.use((_req, res) => void res.send('x')), {
      options: { ttl: '10s', authority: 'https://example.com' },
    })
    await status('/', { headers: { host: 'a' } })
    await settled(cache)
    expect(await status('/', { headers: { host: 'b' } })).toMatch(/^hit/)
    expect(await purge(cache, { url: new URL('https://example.com') })).toBe(1)
  })

  it('storeSetCookie, heuristics and requestDirectives do what their names say', async () => {
    const { get, status, cache } = await site(
      app => {
        app.get('/cookie', (_req, res) => void res.set('Cache-Control', 'max-age=9').cookie('a', 'b').send('x'))
        app.get('/old', (_req, res) => void res.set('Last-Modified', new Date(0).toUTCString()).send('x'))
      },
      { options: { storeSetCookie: true, heuristics: true, requestDirectives: 'all' } },
    )
    await Promise.all([get('/cookie'), get('/old')])
    await settled(cache)
    expect((await get('/cookie')).headers['set-cookie']).toEqual(['a=b; Path=/'])
    expect(await status('/old')).toMatch(/^hit/)
    expect(await status('/old', { headers: { 'cache-control': 'no-cache' } })).toMatch(/^fwd=request/)
  })

  it('two names share nothing', async () => {
    const { status, cache } = await site(
      app => {
        app.use(responseCache(new Cache(cacheDirectory), { name: 'inner', ttl: '10s' }) as never)
        app.use((_req, res) => void res.send('x'))
      },
      { options: { ttl: '10s' } },
    )
    expect(await status('/')).toMatch(/^inner; fwd=uri-miss; stored, fanout-cache; fwd=uri-miss; stored|^fwd=.*inner/)
    await settled(cache)
    expect(await status('/')).toMatch(/hit/)
  })
})

const cacheDirectory = `${process.env['TMPDIR'] ?? '/tmp'}/fanout-cache-test-inner-${process.pid}`

describe('purge', () => {
  it('is refused without a cache', async () => {
    await expect(purge(undefined as never, { url: '/' })).rejects.toThrow(/^purge needs a Cache or FanoutCache/)
  })

  it.each<[object, RegExp]>([
    [{}, /needs one of url, tag, prefix, key/],
    [{ url: '/', tag: 'a' }, /needs one of/],
    [{ url: 'no-url' }, /absolute http/],
    [{ tag: '' }, /tag must be a string/],
    [{ urll: '/' }, /did you mean url/],
    [{ url: '/', soft: 1 }, /soft must be/],
  ])('refuses %j', async (options, message) => {
    const cache = new FanoutCache(temporaryDirectory())
    await expect(purge(cache, options as PurgeOptions)).rejects.toThrow(message)
  })

  const mounted = async () => {
    const made = await site(
      app =>
        void app.use((req, res) => {
          res.set({
            'Cache-Control': 'max-age=60',
            ETag: '"1"',
            'Cache-Tag': `all, ${req.path.slice(1)}`,
            'Surrogate-Key': 's1 s2',
          })
          if (req.path === '/varied') res.set('Vary', 'X-N')
          res.send(req.path === '/large' ? 'y'.repeat(50_000) : 'x')
        }),
      { options: { tags: req => [`method-${req.method}`] } },
    )
    for (const path of ['/a', '/a/b', '/large']) await made.get(path)
    for (const n of ['1', '2']) await made.get('/varied', { headers: { 'x-n': n } })
    // Five answers, and the list of those that vary.
    await expect.poll(() => made.cache.count()).toBe(6)
    return made
  }

  it.each<[PurgeOptions, number, readonly string[]]>([
    [{ url: '/a' }, 1, ['/a']],
    [{ prefix: '/a' }, 2, ['/a', '/a/b']],
    [{ url: '/varied' }, 2, ['/varied']],
    [{ tag: 'large' }, 1, ['/large']],
    [{ tag: 's2' }, 5, ['/a', '/a/b', '/large', '/varied']],
    [{ tag: 'method-GET' }, 5, ['/a', '/a/b', '/large', '/varied']],
    [{ url: '/other' }, 0, []],
    [{ url: '/a', name: 'other' }, 0, []],
  ])('by %j removes %d', async (options, count, gone) => {
    const { cache, status } = await mounted()
    expect(await purge(cache, options)).toBe(count)
    for (const path of ['/a', '/a/b', '/large', '/varied']) {
      const said = await status(path, { headers: { 'x-n': '1' } })
      expect([path, said]).toEqual([path, expect.stringMatching(gone.includes(path) ? /^fwd=.*miss/ : /^hit/)])
    }
    expect(await cache.check()).toEqual([])
  })

  it.each<[PurgeOptions, number]>([
    [{ url: '/a' }, 1],
    [{ url: '/varied' }, 2],
    [{ prefix: '/' }, 5],
    [{ tag: 'all' }, 5],
  ])('by %j with soft leaves %d to be validated', async (options, count) => {
    const { cache, status } = await mounted()
    expect(await purge(cache, { ...options, soft: true })).toBe(count)
    const path = String(options.url ?? '/large')
    expect(await status(path, { headers: { 'x-n': '1' } })).toMatch(/^fwd=stale/)
    await settled(cache)
    expect(await status(path, { headers: { 'x-n': '1' } })).toMatch(/^hit/)
  })

  it('by an absolute address removes all variants, and their list', async () => {
    const { cache, port } = await mounted()
    expect(await purge(cache, { url: `http://127.0.0.1:${port}/varied` })).toBe(2)
    expect(await cache.count()).toBe(3)
  })

  it('by an absolute address with soft leaves all variants to be validated', async () => {
    const { cache, port, status } = await mounted()
    expect(await purge(cache, { url: `http://127.0.0.1:${port}/varied`, soft: true })).toBe(2)
    for (const n of ['1', '2']) expect(await status('/varied', { headers: { 'x-n': n } })).toMatch(/^fwd=stale/)
  })

  it('counts each of many answers once', async () => {
    const { get, cache } = await site(
      app => void app.use((_req, res) => void res.set('Cache-Control', 'max-age=60').send('x')),
    )
    const paths = Array.from({ length: 205 }, (_, at) => `/a/${at}`)
    await Promise.all(paths.map(path => get(path)))
    await expect.poll(() => cache.count()).toBe(205)
    expect(await purge(cache, { prefix: '/a/', soft: true })).toBe(205)
    expect(await purge(cache, { prefix: '/a/' })).toBe(205)
  })

  it('leaves nothing of a variant that is answered meanwhile', async () => {
    const { get, cache } = await site(
      (app, made) =>
        void app.get('/', async (_req, res) => {
          await purge(cache, { url: `http://127.0.0.1:${made().port}/` })
          res.set({ 'Cache-Control': 'max-age=60', Vary: 'X-N' }).send('x')
        }),
    )
    expect((await get('/')).status).toBe(200)
    await settled(cache)
    expect(await cache.count()).toBe(0)
  })

  it.each<[string, PurgeOptions, number]>([
    ['a path', { url: '/a' }, 2],
    ['a prefix', { prefix: '/' }, 2],
    ['a path and a name', { url: '/a', name: 'edge' }, 1],
    ['a name that nobody has', { url: '/a', name: 'other' }, 0],
  ])('reaches the caches of all names on the directory, unless one is given: %s', async (_what, options, count) => {
    const { app, cache, get } = await site(() => undefined, { options: { name: 'edge' } })
    app.use(responseCache(cache, { name: 'inner' }) as never)
    app.get('/a', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
    await get('/a')
    await settled(cache)
    expect(await cache.count()).toBe(2)
    expect(await purge(cache, options)).toBe(count)
    expect(await cache.count()).toBe(2 - count)
  })

  it('finds an absolute URL in a cache of another name', async () => {
    const { cache, get, port } = await site(
      app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x')),
      { options: { name: 'edge' } },
    )
    await get('/')
    await settled(cache)
    const other = new FanoutCache(cache.directory)
    onTestFinished(() => other.close())
    expect(await purge(other, { url: `http://127.0.0.1:${port}/` })).toBe(1)
  })

  it('counts how long an answer is stale from the first of several soft ones', async () => {
    const { get, cache, clock, status } = await site(
      app =>
        void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=1000, stale-if-error=40').send('x')),
    )
    await get('/')
    await settled(cache)
    for (let round = 0; round < 2; round++) {
      expect(await purge(cache, { url: '/', soft: true })).toBe(1)
      clock.advance(30_000)
    }
    expect(await status('/', { headers: { 'Cache-Control': 'only-if-cached, max-stale=59' } })).toBe(
      'detail=only-if-cached',
    )
    expect(await status('/', { headers: { 'Cache-Control': 'only-if-cached, max-stale=60' } })).toMatch(/^hit/)
  })
})
