import { describe } from 'vitest'
import { date } from './messages.js'
import { reply, type Scenario, type Step, scenarios } from './scenarios.js'

const FRESH = 'Cache-Control: max-age=60'

describe('Vary (RFC 9111 §4.1)', () => {
  const en: Step = { at: 0, lines: ['Foo: 1'], origin: { lines: [FRESH, 'Vary: Foo'], body: 'one' }, is: 'origin 200' }
  const other: Step = {
    at: 1,
    lines: ['Foo: 2'],
    origin: { lines: [FRESH, 'Vary: Foo'], body: 'two' },
    is: 'origin 200',
  }
  scenarios([
    ['reuses for the same value', [en, { at: 1, lines: ['foo: 1'], is: 'cache 200', body: 'one' }]],
    ['does not reuse for another value', [en, other]],
    ['does not reuse for no value', [en, { ...other, lines: [] }]],
    ['does not reuse where there was no value', [{ ...en, lines: [] }, other]],
    [
      'reuses where there was no value, for none',
      [
        { ...en, lines: [] },
        { at: 1, is: 'cache 200' },
      ],
    ],
    [
      'keeps several variants',
      [
        en,
        other,
        { at: 2, lines: ['Foo: 1'], is: 'cache 200', body: 'one' },
        { at: 2, lines: ['Foo: 2'], is: 'cache 200', body: 'two' },
      ],
    ],
    [
      'looks at all fields that are named, on all lines',
      [
        { at: 0, lines: ['A: 1', 'B: 1'], origin: reply(FRESH, 'Vary: a', 'Vary: B'), is: 'origin 200' },
        { at: 1, lines: ['B: 1', 'A: 1', 'C: 1'], is: 'cache 200' },
        { at: 1, lines: ['A: 1', 'B: 2'], origin: reply(), is: 'origin 200' },
      ],
    ],
    [
      'combines lines',
      [
        { ...en, lines: ['Foo: 1', 'Foo: 2'] },
        { at: 1, lines: ['Foo: 1,2'], is: 'cache 200' },
      ],
    ],
    ...['*', '*, Foo', 'Foo, *', ',*', '*, *'].map(
      (vary): Scenario => [
        `never reuses Vary: ${vary}`,
        [
          { at: 0, lines: ['Foo: 1'], origin: reply(FRESH, `Vary: ${vary}`), is: 'origin 200' },
          { at: 0, lines: ['Foo: 1'], origin: reply(), is: 'origin 200' },
        ],
      ],
    ),
    [
      'takes the codings of a request by their meaning',
      [
        {
          at: 0,
          lines: ['Accept-Encoding: gzip, deflate, br'],
          origin: reply(FRESH, 'Vary: Accept-Encoding'),
          is: 'origin 200',
        },
        { at: 1, lines: ['Accept-Encoding: br, gzip'], is: 'cache 200' },
        { at: 1, lines: ['Accept-Encoding: gzip'], origin: reply(FRESH, 'Vary: Accept-Encoding'), is: 'origin 200' },
      ],
    ],
    [
      'does not let an expired variant hide another (undici #5094)',
      [
        { ...en, origin: { lines: ['Cache-Control: max-age=5', 'Vary: Foo'], body: 'one' } },
        other,
        { at: 10, lines: ['Foo: 2'], is: 'cache 200', body: 'two' },
      ],
    ],
  ])
})

describe('validation (RFC 9111 §4.3)', () => {
  const stored: Step = {
    at: 0,
    origin: reply('Cache-Control: max-age=5', 'ETag: "a"', 'A: 1', 'Content-Length: 4'),
    is: 'origin 200',
  }
  scenarios([
    [
      'asks with the entity tag, and updates what a 304 says',
      [
        stored,
        {
          at: 9,
          origin: { status: 304, lines: [FRESH, 'ETag: "a"', 'A: 2', 'Content-Length: 0'] },
          is: 'validated 200',
          asks: ['If-None-Match: "a"'],
          has: ['A: 2', 'Content-Length: 4', 'Age: 0', `Date: ${date(9)}`],
          body: 'body',
        },
        { at: 60, is: 'cache 200', has: ['A: 2', 'Age: 51'], body: 'body' },
      ],
    ],
    [
      'asks with Last-Modified',
      [
        { at: 0, origin: reply('Cache-Control: max-age=5', `Last-Modified: ${date(-99)}`), is: 'origin 200' },
        {
          at: 9,
          origin: { status: 304 },
          is: 'validated 200',
          asks: [`If-Modified-Since: ${date(-99)}`, 'If-None-Match'],
        },
      ],
    ],
    [
      'asks without conditions when there is no validator',
      [
        { ...stored, origin: reply('Cache-Control: max-age=5') },
        { at: 9, origin: reply(), is: 'origin 200', asks: ['If-None-Match'] },
      ],
    ],
    [
      'validates no-cache each time',
      [
        { at: 0, origin: reply('Cache-Control: no-cache', 'ETag: "a"'), is: 'origin 200' },
        { at: 1, origin: { status: 304, lines: ['ETag: "a"'] }, is: 'validated 200' },
        { at: 2, origin: { status: 304, lines: ['ETag: "a"'] }, is: 'validated 200' },
      ],
    ],
    [
      'takes the new answer where there is one',
      [
        stored,
        { at: 9, origin: { lines: [FRESH, 'ETag: "b"'], body: 'new' }, is: 'origin 200', body: 'new' },
        { at: 10, is: 'cache 200', has: ['ETag: "b"'] },
      ],
    ],
    [
      'forgets what a 304 has made private',
      [
        stored,
        {
          at: 9,
          origin: { status: 304, lines: ['Cache-Control: private, max-age=60', 'ETag: "a"'] },
          is: 'validated 200',
        },
        { at: 10, origin: reply(), is: 'origin 200' },
      ],
    ],
    [
      'is done by HEAD as well',
      [
        stored,
        {
          at: 9,
          method: 'HEAD',
          origin: { status: 304, lines: [FRESH, 'ETag: "a"'] },
          is: 'validated 200',
          asks: ['If-None-Match: "a"'],
        },
        { at: 10, is: 'cache 200', body: 'body' },
      ],
    ],
    [
      'lets no client take away what is stored by no-store',
      [
        stored,
        {
          at: 9,
          lines: ['Cache-Control: no-store'],
          origin: { status: 304, lines: [FRESH, 'ETag: "a"'] },
          is: 'validated 200',
        },
        {
          at: 10,
          origin: { status: 304, lines: [FRESH, 'ETag: "a"'] },
          is: 'validated 200',
          asks: ['If-None-Match: "a"'],
        },
        { at: 11, is: 'cache 200' },
      ],
    ],
    [
      'answers the condition of the client after validation',
      [
        stored,
        {
          at: 9,
          lines: ['If-None-Match: "a"'],
          origin: { status: 304, lines: ['ETag: "a"'] },
          is: 'validated 304',
          asks: ['If-None-Match: "a"'],
        },
      ],
    ],
    [
      'does not ask with the condition of the client',
      [
        stored,
        {
          at: 9,
          lines: ['If-None-Match: "z"'],
          origin: { status: 304, lines: ['ETag: "a"'] },
          is: 'validated 200',
          asks: ['If-None-Match: "a"'],
        },
      ],
    ],
  ])
})

describe('conditions and ranges of clients (RFC 9110 §13, §14)', () => {
  const stored: Step = {
    at: 0,
    origin: { lines: [FRESH, 'ETag: "a"', `Last-Modified: ${date(-99)}`], body: '0123456789' },
    is: 'origin 200',
  }
  const asked = (lines: string[], status: number, body?: string, has?: string[]): readonly Step[] => [
    stored,
    { at: 1, lines, is: `cache ${status}`, ...(body === undefined ? {} : { body }), ...(has ? { has } : {}) },
  ]
  scenarios([
    ['answers 304 to If-None-Match', asked(['If-None-Match: "z", W/"a"'], 304, '')],
    ['answers 200 to another tag', asked(['If-None-Match: "z"'], 200)],
    ['answers 304 to If-Modified-Since', asked([`If-Modified-Since: ${date(-99)}`], 304)],
    ['prefers If-None-Match', asked(['If-None-Match: "z"', `If-Modified-Since: ${date(0)}`], 200)],
    ['answers 412 to If-Match of another tag', asked(['If-Match: "z"'], 412)],
    ['answers a range', asked(['Range: bytes=2-4'], 206, '234', ['Content-Range: bytes 2-4/10'])],
    ['answers a range without end', asked(['Range: bytes=8-'], 206, '89')],
    ['answers a suffix', asked(['Range: bytes=-2'], 206, '89')],
    ['answers 416', asked(['Range: bytes=10-'], 416, '', ['Content-Range: bytes */10'])],
    ['answers a range with If-Range', asked(['Range: bytes=0-0', 'If-Range: "a"'], 206, '0')],
    ['answers all with another If-Range', asked(['Range: bytes=0-0', 'If-Range: "z"'], 200, '0123456789')],
    ['evaluates conditions before ranges', asked(['Range: bytes=10-', 'If-None-Match: "a"'], 304)],
    [
      'answers HEAD from a GET',
      [stored, { at: 1, method: 'HEAD', is: 'cache 200', body: '', has: ['ETag: "a"', 'Age: 1'] }],
    ],
    [
      'strips conditions on a miss, so that the whole answer is stored, and answers them itself',
      [
        {
          ...stored,
          lines: ['If-None-Match: "a"', 'Range: bytes=0-1'],
          is: 'origin 304',
          asks: ['If-None-Match', 'Range'],
        },
        { at: 1, is: 'cache 200', body: '0123456789' },
      ],
    ],
    [
      'answers no conditions on errors',
      [
        { at: 0, origin: { status: 404, lines: [FRESH, 'ETag: "a"'] }, is: 'origin 404' },
        { at: 1, lines: ['If-None-Match: "a"'], is: 'cache 404' },
      ],
    ],
    [
      'stores no 206',
      [
        { at: 0, origin: { status: 206, lines: [FRESH] }, is: 'origin 206' },
        { at: 1, origin: reply(), is: 'origin 200' },
      ],
    ],
  ])
})

describe('stale answers (RFC 5861)', () => {
  const stored = (directives: string): Step => ({
    at: 0,
    origin: { lines: [`Cache-Control: ${directives}`, 'ETag: "a"'], body: 'old' },
    is: 'origin 200',
  })
  const fails = (is: Step['is'], origin: Step['origin'] = 'down'): Step => ({ at: 9, origin, is })
  scenarios([
    ['do not stand in for errors unasked', [stored('max-age=5'), fails('origin 502')]],
    ['stand in for a handler that is down', [stored('max-age=5, stale-if-error=60'), fails('stale 200')]],
    ...[500, 502, 503, 504].map(
      (status): Scenario => [
        `stand in for ${status}`,
        [stored('max-age=5, stale-if-error=60'), fails('stale 200', { status })],
      ],
    ),
    ['do not stand in for 404', [stored('max-age=5, stale-if-error=60'), fails('origin 404', { status: 404 })]],
    ['do not stand in when the window is over', [stored('max-age=5, stale-if-error=3'), fails('origin 502')]],
    ['stand in by option', [stored('max-age=5'), fails('stale 200')], { staleIfError: '1m' }],
    ...['must-revalidate', 'proxy-revalidate', 's-maxage=5', 'no-cache'].map(
      (directive): Scenario => [
        `never stand in with ${directive}`,
        [stored(`max-age=5, stale-if-error=60, stale-while-revalidate=60, ${directive}`), fails('origin 502')],
        { staleIfError: '1m', staleWhileRevalidate: '1m' },
      ],
    ),
    [
      'are served while they are validated, and renewed by that',
      [
        stored('max-age=5, stale-while-revalidate=60'),
        {
          at: 9,
          origin: { lines: [FRESH], body: 'new' },
          is: 'stale 200',
          body: 'old',
          has: ['Age: 9'],
          asks: ['If-None-Match: "a"'],
        },
        { at: 10, is: 'cache 200', body: 'new' },
      ],
    ],
    [
      'are not served after the window',
      [
        stored('max-age=5, stale-while-revalidate=3'),
        { at: 9, origin: { lines: [FRESH], body: 'new' }, is: 'origin 200', body: 'new' },
      ],
    ],
    [
      'are kept when the validation fails',
      [stored('max-age=5, stale-while-revalidate=60'), fails('stale 200'), fails('stale 200', { status: 503 })],
    ],
  ])
})

describe('invalidation (RFC 9111 §4.4)', () => {
  const page: Step = { at: 0, origin: reply(FRESH), is: 'origin 200' }
  const again: Step = { ...page, at: 2 }
  const kept: Step = { at: 2, is: 'cache 200' }
  const change = (method: string, status = 200, lines: string[] = [], url = 'http://example.com/page'): Step => ({
    at: 1,
    method,
    url,
    origin: { status, lines },
    is: `origin ${status}`,
  })
  scenarios([
    ...['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'].map(
      (method): Scenario => [`by ${method}`, [page, change(method), again]],
    ),
    ['by 303', [page, change('POST', 303), again]],
    ['not by OPTIONS', [page, change('OPTIONS'), kept]],
    ['not by 404 or 500', [page, change('POST', 404), change('DELETE', 500), kept]],
    ['of Location', [page, change('POST', 201, ['Location: /page'], 'http://example.com/form'), again]],
    [
      'of Content-Location',
      [page, change('PUT', 200, ['Content-Location: http://example.com/page'], 'http://example.com/form'), again],
    ],
    [
      'not of another origin',
      [page, change('POST', 201, ['Location: http://example.com/page'], 'http://evil.example/'), kept],
    ],
    [
      'by a HEAD that contradicts',
      [
        { ...page, origin: reply('Cache-Control: max-age=5', 'ETag: "a"') },
        { at: 6, method: 'HEAD', origin: reply(FRESH, 'ETag: "b"'), is: 'origin 200' },
        { ...again, at: 7 },
      ],
    ],
    [
      'not by a HEAD that agrees, which updates',
      [
        { ...page, origin: reply('Cache-Control: max-age=5', 'ETag: "a"') },
        { at: 6, method: 'HEAD', origin: reply(FRESH, 'ETag: "a"', 'A: 1'), is: 'origin 200' },
        { at: 7, is: 'cache 200', has: ['A: 1'], body: 'body' },
      ],
    ],
    [
      'of a POST that is stored for later GETs',
      [
        {
          ...change('POST', 200, [FRESH, 'Content-Location: /page']),
          origin: { lines: [FRESH, 'Content-Location: /page'], body: 'made' },
        },
        { at: 2, is: 'cache 200', body: 'made' },
        { ...change('POST'), at: 3 },
        { ...again, at: 4 },
      ],
      { cachePost: true },
    ],
  ])
})
