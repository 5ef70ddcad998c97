import type { Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { LARGE, type Subject, withClock } from './subjects.js'

/** keys and entries. */
export function listingSuite(subject: Subject): void {
  describe('listings', () => {
    everything(subject)
    order(subject)
    expired(subject)
    prefixes(subject)
    tagged(subject)
    moving(subject)
    reused(subject)
  })
}

function sorted(keys: readonly Key[]): Key[] {
  return [...keys].sort((a, b) => (String(a) < String(b) ? -1 : 1))
}

function everything(subject: Subject): void {
  it('keys() and entries() end at once when there is nothing', async () => {
    const cache = subject.make()
    expect(await collect(cache.keys())).toEqual([])
    expect(await collect(cache.keys({ reverse: true }))).toEqual([])
    expect(await collect(cache.entries())).toEqual([])
  })

  it('keys() yields every key once, over many pages', async () => {
    const cache = subject.make()
    const keys = Array.from({ length: 1234 }, (_, index) => `key ${String(index).padStart(4, '0')}`)
    await cache.setMany(keys.map(key => [key, 1]))
    expect(sorted(await collect(cache.keys()))).toEqual(keys)
    expect(sorted(await collect(cache.keys({ reverse: true })))).toEqual(keys)
  })

  it('entries() yields keys with their values, from files too', async () => {
    const cache = subject.make()
    const stored: [Key, unknown][] = [
      ['text', 'a'],
      [1, { b: [2] }],
      ['large', LARGE],
      [['c', 3], null],
    ]
    await cache.setMany(stored)
    const entries = await collect(cache.entries())
    expect(entries).toHaveLength(stored.length)
    expect(entries).toEqual(expect.arrayContaining(stored))
  })

  it('keys() yields keys that find their items', async () => {
    const cache = subject.make()
    const keys: Key[] = ['text', 7, -1.5, null, true, ['a', [1]], { b: 1, a: [null] }]
    for (const key of keys) await cache.set(key, 'found')
    for await (const key of cache.keys()) expect(await cache.get(key)).toBe('found')
    const listed: unknown[] = await collect(cache.keys())
    expect(listed).toHaveLength(keys.length)
    for (const key of keys) expect(listed).toContainEqual(key)
  })
}

function order(subject: Subject): void {
  it('keys({ reverse }) is the exact reverse of keys()', async () => {
    const cache = subject.make()
    for (let key = 0; key < 300; key += 1) await cache.set(key * 7919, key)
    const forward = await collect(cache.keys())
    expect(await collect(cache.keys({ reverse: true }))).toEqual(forward.reverse())
  })

  it('entries({ reverse }) is the exact reverse of entries()', async () => {
    const cache = subject.make()
    for (let key = 0; key < 50; key += 1) await cache.set(`key ${key}`, key)
    const forward = await collect(cache.entries())
    expect(await collect(cache.entries({ reverse: true }))).toEqual(forward.reverse())
  })

  if (!subject.single) return
  it('keys() follows the order in which keys were first stored', async () => {
    const cache = subject.make()
    const keys: Key[] = ['b', 2, 'a', 1, ['x'], null, 'c']
    for (const key of keys) await cache.set(key, 1)
    await cache.set('a', 2)
    await cache.touch('b', { ttl: '1h' })
    expect(await collect(cache.keys())).toEqual(keys)
  })

  it('keys({ prefix }) follows the order in which keys were first stored', async () => {
    const cache = subject.make()
    for (const key of ['p:b', 'q', 'p:c', 'p:a', 'o']) await cache.set(key, 1)
    expect(await collect(cache.keys({ prefix: 'p:' }))).toEqual(['p:b', 'p:c', 'p:a'])
    expect(await collect(cache.keys({ prefix: 'p:', reverse: true }))).toEqual(['p:a', 'p:c', 'p:b'])
  })
}

function expired(subject: Subject): void {
  it('keys() leaves out what has expired unless it is asked for', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    await cache.set('short', 1, { ttl: 1000, tag: 'red' })
    await cache.set('long', 2, { ttl: 5000, tag: 'red' })
    clock.advance(1000)
    for (const listing of [{}, { prefix: '' }, { tag: 'red' }]) {
      expect(await collect(cache.keys(listing))).toEqual(['long'])
      expect(await collect(cache.entries(listing))).toEqual([['long', 2]])
      expect(sorted(await collect(cache.keys({ ...listing, includeExpired: true })))).toEqual(['long', 'short'])
    }
  })

  it('entries({ includeExpired }) yields the values of expired items', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    await cache.set('short', 1, { ttl: 1000 })
    clock.advance(1000)
    expect(await collect(cache.entries({ includeExpired: true }))).toEqual([['short', 1]])
  })
}

function prefixes(subject: Subject): void {
  it('keys({ prefix }) yields text keys that begin so, and no others', async () => {
    const cache = subject.make()
    const keys: Key[] = ['user:1', 'user:2', 'user', 'users:1', 'User:1', 'xuser:1', 7, ['user:3'], null]
    for (const key of keys) await cache.set(key, 1)
    expect(sorted(await collect(cache.keys({ prefix: 'user:' })))).toEqual(['user:1', 'user:2'])
    expect(sorted(await collect(cache.keys({ prefix: 'nobody' })))).toEqual([])
    expect(await collect(cache.keys({ prefix: '' }))).toHaveLength(6)
  })

  it('keys({ prefix }) yields the key that is the prefix itself', async () => {
    const cache = subject.make()
    await cache.set('a', 1)
    await cache.set('ab', 2)
    expect(sorted(await collect(cache.keys({ prefix: 'a' })))).toEqual(['a', 'ab'])
    expect(sorted(await collect(cache.entries({ prefix: 'a' })).then(list => list.map(([key]) => key)))).toEqual([
      'a',
      'ab',
    ])
  })

  it('keys({ prefix }) takes wildcards and characters at the edges of Unicode as they are', async () => {
    const cache = subject.make()
    const keys = [
      '100%',
      '100x',
      'a_b',
      'aXb',
      'e*',
      'ef',
      'p\u{10FFFF}',
      'p\u{10FFFF}1',
      'q',
      '\u{10FFFF}',
      '\u{10FFFF}z',
      '\u{FFFF}',
      '😀1',
      '😁1',
      '\u0000a',
    ]
    for (const key of keys) await cache.set(key, 1)
    const found = async (prefix: string) => sorted(await collect(cache.keys({ prefix })))
    expect(await found('100%')).toEqual(['100%'])
    expect(await found('a_')).toEqual(['a_b'])
    expect(await found('e*')).toEqual(['e*'])
    expect(await found('p\u{10FFFF}')).toEqual(['p\u{10FFFF}', 'p\u{10FFFF}1'])
    expect(await found('\u{10FFFF}')).toEqual(['\u{10FFFF}', '\u{10FFFF}z'])
    expect(await found('\u{FFFF}')).toEqual(['\u{FFFF}'])
    expect(await found('😀')).toEqual(['😀1'])
    expect(await found('\u0000')).toEqual(['\u0000a'])
  })
}

function tagged(subject: Subject): void {
  it('keys({ tag }) yields items with that tag among tag and tags', async () => {
    const cache = subject.make()
    await cache.set('a', 1, { tag: 'red' })
    await cache.set('b', 2, { tags: ['green', 'red'] })
    await cache.set('c', 3, { tag: 'green' })
    await cache.set('d', 4, { tag: 'red', tags: ['red'] })
    expect(sorted(await collect(cache.keys({ tag: 'red' })))).toEqual(['a', 'b', 'd'])
    expect(await collect(cache.entries({ tag: 'green' }))).toEqual(
      expect.arrayContaining([
        ['b', 2],
        ['c', 3],
      ]),
    )
    expect(await collect(cache.keys({ tag: 'blue' }))).toEqual([])
  })

  it('keys({ tag, prefix, reverse }) takes all of them together', async () => {
    const cache = subject.make()
    for (let index = 0; index < 40; index += 1) {
      await cache.set(`${index % 2 ? 'odd' : 'even'}:${index}`, index, { tag: index % 4 })
    }
    const listing = { tag: 3, prefix: 'odd:' }
    const forward = await collect(cache.keys(listing))
    expect(forward).toHaveLength(10)
    expect(forward.every(key => Number(String(key).slice(4)) % 4 === 3)).toBe(true)
    expect(await collect(cache.keys({ ...listing, reverse: true }))).toEqual(forward.reverse())
  })
}

function moving(subject: Subject): void {
  it('keys() leaves out what is deleted meanwhile and what is added after its first step', async () => {
    const cache = subject.make()
    const keys = Array.from({ length: 1000 }, (_, key) => `key ${key}`)
    await cache.setMany(keys.map(key => [key, 1]))
    const seen: Key[] = []
    for await (const key of cache.keys()) {
      if (seen.length === 0) {
        // The last ones stay: what is stored after the last row of a database has gone may take its place.
        await cache.deleteMany(keys.slice(0, 900))
        await cache.setMany(keys.map(other => [`added ${other}`, 1]))
      }
      seen.push(key)
    }
    // The page that had been read already may still be yielded.
    expect(seen.length).toBeLessThan(500)
    expect(seen).toEqual(expect.arrayContaining(keys.slice(900)))
    expect(seen.filter(key => String(key).startsWith('added'))).toEqual([])
  })

  it('keys() lets the items that it yields be changed and deleted', async () => {
    const cache = subject.make()
    for (let key = 0; key < 250; key += 1) await cache.set(key, key)
    let steps = 0
    for await (const key of cache.keys()) {
      await (steps % 2 ? cache.delete(key) : cache.set(key, 'changed'))
      steps += 1
    }
    expect(steps).toBe(250)
    expect(await cache.count()).toBe(125)
  })

  it('keys() can be left early', async () => {
    const cache = subject.make()
    for (let key = 0; key < 10; key += 1) await cache.set(key, key)
    for await (const key of cache.keys()) {
      expect(key).toEqual(expect.any(Number))
      break
    }
    expect(await cache.set('after', 1)).toBe(true)
  })

  it('keys() sees the writes that were called before it', async () => {
    const cache = subject.make()
    const writes = Array.from({ length: 20 }, (_, key) => cache.set(key, key))
    expect(await collect(cache.keys())).toHaveLength(20)
    await Promise.all(writes)
  })
}

/** SQLite gives the rowid of the last entry again when that was removed. */
function reused(subject: Subject): void {
  const names = Array.from({ length: 150 }, (_, index) => `a:${index}`)

  it.each([{ prefix: 'a:' }, { tag: 't' }])(
    'keys() and entries() by %o pass over what took the place of an entry',
    async listing => {
      for (const list of ['keys', 'entries'] as const) {
        const cache = subject.make()
        await cache.setMany(names.map(name => [name, 1, { tag: 't' }]))
        const seen: (readonly [Key, unknown])[] = []
        for await (const one of list === 'keys' ? cache.keys(listing) : cache.entries(listing)) {
          if (seen.length === 0) {
            const rest = names.slice(-40)
            await cache.deleteMany(rest)
            await cache.setMany(rest.map((_, index) => [`other ${index}`, 2]))
          }
          seen.push(list === 'keys' ? [one as Key, 0] : (one as [Key, unknown]))
        }
        expect(seen.map(([key]) => key).filter(key => !String(key).startsWith('a:'))).toEqual([])
      }
    },
  )

  it('keys() by tag leaves out an entry that has lost its tag meanwhile, and yields integers beyond 2^53 exactly', async () => {
    const cache = subject.make()
    const large = 2n ** 60n + 1n
    await cache.setMany([...names.map(name => [name, 1, { tag: 't' }] as const), [large, 1, { tags: ['t'] }]])
    const seen: Key[] = []
    for await (const key of cache.keys({ tag: 't' })) {
      if (seen.length === 0) await cache.setMany(names.slice(-20).map(name => [name, 'without']))
      seen.push(key)
    }
    expect(seen).toContain(large)
    expect(seen.length).toBeLessThan(names.length + 1)
  })
}
