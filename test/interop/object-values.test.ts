import { compressed } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, KINDS, openCache, openInPython, rows, withPython } from './support.js'

const LONG = 'x'.repeat(40_000)

/** Values which only JavaScript has a form for. */
const OBJECTS: Readonly<Record<string, unknown>> = {
  plain: { a: 1, b: [null, true, 'x'], c: { d: 1.5 } },
  list: [1, 'two', null],
  'long plain': { text: LONG },
  date: new Date(Date.UTC(2026, 0, 1)),
  map: new Map<unknown, unknown>([
    ['a', 1],
    [2, new Set([1n, 'x'])],
  ]),
  'long map': new Map([['a', LONG]]),
  expression: /a+/gi,
  error: new RangeError('out of range'),
  typed: new Float64Array([1.5, -0, Number.NaN]),
}

withPython.each(KINDS)('objects that Node stores in a $kind', ({ open, inPython }) => {
  async function stored() {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await cache.setMany(Object.entries(OBJECTS))
    await openInPython(python, directory, inPython)
    return { cache, python, directory }
  }

  it('are None to Python, without an error', async () => {
    const { cache, python } = await stored()
    const keys = Object.keys(OBJECTS)
    const nothing = keys.map(() => null)
    expect(await python.call('[cache.get(key, "default") for key in keys]', { keys })).toEqual(nothing)
    expect(await python.call('[cache[key] for key in keys]', { keys })).toEqual(nothing)
    expect(await python.call('all(key in cache for key in keys)', { keys })).toBe(true)
    expect(new Set(await python.call<string[]>('list(cache)'))).toEqual(new Set(keys))
    expect(await python.call('len(cache)')).toBe(keys.length)
    await expectClean(cache, python)
    for (const [key, value] of Object.entries(OBJECTS)) expect(await cache.get(key)).toEqual(value)
  })

  it('are removed and replaced by Python like any other value', async () => {
    const { cache, python, directory } = await stored()
    expect(await python.call(`[cache.pop('long plain'), cache.pop('map'), cache.delete('long map')]`)).toEqual([
      null,
      null,
      true,
    ])
    expect(valueFiles(directory)).toEqual([])
    await python.call(`cache.set('plain', 'new')`)
    expect(await cache.getMany(['plain', 'map', 'list'])).toEqual(['new', undefined, OBJECTS.list])
    await python.call('cache.clear()')
    await expectClean(cache, python)
  })

  it('do not break counting, touching and tags by Python', async () => {
    const { cache, python } = await stored()
    await cache.set('tagged', { a: 1 }, { tag: 'tag' })
    await expect(python.call(`cache.incr('plain')`)).rejects.toMatchObject({ type: 'TypeError' })
    expect(await python.call(`cache.touch('plain', expire=100)`)).toBe(true)
    expect(await python.call(`cache.evict('tag')`)).toBe(1)
    expect(await cache.get('plain')).toEqual(OBJECTS.plain)
  })
})

withPython('keys that are objects or arrays', () => {
  it('stay readable for iteration in Python', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory)
    await cache.set({ b: 2, a: 1 }, 'object')
    await cache.set(['x', 1, null, true, 1.5, Buffer.from([1])], 'array')
    await cache.set([], 'empty')
    await cache.set([['nested'], { k: [1] }], 'nested')
    await openInPython(python, directory)
    expect(await python.call('list(cache)')).toEqual([
      { a: 1, b: 2 },
      ['x', 1, null, true, 1.5, Buffer.from([1])],
      [],
      [['nested'], { k: [1] }],
    ])
    expect(await python.call('[cache[key] for key in cache]')).toEqual(['object', 'array', 'empty', 'nested'])
    expect(await cache.get({ a: 1, b: 2 })).toBe('object')
    expect(await collect(cache.keys())).toHaveLength(4)
    await expectClean(cache, python)
    expect(await rows(python, directory, 'SELECT DISTINCT raw FROM Cache')).toEqual([[0]])
  })
})

withPython('values that Node compresses', () => {
  it('are None to Python, which removes and replaces them like any other', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: compressed() })
    await cache.setMany([
      ['text', LONG],
      ['object', { text: LONG }],
      ['short', 'text'],
    ])
    await cache.set('file', LONG, { file: true })
    await openInPython(python, directory)
    expect(await python.call(`[cache.get(key) for key in ['text', 'object', 'short', 'file']]`)).toEqual([
      null,
      null,
      'text',
      LONG,
    ])
    await expectClean(cache, python)
    expect(await python.call(`[cache.delete('text'), cache.set('object', 'new')]`)).toEqual([true, true])
    expect(await cache.getMany(['text', 'object'])).toEqual([undefined, 'new'])
    await expectClean(cache, python)
  })
})
