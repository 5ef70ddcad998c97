import { jsonCodec, type Key } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, KINDS, openCache, openInPython, rows, withPython } from './support.js'

const IN_PYTHON = 'Cache(directory, disk=JSONDisk)'

/** Keys of every kind that JSON can say; the floats are those whose text differs between the languages. */
const KEYS: readonly Key[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  255,
  2 ** 31,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
  2n ** 53n,
  2n ** 63n,
  -(2n ** 63n) - 1n,
  10n ** 40n,
  0.1,
  1.5,
  -2.5,
  -0,
  1e16,
  1e17,
  123456789012345680000,
  1e21,
  1e22,
  1e300,
  1e-4,
  1e-5,
  1.5e-6,
  1.5e-7,
  5e-324,
  Number.MAX_VALUE,
  Infinity,
  -Infinity,
  '',
  'a',
  'hello',
  '\u00e9',
  '\u{1f600}',
  '\0\b\t\n\f\r\u001f',
  '\u007f\u0080\u2028\u2029\uffff',
  `"quoted" \\/`,
  'x'.repeat(1_000),
  Array.from({ length: 300 }, (_, index) => String.fromCharCode(33 + ((index * 7) % 90))).join(''),
  [],
  [1],
  [1, 2],
  ['a', 'b'],
  [[[]], {}],
  ['diskcache', 'test', 1, 2, 3, null],
  [1.5, true, null],
  {},
  { a: 1 },
  { a: 1, b: [2, { c: null }] },
  { '\u00e9': 1 },
  Array.from({ length: 2_000 }, (_, index) => index * index),
]

const VALUES: readonly unknown[] = [
  ...KEYS.filter(key => key !== Infinity && key !== -Infinity),
  { nested: { list: [1, 'two', null, { three: 3.5 }], empty: {} } },
  'a long string\r\n'.repeat(5_000),
  Array.from({ length: 10_000 }, (_, index) => index / 7),
  // Compresses to more than goes inline.
  Array.from({ length: 30_000 }, (_, index) => (index * 2_654_435_761) % 4_294_967_296),
]

withPython.each(KINDS)('a $kind with jsonCodec beside JSONDisk', ({ open, inPython }) => {
  const json = inPython.replace(')', ', disk=JSONDisk)')

  it('finds each key that the other stored', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { codec: jsonCodec })
    await cache.setMany(KEYS.map((key, index) => [key, `node ${index}`]))
    await openInPython(python, directory, json)
    const expected = (name: string): Record<string, string> =>
      Object.fromEntries(KEYS.map((key, index) => [`${index} ${String(key).slice(0, 40)}`, `${name} ${index}`]))
    const found = await python.call<string[]>('[cache.get(key) for key in keys]', { keys: KEYS })
    const named = (items: readonly unknown[]): Record<string, unknown> =>
      Object.fromEntries(KEYS.map((key, index) => [`${index} ${String(key).slice(0, 40)}`, items[index]]))
    expect(named(found)).toEqual(expected('node'))
    await python.call('[cache.set(key, "python %d" % i) for i, key in enumerate(keys)]', { keys: KEYS })
    expect(named(await cache.getMany(KEYS))).toEqual(expected('python'))
    expect([await cache.count(), await python.call('len(cache)')]).toEqual([KEYS.length, KEYS.length])
    await expectClean(cache, python)
  })

  it('reads each value that the other stored', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, json)
    await python.call('[cache.set(i, value) for i, value in enumerate(values)]', { values: VALUES })
    const cache = open(directory, { codec: jsonCodec })
    for (const [index, value] of VALUES.entries()) expect([index, await cache.get(index)]).toEqual([index, value])
    await cache.clear()
    expect(valueFiles(directory)).toEqual([])
    for (const [index, value] of VALUES.entries()) await cache.set(index, value)
    expect(valueFiles(directory).length).toBeGreaterThan(0)
    const read = await python.call<unknown[]>('[cache[i] for i in range(count)]', { count: VALUES.length })
    for (const [index, value] of VALUES.entries()) expect([index, read[index]]).toEqual([index, value])
    await expectClean(cache, python)
  })
})

withPython('a Cache with jsonCodec beside JSONDisk', () => {
  it('stores the same bytes for each key', async () => {
    const [ours, theirs] = [temporaryDirectory(), temporaryDirectory()]
    const python = startPython()
    const cache = openCache(ours, { codec: jsonCodec })
    await openInPython(python, theirs, IN_PYTHON)
    for (const [index, key] of KEYS.entries()) await cache.set(key, index)
    await python.call('[cache.set(key, i) for i, key in enumerate(keys)]', { keys: KEYS })
    const statement = 'SELECT hex(key), raw FROM Cache ORDER BY rowid'
    expect(await rows(python, ours, statement)).toEqual(await rows(python, theirs, statement))
  })

  it('lists the keys of both', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: jsonCodec })
    await cache.set(['node', { a: 1 }], 1)
    await openInPython(python, directory, IN_PYTHON)
    await python.call(`cache.set(('python', 2), 2)`)
    expect(await collect(cache.keys())).toEqual([
      ['node', { a: 1 }],
      ['python', 2],
    ])
    expect(await collect(cache.entries())).toEqual([
      [['node', { a: 1 }], 1],
      [['python', 2], 2],
    ])
    expect(await python.call('list(cache)')).toEqual([
      ['node', { a: 1 }],
      ['python', 2],
    ])
  })

  it('has a queue in common, and lists its keys, which Python cannot', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: jsonCodec })
    const first = 500_000_000_000_000
    expect(await cache.push({ from: 'node' })).toBe(first)
    await openInPython(python, directory, IN_PYTHON)
    expect(await python.call(`cache.push({'from': 'python'})`)).toBe(first + 1)
    expect(await cache.push('named', { prefix: 'jobs' })).toBe(`jobs-${first}`)
    expect(await python.call(`cache.push('python', prefix='jobs')`)).toBe(`jobs-${first + 1}`)
    expect(await collect(cache.keys())).toEqual([first, first + 1, `jobs-${first}`, `jobs-${first + 1}`])
    expect(await collect(cache.sortedKeys())).toEqual([first, first + 1, `jobs-${first}`, `jobs-${first + 1}`])
    expect(await collect(cache.entries())).toHaveLength(4)
    expect((await cache.peek())?.value).toEqual({ from: 'node' })
    expect(await python.call('cache.pull()')).toEqual([first, { from: 'node' }])
    expect(await cache.pull()).toMatchObject({ key: first + 1, value: { from: 'python' } })
    expect(await python.call(`cache.pull(prefix='jobs')`)).toEqual([`jobs-${first}`, 'named'])
    expect((await cache.pull({ prefix: 'jobs' }))?.value).toBe('python')
    await expectClean(cache, python)
  })

  it.each([0, 6, 9])('has keys of level %i that both find, whoever made the directory', async level => {
    const [ours, theirs] = [temporaryDirectory(), temporaryDirectory()]
    const key = ['diskcache', 'test', 1, 2, 3, null]
    const python = startPython()
    const codec = jsonCodec.level(level)
    await openCache(ours, { codec }).set(key, 'Node')
    await openInPython(python, ours, IN_PYTHON)
    expect(await python.call('cache.get(key)', { key })).toBe('Node')
    await openInPython(python, theirs, `Cache(directory, disk=JSONDisk, disk_compress_level=${level})`)
    await python.call(`cache.set(key, 'Python')`, { key })
    expect(await openCache(theirs, { codec: jsonCodec.level(level) }).get(key)).toBe('Python')
    // Another handle of the process may say the same.
    expect(await openCache(ours, { codec: jsonCodec.level(level) }).get(key)).toBe('Node')
  })

  it.each(KINDS)('refuses a $kind whose keys have another level, and names it', async ({ open, inPython }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython.replace(')', ', disk=JSONDisk, disk_compress_level=6)'))
    await python.call(`cache.set('key', 'Python')`)
    const other = open(directory, { codec: jsonCodec })
    await expect(other.get('key')).rejects.toThrow(RangeError)
    await expect(other.get('key')).rejects.toThrow(/jsonCodec\.level\(6\)/)
    expect(await open(directory, { codec: jsonCodec.level(6) }).get('key')).toBe('Python')
  })
})
