import { FRESH, opened, type Scenario, type Step, scenario, soonStale } from '../scenario.js'

/** Fields that are stored and updated: name, a value, another. */
const STORED: readonly (readonly [name: string, a: string, b: string])[] = [
  ['Test-Header', 'A', 'B'],
  ['X-Test-Header', 'A', 'B'],
  ['Content-Foo', 'A', 'B'],
  ['X-Content-Foo', 'A', 'B'],
  ['Content-Type', 'text/plain', 'text/plain;charset=utf-8'],
  ['Content-Disposition', 'inline', 'attachment'],
  ['Content-Language', 'en', 'de'],
  ['Content-Encoding', 'a', 'b'],
  ['Content-Range', 'bytes 1-5/10', 'bytes 6-9/10'],
  ['Content-Location', '/a', '/b'],
  ['Content-MD5', 'rL0Y20zC+Fzt72VPzMSk2A==', 'N7UdGUp1E+RbVvZSTy1R8g=='],
  ['Content-Security-Policy', "default-src 'self'", "default-src 'self' cdn.example.com"],
  ['Clear-Site-Data', '"cookies"', '"cache"'],
  ['Public-Key-Pins', 'pin-sha256="a="', 'pin-sha256="b="'],
  ['P3P', 'a', 'b'],
  ['Set-Cookie2', 'a=b', 'a=c'],
  ['Strict-Transport-Security', 'max-age=1', 'max-age=2'],
  ['Access-Control-Allow-Origin', '*', 'https://example.com'],
  ['Link', '</a>; rel=next', '</b>; rel=next'],
  ['Warning', '110 - "a"', '112 - "b"'],
  ['WWW-Authenticate', 'Basic realm="a"', 'Basic realm="b"'],
  ['X-Frame-Options', 'deny', 'sameorigin'],
  ['X-XSS-Protection', '1', '0'],
  ['Server', 'a', 'b'],
  ["Odd!#$%&'*+.^_`|~Name", '\xe4\xf6', ''],
]
/** Those that are the business of one connection. */
const OMITTED = ['Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authentication-Info', 'Proxy-Connection', 'TE', 'Upgrade']
const ETAG = 'ETag: "abcdef"'
const LM = 'Last-Modified: @-3600'
const full: Step = { origin: [FRESH, ETAG, LM], body: '0123456789' }

/** INM against a stored tag. */
function tagged(
  id: string,
  etag: string,
  asked: string | readonly string[],
  gets: 200 | 304,
  kind: Scenario['kind'] = 'optional',
): Scenario {
  const ask = [asked].flat().map(value => `If-None-Match: ${value}`)
  return scenario(`conditional-${id}`, kind, { origin: [FRESH, `ETag: ${etag}`] }, { ask, is: 'cached', gets })
}

/** `Range` of a stored body of ten bytes. */
function ranged(id: string, range: string, gets: number, text: string, ...has: readonly string[]): Scenario {
  return scenario(`partial-${id}`, 'optional', full, { ask: [`Range: ${range}`], is: 'cached', gets, text, has })
}

/** Two requests to something that varies. */
function varied(
  id: string,
  vary: readonly string[],
  first: readonly string[],
  second: readonly string[],
  is: 'cached' | 'passed',
): Scenario {
  const kind = is === 'cached' ? 'optional' : 'required'
  return scenario(`vary-${id}`, kind, { origin: [FRESH, ...vary], ask: first }, { ask: second, is })
}

/** Fields, validation, Vary and ranges. */
export const representation: readonly Scenario[] = [
  ...STORED.map(([name, a]) =>
    scenario(
      `store-${name}`,
      'required',
      { origin: [FRESH, `${name}: ${a}`], wait: true },
      { is: 'cached', has: [`${name}: ${a}`] },
    ),
  ),
  scenario('store-ETag', 'required', { origin: [FRESH, ETAG] }, { is: 'cached', has: [ETAG] }),
  scenario(
    'store-Expires',
    'required',
    { origin: [FRESH, 'Expires: Thu, 18 Aug 2050 02:01:18 GMT'] },
    { is: 'cached', has: ['Expires: Thu, 18 Aug 2050 02:01:18 GMT', FRESH] },
  ),
  scenario(
    'store-Content-Length',
    'required',
    { origin: [FRESH, 'Content-Length: 4'], body: 'four' },
    { is: 'cached', has: ['Content-Length: 4'], text: 'four' },
  ),
  scenario(
    'store-lines',
    'required',
    { origin: [FRESH, 'X-A: 1', 'x-a: 2', 'X-A: '] },
    { is: 'cached', has: ['X-A: 1, 2, '] },
  ),
  scenario('store-empty', 'required', { origin: [FRESH, 'X-A: '] }, { is: 'cached', has: ['X-A: '] }),
  scenario(
    'store-no-body',
    'required',
    { origin: [FRESH, 'Content-Length: 0'], body: '' },
    { is: 'cached', has: ['Content-Length: 0'], text: '' },
  ),
  ...opened({ storeSetCookie: true }, [
    scenario(
      'store-Set-Cookie',
      'required',
      { origin: [FRESH, 'Set-Cookie: a=b', 'Set-Cookie: c=d'] },
      { is: 'cached', has: ['Set-Cookie: a=b, c=d'] },
    ),
    scenario('304-update-Set-Cookie', 'required', soonStale(ETAG, 'Set-Cookie: a=b'), {
      is: 'by tag',
      gets: 200,
      origin: ['Set-Cookie: a=c'],
      has: ['Set-Cookie: a=c'],
    }),
    scenario('304-keep-Set-Cookie', 'required', soonStale(ETAG, 'Set-Cookie: a=b'), {
      is: 'by tag',
      gets: 200,
      has: ['Set-Cookie: a=b'],
    }),
  ]),
  ...OMITTED.map(name =>
    scenario(`omit-${name}`, 'required', { origin: [FRESH, `${name}: A`] }, { is: 'cached', has: [name] }),
  ),
  scenario(
    'omit-listed-in-Connection',
    'required',
    { origin: [FRESH, 'Connection: a, B', 'A: 1', 'b: 2', 'C: 3'] },
    { is: 'cached', has: ['A', 'B', 'C: 3'] },
  ),
  scenario(
    'omit-listed-in-no-cache',
    'optional',
    { origin: ['Cache-Control: max-age=3600, no-cache="a, b"', 'A: 1', 'B: 2', 'C: 3'] },
    { is: 'cached', has: ['A', 'B', 'C: 3'] },
  ),
  scenario(
    'omit-listed-in-private',
    'optional',
    { origin: ['Cache-Control: max-age=3600, private="a"', 'A: 1', 'C: 3'] },
    { is: 'cached', has: ['A', 'C: 3'] },
  ),

  ...STORED.flatMap(([name, a, b]) => [
    scenario(`304-keep-${name}`, 'required', soonStale(ETAG, `${name}: ${a}`), {
      is: 'by tag',
      gets: 200,
      has: [`${name}: ${a}`],
      text: `body of 304-keep-${name}`,
    }),
    scenario(
      `304-update-${name}`,
      'required',
      soonStale(LM, `${name}: ${a}`),
      { is: 'by date', gets: 200, origin: [FRESH, `${name}: ${b}`], has: [`${name}: ${b}`] },
      { is: 'cached', has: [`${name}: ${b}`] },
    ),
  ]),
  scenario(
    '304-keep-length',
    'required',
    { ...soonStale(ETAG, 'Content-Length: 4'), body: 'four' },
    { is: 'by tag', origin: ['Content-Length: 9'], gets: 200, has: ['Content-Length: 4'] },
  ),
  scenario(
    '304-of-other-tag',
    'required',
    soonStale(ETAG),
    { is: 'by tag', origin: [FRESH, 'ETag: "other"'], gets: 200, has: [ETAG] },
    { is: 'passed', asked: ['If-None-Match: "abcdef"'] },
  ),
  scenario(
    '304-of-other-tag-same-date',
    'required',
    soonStale(ETAG, 'Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT'),
    {
      is: 'by tag',
      origin: [FRESH, 'ETag: "other"', 'Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT'],
      gets: 200,
      has: ['ETag: "other"'],
    },
    { is: 'cached', has: ['ETag: "other"'] },
  ),
  scenario(
    '304-freshens',
    'required',
    soonStale(ETAG),
    { is: 'by tag', origin: [FRESH], gets: 200, wait: true },
    { is: 'cached', has: ['Number: 2', 'Age > 2'] },
  ),
  scenario(
    '304-forbids',
    'required',
    soonStale(ETAG),
    { is: 'by tag', origin: ['Cache-Control: no-store'], gets: 200 },
    { is: 'passed', asked: ['If-None-Match'] },
  ),
  scenario(
    '304-new-age',
    'required',
    soonStale(ETAG),
    { is: 'by tag', origin: [FRESH, 'Age: 100'], gets: 200 },
    { is: 'cached', has: ['Age > 99'] },
  ),
  scenario('304-both', 'optional', soonStale(ETAG, LM), {
    is: 'by tag',
    gets: 200,
    asked: [ETAG.replace('ETag', 'If-None-Match')],
  }),
  scenario('304-weak', 'required', soonStale('ETag: W/"a"'), {
    is: 'by tag',
    asked: ['If-None-Match: W/"a"'],
    gets: 200,
  }),
  scenario('304-unquoted', 'optional', soonStale('ETag: abcdef'), {
    is: 'by tag',
    asked: ['If-None-Match: abcdef'],
    gets: 200,
  }),
  scenario('304-to-the-client', 'optional', soonStale(ETAG), {
    ask: ['If-None-Match: "abcdef"'],
    is: 'by tag',
    gets: 304,
    has: [ETAG],
  }),
  scenario('304-while-client-has-other', 'required', soonStale(ETAG), {
    ask: ['If-None-Match: "other"'],
    is: 'by tag',
    gets: 200,
    asked: ['If-None-Match: "abcdef"'],
  }),
  scenario(
    '200-replaces',
    'required',
    soonStale(ETAG, 'X-A: 1'),
    { origin: [FRESH, 'ETag: "b"'], body: 'new', is: 'passed' },
    { is: 'cached', text: 'new', has: ['ETag: "b"', 'X-A'] },
  ),

  tagged('strong', '"abcdef"', '"abcdef"', 304),
  tagged('weak', 'W/"abcdef"', 'W/"abcdef"', 304),
  tagged('weak-of-strong', '"abcdef"', 'W/"abcdef"', 304),
  tagged('strong-of-weak', 'W/"abcdef"', '"abcdef"', 304),
  tagged('other', '"abcdef"', '"abc"', 200, 'required'),
  tagged('case', '"abcdef"', '"ABCDEF"', 200, 'required'),
  tagged('first', '"abcdef"', '"abcdef", "1", "2"', 304),
  tagged('second', '"abcdef"', '"1", "abcdef", "2"', 304),
  tagged('last', '"abcdef"', '"1","2",W/"abcdef"', 304),
  tagged('lines', '"abcdef"', ['"1"', '"abcdef"'], 304),
  tagged('comma', '"a,b"', '"a,b"', 304),
  tagged('comma-part', '"a"', '"a,b"', 200, 'required'),
  tagged('backslash', '"abc\\def"', '"abc\\def"', 304),
  tagged('backslash-end', '"abc\\"', '"abc\\", "x"', 304),
  tagged('obs-text', '"abc\xe4def"', '"abc\xe4def"', 304),
  tagged('empty', '""', '""', 304),
  tagged('star', '"abcdef"', '*', 304),
  tagged('unquoted-both', 'abcdef', 'abcdef', 304),
  tagged('unquoted-ask', '"abcdef"', 'abcdef', 200),
  tagged('unquoted-store', 'abcdef', '"abcdef"', 200),
  tagged('weak-lower-case', 'W/"abcdef"', 'w/"abcdef"', 200, 'required'),
  tagged('weak-no-slash', 'W/"abcdef"', 'W"abcdef"', 200, 'required'),
  tagged('no-tag-asked', '"abcdef"', '', 200),
  scenario(
    'conditional-304-fields',
    'required',
    {
      origin: [
        FRESH,
        ETAG,
        'Expires: Thu, 18 Aug 2050 02:01:18 GMT',
        'Vary: Foo',
        'Content-Location: /x',
        'X-A: 1',
        'Date: Thu, 18 Aug 2050 02:01:18 GMT',
      ],
    },
    {
      ask: ['If-None-Match: "abcdef"'],
      is: 'cached',
      gets: 304,
      text: '',
      has: [
        ETAG,
        FRESH,
        'Expires: Thu, 18 Aug 2050 02:01:18 GMT',
        'Vary: Foo',
        'Content-Location: /x',
        'Date: Thu, 18 Aug 2050 02:01:18 GMT',
        'Content-Length',
      ],
    },
  ),
  scenario('conditional-head', 'optional', full, {
    method: 'HEAD',
    ask: ['If-None-Match: "abcdef"'],
    is: 'cached',
    gets: 304,
  }),
  scenario(
    'conditional-404',
    'required',
    { origin: [FRESH, ETAG], status: 404 },
    { ask: ['If-None-Match: "abcdef"'], is: 'cached', gets: 404 },
  ),
  scenario('conditional-precedence', 'required', full, {
    ask: ['If-None-Match: "other"', 'If-Modified-Since: @0'],
    is: 'cached',
    gets: 200,
  }),
  scenario('conditional-precedence-match', 'optional', full, {
    ask: ['If-None-Match: "abcdef"', 'If-Modified-Since: @-7200'],
    is: 'cached',
    gets: 304,
  }),
  scenario('conditional-lm', 'optional', full, { ask: ['If-Modified-Since: @-3600'], is: 'cached', gets: 304 }),
  scenario('conditional-lm-later', 'optional', full, { ask: ['If-Modified-Since: @-3000'], is: 'cached', gets: 304 }),
  scenario('conditional-lm-earlier', 'required', full, { ask: ['If-Modified-Since: @-7200'], is: 'cached', gets: 200 }),
  scenario('conditional-lm-wrong', 'required', full, { ask: ['If-Modified-Since: whenever'], is: 'cached', gets: 200 }),
  scenario('conditional-lm-rfc850', 'optional', full, {
    ask: ['If-Modified-Since: Thursday, 18-Aug-50 02:01:18 GMT'],
    is: 'cached',
    gets: 304,
  }),
  scenario(
    'conditional-lm-none',
    'optional',
    { origin: [FRESH] },
    { ask: ['If-Modified-Since: @0'], is: 'cached', gets: 304 },
  ),
  scenario('conditional-stale-not-304', 'required', soonStale(ETAG), {
    ask: ['If-None-Match: "abcdef"'],
    origin: [FRESH, 'ETag: "new"'],
    is: 'passed',
    gets: 200,
  }),
  scenario(
    'conditional-on-a-miss',
    'optional',
    { ask: ['If-None-Match: "abcdef"'], origin: [FRESH, ETAG], gets: 304 },
    { is: 'cached', gets: 200 },
  ),
  scenario('conditional-private-no-lm', 'required', {
    ask: ['If-Modified-Since: @0'],
    origin: ['Cache-Control: private'],
    gets: 200,
  }),
  scenario('conditional-if-match', 'required', full, { ask: ['If-Match: "other"'], gets: 412 }),

  varied('match', ['Vary: Foo'], ['Foo: 1'], ['Foo: 1'], 'cached'),
  varied('other', ['Vary: Foo'], ['Foo: 1'], ['Foo: 2'], 'passed'),
  varied('absent', ['Vary: Foo'], ['Foo: 1'], [], 'passed'),
  varied('absent-first', ['Vary: Foo'], [], ['Foo: 1'], 'passed'),
  varied('absent-or-empty', ['Vary: Foo'], [], ['Foo: '], 'passed'),
  varied('absent-both', ['Vary: Foo'], [], [], 'cached'),
  varied('field-case', ['vary: FOO'], ['foo: 1'], ['Foo: 1'], 'cached'),
  varied('value-case', ['Vary: Foo'], ['Foo: a'], ['Foo: A'], 'passed'),
  varied('two', ['Vary: Foo, Bar'], ['Foo: 1', 'Bar: a'], ['Bar: a', 'Foo: 1'], 'cached'),
  varied('two-other', ['Vary: Foo, Bar'], ['Foo: 1', 'Bar: a'], ['Foo: 1', 'Bar: b'], 'passed'),
  varied('two-omit', ['Vary: Foo, Bar'], ['Foo: 1'], ['Foo: 1'], 'cached'),
  varied('two-lines', ['Vary: Foo', 'Vary: Bar'], ['Foo: 1', 'Bar: a'], ['Foo: 1', 'Bar: b'], 'passed'),
  varied('three', ['Vary: Foo, Bar, Baz'], ['Foo: 1', 'Bar: a', 'Baz: x'], ['Baz: x', 'Foo: 1', 'Bar: a'], 'cached'),
  varied(
    'three-other',
    ['Vary: Foo,Bar,Baz'],
    ['Foo: 1', 'Bar: a', 'Baz: x'],
    ['Foo: 1', 'Bar: a', 'Baz: y'],
    'passed',
  ),
  varied('unlisted', ['Vary: Foo'], ['Foo: 1', 'Other: 2'], ['Foo: 1', 'Other: 3'], 'cached'),
  varied('empty', ['Vary: '], ['Foo: 1'], ['Foo: 2'], 'cached'),
  ...['*', '*, *', 'Foo, *', '*, Foo', ', *', '*,', ' * '].map((value, at) =>
    varied(`star-${at}`, [`Vary: ${value}`], ['Foo: 1'], ['Foo: 1'], 'passed'),
  ),
  varied('star-lines', ['Vary: Foo', 'Vary: *'], ['Foo: 1'], ['Foo: 1'], 'passed'),
  varied('star-empty-line', ['Vary: ', 'Vary: *'], [], [], 'passed'),
  varied('normalise-combine', ['Vary: Foo'], ['Foo: 1, 2'], ['Foo: 1', 'Foo: 2'], 'cached'),
  varied('normalise-space', ['Vary: Foo'], ['Foo: 1,2'], ['Foo: 1,  2 '], 'cached'),
  varied('normalise-order', ['Vary: Foo'], ['Foo: 1, 2'], ['Foo: 2, 1'], 'passed'),
  varied(
    'normalise-lang-order',
    ['Vary: Accept-Language'],
    ['Accept-Language: en, de'],
    ['Accept-Language: de, en'],
    'cached',
  ),
  varied(
    'normalise-lang-case',
    ['Vary: Accept-Language'],
    ['Accept-Language: en, de'],
    ['Accept-Language: eN, De'],
    'cached',
  ),
  varied(
    'normalise-lang-space',
    ['Vary: Accept-Language'],
    ['Accept-Language: en, de'],
    ['Accept-Language: en ,   de'],
    'cached',
  ),
  varied(
    'normalise-lang-weight',
    ['Vary: Accept-Language'],
    ['Accept-Language: en, de;q=0.5'],
    ['Accept-Language: de; q=0.50, en;q=1.0'],
    'cached',
  ),
  varied(
    'normalise-lang-other',
    ['Vary: Accept-Language'],
    ['Accept-Language: en, de;q=0.5'],
    ['Accept-Language: de, en;q=0.5'],
    'passed',
  ),
  scenario(
    'vary-keeps-variants',
    'optional',
    { origin: [FRESH, 'Vary: Foo'], ask: ['Foo: 1'] },
    { origin: [FRESH, 'Vary: Foo'], ask: ['Foo: 2'], is: 'passed' },
    { ask: ['Foo: 1'], is: 'cached', has: ['Number: 1'] },
    { ask: ['Foo: 2'], is: 'cached', has: ['Number: 2'] },
  ),
  scenario(
    'vary-grows',
    'required',
    { origin: [FRESH, 'Vary: Foo'], ask: ['Foo: 1'] },
    { origin: [FRESH, 'Vary: Foo, Bar'], ask: ['Foo: 2', 'Bar: 1'], is: 'passed' },
    { ask: ['Foo: 2', 'Bar: 2'], is: 'passed' },
  ),
  scenario(
    'vary-appears',
    'required',
    { origin: ['Cache-Control: max-age=2'], ask: ['Foo: 1'], wait: true },
    { origin: [FRESH, 'Vary: Foo'], ask: ['Foo: 1'], is: 'passed' },
    { ask: ['Foo: 2'], is: 'passed' },
  ),

  ranged('first', 'bytes=0-1', 206, '01', 'Content-Range: bytes 0-1/10', 'Content-Length: 2'),
  ranged('open', 'bytes=1-', 206, '123456789', 'Content-Range: bytes 1-9/10'),
  ranged('suffix', 'bytes=-1', 206, '9', 'Content-Range: bytes 9-9/10'),
  ranged('beyond', 'bytes=8-99', 206, '89', 'Content-Range: bytes 8-9/10'),
  ranged('unsatisfiable', 'bytes=10-', 416, '', 'Content-Range: bytes */10'),
  ranged('unit', 'lines=0-1', 200, '0123456789', 'Content-Range'),
  ranged('wrong', 'bytes=5-2', 200, '0123456789', 'Content-Range'),
  scenario('partial-if-range', 'optional', full, {
    ask: ['Range: bytes=0-1', 'If-Range: "abcdef"'],
    is: 'cached',
    gets: 206,
    text: '01',
  }),
  scenario('partial-if-range-other', 'required', full, {
    ask: ['Range: bytes=0-1', 'If-Range: "other"'],
    is: 'cached',
    gets: 200,
  }),
  scenario('partial-if-range-date', 'optional', full, {
    ask: ['Range: bytes=0-1', 'If-Range: @-3600'],
    is: 'cached',
    gets: 206,
  }),
  scenario(
    'partial-if-range-weak',
    'required',
    { ...full, origin: [FRESH, 'ETag: W/"a"'] },
    { ask: ['Range: bytes=0-1', 'If-Range: W/"a"'], is: 'cached', gets: 200 },
  ),
  scenario('partial-conditional-first', 'required', full, {
    ask: ['Range: bytes=0-1', 'If-None-Match: "abcdef"'],
    is: 'cached',
    gets: 304,
  }),
  scenario('partial-head', 'required', full, {
    method: 'HEAD',
    ask: ['Range: bytes=0-1'],
    is: 'cached',
    gets: 200,
    has: ['Content-Length: 10'],
  }),
  scenario(
    'partial-stored-is-not-whole',
    'required',
    { origin: [FRESH, 'Content-Range: bytes 0-3/10'], status: 206, ask: ['Range: bytes=0-3'], body: '0123' },
    { is: 'passed' },
  ),
  scenario(
    'partial-unasked-is-not-whole',
    'required',
    { origin: [FRESH, 'Content-Range: bytes 0-3/10'], status: 206, body: '0123' },
    { is: 'passed' },
  ),
  scenario(
    'partial-stale',
    'required',
    { ...soonStale(ETAG), body: '0123456789' },
    { ask: ['Range: bytes=0-1'], is: 'by tag', gets: 206, text: '01', asked: ['Range'] },
  ),
  scenario(
    'partial-stale-changed',
    'required',
    { ...soonStale(ETAG), body: '0123456789' },
    { ask: ['Range: bytes=0-1'], origin: [FRESH, 'ETag: "b"'], body: 'abcdefghij', is: 'passed' },
  ),
  ...opened({ storePartial: true }, [
    scenario(
      'partial-of-a-part',
      'optional',
      {
        origin: [FRESH, ETAG, 'Content-Range: bytes 4-9/10', 'Content-Length: 6'],
        status: 206,
        ask: ['Range: bytes=4-9'],
        body: '456789',
        wait: true,
      },
      { ask: ['Range: bytes=6-8'], is: 'cached', gets: 206, text: '678', has: ['Content-Range: bytes 6-8/10'] },
    ),
  ]),
  ...opened({ cachePost: true }, [
    scenario(
      'post-for-get',
      'optional',
      { method: 'POST', payload: 'x', origin: [FRESH, 'Content-Location: {base}'], body: 'y' },
      { is: 'cached', text: 'y' },
    ),
  ]),
]
