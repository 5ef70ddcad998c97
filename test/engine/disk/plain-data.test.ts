import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPlainData } from '../../../src/engine/disk/plain-data.js'
import { clonable, plain } from './arbitraries.js'

describe('isPlainData()', () => {
  it('is true for what JSON gives back', () => {
    fc.assert(
      fc.property(plain, value => {
        expect(isPlainData(value)).toBe(true)
      }),
    )
  })

  it('is true for nothing that JSON changes', () => {
    fc.assert(
      fc.property(clonable, value => {
        if (isPlainData(value)) expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  it('is false for what structuredClone refuses', () => {
    for (const value of [undefined, () => 1, Symbol('s'), { a: undefined }, [() => 1]])
      expect(isPlainData(value)).toBe(false)
  })

  it('is false where toJSON would be asked', () => {
    const date = { toJSON: (): string => 'x' }
    const hidden = Object.defineProperty({}, 'toJSON', { value: date.toJSON })
    for (const value of [date, hidden, Object.assign([], date)]) expect(isPlainData(value)).toBe(false)
  })

  it('is false for one object in two places, were there many, and for cycles', () => {
    const shared = {}
    const others = Array.from({ length: 30 }, () => ({}))
    expect(isPlainData([others, [shared], [{}]])).toBe(true)
    expect(isPlainData([shared, [others, shared]])).toBe(false)
    expect(isPlainData([shared, shared])).toBe(false)
    const cycle: unknown[] = []
    cycle.push(cycle)
    expect(isPlainData(cycle)).toBe(false)
  })

  it('ends at once for what would be exponential as JSON', () => {
    let value: unknown = {}
    for (let at = 0; at < 100; at++) value = [value, value]
    expect(isPlainData(value)).toBe(false)
  })

  it('may be asked again by a getter of the value itself', () => {
    const value = {
      first: {},
      get second(): boolean {
        return isPlainData([{}, {}])
      },
      third: {},
    }
    expect(isPlainData(value)).toBe(true)
  })
})
