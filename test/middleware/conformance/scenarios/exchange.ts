import { FRESH, notReused, opened, reused, type Scenario, type Step, scenario, soonStale } from '../scenario.js'

const FRESH_STATUSES = [
  ...[
    200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 405, 410, 414, 418, 451, 499, 500, 501, 502, 503, 504, 599,
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
        `invalidate-${method}-${field}`,
        'optional',
        { ...fresh, url: '/other' },
        { method, origin: [`${field}: {base}/other`] },
        { is: 'passed', url: '/other' },
      ),
    ),
  ]),
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
    'stale-sie-must-revalidate',
    'required',
    { origin: ['Cache-Control: max-age=1, stale-if-error=60, must-revalidate'], wait: true },
    { status: 503, gets: 503 },
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
