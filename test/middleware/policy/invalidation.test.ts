import { describe, expect, it } from 'vitest'
import { isSafe, urisToInvalidate } from '../../../src/middleware/policy/invalidation.js'
import { get, ok } from './messages.js'

const uris = (method: string, status: number, lines: string[] = [], url = 'http://example.com/a?b') =>
  urisToInvalidate({ ...get(), method, url }, { ...ok(...lines), status })

describe('urisToInvalidate (RFC 9111 §4.4)', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'FOO', 'get', ''])('names the target of %s', method => {
    expect(uris(method, 200)).toEqual(['http://example.com/a?b'])
  })

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'])('names nothing for %s', method => {
    expect(isSafe(method)).toBe(true)
    expect(uris(method, 200, ['Location: /x'])).toEqual([])
  })

  it.each([200, 201, 204, 299, 301, 303, 399])('counts %d for a success', status => {
    expect(uris('POST', status)).toHaveLength(1)
  })

  it.each([100, 199, 400, 404, 500, 503, 600])('does not count %d', status => {
    expect(uris('POST', status, ['Location: /x'])).toEqual([])
  })

  it.each<[lines: string[], more: string[]]>([
    [['Location: /x?y'], ['http://example.com/x?y']],
    [['Location: http://example.com/x'], ['http://example.com/x']],
    [['Location: HTTP://Example.com:80/x#f'], ['http://example.com/x']],
    [['Location: x'], ['http://example.com/x']],
    [['Location: ?q'], ['http://example.com/a?q']],
    [['Location: //example.com/x'], ['http://example.com/x']],
    [['Location: /é'], ['http://example.com/é', 'http://example.com/%C3%A9']],
    [['Location: /a/../b'], ['http://example.com/a/../b', 'http://example.com/b']],
    [['Content-Location: /x'], ['http://example.com/x']],
    [
      ['Location: /x', 'Content-Location: /y'],
      ['http://example.com/x', 'http://example.com/y'],
    ],
    [['Location: /a?b'], []],
    [['Location: https://example.com/x'], []],
    [['Location: http://example.com:81/x'], []],
    [['Location: http://evil.example/x'], []],
    [['Location: //evil.example/x'], []],
    [['Location: \\\\evil.example/x'], []],
    [['Location: http://example.com@evil.example/x'], []],
    [['Location: http://[broken'], []],
    [['Location: javascript:x'], []],
    [['Location:'], []],
  ])('looks at Location and Content-Location of the same origin: %j', (lines, more) => {
    expect(uris('POST', 200, lines)).toEqual(['http://example.com/a?b', ...more])
  })

  it('writes them as keys have them', () => {
    expect(uris('POST', 200, [], 'HTTP://EXAMPLE.com:80/A')).toEqual(['http://example.com/A'])
    expect(uris('POST', 200, [], 'not a URI')).toEqual([])
  })
})
