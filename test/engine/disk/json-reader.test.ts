import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPythonJson } from '../../../src/engine/disk/json-reader.js'
import { writePythonJson } from '../../../src/engine/disk/json-writer.js'
import { DecodeError } from '../../../src/engine/errors.js'
import { plain } from './arbitraries.js'

/** Without the integers that JSON.parse rounds. */
const exact = plain.filter(value => !/(?<![.\d])\d{16,}(?![.\de])/.test(JSON.stringify(value)))

/** Forces the own reader, which JSON.parse spares most texts. */
const read = (text: string): unknown => (readPythonJson(`[NaN, ${text}]`) as unknown[])[1]

describe('readPythonJson()', () => {
  it('reads what JSON.parse reads, with white space anywhere', () => {
    fc.assert(
      fc.property(exact, fc.constantFrom('', ' ', '\t\n\r  '), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(read(space + text + space)).toStrictEqual(value)
        expect(readPythonJson(text)).toStrictEqual(value)
      }),
    )
  })

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740993', -9007199254740993n],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
    ['12345678901234567890.5', 12345678901234567000],
    ['1e400', Number.POSITIVE_INFINITY],
    ['-0', -0],
    ['-0.0', -0],
    ['1E+2', 100],
    ['NaN', Number.NaN],
    ['[Infinity, -Infinity]', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['{"NaN": "1234567890123456"}', { NaN: '1234567890123456' }],
    ['"a\\\\"', 'a\\'],
    ['"\\"\\\\\\""', '"\\"'],
    ['{"a": 1, "a": 2}', { a: 2 }],
    ['"\\ud800"', '\ud800'],
  ])('reads %s', (text, value) => {
    expect(read(text)).toStrictEqual(value)
    expect(readPythonJson(text)).toStrictEqual(value)
  })

  it('keeps a property named __proto__ one', () => {
    for (const text of ['{"__proto__": {"x": 1}}', '{"__proto__": {"x": NaN}}']) {
      const value = readPythonJson(text) as Record<string, unknown>
      expect(Object.keys(value)).toEqual(['__proto__'])
      expect(value['x']).toBe(undefined)
    }
  })

  it.each([
    '',
    'NaN1',
    '[NaN',
    '[NaN,]',
    '{"a": NaN',
    '{"a" NaN}',
    '{NaN: 1}',
    '{"a": NaN,}',
    '"NaN',
    '"NaN\\"',
    'NaN NaN',
    '-NaN',
    '+Infinity',
    '[1 NaN]',
    '01234567890123456',
    '-',
    '1234567890123456.',
    '"NaN\n"',
    '{"a": }1234567890123456',
  ])('throws a DecodeError for %j', text => {
    expect(() => readPythonJson(text)).toThrow(DecodeError)
  })

  it('throws a DecodeError for integers and depths beyond what Python writes', () => {
    expect(() => readPythonJson('9'.repeat(5000))).toThrow(DecodeError)
    expect(() => readPythonJson(`${'['.repeat(2000)}NaN${']'.repeat(2000)}`)).toThrow(DecodeError)
  })

  it('throws nothing but DecodeError for any text', () => {
    const pieces = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      '"',
      ',',
      ':',
      'NaN',
      'Infinity',
      '-',
      '1',
      '1234567890123456',
      '\\',
      '.',
      'e',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), list => {
        const text = list.join('')
        try {
          expect(readPythonJson(writePythonJson(readPythonJson(text)))).toStrictEqual(readPythonJson(text))
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('writePythonJson()', () => {
  it.each([
    [1, '1'],
    [-5, '-5'],
    [1.5, '1.5'],
    [-0, '-0.0'],
    [1e21, '1e+21'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [2 ** 53, '9007199254740992.0'],
    [1e-4, '0.0001'],
    [1e-5, '1e-05'],
    [1e-7, '1e-07'],
    [1.25e-100, '1.25e-100'],
    [5e-324, '5e-324'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [10n ** 30n, '1000000000000000000000000000000'],
    ['é"\\/\b\f\n\r\t\u0001\x7f😀\ud800', '"\\u00e9\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\\ud83d\\ude00\\ud800"'],
    [{ a: [1, {}], b: [] }, '{"a": [1, {}], "b": []}'],
    [[true, false, null], '[true, false, null]'],
  ])('writes %o as Python does', (value, text) => {
    expect(writePythonJson(value)).toBe(text)
  })
})
