import { expect, it } from 'vitest'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

withPython.each(KINDS)('statistics of a $kind that Node and Python share', ({ open, inPython }) => {
  const counting = inPython.replace(')', ', statistics=True)')

  it('add the hits and misses of both', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { statistics: true })
    for (let key = 0; key < 10; key++) await cache.set(key, key)
    await openInPython(python, directory, counting)
    for (let key = 0; key < 15; key++) await cache.get(key)
    await python.call('[cache.get(key) for key in range(8, 12)]')
    // What Node counts in memory is written at the latest now.
    await cache.close()
    expect(await python.call('cache.stats()')).toEqual([12, 7])
    expect(await cache.stats()).toMatchObject({ hits: 12, misses: 7, count: 10 })
    await python.call('cache.stats(reset=True)')
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0 })
    await cache.get(0)
    expect(await cache.stats({ reset: true })).toMatchObject({ hits: 1, misses: 0 })
    expect(await python.call('cache.stats()')).toEqual([0, 0])
    await expectClean(cache, python)
  })

  it('are counted by Node when Python has switched them on', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, counting)
    const cache = open(directory)
    expect((await cache.settings()).statistics).toBe(true)
    await cache.get('missing')
    await cache.close()
    expect(await python.call('cache.stats()')).toEqual([0, 1])
  })

  it('count the evictions of all processes of Node, in a row that Python passes over', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { statistics: true, sizeLimit: 2 ** 20 })
    for (let key = 0; key < 60; key++) await cache.set(key, Buffer.alloc(40_000, key), { retry: true })
    const { evictions } = await cache.stats()
    expect(evictions).toBeGreaterThan(30)
    await cache.close()
    await openInPython(python, directory, inPython)
    await python.call('cache.set("from", "Python")')
    expect(await python.call('cache.stats()')).toEqual([0, 0])
    // Of those that this process evicted after it was opened again, it knows of none before.
    expect(await cache.stats()).toMatchObject({ evictions })
    await expectClean(cache, python)
    await cache.stats({ reset: true })
    expect(await cache.stats()).toMatchObject({ evictions: 0 })
  })
})
