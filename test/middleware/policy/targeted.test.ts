import { describe, expect, it } from 'vitest'
import { durationOf, isUnqualified, qualifiedNames } from '../../../src/middleware/policy/cache-control.js'
import { effectiveDirectives, parseTargeted } from '../../../src/middleware/policy/targeted.js'
import { fieldsOf } from './messages.js'

describe('parseTargeted (RFC 9213 §2.1)', () => {
  it.each([
    ['max-age=60', 60_000],
    ['max-age=60;a=b;c', 60_000],
    ['max-age=60, foo=bar;x', 60_000],
    ['max-age=60, foo=?1, bar="x", baz=(1 2)', 60_000],
    ['max-age=1, max-age=60', 60_000],
    ['max-age=-1', 'invalid'],
    ['public', undefined],
  ])('reads max-age of %s as %s', (value, duration) => {
    const directives = parseTargeted(value)
    expect(directives && durationOf(directives, 'max-age')).toBe(duration)
  })

  it.each([
    ['empty', ''],
    ['upper case', 'Max-Age=60'],
    ['an open quote', 'max-age=60, a="'],
    ['a colon', 'max-age:60'],
    ['spaces around =', 'max-age = 60'],
    ['a boolean that is none', 'max-age=60, foo=?2'],
    ['a trailing comma', 'max-age=60,'],
    ['a string for seconds', 'max-age="60"'],
    ['a decimal for seconds', 'max-age=60.5'],
    ['a decimal that is whole', 'public, max-age=60.0'],
    ['no value for seconds', 'max-age'],
    ['more than an integer can be', 'max-age=9999999999999999'],
    ['bytes above ASCII', 'max-age=60, a="é"'],
  ])('ignores the whole field: %s', (_title, value) => {
    expect(parseTargeted(value)).toBeUndefined()
  })

  it('knows private and no-cache, with and without fields, and what is false', () => {
    expect(isUnqualified(parseTargeted('private') ?? new Map(), 'private')).toBe(true)
    expect(isUnqualified(parseTargeted('private=?0, max-age=1') ?? new Map(), 'private')).toBe(false)
    expect(qualifiedNames(parseTargeted('no-cache="A, b"') ?? new Map(), 'no-cache')).toEqual(['a', 'b'])
    expect(parseTargeted('no-store=1')?.has('no-store')).toBe(true)
  })
})

describe('effectiveDirectives (RFC 9213 §2.2)', () => {
  const targets = ['App-Cache-Control', 'CDN-Cache-Control']
  it.each<[title: string, lines: string[], maxAge: number | 'invalid' | undefined, targeted: boolean]>([
    ['takes the first of the list', ['CDN-Cache-Control: max-age=1', 'App-Cache-Control: max-age=2'], 2000, true],
    ['takes the next if one is invalid', ['App-Cache-Control: max-age=', 'CDN-Cache-Control: max-age=1'], 1000, true],
    [
      'takes a targeted field before Cache-Control',
      ['Cache-Control: no-store', 'CDN-Cache-Control: max-age=1'],
      1000,
      true,
    ],
    [
      'takes Cache-Control if all others are invalid',
      ['Cache-Control: max-age=3', 'CDN-Cache-Control: &'],
      3000,
      false,
    ],
    [
      'takes Cache-Control if a targeted field is empty',
      ['Cache-Control: max-age=3', 'CDN-Cache-Control:'],
      3000,
      false,
    ],
    ['joins the lines of a targeted field', ['CDN-Cache-Control: public', 'CDN-Cache-Control: max-age=1'], 1000, true],
    [
      'does not know the targeted fields of others',
      ['Other-Cache-Control: max-age=9', 'Cache-Control: max-age=3'],
      3000,
      false,
    ],
  ])('%s', (_title, lines, maxAge, targeted) => {
    const effective = effectiveDirectives(fieldsOf(lines), targets)
    expect(durationOf(effective.directives, 'max-age')).toBe(maxAge)
    expect(effective.targeted).toBe(targeted)
  })
})
