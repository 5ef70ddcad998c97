import { describe, expect, it } from 'vitest'
import {
  deleteField,
  fieldLines,
  fieldValue,
  listMembers,
  setField,
  withoutHopByHop,
} from '../../../src/middleware/policy/fields.js'
import { fieldsOf } from './messages.js'

describe('fields', () => {
  const fields = fieldsOf(['Vary: a', 'X: 1', 'VARY: b', 'Empty:'])

  it('finds all lines of a name, whatever its case', () => {
    expect(fieldLines(fields, 'vary')).toEqual(['a', 'b'])
    expect(fieldValue(fields, 'Vary')).toBe('a, b')
  })

  it('tells an empty field from none', () => {
    expect(fieldValue(fields, 'empty')).toBe('')
    expect(fieldValue(fields, 'none')).toBeUndefined()
  })

  it('trims spaces and tabs, and no other characters', () => {
    expect(fieldLines([['a', ' \t1\t ']], 'a')).toEqual(['1'])
    expect(fieldLines([['a', '\u00a01']], 'a')).toEqual(['\u00a01'])
  })

  it('sets one line in the place of the first', () => {
    expect(setField(fields, 'vary', 'c')).toEqual(fieldsOf(['vary: c', 'X: 1', 'Empty:']))
    expect(setField(fields, 'New', 'c')).toEqual([...fields, ['New', 'c']])
  })

  it('deletes all lines of names', () => {
    expect(deleteField(fields, 'VARY', 'empty')).toEqual(fieldsOf(['X: 1']))
  })
})

describe('listMembers (RFC 9110 §5.6.1)', () => {
  it.each<[title: string, lines: string[], members: string[]]>([
    ['splits at commas and trims', ['a, b ,\tc'], ['a', 'b', 'c']],
    ['joins lines', ['a, b', 'c'], ['a', 'b', 'c']],
    ['leaves empty members out', [', a,, ,b,', ''], ['a', 'b']],
    ['keeps commas in quoted strings', ['a="1, 2", b'], ['a="1, 2"', 'b']],
    ['respects escaped quotes', ['a="1\\", 2", b'], ['a="1\\", 2"', 'b']],
    ['lets an open quote hide nothing', ['a="1, no-store'], ['a="1', 'no-store']],
    ['lets an open quote hide no other line', ['a="', 'no-store, b="x"'], ['a="', 'no-store', 'b="x"']],
  ])('%s', (_title, lines, members) => {
    expect(listMembers(lines)).toEqual(members)
  })

  it('takes time in proportion to the text for quotes that never close', () => {
    const quotes = '"\\'.repeat(200_000)
    expect(listMembers([quotes])).toHaveLength(1)
  })
})

describe('withoutHopByHop (RFC 9110 §7.6.1, RFC 9111 §3.1)', () => {
  it.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ])('removes %s', name => {
    const fields = fieldsOf(['A: 1', `${name}: x`, `${name.toLowerCase()}: y`])
    expect(withoutHopByHop(fields)).toEqual([['A', '1']])
  })

  it('removes what Connection names, on any line and in any case', () => {
    const fields = fieldsOf(['Connection: close, X-One', 'connection: ,x-TWO', 'x-one: 1', 'X-Two: 2', 'X-Three: 3'])
    expect(withoutHopByHop(fields)).toEqual([['X-Three', '3']])
  })

  it('keeps all others, odd ones too', () => {
    const fields = fieldsOf([
      'Content-Foo: 1',
      'X-XSS-Protection: 0',
      'Public-Key-Pins: x',
      'Content-MD5: y',
      'A!#$: z',
    ])
    expect(withoutHopByHop(fields)).toEqual(fields)
  })
})
