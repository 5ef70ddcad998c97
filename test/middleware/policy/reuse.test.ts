import { describe, expect, it } from 'vitest'
import { type PolicyOptions, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { bypassOf, demandsOf } from '../../../src/middleware/policy/request-directives.js'
import { decide, mayServeStaleOnError } from '../../../src/middleware/policy/reuse.js'
import { date, get, NOW, ok, SECOND } from './messages.js'

/** What is decided for a response so many seconds after it arrived: `kind`, and `reason` where there is one. */
function decision(response: string[], after: number, request: string[] = [], options: PolicyOptions = {}): string {
  const made = decide(
    get(...request),
    ok(`Date: ${date(0)}`, ...response),
    NOW + after * SECOND,
    resolvePolicy(options),
  )
  return 'reason' in made ? `${made.kind} ${made.reason}` : made.kind
}

describe('decide (RFC 9111 §4)', () => {
  it.each<[response: string, after: number, expected: string]>([
    ['max-age=60', 0, 'fresh'],
    ['max-age=60', 59.999, 'fresh'],
    ['max-age=60', 60, 'validate stale'],
    ['max-age=0', 0, 'validate stale'],
    ['max-age=60, must-revalidate', 59, 'fresh'],
    ['max-age=60, must-revalidate', 60, 'validate stale'],
    ['max-age=60, no-cache', 0, 'validate no-cache'],
    ['max-age=60, No-Cache', 0, 'validate no-cache'],
    ['max-age=60, no-cache=foo', 0, 'validate no-cache'],
    ['max-age=60, no-cache="foo"', 0, 'fresh'],
    ['max-age=60, stale-while-revalidate=30', 59, 'fresh'],
    ['max-age=60, stale-while-revalidate=30', 60, 'stale-while-revalidate'],
    ['max-age=60, stale-while-revalidate=30', 89, 'stale-while-revalidate'],
    ['max-age=60, stale-while-revalidate=30', 90, 'validate stale'],
    ['max-age=60, stale-while-revalidate=x', 61, 'validate stale'],
    ['max-age=60, stale-while-revalidate=30, must-revalidate', 61, 'validate stale'],
    ['max-age=60, stale-while-revalidate=30, proxy-revalidate', 61, 'validate stale'],
    ['s-maxage=60, stale-while-revalidate=30', 61, 'validate stale'],
    ['max-age=60, stale-while-revalidate=30, no-cache', 61, 'validate no-cache'],
    ['public', 0, 'validate stale'],
  ])('%s after %d s: %s', (response, after, expected) => {
    expect(decision([`Cache-Control: ${response}`], after)).toBe(expected)
  })

  it('goes by the targeted field for stale answers as for freshness', () => {
    const response = [
      'CDN-Cache-Control: max-age=60, stale-while-revalidate=30',
      'Cache-Control: max-age=1, must-revalidate',
    ]
    expect(decision(response, 59)).toBe('fresh')
    expect(decision(response, 61)).toBe('stale-while-revalidate')
  })

  it.each<[options: PolicyOptions, response: string, expected: string]>([
    [{ staleWhileRevalidate: '30s' }, 'max-age=60', 'stale-while-revalidate'],
    [{ staleWhileRevalidate: '30s' }, 'max-age=60, stale-while-revalidate=0', 'validate stale'],
    [{ staleWhileRevalidate: '30s' }, 'max-age=60, must-revalidate', 'validate stale'],
    [{ staleWhileRevalidate: '30s' }, 's-maxage=60', 'validate stale'],
    [{ staleWhileRevalidate: '30s', staleDespiteSMaxage: true }, 's-maxage=60', 'stale-while-revalidate'],
    [{ staleDespiteSMaxage: true }, 's-maxage=60, stale-while-revalidate=30', 'stale-while-revalidate'],
    [{ staleDespiteSMaxage: true }, 's-maxage=60, stale-while-revalidate=30, must-revalidate', 'validate stale'],
  ])('with %j, of a stale %s: %s', (options, response, expected) => {
    expect(decision([`Cache-Control: ${response}`], 61, [], options)).toBe(expected)
  })

  it('tells age and what is left of freshness', () => {
    const stored = ok(`Date: ${date(0)}`, 'Age: 10', 'Cache-Control: max-age=60')
    expect(decide(get(), stored, NOW + 20 * SECOND, resolvePolicy())).toEqual({
      kind: 'fresh',
      age: 30_000,
      ttl: 30_000,
    })
    expect(decide(get(), stored, NOW + 70 * SECOND, resolvePolicy())).toMatchObject({
      kind: 'validate',
      age: 80_000,
      ttl: -20_000,
    })
  })

  it('takes a soft purge for the end of freshness', () => {
    const stored = { ...ok('Cache-Control: max-age=60, stale-while-revalidate=30'), staleSince: NOW + 10 * SECOND }
    const kind = (after: number) => decide(get(), stored, NOW + after * SECOND, resolvePolicy()).kind
    expect([9, 10, 39, 40].map(kind)).toEqual(['fresh', 'stale-while-revalidate', 'stale-while-revalidate', 'validate'])
  })

  it('does not take a soft purge in the future for freshness', () => {
    const stored = { ...ok('Cache-Control: max-age=60'), staleSince: NOW + 100 * SECOND }
    expect(decide(get(), stored, NOW + 61 * SECOND, resolvePolicy()).kind).toBe('validate')
  })

  it.each<[response: string, expected: string]>([
    ['max-age=60', 'bypass authorization'],
    ['max-age=60, public', 'fresh'],
    ['s-maxage=60', 'fresh'],
    ['max-age=60, must-revalidate', 'fresh'],
  ])('keeps requests with Authorization from answers to others: %s %s', (response, expected) => {
    expect(decision([`Cache-Control: ${response}`], 1, ['Authorization: Basic x'])).toBe(expected)
  })

  it('keeps requests with a cookie from what is fresh by ttl only', () => {
    expect(decision([], 1, ['Cookie: a=b'], { ttl: '5s' })).toBe('bypass cookie')
    expect(decision([], 1, ['Cookie: a=b'], { ttl: '5s', ignoreCookies: true })).toBe('fresh')
    expect(decision(['Cache-Control: max-age=60'], 1, ['Cookie: a=b'])).toBe('fresh')
  })
})

describe('directives of requests (RFC 9111 §5.2.1)', () => {
  const all: PolicyOptions = { requestDirectives: 'all' }
  it.each<[request: string, after: number, expected: string]>([
    ['Cache-Control: no-cache', 1, 'validate request'],
    ['Pragma: no-cache', 1, 'validate request'],
    ['Pragma: foo, NO-CACHE', 1, 'validate request'],
    ['Pragma: foo', 1, 'fresh'],
    ['Cache-Control: max-age=0', 0, 'validate request'],
    ['Cache-Control: max-age=10', 10, 'fresh'],
    ['Cache-Control: max-age=10', 11, 'validate request'],
    ['Cache-Control: max-age=x', 11, 'fresh'],
    ['Cache-Control: max-age=100', 61, 'validate stale'],
    ['Cache-Control: min-fresh=10', 50, 'fresh'],
    ['Cache-Control: min-fresh=10', 51, 'validate request'],
    ['Cache-Control: max-stale', 9999, 'stale'],
    ['Cache-Control: max-stale=10', 70, 'stale'],
    ['Cache-Control: max-stale=10', 71, 'validate stale'],
    ['Cache-Control: max-stale=x', 61, 'validate stale'],
    ['Cache-Control: max-stale, max-stale=10', 61, 'validate stale'],
    ['Cache-Control: only-if-cached', 1, 'fresh'],
    ['Cache-Control: only-if-cached', 61, 'gateway-timeout'],
    ['Cache-Control: only-if-cached, no-cache', 1, 'gateway-timeout'],
    ['Cache-Control: only-if-cached, max-stale', 61, 'stale'],
    ['Cache-Control: no-store', 1, 'fresh'],
  ])('%s after %d s: %s', (request, after, expected) => {
    expect(decision(['Cache-Control: max-age=60'], after, [request], all)).toBe(expected)
  })

  it.each(['Cache-Control: no-cache', 'Cache-Control: max-age=0', 'Cache-Control: min-fresh=9999', 'Pragma: no-cache'])(
    'lets no client by the cache unless told to: %s',
    request => {
      expect(decision(['Cache-Control: max-age=60'], 1, [request])).toBe('fresh')
    },
  )

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache'])(
    'gives no stale answer to max-stale with %s',
    directive => {
      expect(decision([`Cache-Control: max-age=60, ${directive}`], 61, ['Cache-Control: max-stale'])).toMatch(
        /^validate/,
      )
    },
  )

  it('serves nothing stale in the background to a client that asked for freshness', () => {
    const response = ['Cache-Control: max-age=60, stale-while-revalidate=60']
    expect(decision(response, 61, ['Cache-Control: min-fresh=1'], all)).toBe('validate stale')
    expect(decision(response, 61, ['Cache-Control: max-age=100'], all)).toBe('stale-while-revalidate')
  })

  it('does not look at Pragma beside Cache-Control (§5.4)', () => {
    expect(decision(['Cache-Control: max-age=60'], 1, ['Pragma: no-cache', 'Cache-Control: foo'], all)).toBe('fresh')
  })

  it('knows what a client demands of a cache without an entry', () => {
    expect(demandsOf(get('Cache-Control: ONLY-if-cached, no-store'), resolvePolicy())).toMatchObject({
      onlyIfCached: true,
      noStore: true,
    })
    expect(demandsOf(get('Cache-Control: only-if-cached'), resolvePolicy({ requestDirectives: [] }))).toMatchObject({
      onlyIfCached: false,
    })
  })
})

describe('bypassOf', () => {
  it.each<[method: string, lines: string[], expected: string | undefined]>([
    ['GET', [], undefined],
    ['HEAD', [], undefined],
    ['GET', ['Content-Length: 0'], undefined],
    ['GET', ['Content-Length: 00'], undefined],
    ['GET', ['Content-Length: 5'], 'body'],
    ['GET', ['Transfer-Encoding: chunked'], 'body'],
    ['GET', ['Upgrade: websocket'], 'upgrade'],
    ['POST', [], 'method'],
    ['get', [], 'method'],
    ['FOO', [], 'method'],
  ])('%s %j: %s', (method, lines, expected) => {
    expect(bypassOf({ ...get(...lines), method })).toBe(expected)
  })
})

describe('mayServeStaleOnError (RFC 5861 §4)', () => {
  it.each<[response: string, after: number, options: PolicyOptions, expected: boolean]>([
    ['max-age=60', 61, {}, false],
    ['max-age=60, stale-if-error=30', 61, {}, true],
    ['max-age=60, stale-if-error=30', 89, {}, true],
    ['max-age=60, stale-if-error=30', 90, {}, false],
    ['max-age=60, stale-if-error=30, must-revalidate', 61, {}, false],
    ['max-age=60, stale-if-error=30, proxy-revalidate', 61, {}, false],
    ['s-maxage=60, stale-if-error=30', 61, {}, false],
    ['s-maxage=60, stale-if-error=30', 61, { staleDespiteSMaxage: true }, true],
    ['max-age=60, stale-if-error=30, no-cache', 1, {}, false],
    ['max-age=60', 61, { staleIfError: '1h' }, true],
    ['max-age=60', 3661, { staleIfError: '1h' }, false],
    ['max-age=60, stale-if-error=0', 61, { staleIfError: '1h' }, false],
    ['max-age=60, must-revalidate', 61, { staleIfError: Number.POSITIVE_INFINITY }, false],
    ['max-age=60', 999_999, { staleIfError: Number.POSITIVE_INFINITY }, true],
    ['max-age=60', 1, {}, true],
    ['max-age=60, must-revalidate', 1, {}, true],
    ['max-age=60, stale-if-error=x', 61, { staleIfError: '1h' }, false],
  ])('%s after %d s with %j: %s', (response, after, options, expected) => {
    expect(mayServeStaleOnError(ok(`Cache-Control: ${response}`), NOW + after * SECOND, resolvePolicy(options))).toBe(
      expected,
    )
  })
})
