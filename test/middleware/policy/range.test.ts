import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contentRange,
  type Ranged,
  type Ranges,
  rangesOf,
  unsatisfiedRange,
} from '../../../src/middleware/policy/range.js'
import { date, get } from './messages.js'

const FULL: Ranges = { kind: 'full' }
const NONE: Ranges = { kind: 'unsatisfiable' }
const single = (start: number, end: number): Ranges => ({ kind: 'single', start, end })
const multi = (...pairs: [number, number][]): Ranges => ({
  kind: 'multi',
  ranges: pairs.map(([start, end]) => ({ start, end })),
})

function of(range: string, ranged: Partial<Ranged> = {}, ...lines: string[]): Ranges {
  return rangesOf(get(`Range: ${range}`, ...lines), { size: 100, ...ranged })
}

describe('rangesOf (RFC 9110 §14.2)', () => {
  it.each<[range: string, expected: Ranges]>([
    ['bytes=0-0', single(0, 0)],
    ['bytes=0-', single(0, 99)],
    ['bytes=10-19', single(10, 19)],
    ['bytes=99-', single(99, 99)],
    ['bytes=90-1000', single(90, 99)],
    ['bytes=-10', single(90, 99)],
    ['bytes=-1', single(99, 99)],
    ['bytes=-1000', single(0, 99)],
    ['bytes=-99999999999999999999999', single(0, 99)],
    ['bytes=0-99999999999999999999999', single(0, 99)],
    ['BYTES=0-9', single(0, 9)],
    ['bytes=0-9,', single(0, 9)],
    ['bytes= 0-9 ,\t20-29', multi([0, 9], [20, 29])],
    ['bytes=20-29,0-9', multi([20, 29], [0, 9])],
    ['bytes=0-9,5-19', single(0, 19)],
    ['bytes=0-9,10-19', single(0, 19)],
    ['bytes=0-9,50-59,5-19', multi([0, 19], [50, 59])],
    ['bytes=0-,-1', single(0, 99)],
    ['bytes=0-9,200-300', single(0, 9)],
    ['bytes=100-', NONE],
    ['bytes=100-200', NONE],
    ['bytes=100-, 200-', NONE],
    ['bytes=-0', NONE],
    ['bytes=-0,-0', NONE],
    ['bytes=0-9,-0', single(0, 9)],
    ['bytes=99999999999999999999999-', NONE],
  ])('reads %s of 100 bytes as %j', (range, expected) => {
    expect(of(range)).toEqual(expected)
  })

  it.each([
    '',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=-',
    'bytes=a-b',
    'bytes=0',
    'bytes=5-2',
    'bytes=0-9,5-2',
    'bytes=0-9;10-19',
    'bytes=0-9,x',
    'bytes=0 - 9',
    'bytes=0x0-0x9',
    'bytes=+0-9',
    'bytes=--5',
    'bytes=0.5-9',
    'bytes 0-9',
    'bytes =0-9',
    'items=0-9',
    '0-9',
    `bytes=${Array.from({ length: 17 }, (_, at) => `${at * 2}-${at * 2}`).join(',')}`,
    `bytes=${Array.from({ length: 1000 }, () => '0-').join(',')}`,
  ])('ignores %s', range => {
    expect(of(range)).toEqual(FULL)
  })

  it('sends up to 16 ranges', () => {
    expect(of(`bytes=${Array.from({ length: 16 }, (_, at) => `${at * 2}-${at * 2}`).join(',')}`).kind).toBe('multi')
  })

  it('is for GET alone, and for one line', () => {
    expect(rangesOf({ ...get('Range: bytes=0-9'), method: 'HEAD' }, { size: 100 })).toEqual(FULL)
    expect(rangesOf(get(), { size: 100 })).toEqual(FULL)
    expect(of('bytes=0-9', {}, 'Range: bytes=10-19')).toEqual(FULL)
  })

  it('has nothing to give of an empty representation but all of it', () => {
    expect(of('bytes=0-', { size: 0 })).toEqual(NONE)
    expect(of('bytes=-5', { size: 0 })).toEqual(FULL)
    expect(of('bytes=-0', { size: 0 })).toEqual(NONE)
  })

  it('stays inside of the representation, without overlaps, whatever is asked', () => {
    const number = fc.oneof(fc.nat(120).map(String), fc.constantFrom('', 'x', '-', '99999999999999999999'))
    const spec = fc.tuple(number, number).map(([first, last]) => `${first}-${last}`)
    const asked = fc.oneof(
      fc.array(spec, { maxLength: 20 }).map(specs => `bytes=${specs.join(',')}`),
      fc.string(),
    )
    fc.assert(
      fc.property(asked, fc.nat(100), (range, size) => {
        const found = rangesOf({ ...get(), fields: [['Range', range]] }, { size })
        const ranges = found.kind === 'single' ? [found] : found.kind === 'multi' ? found.ranges : []
        const sorted = [...ranges].sort((a, b) => a.start - b.start)
        for (const { start, end } of ranges) expect(0 <= start && start <= end && end < size).toBe(true)
        for (const [at, { start }] of sorted.entries()) expect(start).toBeGreaterThan((sorted[at - 1]?.end ?? -2) + 1)
        if (found.kind === 'multi') expect(ranges.length).toBeGreaterThan(1)
      }),
      { numRuns: 500 },
    )
  })
})

describe('If-Range (RFC 9110 §13.1.5)', () => {
  const LM = date(-100)
  it.each<[condition: string, ranged: Partial<Ranged>, passes: boolean]>([
    ['"a"', { etag: '"a"' }, true],
    ['"a"', { etag: '"b"' }, false],
    ['"a"', {}, false],
    ['W/"a"', { etag: 'W/"a"' }, false],
    ['"a"', { etag: 'W/"a"' }, false],
    ['W/"a"', { etag: '"a"' }, false],
    ['a', { etag: 'a' }, false],
    ['"a", "b"', { etag: '"a"' }, false],
    ['*', { etag: '"a"' }, false],
    ['', { etag: '"a"' }, false],
    [LM, { lastModified: LM, date: date(0) }, true],
    [LM, { lastModified: LM, date: date(-99) }, true],
    [LM, { lastModified: LM, date: LM }, false],
    [LM, { lastModified: LM }, true],
    [date(-99), { lastModified: LM, date: date(0) }, false],
    [LM, { etag: '"a"' }, false],
    ['today', { lastModified: 'today' }, false],
  ])('%s of %j: %s', (condition, ranged, passes) => {
    expect(of('bytes=0-9', ranged, `If-Range: ${condition}`)).toEqual(passes ? single(0, 9) : FULL)
  })

  it('does not pass when it is given twice', () => {
    expect(of('bytes=0-9', { etag: '"a"' }, 'If-Range: "a"', 'If-Range: "a"')).toEqual(FULL)
  })

  it('makes a range that cannot be satisfied the full answer when it fails', () => {
    expect(of('bytes=100-', { etag: '"a"' }, 'If-Range: "b"')).toEqual(FULL)
  })
})

it('writes Content-Range (RFC 9110 §14.4)', () => {
  expect(contentRange({ start: 0, end: 9 }, 100)).toBe('bytes 0-9/100')
  expect(unsatisfiedRange(100)).toBe('bytes */100')
})
