import { expect, it } from 'vitest'
import { durationText } from '../../src/cli/units.js'

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
