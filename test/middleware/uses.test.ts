import { expect, it } from 'vitest'
import { Uses } from '../../src/middleware/uses.js'

it('uses are counted on while others come, and forgotten when twice as many have come', () => {
  const uses = new Uses()
  const others = (from: number): void => {
    for (let at = from; at < from + 50_000; at++) uses.add(`other ${at}`)
  }
  expect([uses.add('a'), uses.add('a')]).toEqual([1, 2])
  others(0)
  expect(uses.add('a')).toBe(3)
  others(50_000)
  others(100_000)
  expect(uses.add('a')).toBe(1)
})
