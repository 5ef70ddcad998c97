import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  authorityOf,
  cacheKey,
  checkCacheName,
  type KeyParts,
  parseCacheKey,
  purgePrefix,
  purgeUrl,
  variantKey,
} from '../../../src/middleware/policy/cache-key.js'

const parts: KeyParts = { name: 'app', scheme: 'http', authority: 'example.com', target: '/a?b' }
const keyOf = (given: Partial<KeyParts>) => {
  const made = cacheKey({ ...parts, ...given })
  return 'key' in made ? made.key : made.none
}

describe('cacheKey', () => {
  it.each<[given: Partial<KeyParts>, key: string]>([
    [{}, 'app\nhttp://example.com/a?b'],
    [{ scheme: 'https' }, 'app\nhttps://example.com/a?b'],
    [{ authority: 'EXAMPLE.com:80' }, 'app\nhttp://example.com/a?b'],
    [{ authority: 'example.com:443', scheme: 'https' }, 'app\nhttps://example.com/a?b'],
    [{ authority: 'example.com:443' }, 'app\nhttp://example.com:443/a?b'],
    [{ authority: 'example.com:8080' }, 'app\nhttp://example.com:8080/a?b'],
    [{ authority: 'example.com:' }, 'app\nhttp://example.com/a?b'],
    [{ authority: '[::1]:3000' }, 'app\nhttp://[::1]:3000/a?b'],
    [{ target: '/A/../%2e%2E//a;x=1?z=1&a=2#f' }, 'app\nhttp://example.com/A/../%2e%2E//a;x=1?z=1&a=2#f'],
    [{ target: '/é' }, 'app\nhttp://example.com/é'],
    [{ target: '/\x00' }, 'bad-url'],
    [{ target: '/a\nb' }, 'bad-url'],
    [{ target: '/a b' }, 'bad-url'],
    [{ target: '*' }, 'bad-url'],
    [{ target: 'http://evil.example/' }, 'bad-url'],
    [{ target: '' }, 'bad-url'],
    [{ target: `/${'a'.repeat(8192)}` }, 'long-url'],
    [{ authority: '' }, 'no-host'],
    [{ authority: 'a/b' }, 'bad-host'],
    [{ authority: 'a@b' }, 'bad-host'],
    [{ authority: 'a b' }, 'bad-host'],
    [{ authority: 'a\nb' }, 'bad-host'],
    [{ authority: 'a:80:90' }, 'bad-host'],
    [{ authority: 'a:x' }, 'bad-host'],
    [{ authority: 'é' }, 'bad-host'],
    [{ authority: 'a'.repeat(256) }, 'bad-host'],
    [{ scheme: 'ftp' }, 'bad-host'],
  ])('of %j is %j', (given, key) => {
    expect(keyOf(given)).toBe(key)
  })

  it('has up to 8192 characters', () => {
    const rest = 8192 - keyOf({ target: '/' }).length
    expect(keyOf({ target: `/${'a'.repeat(rest)}` })).toHaveLength(8192)
    expect(keyOf({ target: `/${'a'.repeat(rest + 1)}` })).toBe('long-url')
  })

  it('is different for different requests, and can be read back', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '?', '.', '\n', '%', '@', '8', '0') })
    const request = fc.record({
      name: fc.constantFrom('a', 'b', 'a b'),
      scheme: fc.constantFrom('http', 'https'),
      authority: text,
      target: text.map(rest => `/${rest}`),
    })
    fc.assert(
      fc.property(request, request, (a, b) => {
        const [first, second] = [cacheKey(a), cacheKey(b)]
        if (!('key' in first) || !('key' in second)) return true
        const host = ({ authority, scheme }: typeof a) =>
          authority.toLowerCase().replace(scheme === 'http' ? /:(80)?$/ : /:$/, '')
        const same = a.name === b.name && a.scheme === b.scheme && a.target === b.target && host(a) === host(b)
        expect(parseCacheKey(first.key)).toEqual({ name: a.name, url: `${a.scheme}://${host(a)}${a.target}` })
        return same === (first.key === second.key)
      }),
      { numRuns: 500 },
    )
  })

  it('has variants that are no keys of others', () => {
    const key = keyOf({})
    const variant = variantKey(key, 'accept: a\n')
    expect(variant).toMatch(/^app\nhttp:\/\/example\.com\/a\?b\n[0-9a-f]{64}$/)
    expect(variantKey(key, 'accept: b\n')).not.toBe(variant)
    expect(parseCacheKey(variant)).toEqual({ name: 'app', url: 'http://example.com/a?b', variant: variant.slice(-64) })
  })

  it.each(['', 'app', 'app\n', 'app\nx', '\nhttp://a/', 'app\nhttp:///', 'app\nhttp://a/\nb\nc'])(
    'does not read %j',
    key => {
      expect(parseCacheKey(key)).toBeUndefined()
    },
  )
})

describe('authorityOf', () => {
  it.each([
    ['example.com', {}, 'example.com'],
    ['EXAMPLE.com:80', {}, 'example.com'],
    [undefined, {}, 'no-host'],
    ['', {}, 'no-host'],
    ['a b', {}, 'bad-host'],
    ['example.com', { hosts: ['Example.com', 'b.example:80'] }, 'example.com'],
    ['b.example', { hosts: ['Example.com', 'b.example:80'] }, 'b.example'],
    ['b.example:81', { hosts: ['b.example'] }, 'foreign-host'],
    ['evil.example', { hosts: ['example.com'] }, 'foreign-host'],
    ['evil.example', { hosts: [] }, 'foreign-host'],
    ['evil.example', { authority: 'example.com' }, 'example.com'],
    ['a b', { authority: 'example.com', hosts: [] }, 'example.com'],
    [undefined, { authority: 'example.com' }, 'example.com'],
  ])('of %j under %j is %s', (host, rule, expected) => {
    const made = authorityOf(host, 'http', rule)
    expect('authority' in made ? made.authority : made.none).toBe(expected)
  })
})

describe('purging', () => {
  const key = (target: string, more: Partial<KeyParts> = {}) => keyOf({ target, ...more })

  it.each<[prefix: string, target: string, matches: boolean]>([
    ['http://example.com/news', '/news', true],
    ['http://example.com/news', '/news/1', true],
    ['http://example.com/news', '/newsletter', true],
    ['http://example.com/news/', '/newsletter', false],
    ['http://example.com/news/', '/news', false],
    ['http://example.com/news/', '/news/1?a', true],
    ['HTTP://EXAMPLE.COM:80/news/', '/news/1', true],
    ['http://example.com', '/', true],
    ['http://example.co', '/', false],
    ['http://example.com/news?', '/news?a', true],
    ['https://example.com/', '/', false],
    ['/news/', '/news/1', true],
    ['/news/', '/x/news/1', false],
    ['/', '/news/1', true],
  ])('of the prefix %s concerns %s: %s', (prefix, target, matches) => {
    const purged = purgePrefix('app', prefix)
    for (const found of [key(target), variantKey(key(target), 'x')]) {
      expect(purged.matches(found)).toBe(matches)
      if (matches) expect(found.startsWith(purged.keyPrefix)).toBe(true)
    }
  })

  it.each<[url: string, target: string, matches: boolean]>([
    ['http://example.com/a', '/a', true],
    ['http://example.com/a#top', '/a', true],
    ['http://example.com/a', '/ab', false],
    ['http://example.com/a', '/a?b', false],
    ['http://example.com', '/', true],
    ['/a?b', '/a?b', true],
    ['/a', '/a?b', false],
  ])('of the URL %s concerns %s: %s', (url, target, matches) => {
    const purged = purgeUrl('app', url)
    expect(purged.matches(key(target))).toBe(matches)
    expect(purged.matches(variantKey(key(target), 'x'))).toBe(matches)
    if (matches) expect(key(target).startsWith(purged.keyPrefix)).toBe(true)
  })

  it('concerns no cache of another name, and no other entries', () => {
    const purged = purgePrefix('app', '/')
    expect(purged.matches(key('/a', { name: 'app2' }))).toBe(false)
    expect(purged.matches(key('/a', { name: 'ap' }))).toBe(false)
    expect(purged.matches('app\nsomething else')).toBe(false)
  })

  it.each(['', 'news', 'ftp://a/', 'example.com/a', '//example.com/a b\n'])('does not take %j', text => {
    if (text.startsWith('/')) return expect(purgePrefix('app', text).matches(key('/'))).toBe(false)
    expect(() => purgePrefix('app', text)).toThrow(TypeError)
    expect(() => purgeUrl('app', text)).toThrow(/url must be/)
  })
})

describe('checkCacheName', () => {
  it.each(['my cache é', 'x'.repeat(200)])('takes a short line: %s', name => {
    expect(checkCacheName(name)).toBe(name)
  })

  it.each(['', 'a\nb', 'a\x00', 'a\x7f', 'x'.repeat(201)])('refuses %j', name => {
    expect(() => checkCacheName(name)).toThrow(RangeError)
  })

  it.each([undefined, null, 5, {}])('refuses what is no text: %s', name => {
    expect(() => checkCacheName(name)).toThrow(TypeError)
  })
})
