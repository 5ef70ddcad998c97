import { type Cache, type FanoutCache, Index, type Key, memoize } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openFanout, withPython } from './support.js'

/** A key, and how Python writes it. */
const COMPOSITE: readonly (readonly [Key, string])[] = [
  [null, 'None'],
  [true, 'True'],
  [false, 'False'],
  [2n ** 80n, '2**80'],
  [-(2n ** 64n), '-2**64'],
  [[], '()'],
  [[1], '(1,)'],
  [[null, 0, 'abc'], "(None, 0, 'abc')"],
  [['user', 42, true, 1.5], "('user', 42, True, 1.5)"],
  [[255, 256, 65_536, -1, 2 ** 31, 2 ** 40], '(255, 256, 65536, -1, 2**31, 2**40)'],
  [
    [
      ['nested', []],
      ['ü€😀', 'x'.repeat(300)],
    ],
    "(('nested', ()), ('ü€😀', 'x' * 300))",
  ],
  [{ page: 2, filter: ['a', false] }, "{'filter': ('a', False), 'page': 2}"],
  [{ one: 1 }, "{'one': 1}"],
  [{}, '{}'],
]
const BYTES: readonly (readonly [Key, string])[] = [
  [['b', Buffer.from([0, 255])], "('b', bytes([0, 255]))"],
  [['b', Buffer.alloc(300)], "('b', bytes(300))"],
]

withPython.each([1, 2, 3, 4])('a directory whose composite keys are pickles of protocol %i', protocol => {
  const keys = protocol < 3 ? COMPOSITE : [...COMPOSITE, ...BYTES]

  async function made(inPython: string): Promise<{ directory: string; python: Python }> {
    const directory = temporaryDirectory()
    const python = startPython()
    await python.call(`keep(cache=${inPython.replace(')', `, disk_pickle_protocol=${protocol})`)})`, { directory })
    return { directory, python }
  }

  it.each(KINDS)(
    'has keys that a $kind finds by value, those that were asked for before it was open too',
    async kind => {
      const { directory, python } = await made(kind.inPython)
      for (const [at, [, source]] of keys.entries()) await python.call(`cache.set(${source}, ${at})`)
      const cache: Cache | FanoutCache = kind.open(directory)
      const found = await Promise.all(keys.map(([key]) => cache.get(key)))
      expect(found).toEqual(keys.map((_, at) => at))
      expect(await cache.getMany(keys.map(([key]) => key))).toEqual(found)
      for (const [key] of keys) expect(await cache.incr(key, 100)).toBeGreaterThanOrEqual(100)
      expect(await python.call(`[cache[key] for key in (${keys.map(([, source]) => source)})]`)).toEqual(
        keys.map((_, at) => at + 100),
      )
      await expectClean(cache, python)
    },
  )

  it.each(KINDS)('gets keys from a $kind that Python finds', async kind => {
    const { directory, python } = await made(kind.inPython)
    const cache: Cache | FanoutCache = kind.open(directory)
    await Promise.all(keys.map(([key], at) => cache.set(key, at)))
    const again = kind.open(directory)
    await again.transact(tx => keys.forEach(([key], at) => void tx.set(key, at + 1)), {
      keys: keys.map(([key]) => key),
    })
    expect(await python.call(`[cache.get(key) for key in (${keys.map(([, source]) => source)})]`)).toEqual(
      keys.map((_, at) => at + 1),
    )
    expect(await cache.count()).toBe(keys.length)
    await expectClean(cache, python)
  })

  it('lists its keys as they were given, and each finds its row', async () => {
    const { directory, python } = await made(KINDS[0].inPython)
    for (const [, source] of keys) await python.call(`cache.set(${source}, 'there')`)
    const cache = KINDS[0].open(directory)
    const listed = await collect(cache.keys())
    expect(listed).toEqual(keys.map(([key]) => key))
    for (const key of listed) expect(await cache.delete(key)).toBe(true)
    expect(await cache.count()).toBe(0)
  })

  it('keeps keys of another form, which a row was found by, as they are', async () => {
    const { directory, python } = await made(KINDS[0].inPython)
    // A list is no tuple to Python, and is the same key to us.
    await python.call(`cache.set([1, 'list'], 'from a list')`)
    const cache = KINDS[0].open(directory)
    const [key] = await collect(cache.keys())
    expect(await cache.get(key as Key)).toBe('from a list')
    expect(await cache.set(key as Key, 'changed')).toBe(true)
    expect(await python.call(`cache[[1, 'list']]`)).toBe('changed')
  })

  it('shares the results of functions with Python, and an Index', async () => {
    const { directory, python } = await made('FanoutCache(directory, shards=8, timeout=60)')
    await python.call(
      `@cache.memoize(name='shared')\n` +
        `def double(number, name='x'):\n` +
        `    return number * 2\n` +
        `double(21)\n` +
        `return None`,
    )
    const fanout = openFanout(directory)
    let runs = 0
    const double = memoize(
      fanout,
      (number: number) => {
        runs++
        return number * 2
      },
      { name: 'shared' },
    )
    expect(await double(21)).toBe(42)
    expect(runs).toBe(0)
    const index = new Index(`${directory}/of-node`)
    await index.set([1, null], 'in an index of protocol 5')
    expect(await index.get([1, null])).toBe('in an index of protocol 5')
    await index.close()
  })
})
