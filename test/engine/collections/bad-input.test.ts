import { Cache, Deque, FanoutCache, Index, ReadonlyError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { itemsOf, openDeque, openIndex } from './support.js'

type Wrong = readonly [name: string, TypeErrors: readonly unknown[], RangeErrors: readonly unknown[]]

describe('constructors', () => {
  const wrong: readonly Wrong[] = [
    ['maxLength', ['3', null, {}, 3n, true], [-1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 60]],
    ['timeout', [null, {}], [-1, 'soon']],
    ['codec', ['json', null], []],
    ['readonly', [1], []],
    ['clock', [() => 1], []],
  ]

  it.each(wrong)('throw for a bad %s, and name it', (name, types, ranges) => {
    const construct = (value: unknown) => () => new Deque(temporaryDirectory(), { [name]: value })
    for (const value of types) {
      expect(construct(value), String(value)).toThrow(TypeError)
      expect(construct(value), String(value)).toThrow(new RegExp(name))
    }
    for (const value of ranges) {
      expect(construct(value), String(value)).toThrow(RangeError)
      expect(construct(value), String(value)).toThrow(new RegExp(name))
    }
  })

  it('throw for options that a collection does not have, with the nearest name', () => {
    expect(() => new Deque(temporaryDirectory(), { maxlen: 3 } as never)).toThrow(/maxLength/)
    for (const option of ['ttl', 'defaultTtl', 'sizeLimit', 'evictionPolicy', 'shards', 'maxLength']) {
      expect(() => new Index(temporaryDirectory(), { [option]: 1 })).toThrow(TypeError)
      if (option !== 'maxLength') expect(() => new Deque(temporaryDirectory(), { [option]: 1 })).toThrow(TypeError)
    }
    for (const options of [7, 'x', null, []]) {
      expect(() => new Deque(temporaryDirectory(), options as never)).toThrow(TypeError)
      expect(() => new Index(temporaryDirectory(), options as never)).toThrow(TypeError)
    }
  })

  it('throw for a directory that is none, and for another kind of cache', async () => {
    await using fanout = new FanoutCache(temporaryDirectory(), { shards: 1 })
    await using cache = new Cache()
    for (const directory of [7, {}, fanout, [1], Buffer.from('/tmp/cache'), new URL('https://host/cache')]) {
      expect(() => new Deque(directory as never)).toThrow(TypeError)
      expect(() => new Index(directory as never)).toThrow(TypeError)
    }
    for (const other of [fanout, 'path', null, {}]) {
      expect(() => Deque.from(other as never)).toThrow(TypeError)
      expect(() => Index.from(other as never)).toThrow(/Cache/)
    }
    expect(() => Deque.from(cache, { maxLength: -1 })).toThrow(RangeError)
    expect(() => Deque.from(cache, { codec: 1 } as never)).toThrow(TypeError)
  })
})

describe('verbs of a Deque', () => {
  const deque = () => openDeque<unknown>()

  it.each(['at', 'setAt', 'deleteAt'] as const)('%s() wants a whole number as index', async verb => {
    for (const index of ['1', 0.5, Number.NaN, null, undefined, {}, 1n]) {
      await expect(deque()[verb](index as never, 1 as never)).rejects.toThrow(TypeError)
    }
  })

  it.each(['extend', 'extendLeft'] as const)('%s() wants an iterable', async verb => {
    for (const items of [7, true, null, undefined, {}]) {
      await expect(deque()[verb](items as never)).rejects.toThrow(TypeError)
    }
  })

  it('refuse what cannot be stored', async () => {
    for (const value of [undefined, () => 1, Symbol('s')]) {
      await expect(deque().append(value)).rejects.toThrow(TypeError)
      await expect(deque().appendLeft(value)).rejects.toThrow(TypeError)
      await expect(deque().extend([1, value])).rejects.toThrow(TypeError)
      await expect(deque().count(value)).rejects.toThrow(TypeError)
      await expect(deque().remove(value)).rejects.toThrow(TypeError)
    }
  })

  it('setMaxLength() refuses what is no length, and leaves the old one', async () => {
    const bounded = openDeque({ maxLength: 3 })
    for (const length of ['3', null, undefined, 3n]) {
      await expect(bounded.setMaxLength(length as never)).rejects.toThrow(TypeError)
    }
    for (const length of [-1, 0.5, Number.NaN]) await expect(bounded.setMaxLength(length)).rejects.toThrow(RangeError)
    expect(bounded.maxLength).toBe(3)
  })

  it('take() refuses a lease that is none, and sides that there are not', async () => {
    for (const lease of [null, {}, true]) await expect(deque().take({ lease } as never)).rejects.toThrow(/lease/)
    for (const lease of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '0s', 'long']) {
      await expect(deque().take({ lease })).rejects.toThrow(RangeError)
    }
    await expect(deque().take({ side: 'left' } as never)).rejects.toThrow(RangeError)
    await expect(deque().take({ side: 1 } as never)).rejects.toThrow(TypeError)
    await expect(deque().take({ leaze: 1 } as never)).rejects.toThrow(/lease/)
    const full = deque()
    await full.append(1)
    const item = await full.take()
    await expect(item?.done({ retyr: true } as never)).rejects.toThrow(/retry/)
    expect(await item?.done()).toBe(true)
  })

  it('refuse options that they do not have', async () => {
    const calls: ((options: never) => Promise<unknown>)[] = [
      options => deque().append(1, options),
      options => deque().appendLeft(1, options),
      options => deque().extend([1], options),
      options => deque().pop(options),
      options => deque().popLeft(options),
      options => deque().peek(options),
      options => deque().peekLeft(options),
      options => deque().length(options),
      options => deque().at(0, options),
      options => deque().setAt(0, 1, options),
      options => deque().deleteAt(0, options),
      options => deque().remove(1, options),
      options => deque().reverse(options),
      options => deque().rotate(1, options),
      options => deque().clear(options),
      options => deque().setMaxLength(1, options),
      options => deque().transact(() => 1, options),
      options => collect(deque().values(options)),
    ]
    for (const call of calls) {
      await expect(call({ ttl: 5 } as never)).rejects.toThrow(TypeError)
      await expect(call('fast' as never)).rejects.toThrow(TypeError)
    }
    await expect(collect(deque().values({ reverse: 1 } as never))).rejects.toThrow(/reverse/)
    await expect(deque().transact(7 as never)).rejects.toThrow(TypeError)
  })

  it('compare() refuses items without an order', async () => {
    const other = deque()
    await other.extend([{}, 1])
    await expect(other.compare([1])).rejects.toThrow(TypeError)
    await expect(other.compare([{}, '1'])).rejects.toThrow(/order/)
    await expect(other.compare(7 as never)).rejects.toThrow(TypeError)
    expect(await other.compare([{}, 2])).toBe(-1)
    expect(await other.equals([{}, '1'])).toBe(false)
    for (const nothing of [7, null, undefined, {}]) expect(await other.equals(nothing)).toBe(false)
  })
})

describe('verbs of an Index', () => {
  it('refuse options that they do not have', async () => {
    const index = openIndex()
    const calls: ((options: never) => Promise<unknown>)[] = [
      options => index.get('a', options),
      options => index.getMany(['a'], options),
      options => index.set('a', 1, options),
      options => index.setMany([['a', 1]], options),
      options => index.setDefault('a', 1, options),
      options => index.delete('a', options),
      options => index.pop('a', options),
      options => index.popItem(options),
      options => index.peekItem(options),
      options => index.push(1, options),
      options => index.pull(options),
      options => index.clear(options),
      options => index.transact(() => 1, options),
      options => collect(index.keys(options)),
      options => collect(index.values(options)),
      options => collect(index.entries(options)),
    ]
    for (const call of calls) await expect(call({ ttl: 5 } as never), String(call)).rejects.toThrow(TypeError)
    expect(await index.size()).toBe(0)
  })

  it('refuse keys and values that are none', async () => {
    const index = openIndex<unknown>()
    for (const key of [undefined, Number.NaN, () => 1]) {
      await expect(index.set(key as never, 1)).rejects.toThrow(TypeError)
      await expect(index.setDefault(key as never, 1)).rejects.toThrow(TypeError)
      await expect(index.setMany([[key as never, 1]])).rejects.toThrow(TypeError)
    }
    await expect(index.set('a', undefined)).rejects.toThrow(TypeError)
    await expect(index.setDefault('a', () => 1)).rejects.toThrow(TypeError)
    for (const entries of [7, 'text', null, [7], [['a']]]) {
      await expect(index.setMany(entries as never)).rejects.toThrow(TypeError)
    }
    await expect(index.popItem({ last: 1 } as never)).rejects.toThrow(/last/)
    await expect(index.peekItem({ last: 1 } as never)).rejects.toThrow(/last/)
    await expect(index.push(1, { side: 'left' } as never)).rejects.toThrow(RangeError)
  })
})

describe('a collection that cannot write', () => {
  it('reads, and refuses what would write', async () => {
    const writer = openDeque<number>()
    await writer.extend([1, 2, 3])
    await writer.take({ lease: 1 })
    await writer.close()
    const deque = openDeque<number>({ readonly: true }, writer.directory)
    expect(await itemsOf(deque)).toEqual([2, 3])
    expect([await deque.peekLeft(), await deque.at(-1), await deque.length(), await deque.count(3)]).toEqual([
      2, 3, 2, 1,
    ])
    for (const write of [
      () => deque.append(1),
      () => deque.extend([1]),
      () => deque.popLeft(),
      () => deque.take(),
      () => deque.setAt(0, 1),
      () => deque.deleteAt(0),
      () => deque.remove(3),
      () => deque.rotate(),
      () => deque.reverse(),
      () => deque.clear(),
      () => deque.setMaxLength(1),
      () => deque.transact(tx => tx.pop()),
    ]) {
      await expect(write(), String(write)).rejects.toThrow(ReadonlyError)
    }
  })
})
