import { describe, expect, it } from 'vitest'
import { refusalFields } from '../../../src/middleware/policy/refusal.js'

describe('refusalFields', () => {
  it.each([
    ['Cache-Control', 'max-age=60', false],
    ['cdn-cache-control', 'max-age=60', false],
    ['my-cache-Cache-Control', 'max-age=60', false],
    ['Surrogate-Control', 'max-age=60', false],
    ['Expires', 'Thu, 01 Jan 2026 00:00:00 GMT', false],
    ['Age', '5', false],
    ['Content-Type', 'text/html', false],
    ['Content-Length', '5', false],
    ['ETag', '"1"', true],
    ['Vary', 'Accept', true],
    ['Content-Location', '/a', true],
    ['Content-Security-Policy', 'sandbox', true],
    ['X-Age', '5', true],
  ])('keeps of a stored answer %s: %s is %s', (name, value, isKept) => {
    const fields = refusalFields([[name, value]])
    expect(fields).toEqual([...(isKept ? [[name, value]] : []), ['Cache-Control', 'no-store']])
  })
})
