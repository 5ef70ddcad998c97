import { describe, expect, it } from 'vitest'
import { type Evaluated, evaluate, isStrongDate, validatorsOf } from '../../../src/middleware/policy/conditional.js'
import { date, fieldsOf, get } from './messages.js'

const LM = date(-100)

describe('evaluate (RFC 9110 §13.2.2)', () => {
  type Case = [lines: string[], against: Evaluated, expected: 'pass' | 304 | 412]

  it.each<Case>([
    [[], { etag: '"a"', lastModified: LM }, 'pass'],
    [['If-None-Match: "a"'], { etag: '"a"' }, 304],
    [['If-None-Match: "b"'], { etag: '"a"' }, 'pass'],
    [['If-None-Match: "A"'], { etag: '"a"' }, 'pass'],
    [['If-None-Match: "a"'], {}, 'pass'],
    [['If-None-Match: *'], { etag: '"a"' }, 304],
    [['If-None-Match: *'], {}, 304],
    [['If-None-Match: W/"a"'], { etag: '"a"' }, 304],
    [['If-None-Match: "a"'], { etag: 'W/"a"' }, 304],
    [['If-None-Match: W/"a"'], { etag: 'W/"a"' }, 304],
    [['If-None-Match: w/"a"'], { etag: 'W/"a"' }, 'pass'],
    [['If-None-Match: W"a"'], { etag: 'W/"a"' }, 'pass'],
    [['If-None-Match: W\\"a"'], { etag: 'W/"a"' }, 'pass'],
    [['If-None-Match: "a", "b", "c"'], { etag: '"a"' }, 304],
    [['If-None-Match: "a", "b", "c"'], { etag: '"b"' }, 304],
    [['If-None-Match: "a" , W/"b","c"'], { etag: '"c"' }, 304],
    [['If-None-Match: "a"', 'If-None-Match: "b"'], { etag: '"b"' }, 304],
    [['If-None-Match: "a,b"'], { etag: '"a,b"' }, 304],
    [['If-None-Match: "a,b"'], { etag: '"b"' }, 'pass'],
    [['If-None-Match: "a\\", "b"'], { etag: '"b"' }, 304],
    [['If-None-Match: "é"'], { etag: '"é"' }, 304],
    [['If-None-Match: ""'], { etag: '""' }, 304],
    [['If-None-Match: a'], { etag: 'a' }, 304],
    [['If-None-Match: "a"'], { etag: 'a' }, 'pass'],
    [['If-None-Match: a'], { etag: '"a"' }, 'pass'],
    [['If-None-Match: "a'], { etag: '"a"' }, 'pass'],
    [['If-None-Match: "b", *'], { etag: '"a"' }, 'pass'],
    [['If-None-Match:'], { etag: '"a"' }, 'pass'],
  ])('If-None-Match: %j of %j: %s', (lines, against, expected) => {
    expect(evaluate(get(...lines), against)).toBe(expected)
  })

  it.each<Case>([
    [[`If-Modified-Since: ${LM}`], { lastModified: LM }, 304],
    [[`If-Modified-Since: ${date(-99)}`], { lastModified: LM }, 304],
    [[`If-Modified-Since: ${date(-101)}`], { lastModified: LM }, 'pass'],
    [['If-Modified-Since: Thursday, 01-Jan-26 12:00:00 GMT'], { lastModified: LM }, 304],
    [['If-Modified-Since: today'], { lastModified: LM }, 'pass'],
    [[`If-Modified-Since: ${LM}`], { lastModified: 'today' }, 'pass'],
    [[`If-Modified-Since: ${LM}`, `If-Modified-Since: ${LM}`], { lastModified: LM }, 'pass'],
    [[`If-Modified-Since: ${LM}`], { date: LM }, 304],
    [[`If-Modified-Since: ${LM}`], { date: date(0) }, 'pass'],
    [[`If-Modified-Since: ${LM}`], {}, 'pass'],
  ])('If-Modified-Since: %j of %j: %s', (lines, against, expected) => {
    expect(evaluate(get(...lines), against)).toBe(expected)
  })

  it.each<Case>([
    [['If-Match: "a"'], { etag: '"a"' }, 'pass'],
    [['If-Match: "b", "a"'], { etag: '"a"' }, 'pass'],
    [['If-Match: "b"'], { etag: '"a"' }, 412],
    [['If-Match: W/"a"'], { etag: 'W/"a"' }, 412],
    [['If-Match: W/"a"'], { etag: '"a"' }, 412],
    [['If-Match: a'], { etag: 'a' }, 412],
    [['If-Match: "a"'], {}, 412],
    [['If-Match: *'], {}, 'pass'],
    [['If-Match:'], { etag: '"a"' }, 412],
    [[`If-Unmodified-Since: ${LM}`], { lastModified: LM }, 'pass'],
    [[`If-Unmodified-Since: ${date(-101)}`], { lastModified: LM }, 412],
    [['If-Unmodified-Since: today'], { lastModified: LM }, 'pass'],
    [[`If-Unmodified-Since: ${LM}`], { date: date(0) }, 'pass'],
  ])('If-Match and If-Unmodified-Since: %j of %j: %s', (lines, against, expected) => {
    expect(evaluate(get(...lines), against)).toBe(expected)
  })

  it.each<Case>([
    [['If-None-Match: "b"', `If-Modified-Since: ${LM}`], { etag: '"a"', lastModified: LM }, 'pass'],
    [['If-None-Match: "a"', `If-Modified-Since: ${date(-999)}`], { etag: '"a"', lastModified: LM }, 304],
    [['If-Match: "a"', `If-Unmodified-Since: ${date(-999)}`], { etag: '"a"', lastModified: LM }, 'pass'],
    [['If-Match: "b"', 'If-None-Match: "a"'], { etag: '"a"' }, 412],
    [['If-Match: "a"', 'If-None-Match: "a"'], { etag: '"a"' }, 304],
    [[`If-Unmodified-Since: ${LM}`, `If-Modified-Since: ${LM}`], { lastModified: LM }, 304],
  ])('the order: %j of %j: %s', (lines, against, expected) => {
    expect(evaluate(get(...lines), against)).toBe(expected)
  })

  it('answers 412 for If-None-Match to methods that change something, and ignores If-Modified-Since', () => {
    expect(evaluate({ ...get('If-None-Match: "a"'), method: 'PUT' }, { etag: '"a"' })).toBe(412)
    expect(evaluate({ ...get('If-None-Match: "a"'), method: 'HEAD' }, { etag: '"a"' })).toBe(304)
    expect(evaluate({ ...get(`If-Modified-Since: ${LM}`), method: 'PUT' }, { lastModified: LM })).toBe('pass')
  })

  it.each([301, 302, 404, 500])('passes where the answer is %d (§13.2.1)', status => {
    expect(evaluate(get('If-None-Match: "a"', 'If-Match: "b"'), { etag: '"a"', status })).toBe('pass')
  })

  it.each([200, 203, 204, 299, 412])('evaluates where the answer is %d', status => {
    expect(evaluate(get('If-None-Match: "a"'), { etag: '"a"', status })).toBe(304)
  })
})

describe('validatorsOf', () => {
  it('reads them from fields, and none that is given twice', () => {
    const lines = ['ETag: "a"', `Last-Modified: ${LM}`, 'Date: x']
    expect(validatorsOf(fieldsOf(lines))).toEqual({ etag: '"a"', lastModified: LM, date: 'x' })
    expect(validatorsOf(fieldsOf(['ETag: "a"', 'ETag: "b"', 'Last-Modified:']))).toEqual({})
  })
})

describe('isStrongDate (RFC 9110 §8.8.2.2)', () => {
  it.each([
    ['a second before Date', date(-1), date(0), true],
    ['in the second of Date', date(0), date(0), false],
    ['without Date', date(-1), undefined, false],
    ['that is none', 'yesterday', date(0), false],
  ])('says whether a Last-Modified %s is a strong validator', (_, modified, made, isStrong) => {
    expect(isStrongDate(modified, made)).toBe(isStrong)
  })
})
