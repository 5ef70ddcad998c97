import { pickleCodec } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { float, tuple } from '../helpers/wire.js'
import { expectClean, KINDS, openCache, openInPython, withPython } from './support.js'

/** Values that Node stores, and what Python reads. */
const OURS: Readonly<Record<string, unknown>> = {
  object: { a: 1, b: 'two', c: null, d: [true, false] },
  'empty object': {},
  array: [1, 'two', null, 3.5, -0, Infinity, [], {}],
  'long array': Array.from({ length: 20_000 }, (_, index) => index * 1_000),
  'long object': Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key ${index}`, index])),
  map: new Map<unknown, unknown>([
    [1, 'one'],
    ['two', 2],
  ]),
  set: new Set([1, 'two', null]),
  'big integers': [2n ** 53n, 2n ** 63n, -(2n ** 63n) - 1n, 10n ** 40n, -1n * 256n ** 300n],
  numbers: [0, 255, 256, 65_535, 65_536, 2 ** 31, -1, -(2 ** 31), 1e300, 0.1],
  bytes: [Buffer.from([0, 255]), Buffer.alloc(0), Buffer.alloc(300, 1)],
  text: ['', '\u00e9', '\u{1f600}', 'a\ud800', 'x'.repeat(300), 'one\r\ntwo'],
  nested: { a: [{ b: new Map([[1, [new Set([1])]]]) }] },
  deep: Array.from({ length: 200 }).reduce<unknown>(inner => [inner], 'bottom'),
  null: null,
  nan: Number.NaN,
}

/** Python's side of values that Node reads: an expression, and what it is here. */
const THEIRS: Readonly<Record<string, readonly [expression: string, value: unknown]>> = {
  dict: [`{'a': 1, 'b': [1.5, None, True]}`, { a: 1, b: [1.5, null, true] }],
  'dict with other keys': [
    `{1: 'one', None: 2, 'a': 3}`,
    new Map<unknown, unknown>([
      [1, 'one'],
      [null, 2],
      ['a', 3],
    ]),
  ],
  'empty ones': ['[[], (), {}, "", b""]', [[], [], {}, '', Buffer.alloc(0)]],
  tuples: ['[(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),)]', [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [[]]]],
  sets: ['[{1, 2}, set(), frozenset([3])]', [new Set([1, 2]), new Set(), new Set([3])]],
  'big integers': [
    '[2 ** 53, 2 ** 63, -2 ** 63 - 1, 10 ** 700]',
    [2n ** 53n, 2n ** 63n, -(2n ** 63n) - 1n, 10n ** 700n],
  ],
  'small integers': [
    '[0, -1, 255, 256, 65536, -2 ** 31, 2 ** 31, 2 ** 53 - 1]',
    [0, -1, 255, 256, 65_536, -(2 ** 31), 2 ** 31, 2 ** 53 - 1],
  ],
  floats: [`[1.0, -0.0, 0.1, float('inf')]`, [1, -0, 0.1, Infinity]],
  bytes: [
    `[b'x' * 300, bytes(range(256))]`,
    [Buffer.alloc(300, 'x'), Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  ],
  bytearray: ['bytearray(b"abc")', Buffer.from('abc')],
  text: [`['x' * 300, '\\u00e9', '\\U0001f600', '\\ud800']`, ['x'.repeat(300), '\u00e9', '\u{1f600}', '\ud800']],
  shared: ['(lambda part: [part, part, {"again": part}])(["part"])', [['part'], ['part'], { again: ['part'] }]],
  'a long list': ['list(range(20000))', Array.from({ length: 20_000 }, (_, index) => index)],
  'a long dict': [
    '{str(i): i for i in range(3000)}',
    Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`${i}`, i])),
  ],
  'a text of lines': [`['one\\r\\ntwo'] * 3`, ['one\r\ntwo', 'one\r\ntwo', 'one\r\ntwo']],
}

const FIRST_PROTOCOL: Readonly<Record<string, number>> = { bytearray: 5, sets: 4, bytes: 3, 'empty ones': 3 }

withPython.each(KINDS)('a $kind with pickleCodec', ({ open, inPython }) => {
  it('gives Python what Node stored, whole', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { codec: pickleCodec })
    await cache.setMany(Object.entries(OURS))
    await openInPython(python, directory, inPython)
    for (const [key, value] of Object.entries(OURS)) {
      expect([key, await python.call('cache[key]', { key })]).toEqual([key, value])
      expect([key, await cache.get(key)]).toEqual([key, value])
    }
    const types = `[type(cache[key]).__name__ for key in ('object', 'array', 'map', 'set', 'null', 'nan')]`
    expect(await python.call(types)).toEqual(['dict', 'list', 'dict', 'set', 'NoneType', 'float'])
    await expectClean(cache, python)
  })

  it.each([0, 1, 2, 3, 4, 5])('gives Node what Python stored with protocol %i', async protocol => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython.replace(')', `, disk_pickle_protocol=${protocol})`))
    const cache = open(directory, { codec: pickleCodec })
    for (const [key, [expression, value]] of Object.entries(THEIRS)) {
      // Before it had opcodes of its own it was a call, which is not run.
      if (protocol < (FIRST_PROTOCOL[key] ?? 0)) continue
      await python.call(`cache.set(key, ${expression})`, { key })
      expect([key, await cache.get(key)]).toEqual([key, value])
    }
    await python.call('cache.set("prototype", {"__proto__": {"polluted": 1}})')
    expect(await cache.get('prototype')).not.toHaveProperty('polluted')
  })

  it('reads pickles of Python whatever its own codec, and runs nothing that they name', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    await python.call(
      `
      class Call:
          def __reduce__(self):
              return os.mkdir, (os.path.join(directory, 'called'),)
      cache['call'] = Call()
      cache['type'] = [int]
      cache['complex'] = 1j
      cache['data'] = {'a': (1, 2)}
      `,
      { directory },
    )
    for (const codec of [undefined, pickleCodec]) {
      const cache = open(directory, codec ? { codec } : {})
      for (const key of ['call', 'type', 'complex']) {
        await expect(cache.get(key)).rejects.toMatchObject({ name: 'DecodeError' })
      }
      expect(await cache.get('data')).toEqual({ a: [1, 2] })
      await cache.close()
    }
    expect(await python.call(`os.path.exists(os.path.join(directory, 'called'))`, { directory })).toBe(false)
  })
})

withPython('keys of Python that Node has another form for', () => {
  it.each(KINDS)('are found by what a $kind lists', async ({ open, inPython }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    await python.call(`
      part = 'part'
      nested = ('x' * 40, 1)
      keys = [
          (part, part), (nested, nested), [], [1], [1, 2], [[part], part], ([1], (1,)),
          {'b': 1, 'a': 2}, {1: 2}, (1.0, 2.0), (1, True), frozenset(), {1},
      ]
      for i, key in enumerate(keys):
          cache.set(key, i)
    `)
    const cache = open(directory)
    const keys = await collect(cache.keys())
    expect(keys).toHaveLength(13)
    const values = await cache.getMany(keys)
    expect([...values].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 13 }, (_, index) => index))
    for await (const [key, value] of cache.entries()) expect(await cache.get(key)).toBe(value)
    expect(await cache.deleteMany(keys)).toEqual(keys.map(() => true))
    expect(await python.call('len(cache)')).toBe(0)
  })

  it('are the tuples of Python for arrays, with numbers as Python has them', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    const key = tuple('f', 1, float('1.5'), tuple('nested', null), Buffer.from('x'))
    await python.call('cache.set(key, "value")', { key })
    const cache = openCache(directory)
    expect(await cache.get(['f', 1, 1.5, ['nested', null], Buffer.from('x')])).toBe('value')
    expect(await collect(cache.keys())).toEqual([['f', 1, 1.5, ['nested', null], Buffer.from('x')]])
  })
})
