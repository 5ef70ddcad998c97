import { describe, expect, it } from 'vitest'
import { DEFAULT_POLICY } from '../../../src/middleware/policy/options.js'
import { parseContentRange, partOf } from '../../../src/middleware/policy/partial.js'
import { decide } from '../../../src/middleware/policy/reuse.js'
import { get, NOW, ok } from './messages.js'

describe('parseContentRange (RFC 9110 §14.4)', () => {
  it.each([
    ['bytes 0-9/100', { start: 0, end: 9, size: 100 }],
    ['BYTES 0-9/100', { start: 0, end: 9, size: 100 }],
    ['bytes 0-9/*', { start: 0, end: 9, size: undefined }],
    ['bytes */100', undefined],
    ['bytes 9-0/100', undefined],
    ['bytes 0-100/100', undefined],
    ['bytes 0-9', undefined],
    ['bytes=0-9/100', undefined],
    ['items 0-9/100', undefined],
    ['', undefined],
  ])('reads %j as %j', (value, expected) => {
    expect(parseContentRange(value)).toEqual(expected)
  })
})

describe('a stored 206 (RFC 9111 §3.3)', () => {
  const stored = { ...ok('Cache-Control: max-age=60', 'ETag: "a"', 'Content-Range: bytes 10-19/100'), status: 206 }

  it.each<[lines: string[], part: object | undefined]>([
    [['Range: bytes=10-19'], { start: 10, end: 19 }],
    [['Range: bytes=12-13'], { start: 12, end: 13 }],
    [['Range: bytes=12-13', 'If-Range: "a"'], { start: 12, end: 13 }],
    [['Range: bytes=12-13', 'If-Range: "b"'], undefined],
    [['Range: bytes=9-13'], undefined],
    [['Range: bytes=12-20'], undefined],
    [['Range: bytes=12-'], undefined],
    [['Range: bytes=-5'], undefined],
    [['Range: bytes=10-11,14-15'], undefined],
    [[], undefined],
  ])('answers %j with %j', (lines, part) => {
    expect(partOf(get(...lines), stored)).toEqual(part)
    expect(decide(get(...lines), stored, NOW, DEFAULT_POLICY).kind).toBe(part ? 'fresh' : 'bypass')
  })

  it('answers nothing when its place is not known', () => {
    expect(partOf(get('Range: bytes=10-19'), { ...stored, fields: [] })).toBeUndefined()
    expect(partOf(get('Range: bytes=10-19'), ok('Content-Range: bytes 10-19/*'))).toBeUndefined()
  })
})
