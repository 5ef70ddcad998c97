import { describe, expect, it } from 'vitest'
import { DEFAULT_POLICY, type PolicyOptions, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { afterUpdate, storability } from '../../../src/middleware/policy/storability.js'
import { fieldsToStore } from '../../../src/middleware/policy/stored-fields.js'
import { date, fieldsOf, get, NOW, ok, SECOND } from './messages.js'

const STORED = 'stored'

function verdict(request = get(), response = ok(), options: PolicyOptions = {}): string {
  const result = storability(request, response, resolvePolicy(options))
  return result.store ? STORED : result.reason
}

describe('storability of a status (RFC 9111 §3)', () => {
  it.each([
    200, 201, 202, 203, 204, 205, 299, 300, 301, 302, 303, 307, 308, 399, 400, 401, 403, 404, 410, 418, 451, 499, 500,
    502, 503, 504, 599,
  ])('stores %d with explicit freshness, and without only what an option says', status => {
    expect(verdict(get(), { ...ok('Cache-Control: max-age=60'), status })).toBe(STORED)
    expect(verdict(get(), { ...ok(`Expires: ${date(60)}`), status })).toBe(STORED)
    expect(verdict(get(), { ...ok(), status })).toBe('no-freshness')
    expect(verdict(get(), { ...ok(), status }, { statusTtl: { [status]: '1s' } })).toBe(STORED)
  })

  it.each([100, 101, 103, 199, 304, 600, 999, 0, -200, 200.5, Number.NaN])('never stores %d', status => {
    expect(verdict(get(), { ...ok('Cache-Control: max-age=60'), status })).toBe('status')
  })

  it('stores 206 only where it is asked to', () => {
    const partial = { ...ok('Cache-Control: max-age=60', 'Content-Range: bytes 0-1/2'), status: 206 }
    expect(verdict(get(), partial)).toBe('partial')
    expect(verdict(get(), partial, { storePartial: true })).toBe(STORED)
  })
})

describe('storability of a method', () => {
  it.each(['HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'M-SEARCH', ''])(
    'does not store %s',
    method => {
      expect(verdict({ ...get(), method }, ok('Cache-Control: max-age=60'))).toBe('method')
    },
  )

  it.each<[lines: string[], stored: string]>([
    [['Cache-Control: max-age=60', 'Content-Location: /page'], STORED],
    [['Cache-Control: max-age=60', 'Content-Location: HTTP://EXAMPLE.com:80/page'], STORED],
    [['Cache-Control: max-age=60', 'Content-Location: /other'], 'method'],
    [['Cache-Control: max-age=60', 'Content-Location: //evil.example/page'], 'method'],
    [['Cache-Control: max-age=60', 'Content-Location: http://evil.example/page'], 'method'],
    [['Cache-Control: max-age=60', 'Content-Location: /page', 'Content-Location: /page'], 'method'],
    [['Cache-Control: max-age=60'], 'method'],
    [['Content-Location: /page'], 'method'],
  ])('stores answers to POST where it is asked to (RFC 9110 §9.3.3): %j %s', (lines, stored) => {
    const request = { ...get(), method: 'POST' }
    expect(verdict(request, ok(...lines), { cachePost: true, ttl: '5s' })).toBe(stored)
    expect(verdict(request, ok(...lines))).toBe('method')
  })
})

describe('storability by fields', () => {
  it.each<[response: string[], reason: string]>([
    [['Cache-Control: no-store, max-age=60'], 'no-store'],
    [['Cache-Control: max-age=60, NO-STORE'], 'no-store'],
    [['Cache-Control: max-age=60', 'Cache-Control: no-store'], 'no-store'],
    [['Cache-Control: a="b, max-age=60, no-store'], 'no-store'],
    [['Cache-Control: private, max-age=60'], 'private'],
    [['Cache-Control: Private, s-maxage=60, public'], 'private'],
    [['Cache-Control: private="a", max-age=60'], STORED],
    [['Cache-Control: private="a", private, max-age=60'], 'private'],
    [['Cache-Control: private=a, max-age=60'], 'private'],
    [['Cache-Control: max-age=60', 'CDN-Cache-Control: private, max-age=60'], 'private'],
    [['Cache-Control: max-age=60', 'CDN-Cache-Control: no-store'], 'no-store'],
    [['Cache-Control: no-store', 'CDN-Cache-Control: max-age=60'], STORED],
    [['Cache-Control: private', 'CDN-Cache-Control: max-age=60'], STORED],
    [['Cache-Control: no-store', 'CDN-Cache-Control: max-age="60"'], 'no-store'],
    [['Cache-Control: max-age=60', 'Set-Cookie: a=b'], 'set-cookie'],
    [['Cache-Control: max-age=60, public', 'set-cookie:'], 'set-cookie'],
    [['Cache-Control: max-age=60, no-cache="set-cookie"', 'Set-Cookie: a=b'], 'set-cookie'],
    [['Cache-Control: max-age=60', 'Vary: *'], 'vary-star'],
    [['Cache-Control: max-age=60', 'Vary: Accept, *'], 'vary-star'],
    [['Cache-Control: max-age=60', 'Vary: Accept', 'Vary: ,*'], 'vary-star'],
    [['Cache-Control: max-age=60', 'Vary: a b'], 'vary-star'],
    [['Cache-Control: max-age=60', 'Vary: Accept, COOKIE'], 'vary-cookie'],
    [['Cache-Control: max-age=60, public', 'Vary: Authorization'], 'vary-authorization'],
    [['Cache-Control: max-age=60', 'Vary: a, Accept-Encoding', 'Content-Encoding: deflate'], 'coding'],
    [['Cache-Control: max-age=60', 'Vary: Accept-Encoding', 'Content-Encoding: gzip, DCB'], 'coding'],
    [['Cache-Control: max-age=60', 'Content-Encoding: deflate'], STORED],
    [['Cache-Control: max-age=60', 'Vary: Accept'], STORED],
    [['Cache-Control: max-age=60', 'X-Accel-Redirect: /a'], 'accelerated'],
    [['Cache-Control: max-age=60', 'X-Sendfile: /a'], 'accelerated'],
    [['Cache-Control: max-age=60', 'X-LIGHTTPD-send-file: /a'], 'accelerated'],
    [['Cache-Control: max-age=60', 'Pragma: no-cache'], STORED],
    [['Cache-Control: max-age=60', 'Content-Disposition: attachment'], STORED],
    [['Cache-Control: max-age=0'], 'stale'],
    [['Cache-Control: max-age=60', 'Age: 60'], 'stale'],
    [[`Expires: ${date(-1)}`], 'stale'],
    [['Cache-Control: max-age=0', 'ETag: "a"'], STORED],
    [['Cache-Control: max-age=0, stale-while-revalidate=9'], STORED],
    [['Cache-Control: max-age=0, stale-if-error=9'], STORED],
    [['Cache-Control: max-age=0, stale-if-error=9, must-revalidate'], 'stale'],
    [['Cache-Control: no-cache', 'ETag: "a"'], STORED],
    [['Cache-Control: no-cache', `Last-Modified: ${date(-9)}`], STORED],
    [['Cache-Control: no-cache, max-age=60'], 'no-cache'],
    [['Cache-Control: no-cache'], 'no-cache'],
    [['Cache-Control: no-cache, stale-while-revalidate=9'], 'no-cache'],
    [['ETag: "a"', `Last-Modified: ${date(-9)}`], 'no-freshness'],
    [['Cache-Control: public'], 'no-freshness'],
    [[], 'no-freshness'],
  ])('%j: %s', (response, reason) => {
    expect(verdict(get(), ok(...response))).toBe(reason)
  })

  it('does not store what only a 304 could use, if told so', () => {
    expect(verdict(get(), ok('Cache-Control: no-cache', 'ETag: "a"'), { storeForValidation: false })).toBe('no-cache')
    expect(verdict(get(), ok('Cache-Control: max-age=0', 'ETag: "a"'), { storeForValidation: false })).toBe('stale')
  })

  it('stores Set-Cookie only where it is asked to', () => {
    expect(verdict(get(), ok('Cache-Control: max-age=60', 'Set-Cookie: a=b'), { storeSetCookie: true })).toBe(STORED)
  })

  it.each([
    ['GET', 'max-age=60, no-store, must-understand', 200, STORED],
    ['GET', 'max-age=60, no-store, must-understand', 404, STORED],
    ['GET', 'max-age=60, no-store, must-understand', 499, 'must-understand'],
    ['GET', 'max-age=60, must-understand', 299, 'must-understand'],
    ['GET', 'max-age=60, must-understand, private', 200, 'private'],
  ])('knows must-understand (RFC 9111 §5.2.2.3): %s %s %d', (method, directives, status, expected) => {
    expect(verdict({ ...get(), method }, { ...ok(`Cache-Control: ${directives}`), status })).toBe(expected)
  })

  it.each([
    ['max-age=60', 'authorization'],
    ['max-age=60, public', STORED],
    ['max-age=60, public=1', 'authorization'],
    ['max-age=60, must-revalidate', STORED],
    ['max-age=60, must-revalidate=1', 'authorization'],
    ['s-maxage=60', STORED],
    ['s-maxage=x, max-age=60', 'authorization'],
    ['max-age=60, proxy-revalidate', 'authorization'],
    ['a="public, must-revalidate", max-age=60', 'authorization'],
  ])('of the answer to Authorization (RFC 9111 §3.5) with %s: %s', (directives, expected) => {
    expect(verdict(get('Authorization: Bearer x'), ok(`Cache-Control: ${directives}`))).toBe(expected)
  })

  it('heeds no-store of the client, unless told not to', () => {
    const request = get('Cache-Control: no-store')
    expect(verdict(request, ok('Cache-Control: max-age=60'))).toBe('request-no-store')
    expect(verdict(request, ok('Cache-Control: max-age=60'), { requestDirectives: [] })).toBe(STORED)
  })

  it('does not apply ttl to requests with a cookie, explicit freshness does', () => {
    expect(verdict(get('Cookie: a=b'), ok(), { ttl: '5s' })).toBe('cookie')
    expect(verdict(get('Cookie: a=b'), ok(), { ttl: '5s', ignoreCookies: true })).toBe(STORED)
    expect(verdict(get('Cookie: a=b'), ok('Cache-Control: max-age=60'))).toBe(STORED)
  })

  it('counts ttl from the arrival, and explicit freshness from the request', () => {
    const slow = (...lines: string[]) => ({ ...ok(...lines), requestedAt: NOW - 10 * SECOND })
    expect(verdict(get(), slow(), { ttl: '5s' })).toBe(STORED)
    expect(verdict(get(), slow('Cache-Control: max-age=5'))).toBe('stale')
  })
})

describe('afterUpdate', () => {
  const fresh = 'Cache-Control: max-age=60'
  it.each<[request: string[], updated: string[], expected: string]>([
    [[], [fresh], 'update'],
    [[], ['Cache-Control: private, max-age=60'], 'remove'],
    [[], ['Cache-Control: max-age=0'], 'remove'],
    [[], [fresh, 'Vary: *'], 'remove'],
    [[], [fresh, 'Vary: a, B'], 'update'],
    [[], [fresh, 'Vary: a, c'], 'refetch'],
    [['Cache-Control: no-store'], [fresh, 'Vary: c'], 'refetch'],
    [['Cache-Control: no-store'], [fresh], 'keep'],
    [['Cache-Control: no-store'], ['Cache-Control: no-store'], 'remove'],
    [['Authorization: x'], [fresh], 'keep'],
    [['Authorization: x'], [`${fresh}, public`], 'update'],
  ])('of a request with %j and %j: %s', (request, updated, expected) => {
    const stored = ok(fresh, 'Vary: a, b')
    expect(afterUpdate(get(...request), stored, ok(...updated), DEFAULT_POLICY)).toBe(expected)
    expect(afterUpdate({ ...get(...request), method: 'HEAD' }, stored, ok(...updated), DEFAULT_POLICY)).toBe(expected)
  })
})

describe('fieldsToStore (RFC 9111 §3.1)', () => {
  it('leaves out what private and no-cache name, and hop-by-hop fields', () => {
    const lines = [
      'Cache-Control: max-age=9, private="a", no-cache="B, c"',
      'A: 1',
      'b: 2',
      'C: 3',
      'D: 4',
      'Connection: e',
      'E: 5',
    ]
    expect(fieldsToStore(fieldsOf(lines), DEFAULT_POLICY)).toEqual(fieldsOf([lines[0] ?? '', 'D: 4']))
  })

  it('goes by the targeted field where there is one', () => {
    const lines = ['Cache-Control: private="a"', 'CDN-Cache-Control: max-age=9, private="b"', 'A: 1', 'B: 2']
    expect(fieldsToStore(fieldsOf(lines), DEFAULT_POLICY)).toEqual(fieldsOf(lines.slice(0, 3)))
  })

  it('keeps the directives by which it is judged later', () => {
    const lines = ['Cache-Control: max-age=9, private="cache-control"']
    expect(fieldsToStore(fieldsOf(lines), DEFAULT_POLICY)).toEqual(fieldsOf(lines))
  })
})
