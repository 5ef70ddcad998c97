import type { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { float, PythonValue, toWire, type Wire } from '../helpers/wire.js'
import { KEYS, type Sample, VALUES } from './samples.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

const keys = KEYS.map(({ python }) => new PythonValue(python))
const values = VALUES.map(({ python }) => new PythonValue(python))

/** By title, so that a failure names the sample. */
function titled<T>(samples: readonly Sample[], items: readonly T[]): Record<string, T> {
  return Object.fromEntries(samples.map(({ title }, index) => [title, items[index] as T]))
}

function listOf(wire: Wire): readonly Wire[] {
  if (wire[0] !== 'list') throw new TypeError(`expected a list, got ${wire[0]}`)
  return wire[1]
}

withPython.each(KINDS)('a $kind directory', ({ open, inPython }) => {
  describe.each(['Python', 'Node'])('made by %s', maker => {
    async function shared(): Promise<{ cache: Cache | FanoutCache; python: Python; directory: string }> {
      const directory = temporaryDirectory()
      const python = startPython()
      const cache = open(directory)
      if (maker === 'Node') await cache.set('first', 'Node')
      await openInPython(python, directory, inPython)
      if (maker === 'Python') await python.call(`cache.set('first', 'Python')`)
      return { cache, python, directory }
    }

    it('gives Python the values that Node stored, of every type', async () => {
      const { cache, python } = await shared()
      for (const { title, node } of VALUES) expect(await cache.set(title, node)).toBe(true)
      const read = listOf(
        await python.wire('[cache.get(key) for key in keys]', { keys: VALUES.map(({ title }) => title) }),
      )
      expect(titled(VALUES, read)).toEqual(
        titled(
          VALUES,
          VALUES.map(({ python: wire }) => wire),
        ),
      )
      await expectClean(cache, python)
    })

    it('gives Node the values that Python stored, of every type', async () => {
      const { cache, python } = await shared()
      const titles = VALUES.map(({ title }) => title)
      await python.call('[cache.set(key, value) for key, value in zip(keys, values)]', { keys: titles, values })
      expect(titled(VALUES, await cache.getMany(titles))).toEqual(
        titled(
          VALUES,
          VALUES.map(({ node }) => node),
        ),
      )
      await expectClean(cache, python)
    })

    it('lets Python find, replace and delete the keys that Node stored, of every type', async () => {
      const { cache, python } = await shared()
      await cache.clear()
      await cache.setMany(KEYS.map(({ node, title }) => [node, title]))
      const found = await python.call<string[]>('[cache.get(key) for key in keys]', { keys })
      expect(titled(KEYS, found)).toEqual(
        titled(
          KEYS,
          KEYS.map(({ title }) => title),
        ),
      )
      await python.call('[cache.set(key, i) for i, key in enumerate(keys)]', { keys })
      expect(titled(KEYS, await cache.getMany(KEYS.map(({ node }) => node)))).toEqual(
        titled(
          KEYS,
          KEYS.map((_, index) => index),
        ),
      )
      const deleted = await python.call<boolean[]>('[cache.delete(key) for key in keys]', { keys })
      expect(titled(KEYS, deleted)).toEqual(
        titled(
          KEYS,
          KEYS.map(() => true),
        ),
      )
      expect(await cache.count()).toBe(0)
      await expectClean(cache, python)
    })

    it('lets Node find, replace and delete the keys that Python stored, of every type', async () => {
      const { cache, python } = await shared()
      await cache.clear()
      await python.call('[cache.set(key, i) for i, key in enumerate(keys)]', { keys })
      const nodeKeys = KEYS.map(({ node }) => node)
      expect(titled(KEYS, await cache.getMany(nodeKeys))).toEqual(
        titled(
          KEYS,
          KEYS.map((_, index) => index),
        ),
      )
      await cache.setMany(KEYS.map(({ node, title }) => [node, title]))
      const found = await python.call<string[]>('[cache.get(key) for key in keys]', { keys })
      expect(titled(KEYS, found)).toEqual(
        titled(
          KEYS,
          KEYS.map(({ title }) => title),
        ),
      )
      expect(titled(KEYS, await cache.deleteMany(nodeKeys))).toEqual(
        titled(
          KEYS,
          KEYS.map(() => true),
        ),
      )
      expect(await python.call('len(cache)')).toBe(0)
      await expectClean(cache, python)
    })

    it('lists the same keys in the same order on both sides', async () => {
      const { cache, python } = await shared()
      await cache.clear()
      for (const [index, { node }] of KEYS.entries()) {
        if (index % 2 === 0) await cache.set(node, index)
        else await python.call('cache.set(key, i)', { key: keys[index], i: index })
      }
      const inNode = await collect(cache.keys())
      const listed = listOf(await python.wire('list(cache)'))
      expect(inNode.map(toWire)).toEqual(listed)
      expect(listed).toHaveLength(KEYS.length)
      const backwards = (await collect(cache.keys({ reverse: true }))).map(toWire)
      expect(backwards).toEqual(listOf(await python.wire('list(reversed(cache))')))
    })
  })

  it('keeps NaN, a lone surrogate and line ends of long strings that Node stored', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    const lines = 'one\r\ntwo\rthree\n'.repeat(5_000)
    await cache.set('nan', Number.NaN)
    await cache.set('surrogate', 'a\ud800b')
    await cache.set('lines', lines)
    expect(await cache.getMany(['nan', 'surrogate', 'lines'])).toEqual([Number.NaN, 'a\ud800b', lines])
    await openInPython(python, directory, inPython)
    expect(await python.call(`[cache['nan'], cache['surrogate']]`)).toEqual([Number.NaN, 'a\ud800b'])
    expect(await python.call(`cache['lines']`)).toBe(lines)
    await expectClean(cache, python)
  })

  it('reads what Python loses of NaN and of line ends no worse than Python does', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    await python.call(`
      cache['nan'] = float('nan')
      cache['surrogate'] = ['a\\ud800b']
      cache['lines'] = 'one\\r\\ntwo\\rthree\\n' * 5000
    `)
    const cache = open(directory)
    expect(await cache.get('nan')).toBe(null)
    expect(await cache.get('surrogate')).toEqual(['a\ud800b'])
    // The file holds all of them; it is Python's reading that makes each a newline.
    expect(await cache.get('lines')).toBe('one\r\ntwo\rthree\n'.repeat(5_000))
  })

  it('finds -0 where Python keeps -0.0', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await cache.set(-0, 'Node')
    await openInPython(python, directory, inPython)
    expect(await python.call('cache.pop(key)', { key: float('-0.0') })).toBe('Node')
    await python.call(`cache.set(key, 'Python')`, { key: float('-0.0') })
    expect(await cache.get(-0)).toBe('Python')
    expect((await collect(cache.keys())).map(toWire)).toEqual([toWire(-0)])
  })
})
