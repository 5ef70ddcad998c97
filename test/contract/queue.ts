import type { Cache, Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { expectNoValueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject, withClock } from './subjects.js'

const FIRST = 500_000_000_000_000

/** push, pull and peek: the queue in the key space of one database. */
export function queueSuite(subject: Subject<Cache>): void {
  describe('the queue', () => {
    pushing(subject)
    prefixes(subject)
    peeking(subject)
    expiring(subject)
    passing(subject)
    files(subject)
    neighbours(subject)
    together(subject)
    transacting(subject)
  })
}

function pushing(subject: Subject<Cache>): void {
  it('pull() gives what push() put in, first in first out, then undefined', async () => {
    const cache = subject.make()
    for (let value = 0; value < 10; value += 1) await cache.push(value)
    for (let value = 0; value < 10; value += 1) expect((await cache.pull())?.value).toBe(value)
    expect(await cache.pull()).toBeUndefined()
    expect(await cache.count()).toBe(0)
  })

  it('push() and pull() work at both sides', async () => {
    const cache = subject.make()
    for (const value of ['b', 'c']) await cache.push(value)
    await cache.push('a', { side: 'front' })
    expect((await cache.pull({ side: 'back' }))?.value).toBe('c')
    expect((await cache.pull({ side: 'front' }))?.value).toBe('a')
    expect((await cache.pull())?.value).toBe('b')
  })

  it('push() answers the key, counted from the middle of 15 digits in both directions', async () => {
    const cache = subject.make()
    expect(await cache.push('a')).toBe(FIRST)
    expect(await cache.push('b')).toBe(FIRST + 1)
    expect(await cache.push('c', { side: 'front' })).toBe(FIRST - 1)
    expect(await cache.push('d', { prefix: 'jobs' })).toBe('jobs-500000000000000')
    expect(await cache.push('e', { prefix: 'jobs', side: 'front' })).toBe('jobs-499999999999999')
  })

  // JSONDisk's own keys are compressed JSON, those of its queues are not: get() looks for the former.
  if (subject.codec !== 'json') {
    it('push() answers a key that finds the item', async () => {
      const cache = subject.make()
      expect(await cache.get(await cache.push('a'))).toBe('a')
      expect(await cache.get(await cache.push('b', { prefix: 'jobs' }))).toBe('b')
    })

    it('pull() leaves keys alone that have fewer digits, also with zeros before them', async () => {
      const cache = subject.make()
      for (const key of ['jobs-7', 'jobs-000000000000007', 7]) await cache.set(key, 'ordinary')
      expect(await cache.push('a', { prefix: 'jobs', side: 'front' })).toBe('jobs-500000000000000')
      expect((await cache.pull({ prefix: 'jobs' }))?.value).toBe('a')
      expect([await cache.pull({ prefix: 'jobs' }), await cache.pull()]).toEqual([undefined, undefined])
      expect(await cache.count()).toBe(3)
    })

    it('push() rejects at the end of the keys of 15 digits, and pull() finds what is there', async () => {
      const cache = subject.make()
      for (const key of ['jobs-999999999999998', 'jobs-100000000000000', 999_999_999_999_998, 100_000_000_000_000])
        await cache.set(key, key)
      for (const prefix of [undefined, 'jobs']) {
        for (const side of ['back', 'front'] as const) {
          const end = { side, ...(prefix !== undefined && { prefix }) }
          await expect(cache.push('more', end)).rejects.toThrow(RangeError)
          const item = await cache.pull(end)
          expect(item?.value).toBe(item?.key)
        }
      }
      expect(await cache.count()).toBe(0)
    })
  }

  it('pull() returns the item with key, tags and expiry', async () => {
    const { cache, clock } = withClock(subject)
    await cache.push({ job: 1 }, { ttl: '1m', tag: 'red', tags: ['a', 'b'] })
    const expected = { key: FIRST, value: { job: 1 }, tag: 'red', tags: ['a', 'b'], expiresAt: clock.now() + 60_000 }
    expect(await cache.peek()).toMatchObject(expected)
    expect(await cache.peekItem()).toMatchObject(expected)
    expect(await cache.pull()).toMatchObject(expected)
  })
}

function prefixes(subject: Subject<Cache>): void {
  it('queues with different prefixes, and without, are different queues', async () => {
    const cache = subject.make()
    const queues = [undefined, 'a', 'a-b', 'b', '', 'ä😀']
    for (const prefix of queues)
      for (const value of [1, 2]) await cache.push(`${prefix} ${value}`, prefix === undefined ? {} : { prefix })
    for (const prefix of queues) {
      const options = prefix === undefined ? {} : { prefix }
      expect((await cache.peek(options))?.value).toBe(`${prefix} 1`)
      expect((await cache.pull(options))?.value).toBe(`${prefix} 1`)
      expect((await cache.pull({ ...options, side: 'back' }))?.value).toBe(`${prefix} 2`)
      expect(await cache.pull(options)).toBeUndefined()
    }
  })
}

function peeking(subject: Subject<Cache>): void {
  it('peek() gives what pull() would, and leaves it there', async () => {
    const cache = subject.make()
    for (const value of ['a', 'b', 'c']) await cache.push(value)
    expect((await cache.peek())?.value).toBe('a')
    expect((await cache.peek({ side: 'back' }))?.value).toBe('c')
    expect(await cache.count()).toBe(3)
    expect((await cache.pull())?.value).toBe('a')
    expect(await subject.make().peek()).toBeUndefined()
  })

  it('peekItem() gives the entry stored last or first', async () => {
    const cache = subject.make()
    expect(await cache.peekItem()).toBeUndefined()
    for (const key of ['b', 'a', 'c']) await cache.set(key, `${key}!`, { tag: key })
    expect(await cache.peekItem()).toMatchObject({ key: 'c', value: 'c!', tag: 'c', tags: [] })
    expect(await cache.peekItem({ last: true })).toMatchObject({ key: 'c' })
    expect(await cache.peekItem({ last: false })).toMatchObject({ key: 'b', value: 'b!' })
    expect(await cache.count()).toBe(3)
  })
}

function expiring(subject: Subject<Cache>): void {
  it('peek() and peekItem() do not see a write that is called after them, when what is at the end has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.push('old', { ttl: 1 })
    clock.advance(2)
    const looks = [cache.peek(), cache.peekItem(), cache.peekItem({ last: false })]
    const written = cache.push('new')
    expect(await Promise.all(looks)).toEqual([undefined, undefined, undefined])
    await written
    expect((await cache.peek())?.value).toBe('new')
    expect(await cache.count()).toBe(1)
  })

  it('pull(), peek() and peekItem() pass over what has expired', async () => {
    const { cache, clock } = withClock(subject)
    for (let value = 0; value < 3; value += 1) await cache.push(value, { ttl: 1000 })
    await cache.push('live')
    for (let value = 0; value < 3; value += 1) await cache.push(value, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.peek()).toMatchObject({ key: FIRST + 3, value: 'live' })
    expect(await cache.peek({ side: 'back' })).toMatchObject({ key: FIRST + 3, value: 'live' })
    expect(await cache.peekItem()).toMatchObject({ key: FIRST + 3 })
    expect(await cache.peekItem({ last: false })).toMatchObject({ key: FIRST + 3 })
    expect(await cache.pull()).toMatchObject({ key: FIRST + 3, value: 'live' })
    expect(await cache.pull()).toBeUndefined()
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })
}

function passing(subject: Subject<Cache>): void {
  it.each(['peek', 'peekItem'] as const)('%s() removes what has expired on its way, with its file', async verb => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    for (let value = 0; value < 3; value += 1) await cache.push(LARGE, { ttl: 1000 })
    await cache.push('live')
    clock.advance(1000)
    const item = await (verb === 'peek' ? cache.peek() : cache.peekItem({ last: false }))
    expect(item).toMatchObject({ key: FIRST + 3, value: 'live' })
    expect(await cache.count()).toBe(1)
    await expectNoValueFiles(cache.directory)
  })
}

function files(subject: Subject<Cache>): void {
  it('pull() gives values from files and removes the files', async () => {
    const cache = subject.make()
    await cache.push(LARGE)
    await cache.push({ list: [LARGE] }, { prefix: 'jobs' })
    expect((await cache.peek())?.value).toBe(LARGE)
    expect((await cache.peek())?.value).toBe(LARGE)
    expect((await cache.peekItem())?.value).toEqual({ list: [LARGE] })
    expect((await cache.pull())?.value).toBe(LARGE)
    expect((await cache.pull({ prefix: 'jobs' }))?.value).toEqual({ list: [LARGE] })
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('push() takes streams and metadata', async () => {
    const cache = subject.make()
    await cache.push(new Blob(['from a blob']), { meta: { type: 'text/plain' } })
    const item = await cache.pull()
    expect(item).toMatchObject({ meta: { type: 'text/plain' } })
    expect(item?.value).toEqual(Buffer.from('from a blob'))
  })
}

function neighbours(subject: Subject<Cache>): void {
  it('the queue passes over ordinary keys that lie beside it', async () => {
    const cache = subject.make()
    const keys: Key[] = [
      1,
      2.5,
      -3,
      99_999_999_999_999,
      1_000_000_000_000_000,
      FIRST + 0.5,
      'P-5abc',
      'P-12',
      'P-x',
      'P',
    ]
    for (const key of keys) await cache.set(key, 'ordinary')
    expect(await cache.pull()).toBeUndefined()
    expect(await cache.peek({ side: 'back' })).toBeUndefined()
    expect(await cache.pull({ prefix: 'P' })).toBeUndefined()
    expect(await cache.push('queued')).toBe(FIRST)
    expect(await cache.push('queued', { prefix: 'P' })).toBe('P-500000000000000')
    expect((await cache.pull())?.value).toBe('queued')
    expect((await cache.pull({ prefix: 'P' }))?.value).toBe('queued')
    expect(await cache.getMany(keys)).toEqual(keys.map(() => 'ordinary'))
  })
}

function together(subject: Subject<Cache>): void {
  it('pushes and pulls that are not awaited keep the order of their calls', async () => {
    const cache = subject.make()
    const pushed = Array.from({ length: 60 }, (_, value) => cache.push(value))
    const pulled = await Promise.all(Array.from({ length: 60 }, () => cache.pull()))
    expect(pulled.map(item => item?.value)).toEqual(Array.from({ length: 60 }, (_, value) => value))
    expect(await Promise.all(pushed)).toEqual(Array.from({ length: 60 }, (_, value) => FIRST + value))
    expect(await cache.pull()).toBeUndefined()
  })

  it('a look at a value in a file does not see what is called after it', async () => {
    const cache = subject.make()
    for (const value of [LARGE, 'second']) await cache.push(value)
    const looks = [cache.peek(), cache.peekItem({ last: false })]
    const later = cache.clear()
    expect((await Promise.all(looks)).map(item => item?.value)).toEqual([LARGE, LARGE])
    expect(await later).toBe(2)
    await expectNoValueFiles(cache.directory)
  })

  it('sortedKeys() lists the queue in its order', async () => {
    const cache = subject.make()
    for (const value of ['b', 'c']) await cache.push(value)
    await cache.push('a', { side: 'front' })
    expect(await collect(cache.sortedKeys())).toEqual([FIRST - 1, FIRST, FIRST + 1])
    expect(await collect(cache.keys())).toEqual([FIRST, FIRST + 1, FIRST - 1])
  })
}

function transacting(subject: Subject<Cache>): void {
  it('transact() of a Cache has the verbs of the queue', async () => {
    const cache = subject.make()
    await cache.transact(tx => {
      expect(tx.push('a')).toBe(FIRST)
      expect(tx.push(LARGE, { prefix: 'jobs' })).toBe('jobs-500000000000000')
      expect(tx.peek()?.value).toBe('a')
      expect(tx.peekItem({ last: false })?.key).toBe(FIRST)
      expect(tx.pull({ prefix: 'jobs' })?.value).toBe(LARGE)
    })
    expect(await cache.count()).toBe(1)
  })

  it('transact() lists the items with their values', async () => {
    const cache = subject.make()
    await cache.push('a')
    await cache.push(LARGE, { prefix: 'jobs' })
    const listed = await cache.transact(tx => [...tx.entries()])
    expect(listed).toEqual([
      [FIRST, 'a'],
      ['jobs-500000000000000', LARGE],
    ])
  })

  it('transact() that is undone puts back what was pulled', async () => {
    const cache = subject.make()
    await cache.push(LARGE)
    const failing = cache.transact(tx => {
      tx.pull()
      tx.push('new')
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect((await cache.pull())?.value).toBe(LARGE)
    expect(await cache.pull()).toBeUndefined()
    expect(await cache.check()).toEqual([])
  })
}
