import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../../src/middleware/policy/dates.js'
import { NOW } from './messages.js'

const SAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('parseHttpDate (RFC 9110 §5.6.7)', () => {
  it.each([
    ['IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
    ['asctime', 'Sun Nov  6 08:49:37 1994'],
    ['asctime with two digits', 'Sun Nov 06 08:49:37 1994'],
    ['another case, as caches have to (RFC 9111 §4.2)', 'SUN, 06 nOV 1994 08:49:37 gmt'],
  ])('reads %s', (_title, text) => {
    expect(parseHttpDate(text, NOW)).toBe(SAMPLE)
  })

  it.each([
    ['nothing', ''],
    ['0', '0'],
    ['a number', '784111777'],
    ['ISO 8601', '1994-11-06T08:49:37Z'],
    ['another zone', 'Sun, 06 Nov 1994 08:49:37 AEST'],
    ['another name of the zone (RFC 9111 §4.2)', 'Sun, 06 Nov 1994 08:49:37 UTC'],
    ['an offset', 'Sun, 06 Nov 1994 08:49:37 +0000'],
    ['no zone', 'Sun, 06 Nov 1994 08:49:37'],
    ['no comma', 'Sun 06 Nov 1994 08:49:37 GMT'],
    ['no day of the week', '06 Nov 1994 08:49:37 GMT'],
    ['two spaces', 'Sun, 06  Nov 1994 08:49:37 GMT'],
    ['hyphens', 'Sun, 06-Nov-1994 08:49:37 GMT'],
    ['periods in the time', 'Sun, 06 Nov 1994 08.49.37 GMT'],
    ['two digits of a year', 'Sun, 06 Nov 94 08:49:37 GMT'],
    ['one digit of a day', 'Sun, 6 Nov 1994 08:49:37 GMT'],
    ['one digit of an hour', 'Sun, 06 Nov 1994 8:49:37 GMT'],
    ['no seconds', 'Sun, 06 Nov 1994 08:49 GMT'],
    ['parts of a second', 'Sun, 06 Nov 1994 08:49:37.5 GMT'],
    ['a full name of the month', 'Sun, 06 November 1994 08:49:37 GMT'],
    ['a month that is none', 'Sun, 06 Foo 1994 08:49:37 GMT'],
    ['a day that is none', 'Sun, 31 Nov 1994 08:49:37 GMT'],
    ['29 February in a year without', 'Sun, 29 Feb 1994 08:49:37 GMT'],
    ['hour 24', 'Sun, 06 Nov 1994 24:00:00 GMT'],
    ['minute 60', 'Sun, 06 Nov 1994 08:60:37 GMT'],
    ['second 61', 'Sun, 06 Nov 1994 08:49:61 GMT'],
    ['something after it', 'Sun, 06 Nov 1994 08:49:37 GMT, x'],
    ['a short day in RFC 850', 'Sun, 06-Nov-94 08:49:37 GMT'],
    ['a zone in asctime', 'Sun Nov  6 08:49:37 1994 GMT'],
    ['one space before one digit in asctime', 'Sun Nov 6 08:49:37 1994'],
  ])('refuses %s', (_title, text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined()
  })

  it.each([
    ['76', 2076, '01-Jan'],
    ['76', 1976, '02-Jan'],
    ['99', 1999, '01-Jan'],
    ['00', 2000, '01-Jan'],
    ['26', 2026, '31-Dec'],
  ])('takes year %s for %d when it is at most 50 years ahead: %s', (digits, year, day) => {
    const now = Date.UTC(2026, 0, 1, 12)
    const at = parseHttpDate(`Monday, ${day}-${digits} 12:00:00 GMT`, now)
    expect(new Date(at ?? 0).getUTCFullYear()).toBe(year)
  })

  it('takes a leap second and 29 February in a leap year', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW)).toBe(Date.UTC(2017, 0, 1))
    expect(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT', NOW)).toBe(Date.UTC(2024, 1, 29))
    expect(parseHttpDate('Sat, 01 Jan 0050 00:00:00 GMT', NOW)).toBe(Date.parse('0050-01-01T00:00:00Z'))
  })

  it('reads what is formatted', () => {
    const seconds = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 })
    fc.assert(fc.property(seconds, at => parseHttpDate(formatHttpDate(at * 1000), NOW) === at * 1000))
  })

  it('takes for a date only what says the same as Date.parse', () => {
    const parts = fc.constantFrom(
      'Sun',
      'Sunday',
      ', ',
      ' ',
      '  ',
      '06',
      '6',
      '31',
      '-',
      'Nov',
      'Feb',
      '1994',
      '94',
      '08:49:37',
      'GMT',
      '+01',
    )
    const text = fc.array(parts, { maxLength: 10 }).map(words => words.join(''))
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), words => {
        const at = parseHttpDate(words, NOW)
        return at === undefined || at === Date.parse(/\d{4}$/.test(words) ? `${words} GMT` : words)
      }),
    )
  })
})
