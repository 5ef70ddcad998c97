import { describe, expect, it } from 'vitest'
import { currentAge } from '../../../src/middleware/policy/freshness.js'
import type { StoredResponse } from '../../../src/middleware/policy/message.js'
import { DEFAULT_POLICY, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { storability } from '../../../src/middleware/policy/storability.js'
import { updatedBy304, updatedByHead } from '../../../src/middleware/policy/update.js'
import { isFreshenedBy, validationFields } from '../../../src/middleware/policy/validation.js'
import { date, fieldsOf, get, NOW, ok, SECOND } from './messages.js'

const LATER = NOW + 100 * SECOND
const notModified = (...lines: string[]): StoredResponse => ({
  ...ok(...lines),
  status: 304,
  requestedAt: LATER,
  receivedAt: LATER,
})
const DATE = `Date: ${date(100)}`

describe('updatedBy304 (RFC 9111 §3.2)', () => {
  const updated = (stored: string[], fresh: string[], policy = DEFAULT_POLICY) =>
    updatedBy304(ok(...stored), notModified(...fresh), policy)

  it.each<[title: string, stored: string[], fresh: string[], result: string[]]>([
    ['replaces a field in its place', ['A: 1', 'B: 2'], [DATE, 'a: 3'], ['a: 3', 'B: 2', DATE]],
    [
      'replaces all lines by all lines',
      ['A: 1', 'B: 2', 'A: 3'],
      [DATE, 'A: 4', 'A: 5'],
      ['A: 4', 'A: 5', 'B: 2', DATE],
    ],
    ['adds fields', ['A: 1'], [DATE, 'B: 2'], ['A: 1', DATE, 'B: 2']],
    ['keeps Content-Length', ['Content-Length: 5'], [DATE, 'Content-Length: 0'], ['Content-Length: 5', DATE]],
    ['keeps the coding', ['Content-Encoding: gzip'], [DATE, 'Content-Encoding: br'], ['Content-Encoding: gzip', DATE]],
    [
      'keeps the coding where the tag is weak',
      ['ETag: W/"a"', 'Content-Encoding: gzip'],
      [DATE, 'ETag: W/"a"', 'Content-Encoding: br'],
      ['ETag: W/"a"', 'Content-Encoding: gzip', DATE],
    ],
    [
      'takes the coding of the same bytes',
      ['ETag: "a"', 'Content-Encoding: gzip'],
      [DATE, 'ETag: "a"', 'Content-Encoding: br'],
      ['ETag: "a"', 'Content-Encoding: br', DATE],
    ],
    [
      'takes the coding where the date is strong',
      [`Last-Modified: ${date(-9)}`, `Date: ${date(0)}`],
      [DATE, 'Content-Encoding: br'],
      [`Last-Modified: ${date(-9)}`, DATE, 'Content-Encoding: br'],
    ],
    ['keeps what it varies by', ['Vary: a, b'], [DATE, 'Vary: B'], ['Vary: a, b', DATE]],
    ['takes what it varies by beside that', ['Vary: a'], [DATE, 'Vary: B'], ['Vary: B', DATE]],
    ['takes no hop-by-hop field', ['A: 1'], [DATE, 'Connection: A', 'A: 2', 'Keep-Alive: x'], ['A: 1', DATE]],
    ['takes no Set-Cookie', ['A: 1'], [DATE, 'Set-Cookie: a=b'], ['A: 1', DATE]],
    ['drops an old Age', ['Age: 50'], [DATE], [DATE]],
    ['takes a new Age', ['Age: 50'], [DATE, 'Age: 5'], [DATE, 'Age: 5']],
    ['dates what has no Date', [`Date: ${date(0)}`], [], [DATE]],
    [
      'drops what the new directives reserve',
      ['A: 1'],
      [DATE, 'Cache-Control: private="a"'],
      [DATE, 'Cache-Control: private="a"'],
    ],
  ])('%s', (_title, stored, fresh, result) => {
    expect(updated(stored, fresh).fields).toEqual(fieldsOf(result))
  })

  it.each([
    'Cache-Control',
    'Content-Type',
    'Content-Location',
    'Content-MD5',
    'Content-Security-Policy',
    'ETag',
    'Expires',
    'Last-Modified',
    'Test-Header',
    'X-Content-Foo',
    'X-Frame-Options',
    'Vary',
  ])('updates %s', name => {
    expect(updated([`${name}: old`], [`${name}: new`]).fields[0]).toEqual([name, 'new'])
  })

  it('begins the age anew, keeps the status, and ends a soft purge', () => {
    const stored = { ...ok('Cache-Control: max-age=60', 'Age: 30'), status: 404, staleSince: NOW }
    const fresh = updatedBy304(stored, notModified(DATE), DEFAULT_POLICY)
    expect(currentAge(fresh, LATER)).toBe(0)
    expect(fresh).toEqual({ status: 404, fields: fresh.fields, requestedAt: LATER, receivedAt: LATER })
  })

  it('takes Set-Cookie where it is stored', () => {
    expect(updated([], [DATE, 'Set-Cookie: a=b'], resolvePolicy({ storeSetCookie: true })).fields).toContainEqual([
      'Set-Cookie',
      'a=b',
    ])
  })

  it('can make a response that is not to be stored any more', () => {
    const fresh = updated(['Cache-Control: max-age=60'], [DATE, 'Cache-Control: private'])
    expect(storability(get(), fresh, DEFAULT_POLICY)).toEqual({ store: false, reason: 'private' })
  })
})

describe('updatedByHead (RFC 9111 §4.3.5)', () => {
  const stored = ok('ETag: "a"', `Last-Modified: ${date(-9)}`, 'Content-Length: 5', 'A: 1')
  it.each<[lines: string[], status: number, invalid: boolean]>([
    [['ETag: "a"', 'A: 2'], 200, false],
    [['Content-Length: 5', 'A: 2'], 200, false],
    [['Content-Length: 6', 'A: 2'], 200, true],
    [['ETag: "b"', 'A: 2'], 200, true],
    [[`Last-Modified: ${date(-8)}`, 'A: 2'], 200, true],
  ])('%j with %d invalidates: %s', (lines, status, invalid) => {
    const result = updatedByHead(stored, { ...notModified(...lines), status }, DEFAULT_POLICY)
    if (invalid) expect(result).toBe('invalidate')
    else expect(result).toMatchObject({ status: 200, fields: expect.arrayContaining([['A', '2']]) })
  })
})

it('invalidates what is stored of a page that was not there when a HEAD finds it', () => {
  const stored = { ...ok('Cache-Control: max-age=60'), status: 404 }
  expect(updatedByHead(stored, notModified('A: 2'), DEFAULT_POLICY)).not.toBe('invalidate')
  expect(updatedByHead(stored, { ...notModified('A: 2'), status: 200 }, DEFAULT_POLICY)).toBe('invalidate')
})

it.each([
  ['fails', 'ETag: "b"', 503],
  ['is not allowed', 'ETag: "b"', 405],
  ['asks for credentials', 'Content-Length: 9', 401],
  ['finds nothing', 'Content-Length: 9', 404],
  ['has nothing to compare', 'A: 2', 200],
])('leaves what is stored as it is when a HEAD %s', (_what, line, status) => {
  const stored = ok('ETag: "a"')
  expect(updatedByHead(stored, { ...notModified(line), status }, DEFAULT_POLICY)).toBe(stored)
})

describe('validationFields (RFC 9111 §4.3.1)', () => {
  it.each<[stored: string[], fields: string[]]>([
    [[], []],
    [['ETag: "a"'], ['If-None-Match: "a"']],
    [['ETag: a'], ['If-None-Match: a']],
    [['Last-Modified: x'], ['If-Modified-Since: x']],
    [
      ['ETag: W/"a"', 'Last-Modified: x'],
      ['If-None-Match: W/"a"', 'If-Modified-Since: x'],
    ],
  ])('of %j are %j', (stored, fields) => {
    expect(validationFields(ok(...stored))).toEqual(fieldsOf(fields))
  })
})

describe('isFreshenedBy (RFC 9111 §4.3.4)', () => {
  const modified = `Last-Modified: ${date(0)}`
  const strong = `Date: ${date(100)}`
  it.each<[title: string, fresh: string[], stored: string[], is: boolean]>([
    ['the same strong tag', ['ETag: "a"'], ['ETag: "a"'], true],
    ['the same weak tag', ['ETag: W/"a"'], ['ETag: W/"a"'], true],
    ['a strong tag made weak on its way', ['ETag: W/"a"'], ['ETag: "a"'], true],
    ['another tag', ['ETag: "c"'], ['ETag: "a"'], false],
    ['a tag where none was stored', ['ETag: "c"'], [], false],
    ['the same strong date and another tag', ['ETag: "c"', modified, strong], ['ETag: "a"', modified], true],
    ['the same weak date and another tag', ['ETag: "c"', modified], ['ETag: "a"', modified], false],
    ['the same tag and another date', ['ETag: "a"', modified, strong], ['ETag: "a"'], true],
    ['the same strong date', [modified, strong], [modified], true],
    ['the same weak date', [modified], [modified], true],
    ['another date', [`Last-Modified: ${date(1)}`], [modified], false],
    ['a date where none was stored', [modified], [], false],
    ['no validator', [], ['ETag: "a"'], true],
  ])('goes by %s', (_title, fresh, stored, is) => {
    expect(isFreshenedBy(ok(...stored), notModified(...fresh))).toBe(is)
  })
})
