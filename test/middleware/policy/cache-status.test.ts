import fc from 'fast-check'
import { parseList, Token } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import { appendCacheStatus, type CacheStatus, cacheStatus } from '../../../src/middleware/policy/cache-status.js'
import { fieldValue } from '../../../src/middleware/policy/fields.js'
import { fieldsOf } from './messages.js'

describe('cacheStatus (RFC 9211)', () => {
  it.each<[status: Omit<CacheStatus, 'name'>, text: string]>([
    [{ hit: true, ttl: 30_999 }, 'app; hit; ttl=30'],
    [{ hit: true, ttl: -1 }, 'app; hit; ttl=-1'],
    [{ fwd: 'uri-miss', fwdStatus: 200, stored: true }, 'app; fwd=uri-miss; fwd-status=200; stored'],
    [{ fwd: 'stale', fwdStatus: 304, stored: true, ttl: 60_000 }, 'app; fwd=stale; fwd-status=304; ttl=60; stored'],
    [{ fwd: 'uri-miss', collapsed: true }, 'app; fwd=uri-miss; collapsed'],
    [{ fwd: 'bypass', detail: 'range' }, 'app; fwd=bypass; detail=range'],
    [{ hit: true, fwd: 'stale' }, 'app; fwd=stale'],
    [{ hit: true, collapsed: true }, 'app; hit'],
    [{ hit: false }, 'app'],
    [{ hit: true, key: 'app\nhttp://a/?b="c;d"' }, 'app; hit; key="app http://a/?b=\\"c;d\\""'],
    [{ fwd: 'bypass', detail: 'two words' }, 'app; fwd=bypass; detail="two words"'],
    [{ hit: true, ttl: Number.POSITIVE_INFINITY }, 'app; hit; ttl=999999999999999'],
    [{ hit: true, ttl: Number.NaN }, 'app; hit; ttl=0'],
  ])('%j: %s', (status, text) => {
    expect(cacheStatus({ name: 'app', ...status })).toBe(text)
  })

  it('writes a name that is no token as a string', () => {
    expect(cacheStatus({ name: 'my cache', hit: true })).toBe('"my cache"; hit')
    expect(cacheStatus({ name: '1é\n', hit: true })).toBe('"1? "; hit')
  })

  it('shows the beginning of a long key', () => {
    const key = `app\nhttp://a/${'b'.repeat(500)}`
    expect(cacheStatus({ name: 'app', key })).toBe(`app; key="${key.replace('\n', ' ').slice(0, 256)}"`)
  })

  it('can always be parsed, and says what it was told', () => {
    const status = fc.record({
      name: fc.string({ unit: 'binary' }),
      hit: fc.option(fc.boolean(), { nil: undefined }),
      fwdStatus: fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }),
      ttl: fc.option(fc.double(), { nil: undefined }),
      key: fc.option(fc.string({ unit: 'binary', maxLength: 400 }), { nil: undefined }),
      detail: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
    })
    fc.assert(
      fc.property(status, given => {
        const [member, ...others] = parseList(cacheStatus(given as CacheStatus))
        expect(others).toEqual([])
        const parameters = member?.[1]
        expect(parameters?.get('hit') === true).toBe(given.hit === true)
        expect(parameters?.get('fwd-status')).toBe(given.fwdStatus)
        expect(String(parameters?.get('key') ?? '').length).toBeLessThanOrEqual(256)
        if (given.detail !== undefined && /^[a-z-]+$/.test(given.detail)) {
          expect(['string', 'object']).toContain(typeof parameters?.get('detail'))
          expect(parameters?.get('detail') instanceof Token || given.detail.startsWith('-')).toBe(true)
        }
      }),
    )
  })
})

describe('appendCacheStatus', () => {
  const append = (...lines: string[]) =>
    fieldValue(appendCacheStatus(fieldsOf(lines), { name: 'app', hit: true }), 'Cache-Status')

  it.each<[lines: string[], value: string]>([
    [[], 'app; hit'],
    [['Cache-Status: origin; fwd=miss'], 'origin; fwd=miss, app; hit'],
    [['cache-status: a; hit', 'Cache-Status: b; hit'], 'a; hit, b; hit, app; hit'],
    [['Cache-Status: HIT from somewhere'], 'app; hit'],
    [['Cache-Status:'], 'app; hit'],
  ])('adds to %j', (lines, value) => {
    expect(append(...lines)).toBe(value)
  })

  it('leaves other fields alone', () => {
    expect(appendCacheStatus(fieldsOf(['A: 1']), { name: 'app', hit: true })[0]).toEqual(['A', '1'])
  })
})
