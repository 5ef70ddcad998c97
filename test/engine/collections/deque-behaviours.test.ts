import { rmSync } from 'node:fs'
import { Cache, Deque } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { SlowClock } from '../../helpers/slow-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectNoValueFiles, valueFiles } from '../../helpers/value-files.js'
import { dequeOf, itemsOf, openDeque, range, withClock } from './support.js'

// What upstream's tests/test_deque.py shows; the name of the test stands above. Where Python raises IndexError because
// there is nothing, we answer undefined.

const LARGE = 'x'.repeat(40_000)

describe('a deque', () => {
  // test_init
  it('holds what it was given, in a temporary directory or a given one, for every handle', async () => {
    await using temporary = new Deque<number>()
    await temporary.extend(range(5))
    expect(await itemsOf(temporary)).toEqual([0, 1, 2, 3, 4])
    const directory = temporaryDirectory()
    const first = openDeque<number>({}, directory)
    await first.extend(range(5))
    const second = openDeque<number>({}, directory)
    expect(await itemsOf(second)).toEqual([0, 1, 2, 3, 4])
    expect(await first.equals(second)).toBe(true)
    expect(await temporary.equals(second)).toBe(true)
    expect(second.directory).toBe(directory)
  })

  // test_getsetdel
  it('gets, sets and deletes by index, from both ends in turn', async () => {
    const model = [...'abcdefghijklmnop']
    const deque = await dequeOf(model)
    for (let at = 0; at < model.length; at += 1) {
      expect(await deque.at(at)).toBe(model[at])
      expect(await deque.at(at - model.length)).toBe(model[at])
      await deque.setAt(at, `${model[at]}!`)
      model[at] += '!'
    }
    expect(await itemsOf(deque)).toEqual(model)
    for (let turn = 0; model.length > 0; turn += 1) {
      await deque.deleteAt(turn % 2 ? -1 : 0)
      model.splice(turn % 2 ? -1 : 0, 1)
      expect(await itemsOf(deque)).toEqual(model)
    }
    expect(await deque.length()).toBe(0)
  })

  // test_append
  it('append() beyond maxLength keeps the last items', async () => {
    const deque = openDeque<string>({ maxLength: 3 })
    for (const item of 'abcde') await deque.append(item)
    expect(await itemsOf(deque)).toEqual(['c', 'd', 'e'])
  })

  // test_appendleft
  it('appendLeft() beyond maxLength keeps the first items', async () => {
    const deque = openDeque<string>({ maxLength: 3 })
    for (const item of 'abcde') await deque.appendLeft(item)
    expect(await itemsOf(deque)).toEqual(['e', 'd', 'c'])
  })

  // test_index_positive, test_index_negative
  it.each([
    [0, 'b'],
    [2, 'd'],
    [4, undefined],
    [-1, 'd'],
    [-3, 'b'],
    [-5, undefined],
  ])('at(%i) passes over an item whose file has gone, to the next one on its way', async (index, next) => {
    const deque = await dequeOf([LARGE, 'b', LARGE, 'd', LARGE])
    for (const file of valueFiles(deque.directory)) rmSync(file)
    expect(await deque.at(index)).toBe(next)
  })

  // test_index_out_of_range
  it('at() is undefined when all items have gone', async () => {
    const deque = await dequeOf([LARGE, LARGE])
    for (const file of valueFiles(deque.directory)) rmSync(file)
    expect(await deque.at(0)).toBeUndefined()
    expect(await deque.at(-1)).toBeUndefined()
  })

  // test_iter_keyerror
  it('values() leaves out an item that was removed during the walk', async () => {
    const deque = await dequeOf([...'abcde'])
    const seen: string[] = []
    for await (const item of deque.values()) {
      seen.push(item)
      if (item === 'a') await deque.remove('b')
    }
    expect(seen).toEqual(['a', 'c', 'd', 'e'])
  })

  // test_reversed_keyerror
  it('values({ reverse }) leaves out an item that was removed during the walk', async () => {
    const deque = await dequeOf([...'abcde'])
    const seen: string[] = []
    for await (const item of deque.values({ reverse: true })) {
      seen.push(item)
      if (item === 'e') await deque.remove('d')
    }
    expect(seen).toEqual(['e', 'c', 'b', 'a'])
  })

  // test_reversed
  it('values({ reverse }) is the exact reverse', async () => {
    const deque = await dequeOf(range(250))
    expect(await collect(deque.values({ reverse: true }))).toEqual(range(250).reverse())
  })

  // test_state
  it('setMaxLength() trims from the left', async () => {
    const deque = await dequeOf([...'abcde'])
    await deque.setMaxLength(3)
    expect(deque.maxLength).toBe(3)
    expect(await itemsOf(deque)).toEqual(['c', 'd', 'e'])
    await deque.append('f')
    expect(await itemsOf(deque)).toEqual(['d', 'e', 'f'])
  })

  // test_compare
  it('is compared item by item, then by length', async () => {
    const deque = await dequeOf(range(5))
    expect(await deque.equals({})).toBe(false)
    await expect(deque.compare({} as never)).rejects.toThrow(TypeError)
    expect(await deque.equals(range(5))).toBe(true)
    expect(await deque.equals(range(6))).toBe(false)
    expect(await deque.equals(range(4))).toBe(false)
    expect(await deque.equals([0, 1, 2, 3, 5])).toBe(false)
    expect(await deque.compare(range(5))).toBe(0)
    expect(await deque.compare(range(6))).toBe(-1)
    expect(await deque.compare(range(4))).toBe(1)
    expect(await deque.compare([0, 1, 7])).toBe(-1)
    expect(await deque.compare([0, 0, 7, 8, 9, 10])).toBe(1)
  })

  // test_indexerror, test_indexerror_negative
  it('without items has none at any index', async () => {
    const deque = openDeque()
    for (const index of [0, -1, 1, -2]) {
      expect(await deque.at(index)).toBeUndefined()
      await expect(deque.setAt(index, 1)).rejects.toThrow(RangeError)
      await expect(deque.deleteAt(index)).rejects.toThrow(/deque index out of range/)
    }
  })

  // test_repr
  it('says what and where it is', () => {
    const deque = openDeque()
    expect(String(deque)).toBe(`Deque('${deque.directory}')`)
  })

  // test_copy
  it('has equal copies in other directories', async () => {
    const deque = await dequeOf([...'abcde'])
    const copy = openDeque<string>()
    await copy.extend(deque)
    expect(await deque.equals(copy)).toBe(true)
  })

  // test_count
  it('count() counts equal items', async () => {
    const deque = await dequeOf([...'abbcccddddeeeee'])
    for (const [letter, count] of Object.entries({ a: 1, b: 2, c: 3, d: 4, e: 5, f: 0 })) {
      expect(await deque.count(letter)).toBe(count)
    }
  })

  // test_extend
  it('extend() appends in order', async () => {
    const deque = openDeque<string>()
    await deque.extend('abc')
    await deque.transact(tx => tx.extend('de'))
    expect(await itemsOf(deque)).toEqual([...'abcde'])
  })

  // test_extendleft
  it('extendLeft() puts the last one first', async () => {
    const deque = openDeque<string>()
    await deque.extendLeft('abcde')
    expect(await itemsOf(deque)).toEqual([...'edcba'])
  })

  // test_pop, test_pop_indexerror
  it('pop() takes from the right, and is undefined when there is nothing', async () => {
    const deque = await dequeOf([...'alpha'])
    for (const letter of 'ahpla') expect(await deque.pop()).toBe(letter)
    expect(await deque.pop()).toBeUndefined()
  })

  // test_popleft, test_popleft_indexerror
  it('popLeft() takes from the left, and is undefined when there is nothing', async () => {
    const deque = await dequeOf([...'alpha'])
    for (const letter of 'alpha') expect(await deque.popLeft()).toBe(letter)
    expect(await deque.popLeft()).toBeUndefined()
  })

  // test_remove, test_remove_valueerror
  it('remove() removes the first equal item, and says when there is none', async () => {
    const deque = await dequeOf([...'abaca'])
    expect(await deque.remove('a')).toBe(true)
    expect(await itemsOf(deque)).toEqual([...'baca'])
    expect(await deque.remove('c')).toBe(true)
    expect(await deque.remove('z')).toBe(false)
    expect(await itemsOf(deque)).toEqual([...'baa'])
  })

  // test_remove_keyerror
  it('remove() goes on to the next equal item when somebody else removes the first one', async () => {
    const deque = await dequeOf(['a', 'b', 'a', 'c', 'a'])
    const removed = await Promise.all([deque.remove('a'), deque.remove('a'), deque.remove('a'), deque.remove('a')])
    expect(removed.filter(Boolean)).toHaveLength(3)
    expect(await itemsOf(deque)).toEqual(['b', 'c'])
  })

  // test_reverse
  it('reverse() reverses in place', async () => {
    const deque = await dequeOf([...'abcde'])
    await deque.reverse()
    expect(await itemsOf(deque)).toEqual([...'edcba'])
    await deque.append('z')
    expect(await itemsOf(deque)).toEqual([...'edcbaz'])
  })

  // test_rotate_typeerror
  it('rotate() wants a whole number', async () => {
    const deque = await dequeOf([1, 2])
    for (const steps of [0.5, '1', 1n, Number.NaN, null, {}]) {
      await expect(deque.rotate(steps as never)).rejects.toThrow(TypeError)
    }
  })

  // test_rotate
  it('rotate() moves to the right, one step unless told otherwise', async () => {
    const deque = openDeque<string>()
    await deque.rotate(1)
    await deque.extend([...'abcde'])
    await deque.rotate(3)
    expect(await itemsOf(deque)).toEqual([...'cdeab'])
    await deque.rotate()
    expect(await itemsOf(deque)).toEqual([...'bcdea'])
  })

  // test_rotate_negative
  it('rotate() moves to the left by negative steps', async () => {
    const deque = openDeque<string>()
    await deque.rotate(-1)
    await deque.extend([...'abcde'])
    await deque.rotate(-2)
    expect(await itemsOf(deque)).toEqual([...'cdeab'])
  })

  // test_rotate_indexerror, test_rotate_indexerror_negative
  it.each([2500, -2500])('rotate(%i) ends quietly when the deque is emptied meanwhile', async steps => {
    const deque = await dequeOf(range(6000))
    const rotated = deque.rotate(steps)
    const cleared = deque.clear()
    await rotated
    expect(await cleared).toBe(6000)
    expect(await deque.length()).toBe(0)
  })

  it('clear() of a few items is one step among what is called after it, however long the machine stalls', async () => {
    const clock = new SlowClock()
    const deque = await dequeOf(['taken', 'left'], { clock })
    await deque.take()
    clock.isSlow = true
    const cleared = deque.clear()
    expect(await deque.pop()).toBeUndefined()
    expect(await cleared).toBe(2)
  })

  it('what is too much goes in one step, too: by setMaxLength(), extend() and extendLeft()', async () => {
    const clock = new SlowClock()
    const deque = await dequeOf(range(90), { clock })
    clock.isSlow = true
    const trimmed = [deque.setMaxLength(5), deque.length(), deque.extend(range(90)), deque.peekLeft(), deque.length()]
    expect((await Promise.all(trimmed)).slice(1)).toEqual([5, undefined, 85, 5])
    const left = [deque.extendLeft(range(90)), deque.peek(), deque.length()]
    expect(await Promise.all(left)).toEqual([undefined, 85, 5])
  })

  // test_peek
  it('peek() and peekLeft() leave the item and its file where they are', async () => {
    const deque = await dequeOf([`first${LARGE}`, 'middle', `last${LARGE}`])
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await deque.peekLeft()).toBe(`first${LARGE}`)
      expect(await deque.peek()).toBe(`last${LARGE}`)
    }
    expect(await deque.popLeft()).toBe(`first${LARGE}`)
    expect(await deque.pop()).toBe(`last${LARGE}`)
    expect(await deque.peek()).toBe('middle')
    await deque.clear()
    expect(await deque.peek()).toBeUndefined()
    expect(await deque.peekLeft()).toBeUndefined()
    await expectNoValueFiles(deque.directory)
  })
})

describe('items whose file is missing', () => {
  it.each(['peek', 'peekLeft', 'pop', 'popLeft'] as const)('%s() passes over them, and ends', async verb => {
    const deque = await dequeOf([LARGE, LARGE, 'whole', LARGE, LARGE])
    for (const file of valueFiles(deque.directory)) rmSync(file)
    expect(await deque[verb]()).toBe('whole')
    const empty = await dequeOf([LARGE])
    for (const file of valueFiles(empty.directory)) rmSync(file)
    expect(await empty[verb]()).toBeUndefined()
  })

  it('take() passes over them, and ends', async () => {
    const deque = await dequeOf([LARGE, LARGE, 'whole'])
    for (const file of valueFiles(deque.directory)) rmSync(file)
    const item = await deque.take()
    expect(item?.value).toBe('whole')
    expect(await item?.done()).toBe(true)
    expect(await deque.take()).toBeUndefined()
    expect(await deque.cache.count()).toBe(0)
  })

  it('are passed over by a deque that cannot write', async () => {
    const directory = temporaryDirectory()
    const writer = openDeque({}, directory)
    await writer.extend([LARGE, 'whole', LARGE])
    await writer.close()
    for (const file of valueFiles(directory)) rmSync(file)
    const reader = openDeque({ readonly: true }, directory)
    expect(await reader.peekLeft()).toBe('whole')
    expect(await reader.peek()).toBe('whole')
    expect(await itemsOf(reader)).toEqual(['whole'])
  })
})

describe('items that were given an expiry elsewhere', () => {
  it.each(['popLeft', 'take'] as const)('are removed with their files by %s() when it has come', async verb => {
    const { deque, clock } = withClock<string>()
    await deque.extend([LARGE, LARGE, 'last'])
    for (const key of (await collect(deque.cache.keys())).slice(0, 2)) await deque.cache.touch(key, { ttl: 1000 })
    clock.advance(1001)
    const found = await deque[verb]()
    expect(typeof found === 'object' ? found.value : found).toBe('last')
    await expectNoValueFiles(deque.directory)
  })
})

describe('a deque never forgets', () => {
  it('items do not expire, also in a cache whose entries do', async () => {
    const directory = temporaryDirectory()
    await using cache = new Cache(directory, { defaultTtl: 0 })
    const deque = Deque.from(cache)
    await deque.append(1)
    await deque.appendLeft(0)
    await deque.extend([2, LARGE])
    await deque.setAt(1, 'one')
    await deque.transact(tx => tx.append('last'))
    expect(await itemsOf(deque)).toEqual([0, 'one', 2, LARGE, 'last'])
    const rows = rawDatabase(directory).prepare('SELECT COUNT(*) FROM Cache WHERE expire_time IS NOT NULL').pluck()
    expect(rows.get()).toBe(0)
  })

  it('the directory of a deque evicts nothing', async () => {
    const deque = await dequeOf([1])
    expect((await deque.cache.settings()).evictionPolicy).toBe('none')
  })
})
