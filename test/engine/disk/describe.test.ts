import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { describeKind, formatPath, isPlainObject } from '../../../src/engine/disk/describe.js'

describe('describeKind()', () => {
  class User {}
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [1, 'a number'],
    ['x', 'a string'],
    ['\ud800', 'text with a lone surrogate'],
    [Symbol('s'), 'a symbol'],
    [() => 1, 'a function'],
    [10n, 'a bigint of 2 digits'],
    [[], 'an array'],
    [{}, 'an object'],
    [new Map(), 'a Map'],
    [new Error('e'), 'an Error'],
    [new User(), 'an instance of User'],
    [Object.create({ constructor: 1 }), 'an object with a prototype'],
  ])('says of %o that it is %s', (value, expected) => {
    expect(describeKind(value)).toBe(expected)
  })
})

describe('formatPath()', () => {
  it('writes a path as code has it', () => {
    expect(formatPath('value', ['users', 3, 'first name', 'é'])).toBe('value.users[3]["first name"].é')
  })
})

describe('isPlainObject()', () => {
  it('is true for objects of any realm and without prototype', () => {
    for (const value of [{}, Object.create(null), runInNewContext('({})')]) expect(isPlainObject(value)).toBe(true)
  })

  it('is false for instances', () => {
    for (const value of [new Map(), new (class {})(), Object.create({}), runInNewContext('new Map')]) {
      expect(isPlainObject(value)).toBe(false)
    }
  })
})
