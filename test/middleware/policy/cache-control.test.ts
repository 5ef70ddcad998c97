import { describe, expect, it } from 'vitest'
import {
  durationOf,
  isGranted,
  isUnqualified,
  parseCacheControl,
  qualifiedNames,
} from '../../../src/middleware/policy/cache-control.js'

describe('parseCacheControl (RFC 9111 §5.2)', () => {
  it('has names in lower case, and lines together', () => {
    expect([...parseCacheControl(['MAX-AGE=5, No-Store', 'public']).keys()]).toEqual(['max-age', 'no-store', 'public'])
  })

  it('does not look into quoted strings', () => {
    const directives = parseCacheControl(['extension="max-age=100, no-store", max-age=1'])
    expect([...directives.keys()]).toEqual(['extension', 'max-age'])
    expect(durationOf(directives, 'max-age')).toBe(1000)
  })

  it.each([
    ['max-age=60', 60_000],
    ['Max-Age=60', 60_000],
    ['max-age="60"', 60_000],
    ['max-age="6\\0"', 60_000],
    ['max-age=0060', 60_000],
    ['max-age=0', 0],
    ['max-age=2147483647', 2_147_483_647_000],
    ['max-age=2147483649', 2_147_483_648_000],
    ['max-age=99999999999999999999999999', 2_147_483_648_000],
    ['max-age=60, max-age=60', 60_000],
    ['max-age=60, a=b, max-age=1', 'invalid'],
    ['max-age=1, max-age=60', 'invalid'],
    ['max-age=60, max-age', 'invalid'],
    ["max-age='60'", 'invalid'],
    ['max-age=-60', 'invalid'],
    ['max-age=+60', 'invalid'],
    ['max-age=60.0', 'invalid'],
    ['max-age=6e1', 'invalid'],
    ['max-age=60a', 'invalid'],
    ['max-age=a60', 'invalid'],
    ['max-age=60;a=b', 'invalid'],
    ['max-age =60', 'invalid'],
    ['max-age= 60', 'invalid'],
    ['max-age', 'invalid'],
    ['max-age=', 'invalid'],
    ['max-age=""', 'invalid'],
    ['max-age="60', 'invalid'],
    ['max-age:60', 'invalid'],
    ['x-max-age=60', undefined],
    ['max-age-x=60', undefined],
    ['', undefined],
  ])('reads %s as %s', (line, duration) => {
    expect(durationOf(parseCacheControl([line]), 'max-age')).toBe(duration)
  })

  it.each([
    'no-store',
    'NO-STORE',
    'no-store=1',
    'no-store;',
    'no-store =x',
    'a,no-store',
    'a="x, no-store',
    'no-store="',
  ])('sees no-store in %s', line => {
    expect(parseCacheControl([line]).has('no-store')).toBe(true)
  })

  it.each([
    ['public', true],
    ['Public', true],
    ['public=1', false],
    ['public;', false],
    ['"public"', false],
  ])('takes %s for a grant: %s', (line, granted) => {
    expect(isGranted(parseCacheControl([line]), 'public')).toBe(granted)
  })
})

describe('qualified private and no-cache (RFC 9111 §5.2.2.4, §5.2.2.7)', () => {
  it.each<[line: string, unqualified: boolean, names: string[]]>([
    ['private', true, []],
    ['private="A, b"', false, ['a', 'b']],
    ['private="a", private="b"', false, ['a', 'b']],
    ['private="a", private', true, ['a']],
    ['private=a', true, []],
    ['private=true', true, []],
    ['private=""', true, []],
    ['private="a b"', true, []],
    ['private="a', true, []],
    ['private;', true, []],
    ['x-private', false, []],
  ])('takes %s for unqualified: %s, with the names %j', (line, unqualified, names) => {
    const directives = parseCacheControl([line])
    expect(isUnqualified(directives, 'private')).toBe(unqualified)
    expect(qualifiedNames(directives, 'private')).toEqual(names)
  })
})
