import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject } from './subjects.js'

/** Calls on one key take effect in the order in which they are made, awaited or not. */
export function orderingSuite(subject: Subject): void {
  describe('the order of calls', () => {
    perKey(subject)
    files(subject)
    streams(subject)
    barriers(subject)
    fairness(subject)
  })
}

function perKey(subject: Subject): void {
  it('a get() sees the set() called before it, not the one called after it', async () => {
    const cache = subject.make()
    const calls = [cache.set('key', 1), cache.get('key'), cache.set('key', 2), cache.get('key')]
    expect(await Promise.all(calls)).toEqual([true, 1, true, 2])
  })

  it('a get() sees the set() called before it when a later set() was given up', async () => {
    const cache = await subject.make().open()
    const abort = new AbortController()
    const calls: Promise<unknown>[] = [cache.set('key', 1), cache.set('key', 2, { signal: abort.signal })]
    abort.abort(new Error('enough'))
    calls.push(cache.get('key'))
    const [first, second, read] = await Promise.allSettled(calls)
    expect(first).toMatchObject({ value: true })
    expect(second).toMatchObject({ reason: abort.signal.reason })
    expect(read).toMatchObject({ value: 1 })
  })

  it('a get() sees the clear() called before it when a later evict() was given up', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    const abort = new AbortController()
    const calls: Promise<unknown>[] = [cache.clear(), cache.evict('red', { signal: abort.signal })]
    abort.abort(new Error('enough'))
    calls.push(cache.get('key'))
    const [first, second, read] = await Promise.allSettled(calls)
    expect(first).toMatchObject({ value: 1 })
    expect(second).toMatchObject({ reason: abort.signal.reason })
    expect(read).toMatchObject({ value: undefined })
  })

  it('no reading verb sees a write called after it, also in a long turn in which other keys are written', async () => {
    const cache = subject.make()
    await cache.set('key', 'value')
    const other = cache.set('other', 1)
    const found: Promise<unknown>[] = []
    for (let call = 0; call < 24; call++) {
      const until = performance.now() + 0.3
      while (performance.now() < until);
      found.push(call % 2 ? cache.get('key') : cache.has('key'), call % 3 ? cache.info('key') : cache.getItem('key'))
    }
    const deleted = cache.delete('key')
    for (const one of await Promise.all(found)) expect(one).toBeTruthy()
    expect(await Promise.all([other, deleted])).toEqual([true, true])
  })

  it('every reading verb sees the writes called before it', async () => {
    const cache = subject.make()
    void cache.set('key', 'value', { tag: 'red' })
    const answers = await Promise.all([
      cache.has('key'),
      cache.info('key').then(info => info?.tag),
      cache.getItem('key').then(item => item?.value),
      cache.getMany(['other', 'key']),
      cache
        .read('key')
        .then(file => file?.bytes())
        .then(String),
    ])
    expect(answers).toEqual([true, 'red', 'value', [undefined, 'value'], 'value'])
  })

  it('writes called together on one key take effect one after the other', async () => {
    const cache = subject.make()
    const answers = await Promise.all([
      cache.add('key', 1),
      cache.add('key', 2),
      cache.incr('key', 10),
      cache.touch('key', { ttl: '1h' }),
      cache.delete('key'),
      cache.delete('key'),
      cache.incr('key', 3),
      cache.pop('key'),
      cache.touch('key', { ttl: '1h' }),
      cache.add('key', 4),
      cache.get('key'),
    ])
    expect(answers).toEqual([true, false, 11, true, true, false, 3, 3, false, true, 4])
  })

  it('the last of many writes stays, whatever is awaited in between', async () => {
    const cache = subject.make()
    const calls: Promise<unknown>[] = []
    for (let round = 0; round < 200; round += 1) {
      calls.push(cache.set(`key ${round % 7}`, round))
      if (round % 13 === 0) await calls.at(-1)
    }
    expect(await cache.getMany([0, 1, 2, 3, 4, 5, 6].map(key => `key ${key}`))).toEqual([
      196, 197, 198, 199, 193, 194, 195,
    ])
    await Promise.all(calls)
  })
}

function files(subject: Subject): void {
  it('reads of a file see nothing of what is called after them, however many they are', async () => {
    const cache = subject.make()
    const lengthOf = (value: unknown): unknown => (value as string | undefined)?.length
    await cache.setMany([
      ['gone', LARGE],
      ['other', LARGE],
    ])
    const reads = ['gone', 'other'].flatMap(key => [
      ...Array.from({ length: 100 }, () => cache.get(key).then(lengthOf)),
      cache.getItem(key).then(item => lengthOf(item?.value)),
      cache.getMany([key]).then(([value]) => lengthOf(value)),
      cache
        .read(key)
        .then(file => file?.bytes())
        .then(bytes => (bytes ? LARGE.length : undefined)),
    ])
    const writes = [cache.delete('gone'), cache.set('other', 'small')]
    expect(new Set(await Promise.all(reads))).toEqual(new Set([LARGE.length]))
    expect(await Promise.all(writes)).toEqual([true, true])
    await expectNoValueFiles(cache.directory)
  })

  it('a small value called after a large one replaces it, and the reverse', async () => {
    const cache = subject.make()
    const calls = [cache.set('a', LARGE), cache.set('a', 'small'), cache.set('b', 'small'), cache.set('b', LARGE)]
    expect(await cache.getMany(['a', 'b'])).toEqual(['small', LARGE])
    await Promise.all(calls)
    expect(valueFiles(cache.directory)).toHaveLength(1)
    expect(await cache.check()).toEqual([])
  })

  it('large values called together keep the order of their calls, and one file each', async () => {
    const cache = subject.make()
    const calls = Array.from({ length: 12 }, (_, round) => cache.set(`key ${round % 3}`, `${round}${LARGE}`))
    await Promise.all(calls)
    expect(await cache.getMany(['key 0', 'key 1', 'key 2'])).toEqual([`9${LARGE}`, `10${LARGE}`, `11${LARGE}`])
    expect(valueFiles(cache.directory)).toHaveLength(3)
    expect(await cache.check()).toEqual([])
  })

  it('a delete() called after a set() of a file removes it', async () => {
    const cache = subject.make()
    const calls = [cache.set('key', LARGE), cache.delete('key'), cache.get('key')]
    expect(await Promise.all(calls)).toEqual([true, true, undefined])
    await expectNoValueFiles(cache.directory)
  })
}

function streams(subject: Subject): void {
  it('a stream takes its place when it ends', async () => {
    const cache = subject.make()
    const stream = new PassThrough()
    const streamed = cache.set('key', stream)
    stream.write('from ')
    expect(await cache.set('key', 'meanwhile')).toBe(true)
    expect(await cache.get('key')).toBe('meanwhile')
    stream.end('the stream')
    expect(await streamed).toBe(true)
    expect(await cache.get('key')).toEqual(Buffer.from('from the stream'))
    expect(await cache.check()).toEqual([])
  })

  it('a stream that does not end holds up no other call', async () => {
    const cache = subject.make()
    const stream = new PassThrough()
    const streamed = cache.set('key', stream)
    stream.write('begun')
    expect(await cache.set('other', 1)).toBe(true)
    expect(await cache.transact(tx => tx.incr('other'))).toBe(2)
    expect(await cache.clear()).toBe(1)
    expect(await cache.get('key')).toBeUndefined()
    stream.end()
    expect(await streamed).toBe(true)
    expect(await cache.get('key')).toEqual(Buffer.from('begun'))
  })

  it('many streams and values on one key leave one of them, whole', async () => {
    const cache = subject.make()
    const calls = Array.from({ length: 20 }, (_, round) => {
      return cache.set('key', round % 2 ? `${round}` : Readable.from([`${round}`, '!'.repeat(50_000)]))
    })
    await Promise.all(calls)
    const found = String(await cache.get('key'))
    expect(found).toMatch(/^\d+!*$/)
    expect([1, 2, 50_001, 50_002]).toContain(found.length)
    expect(await cache.check()).toEqual([])
  })
}

function barriers(subject: Subject): void {
  it('clear() removes what was called before it and keeps what was called after it', async () => {
    const cache = subject.make()
    const calls = [
      cache.set('a', 1),
      cache.set('b', LARGE),
      cache.clear(),
      cache.set('b', 'kept'),
      cache.set('c', LARGE),
    ]
    expect(await Promise.all(calls)).toEqual([true, true, 2, true, true])
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 'kept', LARGE])
    expect(await cache.count()).toBe(2)
  })

  it('evict() and expire() remove what was called before them and keep what was called after', async () => {
    const cache = subject.make()
    const calls = [
      cache.set('a', 1, { tag: 'red' }),
      cache.evict('red'),
      cache.set('b', 2, { tag: 'red' }),
      cache.set('c', 3, { ttl: 0 }),
      cache.expire(),
      cache.set('d', 4),
    ]
    expect(await Promise.all(calls)).toEqual([true, 1, true, true, 1, true])
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, 2, undefined, 4])
  })

  it('a removal of many pages keeps what is stored meanwhile', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 3000 }, (_, key) => [key, key, { tag: 'old' }]))
    const removed = cache.evict('old')
    const cleared = cache.clear()
    const stored = Array.from({ length: 50 }, (_, key) => cache.set(key, 'new', { tag: 'old' }))
    // The two may share the work: what counts is that they leave alone what was stored after them.
    expect((await removed) + (await cleared)).toBe(3000)
    await Promise.all(stored)
    expect(await cache.count()).toBe(50)
    expect(await cache.get(0)).toBe('new')
  })

  it('transact() stands between the calls before and after it, on every key', async () => {
    const cache = subject.make()
    const calls: Promise<unknown>[] = []
    for (let key = 0; key < 10; key += 1) calls.push(cache.set(key, 'before'))
    const seen = cache.transact(tx => {
      const values = tx.getMany([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      for (let key = 0; key < 10; key += 1) tx.set(key, 'inside')
      return values
    })
    for (let key = 0; key < 10; key += 2) calls.push(cache.set(key, 'after'))
    expect(await seen).toEqual(Array.from({ length: 10 }, () => 'before'))
    await Promise.all(calls)
    expect(await cache.getMany([0, 1, 2, 3])).toEqual(['after', 'inside', 'after', 'inside'])
  })
}

function fairness(subject: Subject): void {
  for (const [verb, call] of Object.entries({
    'set()': (cache: ReturnType<Subject['make']>, round: number) => cache.set('key', round),
    'get()': (cache: ReturnType<Subject['make']>) => cache.get('key'),
  })) {
    it(`a loop of awaited ${verb} lets timers run`, async () => {
      const cache = subject.make()
      await cache.set('key', 0)
      let ticks = 0
      const timer = setInterval(() => {
        ticks += 1
      }, 1)
      const until = performance.now() + 50
      for (let round = 0; round < 1500 || performance.now() < until; round += 1) await call(cache, round)
      clearInterval(timer)
      // Starved, it would not tick once; how often it does is the machine's business.
      expect(ticks).toBeGreaterThan(1)
    })
  }
}
