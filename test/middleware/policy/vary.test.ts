import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selectingKey, varyOf } from '../../../src/middleware/policy/vary.js'
import { fieldsOf, get } from './messages.js'

describe('varyOf (RFC 9110 §12.5.5)', () => {
  it.each<[lines: string[], names: readonly string[] | '*']>([
    [[], []],
    [['Vary:'], []],
    [['Vary: ,, ,'], []],
    [['Vary: Foo'], ['foo']],
    [['Vary: Foo, BAR ,foo'], ['bar', 'foo']],
    [
      ['Vary: b', 'vary: a'],
      ['a', 'b'],
    ],
    [['Vary: *'], '*'],
    [['Vary: , *'], '*'],
    [['Vary: *, Foo'], '*'],
    [['Vary: Foo, *'], '*'],
    [['Vary: Foo', 'Vary: *'], '*'],
    [['Vary: *, *'], '*'],
    [['Vary: Foo Bar'], '*'],
    [['Vary: Foo, __proto__'], '*'],
    [['Vary: "Foo"'], '*'],
  ])('%j names %j', (lines, names) => {
    expect(varyOf(fieldsOf(lines))).toEqual(names)
  })
})

function same(name: string, first: string[] | string | undefined, second: string[] | string | undefined): boolean {
  const of = (value: string[] | string | undefined) => {
    const lines = value === undefined ? [] : [value].flat()
    return selectingKey([name], get(...lines.map(line => `${name}: ${line}`)))
  }
  return of(first) === of(second)
}

describe('selectingKey (RFC 9111 §4.1)', () => {
  type Case = [name: string, first: string[] | string | undefined, second: string[] | string | undefined]

  it.each<Case>([
    ['Foo', '1', '1'],
    ['Foo', undefined, undefined],
    ['Foo', ['1', '2'], '1, 2'],
    ['Foo', '1,2', '1 ,  2'],
    ['Foo', ' a ', 'a'],
    ['Accept-Language', 'en, de', 'EN,De'],
    ['Accept-Language', 'en, de', 'de, en'],
    ['Accept-Language', 'en;q=0.5, de', 'de,en ; q=0.5'],
    ['Accept-Language', 'en;q=0.5', 'en;Q=0.500'],
    ['Accept-Language', 'en;q=1', 'en'],
    ['Accept-Language', 'en,, de', 'en, de'],
    ['Accept', 'text/HTML;Level=1, */*;q=0.1', '*/*; q=0.1, text/html; Level=1'],
    ['Accept-Encoding', 'gzip, br', 'br,gzip'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd', 'zstd, br, gzip'],
    ['Accept-Encoding', 'x-gzip', 'GZIP'],
    ['Accept-Encoding', 'gzip, compress;q=0.3', 'gzip'],
    ['Accept-Encoding', 'identity', 'identity;q=0.5'],
    ['Accept-Encoding', '*', 'br, gzip, zstd, identity'],
    ['Accept-Encoding', 'gzip, br;q=0', 'gzip'],
    ['Accept-Encoding', 'gzip, *;q=0', 'gzip, identity;q=0'],
  ])('takes for the same, in %s: %j and %j', (name, first, second) => {
    expect(same(name, first, second)).toBe(true)
  })

  it.each<Case>([
    ['Foo', '1', '2'],
    ['Foo', 'a', 'A'],
    ['Foo', 'a, b', 'b, a'],
    ['Foo', 'a,,b', 'a,b'],
    ['Foo', 'a\\nb', 'a\nb'],
    ['Foo', undefined, ''],
    ['Foo', '"a,b"', '"a, b"'],
    ['Cookie', 'a=1; b=2', 'b=2; a=1'],
    ['Accept-Language', 'en, de;q=0.5', 'de, en;q=0.5'],
    ['Accept-Language', 'en', 'en-GB'],
    ['Accept-Language', 'en;q=2', 'en'],
    ['Accept', 'text/html, application/json', 'application/json, text/html'],
    ['Accept', 'a/b;p=x', 'a/b;p=X'],
    ['Accept', 'a/b;p="x;q=0.5"', 'a/b;q=0.5;p="x'],
    ['Accept-Encoding', 'gzip', 'gzip, br'],
    ['Accept-Encoding', 'gzip, br;q=0.5', 'br, gzip;q=0.5'],
    ['Accept-Encoding', 'gzip, br', 'br, gzip;q=0.5'],
    ['Accept-Encoding', 'gzip', 'gzip;q=0'],
    ['Accept-Encoding', undefined, 'identity;q=0'],
    ['Accept-Encoding', undefined, '*'],
    ['Accept-Encoding', undefined, ''],
    // Others read these in their own ways, and may take them for gzip.
    ['Accept-Encoding', 'gzip;q=2', 'identity'],
    ['Accept-Encoding', 'gzip;q=0.1234', 'identity'],
    ['Accept-Encoding', 'gzip;level=9', 'identity'],
    ['Accept-Encoding', 'gzip;q=1;q=0', 'identity'],
    ['Accept-Encoding', 'gzip;q=0, gzip', 'identity'],
    ['Accept-Encoding', 'gzip, gzip;q=0', 'gzip'],
    ['Accept-Encoding', 'gzip;q=0, gzip', 'gzip'],
    ['Accept-Encoding', 'x-gzip;q=0, gzip', 'identity'],
    ['Accept-Encoding', '*;q=0, *', 'gzip;q=0'],
    ['Accept-Encoding', 'br;x=", gzip, "', 'br'],
    ['Accept-Encoding', 'other;x=", gzip, "', 'identity'],
    ['Accept-Encoding', 'gzip identity', 'gzip'],
  ])('tells apart, in %s: %j and %j', (name, first, second) => {
    expect(same(name, first, second)).toBe(false)
  })

  it('looks at the fields that are named, in whatever order and case', () => {
    const request = get('A: 1', 'B: 2', 'C: 3')
    expect(selectingKey(['A', 'b'], request)).toBe(selectingKey(['B', 'a', 'A'], request))
    expect(selectingKey(['a', 'b'], request)).toBe(selectingKey(['a', 'b'], get('b: 2', 'a: 1', 'C: 4')))
    expect(selectingKey([], request)).toBe('')
  })

  it('takes no line end in a value for that between two fields', () => {
    const keyOf = (a: string, b: string) =>
      selectingKey(['a', 'b'], {
        fields: [
          ['a', a],
          ['b', b],
        ],
      })
    expect(keyOf('1\nb: 2', '3')).not.toBe(keyOf('1', '2\nb: 3'))
    expect(keyOf('1\\nb: 2', '3')).not.toBe(keyOf('1\nb: 2', '3'))
  })

  it('is the same for the same values only, whatever is in them', () => {
    const value = fc.option(fc.string({ unit: fc.constantFrom('a', 'b', ':', '\\', '\n', '\r', 'n', ' ') }), {
      nil: undefined,
    })
    const keyOf = (a?: string, b?: string) =>
      selectingKey(['a', 'b'], {
        fields: [...(a === undefined ? [] : [['a', a] as const]), ...(b === undefined ? [] : [['b', b] as const])],
      })
    const plain = (text?: string) => text?.replace(/^ +| +$/g, '')
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const equal = plain(a) === plain(c) && plain(b) === plain(d)
        return (keyOf(a, b) === keyOf(c, d)) === equal
      }),
    )
  })

  it('does not depend on the order of members of different weight', () => {
    const members = fc.shuffledSubarray([
      'br',
      'gzip;q=0.9',
      'zstd;q=0.8',
      'identity;q=0.7',
      'deflate;q=0.6',
      '*;q=0.5',
    ])
    fc.assert(fc.property(members, list => same('Accept-Encoding', list.join(), [...list].sort().join())))
    const languages = fc.shuffledSubarray(['en', 'de;q=0.9', 'fr', 'de-AT;q=0.8', '*;q=0.5'])
    fc.assert(fc.property(languages, list => same('Accept-Language', list.join(), [...list].sort().join())))
  })
})
