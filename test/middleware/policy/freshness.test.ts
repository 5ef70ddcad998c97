import { describe, expect, it } from 'vitest'
import { ageField, ageValue, currentAge, freshnessOf } from '../../../src/middleware/policy/freshness.js'
import { DEFAULT_POLICY, type PolicyOptions, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { date, NOW, ok, SECOND } from './messages.js'

describe('the lifetime of freshness (RFC 9111 §4.2.1)', () => {
  it.each<[title: string, lines: string[], seconds: number]>([
    ['max-age', ['Cache-Control: max-age=60'], 60],
    ['max-age in another case', ['cache-control: MAX-AGE=60'], 60],
    ['max-age in the second line', ['Cache-Control: foo', 'Cache-Control: max-age=60'], 60],
    ['max-age after unknown directives', ['Cache-Control: a, b=c, d="e, max-age=1", max-age=60'], 60],
    ['a huge max-age', ['Cache-Control: max-age=99999999999'], 2 ** 31],
    ['s-maxage before max-age', ['Cache-Control: max-age=1, s-maxage=60'], 60],
    ['a short s-maxage before a long max-age', ['Cache-Control: s-maxage=1, max-age=60'], 1],
    ['s-maxage before Expires', ['Cache-Control: s-maxage=60', `Expires: ${date(-9)}`], 60],
    ['a wrong s-maxage is stale, whatever max-age', ['Cache-Control: s-maxage=a, max-age=60'], 0],
    ['max-age before Expires', ['Cache-Control: max-age=60', `Expires: ${date(9)}`], 60],
    ['max-age=0 before Expires', ['Cache-Control: max-age=0', `Expires: ${date(9)}`], 0],
    ['a wrong max-age is stale, whatever Expires', ['Cache-Control: max-age=x', `Expires: ${date(9)}`], 0],
    ['different max-ages are stale', ['Cache-Control: max-age=60', 'Cache-Control: max-age=5'], 0],
    ['Expires less Date', [`Date: ${date(-5)}`, `Expires: ${date(60)}`], 65],
    ['Expires with Date in the future', [`Date: ${date(50)}`, `Expires: ${date(60)}`], 10],
    ['Expires without Date', [`Expires: ${date(60)}`], 60],
    ['Expires with a wrong Date', ['Date: today', `Expires: ${date(60)}`], 60],
    ['Expires with two Dates', [`Date: ${date(0)}`, `Date: ${date(-60)}`, `Expires: ${date(60)}`], 60],
    ['Expires as RFC 850', ['Expires: Thursday, 01-Jan-26 12:01:00 GMT'], 60],
    ['Expires as asctime', ['Expires: Thu Jan  1 12:01:00 2026'], 60],
    ['Expires in the past', [`Expires: ${date(-60)}`], 0],
    ['Expires that is Date', [`Date: ${date(0)}`, `Expires: ${date(0)}`], 0],
    ['Expires: 0', ['Expires: 0'], 0],
    ['Expires: -1', ['Expires: -1'], 0],
    ['an empty Expires', ['Expires:'], 0],
    ['two Expires', [`Expires: ${date(60)}`, `Expires: ${date(60)}`], 0],
    ['two Expires in a line', [`Expires: ${date(60)}, ${date(60)}`], 0],
    ['Expires with another zone', ['Expires: Thu, 01 Jan 2026 12:01:00 AEST'], 0],
    ['CDN-Cache-Control before all', ['CDN-Cache-Control: max-age=60', 'Cache-Control: s-maxage=1'], 60],
    [
      'the own targeted field before that',
      ['fanout-cache-Cache-Control: max-age=60', 'CDN-Cache-Control: max-age=1'],
      60,
    ],
    [
      'CDN-Cache-Control that is wrong counts for nothing',
      ['CDN-Cache-Control: max-age="1"', 'Cache-Control: max-age=60'],
      60,
    ],
  ])('goes by %s: %j is fresh for %s seconds', (_title, lines, seconds) => {
    expect(freshnessOf(ok(...lines), DEFAULT_POLICY)).toEqual({ lifetime: seconds * SECOND, source: 'explicit' })
  })

  it.each<[title: string, lines: string[]]>([
    ['no field', []],
    ['Last-Modified, as heuristics are off', [`Last-Modified: ${date(-100_000)}`]],
    ['public alone', ['Cache-Control: public']],
    ['Expires beside CDN-Cache-Control without seconds', ['CDN-Cache-Control: public', `Expires: ${date(60)}`]],
    ['max-age in a quoted string', ['Cache-Control: a="max-age=60"']],
  ])('does not find freshness in %s', (_title, lines) => {
    expect(freshnessOf(ok(...lines), DEFAULT_POLICY)).toEqual({ lifetime: 0, source: 'none' })
  })
})

describe('freshness by options', () => {
  const of = (options: PolicyOptions, status: number, ...lines: string[]) =>
    freshnessOf({ ...ok(...lines), status }, resolvePolicy(options))

  it('takes ttl for answers that say nothing', () => {
    expect(of({ ttl: '5s' }, 200)).toEqual({ lifetime: 5000, source: 'option' })
    expect(of({ ttl: '5s' }, 200, 'Cache-Control: public')).toEqual({ lifetime: 5000, source: 'option' })
  })

  it.each([201, 206, 302, 303, 307, 400, 404, 410, 500, 503])('does not take ttl for %d', status => {
    expect(of({ ttl: '5s' }, status).source).toBe('none')
  })

  it('takes the time of a status before ttl', () => {
    expect(of({ ttl: '5s', statusTtl: { 404: '1s', 200: '2s' } }, 404).lifetime).toBe(1000)
    expect(of({ ttl: '5s', statusTtl: { 404: '1s', 200: '2s' } }, 200).lifetime).toBe(2000)
  })

  it.each([
    'Cache-Control: max-age=1',
    'Cache-Control: max-age=x',
    'Expires: 0',
    'CDN-Cache-Control: max-age=1',
    'Cache-Control: no-cache',
    'Cache-Control: no-store',
    'Cache-Control: private',
    'Pragma: no-cache',
  ])('leaves answers alone that have %s', line => {
    expect(of({ ttl: '5s', statusTtl: { 200: '5s' }, heuristics: true }, 200, line).source).not.toBe('option')
  })

  it.each<[title: string, options: PolicyOptions, status: number, lines: string[], seconds: number | undefined]>([
    ['a tenth of the time since', { heuristics: true }, 200, [`Last-Modified: ${date(-100)}`], 10],
    ['a day at most', { heuristics: true }, 200, [`Last-Modified: ${date(-100_000_000)}`], 86_400],
    [
      'another part, another limit',
      { heuristics: { fraction: 1, max: '20s' } },
      200,
      [`Last-Modified: ${date(-100)}`],
      20,
    ],
    ['no time for a date in the future', { heuristics: true }, 200, [`Last-Modified: ${date(100)}`], 0],
    ['404', { heuristics: true }, 404, [`Last-Modified: ${date(-100)}`], 10],
    ['no 206', { heuristics: true }, 206, [`Last-Modified: ${date(-100)}`], undefined],
    ['no 201', { heuristics: true }, 201, [`Last-Modified: ${date(-100)}`], undefined],
    ['no 599', { heuristics: true }, 599, [`Last-Modified: ${date(-100)}`], undefined],
    ['a 201 that is public', { heuristics: true }, 201, [`Last-Modified: ${date(-100)}`, 'Cache-Control: public'], 10],
    ['nothing without Last-Modified', { heuristics: true }, 200, [], undefined],
    ['nothing with a wrong one', { heuristics: true }, 200, ['Last-Modified: x'], undefined],
  ])('guesses, if asked to (RFC 9111 §4.2.2): %s', (_title, options, status, lines, seconds) => {
    const expected =
      seconds === undefined ? { lifetime: 0, source: 'none' } : { lifetime: seconds * SECOND, source: 'heuristic' }
    expect(of(options, status, ...lines)).toEqual(expected)
  })
})

describe('Age (RFC 9111 §5.1)', () => {
  it.each<[lines: string[], seconds: number]>([
    [[], 0],
    [['Age: 0'], 0],
    [['Age: 7200'], 7200],
    [['Age: 007'], 7],
    [['Age: 7200, 0'], 7200],
    [['Age: 0, 7200'], 0],
    [['Age: 7200', 'Age: 0'], 7200],
    [['Age: 0', 'Age: 7200'], 0],
    [['Age: 7200, x'], 7200],
    [['Age: ,7200'], 7200],
    [['Age: x, 7200'], 0],
    [['Age: -7200'], 0],
    [['Age: 7200.0'], 0],
    [['Age: 7200a'], 0],
    [['Age: a7200'], 0],
    [['Age: "7200"'], 0],
    [['Age: 7200;a=1'], 0],
    [['Age: 7 200'], 0],
    [['Age: 2147483647'], 2147483647],
    [['Age: 2147483648'], 2147483648],
    [['Age: 99999999999999999999'], 2147483648],
  ])('reads %j as %d', (lines, seconds) => {
    expect(ageValue(ok(...lines))).toBe(seconds * SECOND)
  })

  it('never lets an age that overflows be fresh', () => {
    const stored = ok('Age: 99999999999', 'Cache-Control: max-age=99999999999')
    expect(freshnessOf(stored, DEFAULT_POLICY).lifetime > currentAge(stored, NOW)).toBe(false)
  })

  it.each([
    [0, '0'],
    [999, '0'],
    [1000, '1'],
    [-5000, '0'],
    [1e300, '2147483648'],
    [Number.POSITIVE_INFINITY, '2147483648'],
  ])('writes %d ms as %s', (age, text) => {
    expect(ageField(age)).toBe(text)
  })
})

describe('currentAge (RFC 9111 §4.2.3)', () => {
  it.each<[title: string, lines: string[], delay: number, resident: number, seconds: number]>([
    ['nothing', [], 0, 0, 0],
    ['the time that it is here', [`Date: ${date(0)}`], 0, 30, 30],
    ['Age and the time that it is here', [`Date: ${date(0)}`, 'Age: 10'], 0, 30, 40],
    ['an old Date', [`Date: ${date(-50)}`], 0, 30, 80],
    ['an old Date more than Age', [`Date: ${date(-50)}`, 'Age: 10'], 0, 30, 80],
    ['Age more than an old Date', [`Date: ${date(-50)}`, 'Age: 60'], 0, 30, 90],
    ['a Date in the future', [`Date: ${date(50)}`], 0, 30, 30],
    ['a wrong Date', ['Date: yesterday'], 0, 30, 30],
    ['the time that the answer took', [`Date: ${date(0)}`], 3, 30, 33],
    ['the time that the answer took, on top of Age', [`Date: ${date(0)}`, 'Age: 10'], 3, 30, 43],
    ['a clock that was set back', [`Date: ${date(0)}`], 0, -30, 0],
    ['a clock that was set back while the answer was made', [`Date: ${date(0)}`], -30, 5, 5],
  ])('counts %s', (_title, lines, delay, resident, seconds) => {
    const stored = { ...ok(...lines), requestedAt: NOW - delay * SECOND }
    expect(currentAge(stored, NOW + resident * SECOND)).toBe(seconds * SECOND)
  })

  it('does not take the parts of a second that Date cannot tell for age', () => {
    const stored = { ...ok(`Date: ${date(0)}`), requestedAt: NOW + 900, receivedAt: NOW + 999 }
    expect(currentAge(stored, NOW + 999)).toBe(99)
  })
})
