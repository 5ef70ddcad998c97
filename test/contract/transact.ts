import { AsyncLocalStorage } from 'node:async_hooks'
import { Readable } from 'node:stream'
import type { Transaction } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { valueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject, withClock } from './subjects.js'

/** transact: all or nothing. */
export function transactSuite(subject: Subject): void {
  describe('transact()', () => {
    committing(subject)
    undoing(subject)
    files(subject)
    nesting(subject)
    failingVerbs(subject)
    promises(subject)
    place(subject)
  })
}

function undo(): never {
  throw new Error('undo')
}

function committing(subject: Subject): void {
  it('transact() returns what its body returns and keeps what it wrote', async () => {
    const cache = subject.make()
    const result = await cache.transact(tx => {
      for (let key = 0; key < 30; key += 1) tx.set(key, { key })
      return tx.count()
    })
    expect(result).toBe(30)
    expect(await cache.get(29)).toEqual({ key: 29 })
    expect(await cache.transact(() => undefined)).toBeUndefined()
  })

  it('transact() runs each body in the context of its caller, among writes of others', async () => {
    const cache = subject.make()
    const context = new AsyncLocalStorage<number>()
    const callers = Array.from({ length: 10 }, (_, caller) => caller)
    const seen = await Promise.all(
      callers.map(caller =>
        context.run(caller, async () => {
          await cache.set(`before ${caller}`, caller)
          return cache.transact(() => context.getStore(), { keys: ['one'] })
        }),
      ),
    )
    expect(seen).toEqual(callers)
  })

  it('transact() runs its body once', async () => {
    const cache = subject.make()
    let runs = 0
    await cache.transact(() => {
      runs += 1
    })
    await cache
      .transact(() => {
        runs += 1
        undo()
      })
      .catch(() => undefined)
    expect(runs).toBe(2)
  })

  it('transact() offers the verbs, each seeing what was written before', async () => {
    const cache = subject.make()
    await cache.set('old', 1, { tag: 'red' })
    await cache.transact(tx => {
      expect(tx.set('a', 1, { tag: 'red', tags: ['x'] })).toBe(true)
      expect(tx.getItem('a')).toMatchObject({ value: 1, tag: 'red', tags: ['x'] })
      expect(tx.info('a')).toMatchObject({ key: 'a', tag: 'red' })
      expect([tx.add('a', 2), tx.add('b', 2)]).toEqual([false, true])
      expect([tx.incr('a', 4), tx.decr('b', 1), tx.incr('c', 1n)]).toEqual([5, 1, 1n])
      expect(
        tx.setMany([
          ['d', 1],
          ['e', 2],
        ]),
      ).toEqual([true, true])
      expect(tx.getMany(['a', 'b', 'x'])).toEqual([5, 1, undefined])
      expect([tx.touch('a', { ttl: '1h' }), tx.touch('x', { ttl: 1 })]).toEqual([true, false])
      expect([...tx.keys()]).toHaveLength(6)
      expect([...tx.entries({ prefix: 'a' })]).toEqual([['a', 5]])
      expect([tx.has('d'), tx.delete('d'), tx.has('d')]).toEqual([true, true, false])
      expect([tx.pop('e'), tx.pop('e'), tx.popItem('c')?.value]).toEqual([2, undefined, 1])
      expect(tx.deleteMany(['b', 'b'])).toEqual([true, false])
      expect([tx.evict('red'), tx.count(), tx.get('old')]).toEqual([2, 0, undefined])
    })
    expect(await cache.count()).toBe(0)
  })

  it('transact() can expire up to an instant, which must be one', async () => {
    const { cache, clock } = withClock(subject)
    const early = clock.now() + 1500
    await cache.set('first', 1, { ttl: 1000 })
    await cache.set('second', 1, { ttl: 2000 })
    await cache.set('third', 1, { ttl: 60_000 })
    clock.advance(3000)
    expect(await cache.transact(tx => tx.expire({ now: early }))).toBe(1)
    await expect(cache.transact(tx => tx.expire({ now: Number.NaN }))).rejects.toThrow(/now must be/)
    expect(await cache.transact(tx => [tx.expire(), tx.expire({ now: Number.POSITIVE_INFINITY })])).toEqual([1, 1])
    expect(await cache.count()).toBe(0)
  })

  it('transact() can touch without changing anything, to see whether an entry is there', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    expect(await cache.transact(tx => [tx.touch('key', undefined as never), tx.touch('x', {})])).toEqual([true, false])
  })

  it('transact() can expire and clear', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    const counts = await cache.transact(tx => {
      tx.set('gone', 1, { ttl: 0 })
      return [tx.expire(), tx.clear(), tx.count()]
    })
    expect(counts).toEqual([1, 1, 0])
  })

  it('transact({ keys }) works on those keys', async () => {
    const cache = subject.make()
    const add = (amount: number) => (tx: Transaction) => tx.set('sum', (tx.get<number>('sum') ?? 0) + amount)
    await Promise.all(Array.from({ length: 20 }, () => cache.transact(add(2), { keys: ['sum'] })))
    expect(await cache.get('sum')).toBe(40)
  })
}

function undoing(subject: Subject): void {
  it('transact() undoes everything and rejects with the error that its body throws', async () => {
    const cache = subject.make()
    await cache.setMany([
      ['changed', 'old'],
      ['deleted', 1],
      ['counted', 5],
    ])
    const error = new Error('of the body')
    const failing = cache.transact(tx => {
      tx.set('changed', 'new')
      tx.delete('deleted')
      tx.incr('counted')
      for (let key = 0; key < 20; key += 1) tx.set(key, key)
      throw error
    })
    await expect(failing).rejects.toBe(error)
    expect(await cache.getMany(['changed', 'deleted', 'counted', 7])).toEqual(['old', 1, 5, undefined])
    expect(await cache.count()).toBe(3)
    expect(await cache.check()).toEqual([])
  })

  it('transact() leaves its tx unusable afterwards', async () => {
    const cache = subject.make()
    let kept: Transaction | undefined
    await cache.transact(tx => {
      kept = tx
    })
    expect(() => kept?.set('key', 1)).toThrow(TypeError)
    expect(() => kept?.get('key')).toThrow(TypeError)
    expect(await cache.has('key')).toBe(false)
  })
}

function files(subject: Subject): void {
  it('transact() that is undone brings back replaced, deleted, popped and cleared files', async () => {
    const cache = subject.make()
    for (const key of ['replaced', 'deleted', 'popped', 'cleared']) await cache.set(key, `${key}${LARGE}`)
    await cache
      .transact(tx => {
        tx.set('replaced', `new${LARGE}`)
        tx.set('replaced', `newer${LARGE}`)
        tx.delete('deleted')
        expect(tx.pop('popped')).toBe(`popped${LARGE}`)
        tx.clear()
        undo()
      })
      .catch(() => undefined)
    for (const key of ['replaced', 'deleted', 'popped', 'cleared']) expect(await cache.get(key)).toBe(`${key}${LARGE}`)
    await expect.poll(() => valueFiles(cache.directory).length).toBe(4)
    expect(await cache.check()).toEqual([])
  })

  it('transact() that commits removes the files of what it replaced and deleted', async () => {
    const cache = subject.make()
    await cache.set('replaced', LARGE)
    await cache.set('deleted', LARGE)
    await cache.transact(tx => {
      tx.set('replaced', `${LARGE}!`)
      expect(tx.get('replaced')).toBe(`${LARGE}!`)
      tx.delete('deleted')
    })
    expect(await cache.get('replaced')).toBe(`${LARGE}!`)
    expect(valueFiles(cache.directory)).toHaveLength(1)
    expect(await cache.check()).toEqual([])
  })
}

function nesting(subject: Subject): void {
  it('transact() nested undoes what the inner body did and goes on', async () => {
    const cache = subject.make()
    await cache.set('file', LARGE)
    await cache.transact(tx => {
      tx.set('outer', 1)
      expect(() =>
        tx.transact(inner => {
          inner.set('outer', 2)
          inner.set('file', `inner${LARGE}`)
          undo()
        }),
      ).toThrow('undo')
      expect(tx.get('outer')).toBe(1)
      expect(tx.transact(inner => inner.set('inner', 3))).toBe(true)
    })
    expect(await cache.getMany(['outer', 'inner', 'file'])).toEqual([1, 3, LARGE])
    expect(await cache.check()).toEqual([])
  })

  it('transact() that is undone undoes what nested ones kept', async () => {
    const cache = subject.make()
    await cache.set('file', LARGE)
    await cache
      .transact(tx => {
        tx.transact(inner => inner.transact(innermost => innermost.delete('file')))
        undo()
      })
      .catch(() => undefined)
    expect(await cache.get('file')).toBe(LARGE)
    expect(await cache.check()).toEqual([])
  })
}

function failingVerbs(subject: Subject): void {
  it('transact() goes on after a verb that throws, which has no effect', async () => {
    const cache = subject.make()
    await cache.transact(tx => {
      tx.set('text', 'a')
      expect(() => tx.incr('text')).toThrow(TypeError)
      expect(() => tx.set('function', () => 1)).toThrow(TypeError)
      expect(() => tx.set('key', 1, { ttl: -1 })).toThrow(RangeError)
      expect(() =>
        tx.setMany([
          ['new', 1],
          ['bad', Symbol('bad')],
        ]),
      ).toThrow(TypeError)
      tx.set('after', 'b')
    })
    expect(await cache.getMany(['text', 'after', 'new'])).toEqual(['a', 'b', undefined])
    expect(await cache.count()).toBe(2)
  })

  it('transact() refuses streams, which cannot end inside of it', async () => {
    const cache = subject.make()
    await cache.transact(tx => {
      for (const stream of [Readable.from(['a']), new Blob(['b']), new Blob(['c']).stream()]) {
        expect(() => tx.set('key', stream)).toThrow(TypeError)
      }
    })
    expect(await cache.count()).toBe(0)
  })
}

function promises(subject: Subject): void {
  it('transact() rejects with TypeError and undoes everything when its body returns a promise', async () => {
    const cache = subject.make()
    await expect(cache.transact(async tx => tx.set('key', 1))).rejects.toThrow(TypeError)
    await expect(cache.transact(tx => ({ then: () => tx.set('key', 1) }))).rejects.toThrow(TypeError)
    await expect(
      cache.transact(tx => {
        tx.set('key', 1)
        return Promise.reject(new Error("is nobody's unhandled rejection"))
      }),
    ).rejects.toThrow(/promise/i)
    expect(await cache.has('key')).toBe(false)
  })

  it('transact() nested throws TypeError when its body returns a promise', async () => {
    const cache = subject.make()
    await cache.transact(tx => {
      expect(() => tx.transact(async inner => inner.set('key', 1))).toThrow(TypeError)
    })
    expect(await cache.has('key')).toBe(false)
  })
}

function place(subject: Subject): void {
  it('transact() sees the writes called before it and not those called after it', async () => {
    const cache = subject.make()
    const calls = [
      cache.set('key', 'before'),
      cache.transact(tx => tx.set('seen', tx.get('key'))),
      cache.set('key', 'after'),
    ]
    expect(await cache.getMany(['seen', 'key'])).toEqual(['before', 'after'])
    await Promise.all(calls)
  })

  it('lists nothing more when the body has returned', async () => {
    const cache = subject.make()
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    const { keys } = await cache.transact(tx => {
      const listed = tx.keys()[Symbol.iterator]()
      expect(listed.next().done).toBe(false)
      return { keys: listed }
    })
    expect(() => keys.next()).toThrow(/^this transaction is over/)
  })

  it('transact() bodies do not interleave', async () => {
    const cache = subject.make()
    await Promise.all(
      Array.from({ length: 30 }, () =>
        cache.transact(tx => {
          const sum = tx.get<number>('sum') ?? 0
          for (let key = 0; key < 5; key += 1) tx.set(`part ${key}`, sum)
          tx.set('sum', sum + 1)
        }),
      ),
    )
    expect(await cache.getMany(['sum', 'part 0', 'part 4'])).toEqual([30, 29, 29])
  })
}
