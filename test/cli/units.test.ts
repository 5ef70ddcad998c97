import { expect, it } from 'vitest'
import { durationText, parseBytes, parseDuration, parseTtl, percentText } from '../../src/cli/units.js'

it.each([
  [0, '0ms'],
  [999, '999ms'],
  [1000, '1s'],
  [59_999, '59s'],
  [3_600_000, '1h'],
  [3_605_000, '1h'],
  [7_500_000, '2h 5m'],
  [90_000_000, '1d 1h'],
  [Number.POSITIVE_INFINITY, 'never'],
])('%d milliseconds are told as %s', (duration, text) => {
  expect(durationText(duration)).toBe(text)
})

it.each([
  ['1000', 1000],
  ['2GB', 2e9],
  ['2 gib', 2 ** 31],
  ['1.5k', 1500],
  ['1.0001KB', 1000],
  ['0.3 KiB', 307],
])('%j is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes)
})

it.each(['', 'I', '5I', '5X', '-1', '1e3', '1.', 'KB'])('%j is no size', text => {
  expect(() => parseBytes(text, 'sizeLimit')).toThrow('sizeLimit must be bytes or a size')
})

it('a duration is a number of milliseconds, or has a unit', () => {
  expect([' 1500 ', '0.5', '5m'].map(text => parseDuration(text))).toEqual([1500, 0.5, 300_000])
  expect(['never', 'none', '1s'].map(parseTtl)).toEqual([null, null, 1000])
})

it('a part of nothing is nothing', () => {
  expect([percentText(0, 0), percentText(1, 8)]).toEqual(['0 %', '12.5 %'])
})
