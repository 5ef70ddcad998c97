import type { Key, Storing } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { expectNoValueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject, withClock } from './subjects.js'

/** getMany, setMany and deleteMany. */
export function bulkSuite(subject: Subject): void {
  describe('bulk verbs', () => {
    getting(subject)
    setting(subject)
    refusing(subject)
    deleting(subject)
  })
}

function* numbers(length: number): Generator<number> {
  for (let number = 0; number < length; number += 1) yield number
}

function getting(subject: Subject): void {
  it('getMany() answers in the order of its keys, with undefined for misses', async () => {
    const cache = subject.make()
    await cache.set('a', 1)
    await cache.set('b', null)
    expect(await cache.getMany(['b', 'x', 'a', 'a'])).toEqual([null, undefined, 1, 1])
    expect(await cache.getMany([])).toEqual([])
  })

  it('getMany() takes any iterable, and files', async () => {
    const cache = subject.make()
    for (const key of numbers(20)) await cache.set(key, key % 2 ? key : `${key}${LARGE}`)
    const values = await cache.getMany(numbers(20))
    expect(values).toEqual([...numbers(20)].map(key => (key % 2 ? key : `${key}${LARGE}`)))
  })
}

function setting(subject: Subject): void {
  it('setMany() stores all entries and answers for each', async () => {
    const cache = subject.make()
    const entries = [...numbers(500)].map(key => [key, { key }] as const)
    expect(await cache.setMany(entries)).toEqual(entries.map(() => true))
    expect(await cache.count()).toBe(500)
    expect(await cache.getMany(numbers(500))).toEqual(entries.map(([, value]) => value))
    expect(await cache.check()).toEqual([])
  })

  it('setMany() stores nothing when there is nothing', async () => {
    const cache = subject.make()
    expect(await cache.setMany([])).toEqual([])
    expect(await cache.count()).toBe(0)
  })

  it('setMany() takes options per entry', async () => {
    const { cache, clock } = withClock(subject)
    await cache.setMany([
      ['short', 1, { ttl: 1000 }],
      ['tagged', 2, { tag: 'red', tags: ['a'] }],
      ['file', 'small', { file: true }],
      ['plain', 3],
    ])
    expect(await cache.info('tagged')).toMatchObject({ tag: 'red', tags: ['a'] })
    expect(await cache.info('file')).toHaveProperty('path')
    clock.advance(1000)
    expect(await cache.getMany(['short', 'tagged', 'file', 'plain'])).toEqual([undefined, 2, 'small', 3])
  })

  it('setMany() lets the last entry of a key win', async () => {
    const cache = subject.make()
    await cache.setMany([
      ['key', 1],
      ['other', 2],
      ['key', 3],
    ])
    expect(await cache.getMany(['key', 'other'])).toEqual([3, 2])
    expect(await cache.count()).toBe(2)
  })

  it('setMany() takes a Map and a generator', async () => {
    const cache = subject.make()
    await cache.setMany(
      new Map<Key, unknown>([
        ['a', 1],
        ['b', 2],
      ]),
    )
    await cache.setMany(
      (function* pairs(): Generator<readonly [Key, unknown]> {
        yield ['c', 3]
      })(),
    )
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([1, 2, 3])
  })

  it('setMany() takes its place among the calls before and after it', async () => {
    const cache = subject.make()
    const calls = [
      cache.set('a', 'before'),
      cache.setMany([
        ['a', 'bulk'],
        ['b', 'bulk'],
      ]),
      cache.set('b', 'after'),
    ]
    expect(await cache.getMany(['a', 'b'])).toEqual(['bulk', 'after'])
    await Promise.all(calls)
  })
}

function refusing(subject: Subject): void {
  it('setMany() with one bad entry rejects and stores none', async () => {
    const cache = subject.make()
    const entries: [Key, unknown][] = [
      ['a', 1],
      ['b', () => 1],
      ['c', 2],
    ]
    await expect(cache.setMany(entries)).rejects.toThrow(TypeError)
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  it('setMany() with a bad time to live rejects, stores none and leaves no file', async () => {
    const cache = subject.make()
    const entries: (readonly [Key, unknown, Storing?])[] = [
      ['a', LARGE],
      ['b', 1, { ttl: -1 }],
    ]
    await expect(cache.setMany(entries)).rejects.toThrow(RangeError)
    expect(await cache.count()).toBe(0)
    await expectNoValueFiles(cache.directory)
  })

  it('setMany() passes on the error of its iterable and stores nothing', async () => {
    const cache = subject.make()
    const entries = (function* failing(): Generator<readonly [Key, unknown]> {
      yield ['a', LARGE]
      throw new Error('no more')
    })()
    await expect(cache.setMany(entries)).rejects.toThrow('no more')
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })
}

function deleting(subject: Subject): void {
  it('deleteMany() answers for each key whether it was there', async () => {
    const cache = subject.make()
    await cache.setMany([...numbers(10)].map(key => [key, key % 2 ? 'small' : LARGE]))
    expect(await cache.deleteMany([1, 2, 99, 1])).toEqual([true, true, false, false])
    expect(await cache.count()).toBe(8)
    expect(await cache.deleteMany(numbers(10))).toEqual([true, false, false, true, true, true, true, true, true, true])
    expect(await cache.deleteMany([])).toEqual([])
    expect(await cache.check()).toEqual([])
  })
}
