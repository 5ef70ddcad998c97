import { Readable } from 'node:stream'
import {
  Cache,
  Deque,
  FanoutCache,
  jsonCodec,
  PendingLimitError,
  pickleCodec,
  structuredCodec,
  TimeoutError,
  ValueTooLargeError,
} from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectNoValueFiles, valueFiles } from '../../helpers/value-files.js'
import { dequeOf, itemsOf, openDeque, range } from './support.js'

const LARGE = 'y'.repeat(40_000)
const MANY = 100_000

describe('maxLength', () => {
  it.each([0, 1, 5])('of %i holds over appends, both ways, one by one and many at once', async maxLength => {
    const last = (items: number[]): number[] => (maxLength === 0 ? [] : items.slice(-maxLength))
    const deque = openDeque<number>({ maxLength })
    for (const item of range(8)) await deque.append(item)
    expect(await itemsOf(deque)).toEqual(last(range(8)))
    await deque.extend(range(1200))
    expect(await itemsOf(deque)).toEqual(last(range(1200)))
    await deque.extendLeft(range(1200))
    expect(await itemsOf(deque)).toEqual(last(range(1200)).reverse())
    await deque.transact(tx => tx.extend(range(10)))
    expect(await itemsOf(deque)).toEqual(last(range(10)))
  })

  it('is not stored: another handle lets in more, and the next bounded append trims all of it', async () => {
    const bounded = openDeque<number>({ maxLength: 3 })
    const unbounded = openDeque<number>({}, bounded.directory)
    await unbounded.extend(range(1500))
    expect(await bounded.length()).toBe(1500)
    await bounded.append(1500)
    expect(await itemsOf(bounded)).toEqual([1498, 1499, 1500])
  })

  it('removes the files of what it pushes out', async () => {
    const deque = openDeque<string>({ maxLength: 1 })
    await deque.append(`a${LARGE}`)
    await deque.append(`b${LARGE}`)
    await expect.poll(() => valueFiles(deque.directory).length, { interval: 5 }).toBe(1)
    await deque.append('small')
    await expectNoValueFiles(deque.directory)
  })

  it('is Infinity unless given', async () => {
    const deque = openDeque()
    expect(deque.maxLength).toBe(Number.POSITIVE_INFINITY)
    await deque.setMaxLength(Number.POSITIVE_INFINITY)
    expect(deque.maxLength).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a deque with holes', () => {
  async function withHoles(): Promise<{ deque: Deque<number>; model: number[] }> {
    const deque = await dequeOf(range(40))
    const model = range(40)
    for (const index of [30, 17, 16, 3]) {
      await deque.deleteAt(index)
      model.splice(index, 1)
    }
    return { deque, model }
  }

  it('counts and finds its items', async () => {
    const { deque, model } = await withHoles()
    expect(await deque.length()).toBe(model.length)
    for (let at = -model.length - 1; at <= model.length; at += 1) expect(await deque.at(at)).toBe(model.at(at))
    await deque.setAt(16, 1000)
    model[16] = 1000
    await deque.deleteAt(-20)
    model.splice(-20, 1)
    expect(await itemsOf(deque)).toEqual(model)
  })

  it.each([1, 7, 18, 35, 36, 37, -1, -17, -36, 1000])('is rotated by %i', async steps => {
    const { deque, model } = await withHoles()
    await deque.rotate(steps)
    const cut = ((steps % model.length) + model.length) % model.length
    const rotated = [...model.slice(model.length - cut), ...model.slice(0, model.length - cut)]
    expect(await itemsOf(deque)).toEqual(rotated)
    await deque.append(-1)
    await deque.appendLeft(-2)
    expect(await itemsOf(deque)).toEqual([-2, ...rotated, -1])
  })

  it('is reversed', async () => {
    const { deque, model } = await withHoles()
    await deque.reverse()
    expect(await itemsOf(deque)).toEqual(model.reverse())
  })
})

describe('a hundred thousand items', () => {
  it('are found, rotated and reversed', async () => {
    const deque = await dequeOf(range(MANY))
    expect(await deque.length()).toBe(MANY)
    for (const at of [0, 1, MANY / 2, MANY - 1, -1, -MANY]) expect(await deque.at(at)).toBe(range(MANY).at(at))
    expect(await deque.at(MANY)).toBeUndefined()
    await deque.rotate(2500)
    expect([await deque.at(0), await deque.at(2500), await deque.at(-1)]).toEqual([MANY - 2500, 0, MANY - 2501])
    await deque.rotate(-2500)
    await deque.deleteAt(MANY / 2)
    expect(await deque.at(MANY / 2)).toBe(MANY / 2 + 1)
    await deque.reverse()
    const expected = range(MANY).reverse()
    expected.splice(MANY / 2 - 1, 1)
    expect(await itemsOf(deque)).toEqual(expected)
  })

  it('keep what is added while they are reversed in pages', async () => {
    const deque = await dequeOf(range(6000))
    const reversed = deque.reverse()
    const other = openDeque<number>({}, deque.directory)
    await other.append(-1)
    await other.appendLeft(-2)
    const popped = await other.popLeft()
    await reversed
    const items = await itemsOf(deque)
    expect([...items, popped].sort((a, b) => Number(a) - Number(b))).toEqual([-2, -1, ...range(6000)])
  })
})

describe('the numbers of items', () => {
  it('have 15 digits: at the end of them there is a RangeError, and nothing changes', async () => {
    const deque = await dequeOf([1, 2, 3])
    const set = rawDatabase(deque.directory).prepare('UPDATE Cache SET key = key + ?')
    set.run(999_999_999_999_998n - 500_000_000_000_002n)
    await expect(deque.append(4)).rejects.toThrow(RangeError)
    await expect(deque.extend([4, 5])).rejects.toThrow(RangeError)
    await expect(deque.rotate(-1)).rejects.toThrow(/15 digits/)
    expect(await itemsOf(deque)).toEqual([1, 2, 3])
    await deque.rotate(1)
    expect(await itemsOf(deque)).toEqual([3, 1, 2])
    set.run(100_000_000_000_000n - 999_999_999_999_995n)
    await expect(deque.appendLeft(0)).rejects.toThrow(RangeError)
    await expect(deque.reverse()).rejects.toThrow(RangeError)
    await expect(deque.rotate(1)).rejects.toThrow(RangeError)
    expect(await itemsOf(deque)).toEqual([3, 1, 2])
    await deque.rotate(-1)
    await deque.append(4)
    expect(await itemsOf(deque)).toEqual([1, 2, 3, 4])
  })
})

describe('other entries of the cache', () => {
  it('are no items, and stay when the deque is cleared', async () => {
    const cache = new Cache(temporaryDirectory())
    const deque = Deque.from<number>(cache)
    await using _closed = cache
    await cache.setMany([
      ['text', 'a'],
      [7, 'b'],
      [Buffer.from('bytes'), 'c'],
      [['composite'], 'd'],
      [1e300, 'e'],
    ])
    await cache.push('f', { prefix: 'jobs' })
    await deque.extend(range(5))
    expect(await deque.length()).toBe(5)
    expect(await deque.at(-1)).toBe(4)
    await deque.deleteAt(1)
    await deque.rotate(1)
    await deque.reverse()
    expect(await itemsOf(deque)).toEqual([3, 2, 0, 4])
    expect(await deque.clear()).toBe(4)
    expect(await deque.length()).toBe(0)
    expect(await cache.count()).toBe(6)
    expect(await cache.get(['composite'])).toBe('d')
  })

  it('may be many', async () => {
    await using cache = new Cache(temporaryDirectory())
    await cache.setMany(range(1500).map(at => [`key ${at}`, at]))
    const deque = Deque.from<number>(cache)
    await deque.extend(range(5))
    expect(await deque.length()).toBe(5)
    expect(await deque.at(-2)).toBe(3)
  })

  it('closing a deque of a cache leaves the cache open', async () => {
    await using cache = new Cache()
    await using deque = Deque.from(cache)
    await deque.append(1)
    await deque.close()
    expect(await cache.count()).toBe(1)
  })
})

describe('values', () => {
  it.each([
    ['structured', structuredCodec],
    ['json', jsonCodec],
    ['pickle', pickleCodec],
  ])('come back equal under the %s codec', async (_, codec) => {
    const values = [1, 2.5, 'text', '', null, true, [1, [2]], { a: { b: 1 } }, LARGE]
    const deque = openDeque({ codec })
    await deque.extend(values)
    expect(await itemsOf(deque)).toEqual(values)
    for (const value of values) expect(await deque.count(value)).toBe(1)
    expect(await deque.equals(values)).toBe(true)
    for (const value of values) expect(await deque.popLeft()).toEqual(value)
  })

  it('are compared as what they are: kinds are not mixed, parts are looked at', async () => {
    const deque = openDeque()
    await deque.extend([1, '1', true, 0, null, Number.NaN, { a: [1] }, Buffer.from('b'), new Date(5), 2n ** 70n])
    expect(await deque.count(1)).toBe(1)
    expect(await deque.count(1n)).toBe(1)
    expect(await deque.count('1')).toBe(1)
    expect(await deque.count(-0)).toBe(1)
    expect(await deque.count(Number.NaN)).toBe(1)
    expect(await deque.count({ a: [1] })).toBe(1)
    expect(await deque.count({ a: [2] })).toBe(0)
    expect(await deque.count(new Uint8Array([98]))).toBe(1)
    expect(await deque.remove(new Date(5))).toBe(true)
    expect(await deque.remove(2n ** 70n)).toBe(true)
    expect(await deque.length()).toBe(8)
  })

  it('are taken as they are at the call', async () => {
    const deque = openDeque<number[]>()
    const value = [1]
    const done = [deque.append(value), deque.extend([value]), deque.appendLeft(value)]
    value.push(2)
    await Promise.all(done)
    const replaced = deque.setAt(0, value)
    value.push(3)
    const removed = deque.remove(value)
    value.pop()
    await replaced
    expect(await removed).toBe(false)
    expect(await itemsOf(deque)).toEqual([[1, 2], [1], [1]])
  })

  it('may be streams, which become files', async () => {
    const deque = openDeque()
    await deque.append(Readable.from([Buffer.from('from '), Buffer.from('a stream')]))
    await deque.appendLeft(new Blob(['a blob']))
    expect(await itemsOf(deque)).toEqual([Buffer.from('a blob'), Buffer.from('from a stream')])
    await expect(deque.extend([Readable.from(['x'])])).rejects.toThrow(/append/)
  })

  it('may come from an asynchronous source', async () => {
    const deque = openDeque<number>()
    await deque.extend(
      (async function* () {
        yield* range(1234)
      })(),
    )
    expect(await itemsOf(deque)).toEqual(range(1234))
  })

  it('that are refused in a later page of extend() leave out all that come after them', async () => {
    const cache = new Cache(temporaryDirectory(), { evictionPolicy: 'none', sizeLimit: 1024 ** 2 })
    onTestFinished(() => cache.close())
    const deque = Deque.from(cache)
    const items = [...range(600), 'y'.repeat(1024 ** 2 + 1), ...range(900)]
    await expect(deque.extend(items)).rejects.toThrow(ValueTooLargeError)
    expect(await itemsOf(deque)).toEqual(range(500))
    await deque.extendLeft(range(600))
    expect(await deque.length()).toBe(1100)
  })

  it('that are too many to wait are refused when those before them are stored', async () => {
    const deque = openDeque<number>({ maxPending: { count: 2 } })
    await deque.open()
    await expect(deque.extend(range(3000))).rejects.toThrow(PendingLimitError)
    expect(await itemsOf(deque)).toEqual(range(1000))
  })

  it('that get no number leave out the items of the same extend() that would', async () => {
    const deque = await dequeOf([1])
    rawDatabase(deque.directory).prepare('UPDATE Cache SET key = key + ?').run(499_999_999_999_900n)
    await expect(deque.extend(range(510))).rejects.toThrow(/15 digits/)
    expect(await itemsOf(deque)).toEqual([1])
  })

  it('one that cannot be stored leaves nothing of its extend()', async () => {
    const deque = openDeque()
    await expect(deque.extend([LARGE, () => 1])).rejects.toThrow(TypeError)
    await expect(deque.append(undefined)).rejects.toThrow(TypeError)
    expect(await deque.length()).toBe(0)
    await expectNoValueFiles(deque.directory)
  })
})

describe('calls of one process', () => {
  it('take effect in their order, awaited or not', async () => {
    const deque = openDeque<number>()
    const calls = [
      deque.extend(range(600)),
      deque.appendLeft(-1),
      deque.rotate(1),
      deque.popLeft(),
      deque.at(0),
      deque.length(),
      deque.setAt(0, -5),
      deque.peekLeft(),
      deque.clear(),
      deque.append(7),
    ]
    expect(await Promise.all(calls)).toEqual([
      undefined,
      undefined,
      undefined,
      599,
      -1,
      600,
      undefined,
      -5,
      600,
      undefined,
    ])
    expect(await itemsOf(deque)).toEqual([7])
  })

  it('take effect in their order where an item is looked for by its value', async () => {
    const deque = openDeque<number>()
    const calls = [deque.extend(range(3)), deque.remove(1), deque.length(), deque.remove(1), deque.clear()]
    expect(await Promise.all(calls)).toEqual([undefined, true, 2, false, 2])
  })

  it('give every item to one of them', async () => {
    const deque = await dequeOf(range(200))
    const taken = await Promise.all(range(250).map(at => (at % 2 ? deque.pop() : deque.popLeft())))
    expect(taken.filter(item => item !== undefined).sort((a, b) => a - b)).toEqual(range(200))
  })
})

describe('a walk', () => {
  it('does not see what is added behind its end, and sees what is put in its way', async () => {
    const deque = await dequeOf(range(3))
    const seen: number[] = []
    for await (const item of deque) {
      seen.push(item)
      await deque.append(item + 10)
      if (item === 0) await deque.setAt(2, 22)
    }
    expect(seen).toEqual([0, 1, 22])
  })
})

describe('transact()', () => {
  it('has the verbs of the deque, and what it does is seen by its later verbs', async () => {
    const deque = await dequeOf([1, 2, 3])
    const answers = await deque.transact(tx => {
      tx.append(4)
      tx.appendLeft(0)
      tx.extend([5, 6])
      tx.extendLeft([-1, -2])
      tx.rotate(2)
      tx.reverse()
      tx.setAt(0, 10)
      tx.deleteAt(-1)
      const all = [tx.pop(), tx.popLeft(), tx.peek(), tx.peekLeft(), tx.length(), tx.at(1), tx.at(-9)]
      return [...all, tx.count(2), tx.remove(2), tx.remove(99), [...tx.values({ reverse: true })]]
    })
    // -2 -1 0 1 2 3 4 5 6, rotated: 5 6 -2 -1 0 1 2 3 4, reversed: 4 3 2 1 0 -1 -2 6 5
    expect(answers).toEqual([6, 10, -2, 3, 6, 2, undefined, 1, true, false, [-2, -1, 0, 1, 3]])
    expect(await itemsOf(deque)).toEqual([3, 1, 0, -1, -2])
  })

  it('lists nothing more when its body has returned', async () => {
    const deque = await dequeOf([1, 2])
    const values = await deque.transact(tx => {
      const listed = tx.values()[Symbol.iterator]()
      expect(listed.next().value).toBe(1)
      return { listed }
    })
    expect(() => values.listed.next()).toThrow(/^this transaction is over/)
  })

  it('undoes everything when its body throws, and files with it', async () => {
    const deque = await dequeOf([`a${LARGE}`, 'b'])
    const body = deque.transact(tx => {
      tx.popLeft()
      tx.append(`c${LARGE}`)
      tx.rotate(1)
      tx.clear()
      throw new Error('undo')
    })
    await expect(body).rejects.toThrow('undo')
    expect(await itemsOf(deque)).toEqual([`a${LARGE}`, 'b'])
    expect(valueFiles(deque.directory)).toHaveLength(1)
  })

  it('undoes a nested body alone, and a verb that fails', async () => {
    const deque = await dequeOf([1])
    await deque.transact(tx => {
      tx.append(2)
      expect(() =>
        tx.transact(inner => {
          inner.append(3)
          inner.popLeft()
          throw new Error('inner')
        }),
      ).toThrow('inner')
      expect(() => tx.setAt(9, 1)).toThrow(RangeError)
      expect(() => tx.deleteAt(-9)).toThrow(/out of range/)
      expect(() => tx.extend([4, (() => 1) as never])).toThrow(TypeError)
      expect(() => tx.rotate(0.5)).toThrow(TypeError)
    })
    expect(await itemsOf(deque)).toEqual([1, 2])
  })

  it('refuses an asynchronous body, and verbs after its end', async () => {
    const deque = await dequeOf([1])
    await expect(deque.transact(async tx => tx.append(2))).rejects.toThrow(TypeError)
    const escaped = await deque.transact(tx => tx)
    expect(() => escaped.append(2)).toThrow(/over/)
    expect(() => escaped.length()).toThrow(/over/)
    expect(await itemsOf(deque)).toEqual([1])
  })
})

describe('waiting for a lock', () => {
  it('is bounded when the deque or the verb has a timeout, else it goes on', async () => {
    const patient = openDeque<number>()
    await patient.append(0)
    await patient.close()
    const hurried = openDeque<number>({ timeout: 20 }, patient.directory)
    await hurried.open()
    const db = rawDatabase(patient.directory)
    db.exec('BEGIN IMMEDIATE')
    await expect(hurried.append(1)).rejects.toThrow(TimeoutError)
    await expect(hurried.popLeft()).rejects.toThrow(TimeoutError)
    await hurried.close()
    await patient.open()
    await expect(patient.append(2, { timeout: 20 })).rejects.toThrow(TimeoutError)
    await expect(patient.rotate(1, { timeout: 0 })).rejects.toThrow(TimeoutError)
    const waiting = patient.append(3)
    await expect(patient.pop({ signal: AbortSignal.timeout(20) })).rejects.toThrow()
    db.exec('COMMIT')
    await waiting
    expect(await itemsOf(patient)).toEqual([0, 3])
  })
})

describe('FanoutCache.deque()', () => {
  it('gives one deque for each name, in DiskCache’s place, with clock and codec of the cache', async () => {
    await using fanout = new FanoutCache(temporaryDirectory(), { codec: jsonCodec, shards: 2 })
    const deque = fanout.deque<number>('work/mail', { maxLength: 3 })
    expect(deque.directory).toBe(`${fanout.directory}/deque/work/mail`)
    expect(fanout.deque('work/mail')).toBe(deque)
    expect(fanout.deque('other')).not.toBe(deque)
    await deque.extend(range(5))
    expect(await itemsOf(deque)).toEqual([2, 3, 4])
    const second = openDeque<number>({ codec: jsonCodec }, deque.directory)
    expect(await itemsOf(second)).toEqual([2, 3, 4])
  })

  it('refuses names that lead elsewhere, and another maxLength', async () => {
    await using fanout = new FanoutCache(temporaryDirectory(), { shards: 1 })
    for (const name of ['', 7, null]) expect(() => fanout.deque(name as never)).toThrow(TypeError)
    for (const name of ['..', '/', 'a/../../b', 'a\\b']) expect(() => fanout.deque(name)).toThrow(RangeError)
    fanout.deque('a', { maxLength: 3 })
    expect(() => fanout.deque('a', { maxLength: 4 })).toThrow(RangeError)
    expect(() => fanout.deque('b', { maxLenght: 4 } as never)).toThrow(/maxLength/)
    expect(() => fanout.deque('b', { codec: jsonCodec } as never)).toThrow(TypeError)
  })

  it('is closed with the cache', async () => {
    const fanout = new FanoutCache(temporaryDirectory(), { shards: 1 })
    const deque = fanout.deque('a')
    await deque.append(1)
    await fanout.close()
    // Nobody has the directory open any more: other options are no conflict.
    const other = openDeque({ timeout: 1234 }, deque.directory)
    expect(await itemsOf(other)).toEqual([1])
  })
})
