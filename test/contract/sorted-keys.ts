import type { Cache, Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { type Subject, withClock } from './subjects.js'

/** sortedKeys: the order of SQLite, which only one database can have. */
export function sortedKeysSuite(subject: Subject<Cache>): void {
  describe('sortedKeys()', () => {
    order(subject)
    selections(subject)
    moving(subject)
  })
}

function order(subject: Subject<Cache>): void {
  it('sortedKeys() ends at once when there is nothing', async () => {
    const cache = subject.make()
    expect(await collect(cache.sortedKeys())).toEqual([])
    expect(await collect(cache.sortedKeys({ reverse: true }))).toEqual([])
  })

  it('sortedKeys({ reverse }) is the exact reverse of sortedKeys()', async () => {
    const cache = subject.make()
    for (let key = 0; key < 350; key += 1) await cache.set(`${(key * 7919) % 1000}`, key)
    const forward = await collect(cache.sortedKeys())
    expect(new Set(forward).size).toBe(350)
    expect(await collect(cache.sortedKeys({ reverse: true }))).toEqual(forward.reverse())
  })

  // JSONDisk's keys are compressed bytes, whose order means nothing.
  if (subject.codec === 'json') return
  it('sortedKeys() goes from numbers over text to bytes, whatever the order of storing', async () => {
    const cache = subject.make()
    const keys: Key[] = [-1e300, -5, -0.5, 0, 0.5, 1, 2n ** 60n, 1e300, '', 'A', 'a', 'aa', 'b', 'ä', '😀']
    const bytes = [Buffer.from([]), Buffer.from([0]), Buffer.from([0, 1]), Buffer.from([255])]
    for (const key of [...bytes, ...keys].reverse()) await cache.set(key, 1)
    expect(await collect(cache.sortedKeys())).toEqual([...keys, ...bytes])
    expect(await collect(cache.sortedKeys({ reverse: true }))).toEqual([...keys, ...bytes].reverse())
  })

  it('sortedKeys() sorts more keys than one page', async () => {
    const cache = subject.make()
    const keys = Array.from({ length: 1000 }, (_, index) => (index * 617) % 1000)
    await cache.setMany(keys.map(key => [key, 1]))
    expect(await collect(cache.sortedKeys())).toEqual(keys.sort((a, b) => a - b))
  })
}

function selections(subject: Subject<Cache>): void {
  it('sortedKeys() leaves out what has expired unless it is asked for', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    await cache.set('a', 1, { ttl: 1000 })
    await cache.set('b', 1)
    clock.advance(1000)
    expect(await collect(cache.sortedKeys())).toEqual(['b'])
    expect((await collect(cache.sortedKeys({ includeExpired: true }))).sort()).toEqual(['a', 'b'])
  })

  if (subject.codec === 'json') return
  it('sortedKeys({ prefix, tag }) sorts what they select', async () => {
    const cache = subject.make()
    for (const key of ['p:c', 'q:a', 'p:a', 'p:d', 'p:b', 7])
      await cache.set(key, 1, { tag: key === 'p:d' ? 'no' : 'yes' })
    expect(await collect(cache.sortedKeys({ prefix: 'p:' }))).toEqual(['p:a', 'p:b', 'p:c', 'p:d'])
    expect(await collect(cache.sortedKeys({ prefix: 'p:', tag: 'yes', reverse: true }))).toEqual(['p:c', 'p:b', 'p:a'])
  })
}

function moving(subject: Subject<Cache>): void {
  it('sortedKeys() lets the items that it yields be deleted', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 250 }, (_, key) => [`key ${key}`, key]))
    let steps = 0
    for await (const key of cache.sortedKeys()) {
      expect(await cache.delete(key)).toBe(true)
      steps += 1
    }
    expect(steps).toBe(250)
    expect(await cache.count()).toBe(0)
  })

  it('sortedKeys() with a tag rejects when it is continued after close()', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 250 }, (_, key) => [`key ${key}`, key, { tag: 'red' }] as const))
    const listing = cache.sortedKeys({ tag: 'red' })[Symbol.asyncIterator]()
    await listing.next()
    await listing.next()
    await cache.close()
    const rest = collect({ [Symbol.asyncIterator]: () => listing })
    await expect(rest).rejects.toThrow(/was closed meanwhile/)
  })
}
