import { FRESH, notReused, opened, reused, type Scenario, type Step, scenario, soonStale } from '../scenario.js'

const FRESH_STATUSES = [
  ...[
    200, 201, 202, 203, 204, 205, 226, 299, 300, 301, 302, 303, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 409,
    410, 413, 414, 415, 416, 418, 421, 422, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 599,
  ],
]
const HEURISTIC = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]
const fresh: Step = { origin: [FRESH] }
const fails: Step = { status: 503, trouble: 'closes' }

/** Statuses, methods, directives of requests, stale answers. */
export const exchange: readonly Scenario[] = [
  ...FRESH_STATUSES.flatMap(status => [
    scenario(
      `status-${status}-fresh`,
      'optional',
      { origin: [FRESH], status, wait: true },
      { is: 'cached', gets: status },
    ),
    scenario(
      `status-${status}-stale`,
      'required',
      { origin: ['Cache-Control: max-age=2'], status, wait: true },
      { is: 'passed' },
    ),
    scenario(`status-${status}-silent`, 'required', { status, origin: ['Last-Modified: @-36000'] }, { is: 'passed' }),
  ]),
  scenario(
    'status-must-understand',
    'optional',
    { origin: ['Cache-Control: max-age=3600, no-store, must-understand'] },
    {
      is: 'cached',
    },
  ),
  scenario(
    'status-599-must-understand',
    'required',
    { origin: ['Cache-Control: max-age=3600, must-understand'], status: 599, wait: true },
    { is: 'passed' },
  ),
  scenario(
    'status-599-must-understand-no-store',
    'required',
    { origin: ['Cache-Control: max-age=3600, no-store, must-understand'], status: 599, wait: true },
    { is: 'passed' },
  ),
  reused('status-must-understand-alone', 'Cache-Control: max-age=3600, must-understand'),
  notReused('status-must-understand-private', 'Cache-Control: max-age=3600, must-understand, private'),
  scenario('status-206-unasked', 'required', { origin: [FRESH], status: 206, wait: true }, { is: 'passed' }),
  scenario('status-304-unasked', 'required', { origin: [FRESH], status: 304, wait: true }, { is: 'passed' }),
  ...opened(
    { heuristics: true },
    HEURISTIC.map(status =>
      scenario(
        `heuristic-${status}-cached`,
        'optional',
        { origin: ['Last-Modified: @-100000'], status, wait: true },
        { is: 'cached', gets: status },
      ),
    ),
  ),
  ...opened(
    { heuristics: true },
    [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599].map(status =>
      scenario(
        `heuristic-${status}-not_cached`,
        'required',
        { origin: ['Last-Modified: @-100000'], status, wait: true },
        { is: 'passed' },
      ),
    ),
  ),
  ...opened({ heuristics: true }, [
    scenario(
      'heuristic-599-public',
      'optional',
      { origin: ['Last-Modified: @-100000', 'Cache-Control: public'], status: 599, wait: true },
      { is: 'cached', gets: 599 },
    ),
    notReused('heuristic-young', 'Last-Modified: @-10'),
    notReused('heuristic-pragma', 'Last-Modified: @-100000', 'Pragma: no-cache'),
  ]),

  scenario(
    'head-after-get',
    'optional',
    { origin: [FRESH, 'X-A: 1'] },
    { method: 'HEAD', is: 'cached', has: ['X-A: 1'], text: '' },
  ),
  scenario('get-after-head', 'required', { method: 'HEAD', origin: [FRESH] }, { is: 'passed' }),
  scenario('post-writes-through', 'required', fresh, { method: 'POST', payload: 'x', is: 'passed' }),
  scenario('post-is-not-stored', 'required', { method: 'POST', payload: 'x', origin: [FRESH] }, { is: 'passed' }),
  scenario('options-writes-through', 'required', fresh, { method: 'OPTIONS', is: 'passed' }, { is: 'cached' }),
  ...[401, 404, 405, 410, 500].map(status =>
    scenario(
      `head-${status}-takes-nothing`,
      'required',
      soonStale('ETag: "a"'),
      { method: 'HEAD', status, is: 'passed', wait: true },
      { is: 'passed', asked: ['If-None-Match: "a"'] },
    ),
  ),
  scenario(
    'head-freshens',
    'optional',
    soonStale('ETag: "a"'),
    { method: 'HEAD', origin: [FRESH, 'ETag: "a"', 'X-A: 2'], is: 'passed', wait: true },
    { is: 'cached', has: ['X-A: 2'] },
  ),
  scenario(
    'head-that-says-nothing',
    'required',
    soonStale(),
    { method: 'HEAD', origin: [FRESH], is: 'passed', wait: true },
    { is: 'passed' },
  ),
  scenario(
    'head-contradicts',
    'required',
    soonStale('ETag: "a"'),
    { method: 'HEAD', origin: [FRESH, 'ETag: "b"'], is: 'passed', wait: true },
    { is: 'passed', asked: ['If-None-Match'] },
  ),
  scenario(
    'head-retains',
    'required',
    soonStale('ETag: "a"', 'X-A: 1'),
    { method: 'HEAD', origin: [FRESH, 'ETag: "a"'], is: 'passed', wait: true },
    { has: ['X-A: 1'], origin: ['X-A: 1'] },
  ),
  scenario('head-stale', 'required', soonStale(), { method: 'HEAD', is: 'passed', text: '' }),
  scenario(
    'head-of-no-length',
    'required',
    { method: 'HEAD', origin: [FRESH, 'Content-Length: 12'] },
    { method: 'HEAD', origin: ['Content-Length: 12'], has: ['Content-Length: 12'] },
  ),

  ...(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'MKCOL'] as const).flatMap(method => [
    ...[200, 204, 302].map(status =>
      scenario(`invalidate-${method}-${status}`, 'required', fresh, { method, status, payload: 'x' }, { is: 'passed' }),
    ),
    scenario(`invalidate-${method}-failed`, 'optional', fresh, { method, status: 500 }, { is: 'cached' }),
    ...['Location', 'Content-Location'].map(field =>
      scenario(
        `invalidate-${method}-${field}-elsewhere`,
        'required',
        { ...fresh, url: '/other' },
        { method, origin: [`${field}: http://other.example{base}/other`] },
        { is: 'cached', url: '/other' },
      ),
    ),
    ...['Location', 'Content-Location'].map(field =>
      scenario(
        `invalidate-${method}-${field}-failed`,
        'optional',
        { ...fresh, url: '/other' },
        { method, status: 404, origin: [`${field}: {base}/other`] },
        { is: 'cached', url: '/other' },
      ),
    ),
    ...['Location', 'Content-Location'].map(field =>
      scenario(
        `invalidate-${method}-${field}`,
        'optional',
        { ...fresh, url: '/other' },
        { method, origin: [`${field}: {base}/other`] },
        { is: 'passed', url: '/other' },
      ),
    ),
  ]),
  scenario('invalidate-OPTIONS', 'required', fresh, { method: 'OPTIONS', status: 204 }, { is: 'cached' }),
  scenario(
    'invalidate-query',
    'required',
    { ...fresh, url: '?a' },
    { method: 'PUT', url: '?b', payload: 'x' },
    { is: 'cached', url: '?a' },
  ),
  scenario(
    'invalidate-stale',
    'required',
    soonStale('ETag: "a"'),
    { method: 'DELETE', status: 204 },
    { is: 'passed', asked: ['If-None-Match'] },
  ),
  scenario(
    'invalidate-variants',
    'required',
    { origin: [FRESH, 'Vary: Foo'], ask: ['Foo: 1'] },
    { method: 'PUT', payload: 'x', ask: ['Foo: 2'] },
    { ask: ['Foo: 1'], is: 'passed' },
  ),

  ...opened({ requestDirectives: 'all' }, [
    ...['max-age=0', 'max-age=1', 'no-cache'].map(directive =>
      scenario(
        `ccreq-${directive}`,
        'optional',
        { ...fresh, wait: true },
        { ask: [`Cache-Control: ${directive}`], is: 'passed' },
      ),
    ),
    scenario(
      'ccreq-max-age-less-than-age',
      'optional',
      { origin: [FRESH, 'Age: 1800'] },
      { ask: ['Cache-Control: max-age=600'], is: 'passed' },
    ),
    scenario(
      'ccreq-max-age-more-than-age',
      'optional',
      { origin: [FRESH, 'Age: 600'] },
      { ask: ['Cache-Control: max-age=1800'], is: 'cached' },
    ),
    scenario('ccreq-pragma-beside-cache-control', 'optional', fresh, {
      ask: ['Pragma: no-cache', 'Cache-Control: max-age=60'],
      is: 'cached',
    }),
    scenario(
      'ccreq-min-fresh',
      'optional',
      { origin: ['Cache-Control: max-age=1500'] },
      { ask: ['Cache-Control: min-fresh=2000'], is: 'passed' },
    ),
    scenario(
      'ccreq-min-fresh-age',
      'optional',
      { origin: ['Cache-Control: max-age=1500', 'Age: 1000'] },
      { ask: ['Cache-Control: min-fresh=1000'], is: 'passed' },
    ),
    scenario(
      'ccreq-no-cache-etag',
      'optional',
      { origin: [FRESH, 'ETag: "a"'] },
      { ask: ['Cache-Control: no-cache'], is: 'by tag' },
    ),
    scenario(
      'ccreq-no-cache-lm',
      'optional',
      { origin: [FRESH, 'Last-Modified: @-100'] },
      { ask: ['Cache-Control: no-cache'], is: 'by date' },
    ),
  ]),
  scenario('ccreq-max-stale', 'optional', soonStale(), { ask: ['Cache-Control: max-stale=1000'], is: 'cached' }),
  scenario(
    'ccreq-max-stale-passed',
    'required',
    { ...soonStale('Age: 1'), wait: true },
    { ask: ['Cache-Control: max-stale=1'], is: 'passed' },
  ),
  scenario(
    'ccreq-max-stale-must-revalidate',
    'required',
    { origin: ['Cache-Control: max-age=2, must-revalidate'], wait: true },
    { ask: ['Cache-Control: max-stale=1000'], is: 'passed' },
  ),
  scenario('ccreq-no-store', 'required', { ...fresh, ask: ['Cache-Control: no-store'] }, { is: 'passed' }),
  scenario('ccreq-oic', 'required', { ask: ['Cache-Control: only-if-cached'], gets: 504 }),
  ...['no-cache', 'max-age=0', 'max-age=1, min-fresh=9999'].map(directive =>
    scenario(
      `ccreq-${directive.replace('=', '-')}-ignored`,
      'optional',
      { ...fresh, wait: true },
      { ask: [`Cache-Control: ${directive}`], is: 'cached' },
    ),
  ),
  scenario('ccreq-pragma-ignored', 'optional', { ...fresh, wait: true }, { ask: ['Pragma: no-cache'], is: 'cached' }),
  scenario(
    'ccreq-no-store-fresh',
    'optional',
    fresh,
    { ask: ['Cache-Control: no-store'], is: 'cached' },
    { is: 'cached' },
  ),
  scenario('ccreq-oic-stale', 'required', soonStale(), { ask: ['Cache-Control: only-if-cached'], gets: 504 }),
  scenario('ccreq-max-stale-any', 'optional', soonStale(), {
    ask: ['Cache-Control: max-stale'],
    is: 'cached',
    has: ['Age > 2'],
  }),
  scenario('ccreq-oic-cached', 'optional', fresh, { ask: ['Cache-Control: only-if-cached'], is: 'cached' }),
  scenario(
    'ccreq-unknown',
    'optional',
    { ...fresh, wait: true },
    { ask: ['Cache-Control: what, ever="no-store"'], is: 'cached' },
  ),

  scenario(
    'stale-closes',
    'required',
    { origin: ['Cache-Control: max-age=2, must-revalidate'], wait: true },
    { trouble: 'closes', gets: 502 },
  ),
  scenario(
    'stale-closes-s-maxage',
    'required',
    { origin: ['Cache-Control: s-maxage=2'], wait: true },
    { trouble: 'closes', gets: 502 },
  ),
  scenario(
    'stale-closes-no-cache',
    'required',
    { origin: ['Cache-Control: no-cache', 'ETag: "a"'], wait: true },
    { trouble: 'closes', gets: 502 },
  ),
  scenario(
    'stale-sie-closes',
    'optional',
    { origin: ['Cache-Control: max-age=2, stale-if-error=60'], wait: true },
    { ...fails, gets: 200, has: ['Number: 1'] },
  ),
  ...[500, 502, 503, 504].map(status =>
    scenario(
      `stale-sie-${status}`,
      'optional',
      { origin: ['Cache-Control: max-age=2, stale-if-error=60'], wait: true },
      { status, gets: 200, has: ['Number: 1'] },
    ),
  ),
  scenario(
    'stale-sie-501',
    'required',
    { origin: ['Cache-Control: max-age=2, stale-if-error=60'], wait: true },
    { status: 501, gets: 501 },
  ),
  scenario(
    'stale-sie-window',
    'required',
    { origin: ['Cache-Control: max-age=1, stale-if-error=1'], wait: true },
    { status: 503, gets: 503 },
  ),
  scenario(
    'stale-closes-proxy-revalidate',
    'required',
    { origin: ['Cache-Control: max-age=2, proxy-revalidate'], wait: true },
    { trouble: 'closes', gets: 502 },
  ),
  ...['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'].flatMap(directive => [
    scenario(
      `stale-503-${directive.replace('=', '-')}`,
      'required',
      { origin: [`Cache-Control: max-age=1, ${directive}`, 'ETag: "a"'], wait: true },
      { status: 503, gets: 503 },
    ),
    scenario(
      `stale-sie-${directive.replace('=', '-')}`,
      'required',
      { origin: [`Cache-Control: max-age=1, stale-if-error=60, ${directive}`, 'ETag: "a"'], wait: true },
      { status: 503, gets: 503 },
    ),
    scenario(
      `stale-swr-${directive.replace('=', '-')}`,
      'required',
      { origin: [`Cache-Control: max-age=1, stale-while-revalidate=60, ${directive}`], wait: true },
      { is: 'passed' },
    ),
  ]),
  ...opened({ staleDespiteSMaxage: true }, [
    scenario(
      'stale-sie-despite-s-maxage',
      'optional',
      { origin: ['Cache-Control: s-maxage=1, stale-if-error=60'], wait: true },
      { status: 503, gets: 200, has: ['Number: 1'] },
    ),
  ]),
  scenario(
    'stale-sie-404',
    'required',
    { origin: ['Cache-Control: max-age=2, stale-if-error=60'], wait: true },
    { status: 404, gets: 404 },
  ),
  scenario(
    'stale-swr',
    'optional',
    { origin: ['Cache-Control: max-age=1, stale-while-revalidate=3600'], wait: true },
    { has: ['Number: 1'] },
  ),
  scenario(
    'stale-swr-window',
    'required',
    { origin: ['Cache-Control: max-age=1, stale-while-revalidate=1'], wait: true },
    { is: 'passed' },
  ),

  scenario('authorization', 'required', { ...fresh, ask: ['Authorization: FOO'], wait: true }, { is: 'passed' }),
  scenario(
    'authorization-other',
    'required',
    { ...fresh, ask: ['Authorization: FOO'] },
    { ask: ['Authorization: BAR'], is: 'passed' },
  ),
  ...['public', 'must-revalidate', 's-maxage=3600'].map(directive =>
    scenario(
      `authorization-${directive}`,
      'optional',
      { origin: [`Cache-Control: max-age=3600, ${directive}`], ask: ['Authorization: FOO'], wait: true },
      { is: 'cached' },
    ),
  ),
  scenario(
    'authorization-is-not-given-to',
    'required',
    fresh,
    { ask: ['Authorization: FOO'], is: 'passed' },
    { is: 'cached', has: ['Number: 1'] },
  ),
  scenario('cookie', 'optional', { ...fresh, ask: ['Cookie: a=b'] }, { ask: ['Cookie: a=c'], is: 'cached' }),
  ...opened({ storeSetCookie: true }, [reused('set-cookie', FRESH, 'Set-Cookie: a=b')]),

  scenario('age-is-told', 'required', { ...fresh, wait: true }, { is: 'cached', has: ['Age > 2'] }),
  scenario('age-is-added', 'required', { origin: [FRESH, 'Age: 30'], wait: true }, { is: 'cached', has: ['Age > 32'] }),
  scenario(
    'age-is-added-to-expires',
    'required',
    { origin: ['Expires: @+3600', 'Age: 30'], wait: true },
    { is: 'cached', has: ['Age > 32'] },
  ),
  scenario('age-of-delay', 'required', { origin: [FRESH], trouble: 'slow' }, { is: 'cached', has: ['Age > 2'] }),
  scenario('age-of-old-date', 'required', { origin: [FRESH, 'Date: @-100'] }, { is: 'cached', has: ['Age > 99'] }),
  scenario(
    'date-is-kept',
    'required',
    { origin: [FRESH, 'Date: Thu, 18 Aug 2050 02:01:18 GMT'], wait: true },
    {
      is: 'cached',
      has: ['Date: Thu, 18 Aug 2050 02:01:18 GMT'],
    },
  ),
  scenario(
    'content-disposition',
    'optional',
    { origin: [FRESH, 'Content-Disposition: attachment'], wait: true },
    { is: 'cached' },
  ),
  scenario('interim-102', 'required', { interim: [[102]], informed: [102] }),
  scenario('interim-103', 'required', { interim: [[103]], informed: [103] }),
  scenario(
    'interim-no-field-reuse',
    'required',
    { interim: [[103, { 'x-hint': '1' }]], origin: [FRESH], has: ['X-Hint', 'Link'] },
    { is: 'cached', has: ['X-Hint', 'Link'], informed: [] },
  ),
  scenario(
    'interim-not-cached',
    'required',
    { interim: [[102], [103]], origin: ['Cache-Control: max-age=0'], informed: [102, 103] },
    { is: 'passed' },
  ),
  scenario('interim-while-validating', 'required', soonStale('ETag: "a"'), {
    interim: [[103]],
    is: 'by tag',
    informed: [103],
    gets: 200,
    has: ['Number: 2'],
  }),
]
