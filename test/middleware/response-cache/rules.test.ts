import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { listen, type Reply } from '../support/http.js'
import { type Site, site } from './support/app.js'

/** What the origin answers, and whether it is asked at all. */
interface Step {
  readonly ask?: OutgoingHttpHeaders & { readonly method?: string; readonly path?: string }
  /** Seconds that pass before the request. */
  readonly after?: number
  /** What the origin answers if it is asked. */
  readonly origin?: Answer
  /** Whether the origin must be asked, and with which fields. */
  readonly reaches?: boolean | Readonly<Record<string, string | undefined>>
  readonly status?: number
  readonly has?: Readonly<Record<string, string | undefined | RegExp>>
  readonly body?: string
}

interface Answer {
  readonly status?: number
  readonly fields?: readonly (readonly [string, string])[]
  readonly body?: string
}

const max = (seconds: number): [string, string] => ['Cache-Control', `max-age=${seconds}`]
const fresh = (fields: Answer['fields'] = [], more: Answer = {}): Answer => ({ fields: [max(100), ...fields], ...more })
const HIT = { reaches: false } as const
const MISS = { reaches: true } as const
const ago = (site: Site, seconds: number): string => new Date(site.clock.now() - seconds * 1000).toUTCString()

/** A site whose handler hands everything to an origin, as a proxy does, and brings back what that answers. */
class Scenario {
  readonly site: Site
  readonly #queue: Answer[]
  readonly #asked: IncomingMessage[]

  private constructor(site: Site, queue: Answer[], asked: IncomingMessage[]) {
    this.site = site
    this.#queue = queue
    this.#asked = asked
  }

  static async begin(): Promise<Scenario> {
    const queue: Answer[] = []
    const asked: IncomingMessage[] = []
    const origin = await listen((req, res) => {
      asked.push(req)
      const { status = 200, fields = [], body = `answer ${asked.length}` } = queue.shift() ?? {}
      res.sendDate = false
      const hasDate = fields.some(([name]) => name === 'Date')
      const date = hasDate ? [] : [['Date', new Date(made.clock.now()).toUTCString()] as const]
      res.writeHead(status, [...date, ...fields].flat())
      res.end(req.method === 'HEAD' || status === 304 || status === 204 ? undefined : body)
    })
    const made = await site(app => {
      app.use((req, res, next) => {
        const { method, url, headers } = req
        const up = httpRequest({ port: origin.port, host: '127.0.0.1', method, path: url, headers }, answer => {
          const own = new Set(['keep-alive', 'transfer-encoding'])
          const lines = answer.rawHeaders.filter((_, at, all) => !own.has((all[at - (at % 2)] as string).toLowerCase()))
          res.writeHead(answer.statusCode ?? 500, lines)
          answer.pipe(res)
        })
        up.on('error', next)
        req.pipe(up)
      })
    })
    return new Scenario(made, queue, asked)
  }

  async take({ ask = {}, after = 0, origin, reaches, status, has = {}, body }: Step): Promise<Reply> {
    this.site.clock.advance(after * 1000)
    this.#queue.length = 0
    if (origin) this.#queue.push(origin)
    const before = this.#asked.length
    const { method = 'GET', path = '/a', ...headers } = ask
    const reply = await this.site.get(path, { method, headers })
    await this.site.cache.count()
    if (reaches !== undefined) expect(this.#asked.length - before, 'requests to the origin').toBe(reaches ? 1 : 0)
    for (const [name, value] of Object.entries(reaches || {}))
      expect(this.#asked.at(-1)?.headers[name], name).toBe(value)
    if (status !== undefined) expect(reply.status).toBe(status)
    for (const [name, value] of Object.entries(has)) {
      const got = reply.headers[name]
      if (value instanceof RegExp) expect(String(got)).toMatch(value)
      else expect(got, name).toBe(value)
    }
    if (body !== undefined) expect(reply.text).toBe(body)
    return reply
  }
}

const SCENARIOS: readonly (readonly [title: string, steps: (site: Site) => readonly Step[]])[] = [
  // Freshness, RFC 9111 §4.2
  ['is fresh by max-age, and no longer', () => [{ origin: fresh() }, { after: 99, ...HIT }, { after: 1, ...MISS }]],
  [
    'prefers s-maxage',
    () => [{ origin: { fields: [['Cache-Control', 'max-age=1, s-maxage=50']] } }, { after: 30, ...HIT }],
  ],
  [
    'is fresh by Expires',
    s => [{ origin: { fields: [['Expires', ago(s, -60)]] } }, { after: 30, ...HIT }, { after: 31, ...MISS }],
  ],
  ['takes an Expires that is no date for stale', () => [{ origin: { fields: [['Expires', '0']] } }, MISS]],
  [
    'counts the age that it came with',
    () => [{ origin: fresh([['Age', '60']]) }, { after: 30, ...HIT, has: { age: '90' } }, { after: 11, ...MISS }],
  ],
  [
    'counts the age that Date tells',
    s => [{ origin: fresh([['Date', ago(s, 70)]]) }, { after: 10, ...HIT, has: { age: '80' } }],
  ],
  ['guesses no freshness', s => [{ origin: { fields: [['Last-Modified', ago(s, 1e6)]] } }, MISS]],
  [
    'goes by CDN-Cache-Control first',
    () => [
      {
        origin: {
          fields: [
            ['Cache-Control', 'no-store'],
            ['CDN-Cache-Control', 'max-age=50'],
          ],
        },
      },
      HIT,
    ],
  ],
  [
    'ignores a CDN-Cache-Control that is no dictionary',
    () => [{ origin: { fields: [max(50), ['CDN-Cache-Control', 'max-age=;']] } }, HIT],
  ],
  ...[200, 203, 301, 400, 404, 410, 499, 500, 503, 599].map(
    status =>
      [
        `stores ${status} with explicit freshness`,
        () => [
          { origin: fresh([], { status }), status },
          { ...HIT, status },
        ],
      ] as const,
  ),
  // What is not stored, RFC 9111 §3
  ...['no-store', 'private', 'No-Store', 'max-age=50, private', 'no-store, max-age=100'].map(
    value =>
      [`does not store ${value}`, (): Step[] => [{ origin: { fields: [['Cache-Control', value]] } }, MISS]] as const,
  ),
  ['does not store Set-Cookie', () => [{ origin: fresh([['Set-Cookie', 'a=b']]) }, MISS]],
  ['does not store Vary: *', () => [{ origin: fresh([['Vary', 'accept, *']]) }, MISS]],
  ['does not store an answer to Authorization', () => [{ ask: { authorization: 'x' }, origin: fresh() }, MISS]],
  [
    'stores a public answer to Authorization',
    () => [{ ask: { authorization: 'x' }, origin: { fields: [['Cache-Control', 'public, max-age=9']] } }, HIT],
  ],
  [
    'does not store 206',
    () => [
      {
        ask: { range: 'bytes=0-1' },
        origin: fresh([['Content-Range', 'bytes 0-1/8']], { status: 206, body: 'an' }),
        status: 206,
      },
      MISS,
    ],
  ],
  [
    'does not store what is to be understood and is not',
    () => [{ origin: { status: 599, fields: [['Cache-Control', 'max-age=9, must-understand']] } }, MISS],
  ],
  [
    'leaves alone what a client forbids to store',
    () => [{ ask: { 'cache-control': 'no-store' }, origin: fresh() }, MISS],
  ],
  // Fields, RFC 9111 §3.1
  [
    'keeps all end-to-end fields, and drops those of the connection',
    () => {
      const has = {
        'x-a': 'a, b',
        'x-empty': '',
        'x-odd': 'Ümläut "q" \\',
        'x-hop': undefined,
        'proxy-foo': 'kept',
        'content-type': 'Foo/Bar; x=y',
      }
      const fields: [string, string][] = [
        ['X-A', 'a'],
        ['X-A', 'b'],
        ['X-Empty', ''],
        ['X-Odd', 'Ümläut "q" \\'],
        ['Connection', 'X-Hop'],
        ['X-Hop', '1'],
        ['Proxy-Foo', 'kept'],
        ['Content-Type', 'Foo/Bar; x=y'],
      ]
      return [{ origin: fresh(fields) }, { ...HIT, has }]
    },
  ],
  [
    'leaves Date as it was',
    s => [{ origin: fresh([['Date', ago(s, 5)]]) }, { after: 5, ...HIT, has: { date: ago(s, 5) } }],
  ],
  // Validation, RFC 9111 §4.3
  [
    'validates with ETag and Last-Modified, and updates the fields',
    s => [
      {
        origin: {
          fields: [max(1), ['ETag', '"1"'], ['Last-Modified', ago(s, 99)], ['X-A', 'old'], ['X-B', 'kept']],
          body: 'first',
        },
      },
      {
        after: 5,
        reaches: { 'if-none-match': '"1"', 'if-modified-since': ago(s, 99) },
        origin: { status: 304, fields: [max(50), ['ETag', '"1"'], ['X-A', 'new'], ['Content-Length', '9']] },
        status: 200,
        body: 'first',
        has: { 'x-a': 'new', 'x-b': 'kept', 'content-length': '5' },
      },
      { after: 20, ...HIT, body: 'first', has: { 'x-a': 'new', age: '20' } },
    ],
  ],
  [
    'replaces what is stale',
    () => [
      { origin: { fields: [max(1), ['ETag', '"1"']], body: 'first' } },
      { after: 5, ...MISS, origin: fresh([['ETag', '"2"']], { body: 'second' }), body: 'second' },
      { ...HIT, body: 'second' },
    ],
  ],
  [
    'validates no-cache at each use',
    () => [
      {
        origin: {
          fields: [
            ['Cache-Control', 'no-cache, max-age=100'],
            ['ETag', '"1"'],
          ],
          body: 'first',
        },
      },
      { reaches: { 'if-none-match': '"1"' }, origin: { status: 304, fields: [['ETag', '"1"']] }, body: 'first' },
    ],
  ],
  [
    'forgets what a 304 forbids to keep',
    () => [
      { origin: { fields: [max(1), ['ETag', '"1"']], body: 'first' } },
      {
        after: 5,
        ...MISS,
        origin: {
          status: 304,
          fields: [
            ['ETag', '"1"'],
            ['Cache-Control', 'no-store'],
          ],
        },
        body: 'first',
      },
      { reaches: { 'if-none-match': undefined } },
    ],
  ],
  [
    'answers conditions itself when it validates',
    () => [
      { origin: { fields: [max(1), ['ETag', '"1"']], body: 'first' } },
      {
        ask: { 'if-none-match': '"0", "1"' },
        after: 5,
        reaches: { 'if-none-match': '"1"' },
        origin: { status: 304, fields: [max(9), ['ETag', '"1"']] },
        status: 304,
        body: '',
      },
      { ask: { 'if-none-match': '"0"' }, ...HIT, status: 200, body: 'first' },
    ],
  ],
  [
    'answers conditions on a miss from the full answer, and stores it',
    () => [
      {
        ask: { 'if-none-match': 'W/"1"' },
        reaches: { 'if-none-match': undefined },
        origin: fresh([['ETag', '"1"']], { body: 'first' }),
        status: 304,
        body: '',
      },
      { ...HIT, status: 200, body: 'first' },
      { ask: { 'if-modified-since': new Date(0).toUTCString() }, ...HIT, status: 200 },
    ],
  ],
  // Stale answers, RFC 5861 and RFC 9111 §4.2.4
  [
    'serves stale when the origin fails and it may',
    () => [
      { origin: { fields: [['Cache-Control', 'max-age=1, stale-if-error=50']], body: 'first' } },
      { after: 9, ...MISS, origin: { status: 503 }, status: 200, body: 'first', has: { age: '9' } },
      { after: 60, ...MISS, origin: { status: 503 }, status: 503 },
    ],
  ],
  [
    'does not serve stale where must-revalidate stands',
    () => [
      { origin: { fields: [['Cache-Control', 'max-age=1, stale-if-error=50, must-revalidate']] } },
      { after: 9, ...MISS, origin: { status: 503 }, status: 503 },
    ],
  ],
  [
    'gives a stale answer to whom takes it',
    () => [
      { origin: { fields: [max(1), ['ETag', '"1"']] } },
      { after: 5, ask: { 'cache-control': 'max-stale=10' }, ...HIT },
      { after: 9, ask: { 'cache-control': 'max-stale=10' }, ...MISS },
    ],
  ],
  [
    'answers 504 to only-if-cached',
    () => [
      {
        ask: { 'cache-control': 'only-if-cached' },
        ...HIT,
        status: 504,
        has: { 'cache-status': 'fanout-cache; detail=only-if-cached', 'cache-control': 'no-store' },
      },
      { origin: fresh() },
      { ask: { 'cache-control': 'only-if-cached' }, ...HIT, status: 200 },
    ],
  ],
  [
    'lets no client reload by itself',
    () => [
      { origin: fresh() },
      { ask: { 'cache-control': 'no-cache' }, ...HIT },
      { ask: { pragma: 'no-cache' }, ...HIT },
      { ask: { 'cache-control': 'max-age=0' }, ...HIT },
    ],
  ],
  // Vary, RFC 9111 §4.1
  [
    'keeps a variant for each meaning of what Vary names',
    () => [
      { ask: { 'x-lang': 'de' }, origin: fresh([['Vary', 'X-Lang']], { body: 'de' }) },
      { ask: { 'x-lang': 'en' }, ...MISS, origin: fresh([['Vary', 'X-Lang, , Accept-Encoding']], { body: 'en' }) },
      { ask: { 'x-lang': 'de' }, ...HIT, body: 'de' },
      { ask: { 'x-lang': 'en' }, ...HIT, body: 'en' },
      { ...MISS, origin: fresh([['Vary', 'X-Lang']], { body: 'none' }) },
      { ...HIT, body: 'none' },
    ],
  ],
  [
    'validates the variant that fits',
    () => [
      { ask: { 'x-l': '1' }, origin: { fields: [max(1), ['ETag', '"1"'], ['Vary', 'X-L']], body: 'one' } },
      { ask: { 'x-l': '2' }, origin: { fields: [max(1), ['ETag', '"2"'], ['Vary', 'X-L']], body: 'two' } },
      {
        ask: { 'x-l': '1' },
        after: 5,
        reaches: { 'if-none-match': '"1"' },
        origin: { status: 304, fields: [max(50), ['ETag', '"1"'], ['Vary', 'X-L']] },
        body: 'one',
      },
      { ask: { 'x-l': '1' }, after: 5, ...HIT, body: 'one', has: { age: '5' } },
    ],
  ],
  // Ranges and HEAD
  [
    'cuts ranges out of what is stored',
    () => [
      { origin: fresh([['ETag', '"1"']], { body: '0123456789' }) },
      { ask: { range: 'bytes=2-4' }, ...HIT, status: 206, body: '234', has: { 'content-range': 'bytes 2-4/10' } },
      { ask: { range: 'bytes=-2', 'if-range': '"1"' }, ...HIT, status: 206, body: '89' },
      { ask: { range: 'bytes=-2', 'if-range': '"2"' }, ...HIT, status: 200 },
      { ask: { range: 'bytes=10-' }, ...HIT, status: 416, has: { 'cache-control': 'no-store' } },
      { ask: { range: 'bytes=0-0,5-6' }, ...HIT, status: 206, has: { 'content-type': /^multipart\/byteranges/ } },
    ],
  ],
  [
    'lets a HEAD renew what is stale, or take it away',
    () => [
      { origin: { fields: [max(1), ['ETag', '"1"']], body: 'first' } },
      {
        ask: { method: 'HEAD' },
        after: 5,
        reaches: { 'if-none-match': '"1"' },
        origin: { status: 304, fields: [max(50), ['ETag', '"1"']] },
        status: 200,
        has: { 'content-length': '5' },
      },
      { after: 5, ...HIT, body: 'first' },
      { ask: { method: 'HEAD' }, after: 60, ...MISS, origin: { fields: [max(9), ['ETag', '"2"']] } },
      { reaches: { 'if-none-match': undefined } },
    ],
  ],
  [
    'lets no client that forbids to store take away what is stored',
    () => [
      {
        origin: {
          fields: [
            ['Cache-Control', 'no-cache'],
            ['ETag', '"1"'],
          ],
          body: 'first',
        },
      },
      { ask: { 'cache-control': 'no-store' }, ...MISS, origin: { status: 304, fields: [['ETag', '"1"']] } },
      { reaches: { 'if-none-match': '"1"' }, origin: { status: 304, fields: [['ETag', '"1"']] }, body: 'first' },
    ],
  ],
  [
    'answers HEAD from a GET, and not the reverse',
    () => [
      { ask: { method: 'HEAD' }, origin: fresh() },
      { ...MISS, origin: fresh([], { body: 'first' }) },
      { ask: { method: 'HEAD' }, ...HIT, has: { 'content-length': '5' }, body: '' },
    ],
  ],
  // Invalidation, RFC 9111 §4.4
  ...['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'].map(
    method =>
      [
        `forgets what ${method} has changed`,
        (): Step[] => [{ origin: fresh() }, HIT, { ask: { method }, ...MISS }, MISS],
      ] as const,
  ),
  [
    'forgets what Location and Content-Location name',
    () => [
      { origin: fresh() },
      { ask: { path: '/b' }, origin: fresh() },
      {
        ask: { method: 'POST', path: '/c' },
        origin: {
          status: 201,
          fields: [
            ['Location', '/a'],
            ['Content-Location', '/b'],
          ],
        },
      },
      MISS,
      { ask: { path: '/b' }, ...MISS },
    ],
  ],
  [
    'keeps what an unsafe method failed to change',
    () => [{ origin: fresh() }, { ask: { method: 'POST' }, origin: { status: 500 } }, HIT],
  ],
  [
    'forgets all variants',
    () => [
      { ask: { 'x-l': '1' }, origin: fresh([['Vary', 'X-L']]) },
      { ask: { 'x-l': '2' }, origin: fresh([['Vary', 'X-L']]) },
      { ask: { method: 'POST' } },
      { ask: { 'x-l': '1' }, ...MISS },
      { ask: { 'x-l': '2' }, ...MISS },
    ],
  ],
  [
    'keeps URLs apart byte by byte',
    () => [
      { ask: { path: '/a?b=1&c=2' }, origin: fresh() },
      { ask: { path: '/a?c=2&b=1' }, ...MISS },
      { ask: { path: '/A?b=1&c=2' }, ...MISS },
      { ask: { path: '/%61?b=1&c=2' }, ...MISS },
    ],
  ],
  [
    'keeps what cannot be validated for another minute, for those who take it stale',
    () => [
      { origin: { fields: [max(10)] } },
      { ask: { 'cache-control': 'max-stale=3600' }, after: 69, ...HIT },
      { ask: { 'cache-control': 'max-stale=3600' }, after: 1, ...MISS },
    ],
  ],
  [
    'sends all of what is not stored to who has seen it later than its date',
    made => [
      {
        ask: { 'if-modified-since': ago(made, 10) },
        origin: {
          fields: [
            ['Cache-Control', 'no-store'],
            ['Date', ago(made, 20)],
          ],
        },
        ...MISS,
        status: 200,
        body: 'answer 1',
      },
    ],
  ],
]

describe('a cache in front of a proxy', () => {
  it.each(SCENARIOS)('%s', async (_title, steps) => {
    const scenario = await Scenario.begin()
    for (const step of steps(scenario.site)) await scenario.take(step)
  })

  it('appends to a Cache-Status that came from behind', async () => {
    const scenario = await Scenario.begin()
    await scenario.take({ origin: fresh([['Cache-Status', 'near; hit']]) })
    await scenario.take({ ...HIT, has: { 'cache-status': /^near; ?hit, fanout-cache; hit; ttl=\d+$/ } })
  })

  it('lets interim answers through, and does not take them for the answer', async () => {
    const { port } = await site(app => {
      app.get('/', (_req, res) => {
        res.writeProcessing()
        res.writeEarlyHints({ link: '</style.css>; rel=preload' })
        res.set('Cache-Control', 'max-age=9').send('final')
      })
    })
    const sent = httpRequest({ port, host: '127.0.0.1' }).end()
    const interim: number[] = []
    sent.on('information', ({ statusCode }) => interim.push(statusCode))
    const [reply] = (await once(sent, 'response')) as [IncomingMessage]
    reply.resume()
    await once(reply, 'end')
    expect({ interim, status: reply.statusCode }).toEqual({ interim: [102, 103], status: 200 })
  })
})
