import { describe } from 'vitest'
import { date } from './messages.js'
import { reply, type Scenario, scenarios } from './scenarios.js'

/** Stored at 0, asked for again after so many seconds: reused, or not. */
function reuse(
  title: string,
  lines: readonly string[],
  after: number,
  reused: boolean,
  request: readonly string[] = [],
): Scenario {
  const second = reused
    ? ({ is: 'cache 200' } as const)
    : ({ is: 'origin 200', origin: reply(), body: 'body' } as const)
  return [
    `${reused ? 'reuses' : 'does not reuse'} ${title}`,
    [
      { at: 0, origin: reply(...lines), is: 'origin 200' },
      { at: after, lines: request, ...second },
    ],
  ]
}

describe('freshness (RFC 9111 §4.2)', () => {
  scenarios([
    reuse('max-age while it lasts', ['Cache-Control: max-age=60'], 59, true),
    reuse('max-age after its time', ['Cache-Control: max-age=60'], 60, false),
    reuse('max-age=0', ['Cache-Control: max-age=0'], 0, false),
    reuse('the greatest max-age', ['Cache-Control: max-age=2147483647'], 1_000_000, true),
    reuse('a max-age that overflows', ['Cache-Control: max-age=99999999999'], 1_000_000, true),
    reuse('max-age that Age has used up', ['Cache-Control: max-age=60', 'Age: 60'], 0, false),
    reuse('max-age with an extension', ['Cache-Control: foo=bar, max-age=60'], 5, true),
    reuse('s-maxage', ['Cache-Control: s-maxage=60, max-age=1'], 5, true),
    reuse('a short s-maxage', ['Cache-Control: max-age=60, s-maxage=1'], 5, false),
    reuse('Expires', [`Expires: ${date(60)}`], 5, true),
    reuse('Expires in the past', [`Expires: ${date(-60)}`], 0, false),
    reuse('Expires: 0', ['Expires: 0'], 0, false),
    reuse('Expires with an old Date', [`Date: ${date(-60)}`, `Expires: ${date(30)}`], 15, true),
    reuse('Expires that Age has used up', [`Expires: ${date(60)}`, 'Age: 60'], 0, false),
    reuse('max-age before a past Expires', ['Cache-Control: max-age=60', 'Expires: 0'], 5, true),
    reuse('CDN-Cache-Control before no-store', ['CDN-Cache-Control: max-age=60', 'Cache-Control: no-store'], 5, true),
    reuse(
      'CDN-Cache-Control: no-store before max-age',
      ['CDN-Cache-Control: no-store', 'Cache-Control: max-age=60'],
      5,
      false,
    ),
    reuse(
      'CDN-Cache-Control: max-age=0 before Expires',
      ['CDN-Cache-Control: max-age=0', `Expires: ${date(60)}`],
      5,
      false,
    ),
    reuse(
      'Cache-Control when CDN-Cache-Control is wrong',
      ['CDN-Cache-Control: max-age=', 'Cache-Control: max-age=60'],
      5,
      true,
    ),
    reuse('what says nothing', [`Last-Modified: ${date(-1_000_000)}`], 0, false),
    reuse('no-store', ['Cache-Control: no-store, max-age=60'], 0, false),
    reuse('private', ['Cache-Control: private, max-age=60'], 0, false),
    reuse('no-cache', ['Cache-Control: no-cache, max-age=60', 'ETag: "a"'], 0, false),
    reuse('must-revalidate while fresh', ['Cache-Control: must-revalidate, max-age=60'], 59, true),
    reuse('must-revalidate when stale', ['Cache-Control: must-revalidate, max-age=60'], 60, false),
    reuse('Pragma: no-cache in a response', ['Cache-Control: max-age=60', 'Pragma: no-cache'], 5, true),
    reuse('what has Set-Cookie', ['Cache-Control: max-age=60', 'Set-Cookie: a=b'], 0, false),
    reuse('for a request with a cookie', ['Cache-Control: max-age=60'], 5, true, ['Cookie: a=b']),
    reuse('an attachment', ['Cache-Control: max-age=60', 'Content-Disposition: attachment'], 5, true),
  ])

  scenarios(
    [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503, 599].map(
      (status): Scenario => [
        `stores and reuses ${status} with explicit freshness, and not when stale`,
        [
          { at: 0, origin: { status, lines: ['Cache-Control: max-age=60'] }, is: `origin ${status}` },
          { at: 59, is: `cache ${status}` },
          { at: 60, origin: reply(), is: 'origin 200' },
        ],
      ],
    ),
  )

  scenarios([
    [
      'tells Age on hits, and leaves Date as it is',
      [
        { at: 0, origin: reply('Cache-Control: max-age=60', `Date: ${date(0)}`), is: 'origin 200', has: ['Age'] },
        { at: 7, is: 'cache 200', has: ['Age: 7', `Date: ${date(0)}`] },
      ],
    ],
    [
      'adds its own time to the Age of others, and that which the answer took',
      [
        {
          at: 0,
          origin: { lines: ['Cache-Control: max-age=60', 'Age: 10'], takes: 3 },
          is: 'origin 200',
          has: ['Age: 10'],
        },
        { at: 10, is: 'cache 200', has: ['Age: 20'] },
      ],
    ],
    [
      'stores every end-to-end field, and no hop-by-hop field',
      [
        {
          at: 0,
          origin: reply(
            'Cache-Control: max-age=60',
            'X-Odd: 1',
            'X-Odd: 2',
            'Connection: X-Near',
            'X-Near: 1',
            'Keep-Alive: 5',
          ),
          is: 'origin 200',
        },
        { at: 1, is: 'cache 200', has: ['X-Odd: 1', 'X-Odd: 2', 'X-Near', 'Keep-Alive', 'Connection'] },
      ],
    ],
    [
      'reuses without the fields that no-cache and private name',
      [
        {
          at: 0,
          origin: reply('Cache-Control: max-age=60, no-cache="A", private="B"', 'A: 1', 'B: 2', 'C: 3'),
          is: 'origin 200',
          has: ['A: 1'],
        },
        { at: 1, is: 'cache 200', has: ['A', 'B', 'C: 3'] },
      ],
    ],
    [
      'lets a newer answer take the place of the old one',
      [
        { at: 0, origin: { lines: ['Cache-Control: max-age=1'], body: 'one' }, is: 'origin 200' },
        { at: 2, origin: { lines: ['Cache-Control: max-age=60'], body: 'two' }, is: 'origin 200', body: 'two' },
        { at: 3, is: 'cache 200', body: 'two' },
      ],
    ],
    [
      'keeps URIs apart by their queries',
      [
        {
          at: 0,
          url: 'http://example.com/a?b',
          origin: { lines: ['Cache-Control: max-age=60'], body: 'b' },
          is: 'origin 200',
        },
        {
          at: 1,
          url: 'http://example.com/a?c',
          origin: { lines: ['Cache-Control: max-age=60'], body: 'c' },
          is: 'origin 200',
        },
        { at: 2, url: 'http://example.com/a?b', is: 'cache 200', body: 'b' },
        { at: 2, url: 'http://other.example/a?b', origin: reply(), is: 'origin 200' },
      ],
    ],
    [
      'guesses freshness only where it is asked to',
      [
        { at: 0, origin: reply(`Last-Modified: ${date(-100)}`), is: 'origin 200' },
        { at: 9, is: 'cache 200' },
        { at: 11, origin: reply(), is: 'origin 200' },
      ],
      { heuristics: true },
    ],
    [
      'gives ttl to answers that say nothing, however long they took, and none of them to who has a cookie',
      [
        { at: 0, origin: { takes: 10 }, is: 'origin 200' },
        { at: 14, is: 'cache 200', has: ['Age: 14'] },
        { at: 14, lines: ['Cookie: a=b'], origin: { body: 'own' }, is: 'origin 200', body: 'own' },
        { at: 14.5, is: 'cache 200', body: 'body' },
        { at: 15, origin: reply(), is: 'origin 200' },
      ],
      { ttl: '5s' },
    ],
    [
      'stores errors for the time of their status',
      [
        { at: 0, origin: { status: 404 }, is: 'origin 404' },
        { at: 1, is: 'cache 404' },
        { at: 2, origin: { status: 404 }, is: 'origin 404' },
      ],
      { statusTtl: { 404: '2s' } },
    ],
    [
      'knows must-understand, for statuses it understands',
      [
        { at: 0, origin: reply('Cache-Control: no-store, must-understand, max-age=60'), is: 'origin 200' },
        { at: 1, is: 'cache 200' },
      ],
    ],
  ])
})

describe('Authorization (RFC 9111 §3.5)', () => {
  const auth = ['Authorization: Bearer x']
  scenarios([
    ...['public', 'must-revalidate', 's-maxage=60'].map(
      (directive): Scenario => [
        `shares what is ${directive}`,
        [
          { at: 0, lines: auth, origin: reply(`Cache-Control: max-age=60, ${directive}`), is: 'origin 200' },
          { at: 1, lines: ['Authorization: Bearer y'], is: 'cache 200' },
          { at: 2, is: 'cache 200' },
        ],
      ],
    ),
    [
      'shares nothing else, in either direction',
      [
        { at: 0, lines: auth, origin: reply('Cache-Control: max-age=60'), is: 'origin 200' },
        { at: 1, origin: reply('Cache-Control: max-age=60'), is: 'origin 200' },
        { at: 2, lines: auth, origin: reply('Cache-Control: max-age=60'), is: 'origin 200' },
        { at: 3, is: 'cache 200' },
      ],
    ],
  ])
})

describe('directives of requests (RFC 9111 §5.2.1)', () => {
  const first = { at: 0, origin: reply('Cache-Control: max-age=60', 'ETag: "a"'), is: 'origin 200' } as const
  const validated = {
    origin: { status: 304, lines: ['ETag: "a"'] },
    is: 'validated 200',
    asks: ['If-None-Match: "a"'],
  } as const
  const all = { requestDirectives: 'all' } as const
  scenarios([
    [
      'lets nobody force validation by default',
      [first, { at: 1, lines: ['Cache-Control: no-cache', 'Pragma: no-cache'], is: 'cache 200' }],
    ],
    ['validates for no-cache', [first, { at: 1, lines: ['Cache-Control: no-cache'], ...validated }], all],
    ['validates for Pragma', [first, { at: 1, lines: ['Pragma: no-cache'], ...validated }], all],
    ['validates for max-age=0', [first, { at: 0, lines: ['Cache-Control: max-age=0'], ...validated }], all],
    [
      'validates for an age that is too great',
      [first, { at: 11, lines: ['Cache-Control: max-age=10'], ...validated }],
      all,
    ],
    [
      'validates for too little freshness',
      [first, { at: 55, lines: ['Cache-Control: min-fresh=10'], ...validated }],
      all,
    ],
    [
      'serves stale to max-stale',
      [first, { at: 65, lines: ['Cache-Control: max-stale=10'], is: 'cache 200', has: ['Age: 65'] }],
    ],
    ['answers 504 to only-if-cached on a miss', [{ at: 0, lines: ['Cache-Control: only-if-cached'], is: 'cache 504' }]],
    [
      'answers 504 to only-if-cached when stale',
      [first, { at: 65, lines: ['Cache-Control: only-if-cached'], is: 'cache 504' }],
    ],
    [
      'answers only-if-cached when fresh',
      [first, { at: 5, lines: ['Cache-Control: only-if-cached'], is: 'cache 200' }],
    ],
    [
      'stores nothing for no-store, and has what is stored',
      [
        { ...first, lines: ['Cache-Control: no-store'] },
        { ...first, at: 1 },
        { at: 2, lines: ['Cache-Control: no-store'], is: 'cache 200' },
      ],
    ],
  ])
})
