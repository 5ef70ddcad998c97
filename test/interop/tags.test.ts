import type { Cache, FanoutCache } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { float } from '../helpers/wire.js'
import { expectClean, KINDS, openCache, openInPython, openShared, rows, withPython } from './support.js'

const TAGS = [
  'text',
  '',
  '\u00e9\u{1f600}',
  'a\0b',
  7,
  -1,
  1.5,
  2n ** 60n,
  -(2n ** 63n),
  Buffer.from([0, 255]),
  Buffer.alloc(0),
]

withPython.each(KINDS)('tags in a $kind that Node and Python share', ({ open, inPython }) => {
  const shared = () => openShared<Cache | FanoutCache>(open, inPython)

  it('are read by Python as Node stored them, of every type', async () => {
    const { cache, python } = await shared()
    for (const [index, tag] of TAGS.entries()) await cache.set(index, 'value', { tag })
    const tags = await python.call('[cache.get(i, tag=True)[1] for i in range(count)]', { count: TAGS.length })
    expect(tags).toEqual(TAGS)
  })

  it('are read by Node as Python stored them, of every type', async () => {
    const { cache, python } = await shared()
    await python.call('[cache.set(i, "value", tag=tag) for i, tag in enumerate(tags)]', { tags: TAGS })
    for (const [index, tag] of TAGS.entries()) {
      expect((await cache.info(index))?.tag).toEqual(tag)
      expect(await collect(cache.keys({ tag }))).toEqual([index])
    }
    expect((await cache.info(0))?.tags).toEqual([])
  })

  it.each(['nobody', 'Node', 'Python'])('evict what the other stored, with an index made by %s', async maker => {
    const { cache, python, directory } = await shared()
    if (maker === 'Node') await cache.createTagIndex()
    if (maker === 'Python') await python.call('cache.create_tag_index()')
    for (const [index, tag] of TAGS.entries()) {
      for (let copy = 0; copy < 3; copy++) await cache.set(`node ${index} ${copy}`, 'x'.repeat(copy * 20_000), { tag })
    }
    await python.call(
      `[cache.set('python %d %d' % (i, copy), 'x' * copy * 20000, tag=tag) for i, tag in enumerate(tags) for copy in range(3)]`,
      { tags: TAGS },
    )
    await cache.set('untagged', 1)
    for (const [index, tag] of TAGS.entries()) {
      const evicted = index % 2 ? await cache.evict(tag) : await python.call('cache.evict(tag)', { tag })
      expect([tag, evicted]).toEqual([tag, 6])
    }
    expect(await collect(cache.keys())).toEqual(['untagged'])
    await expectClean(cache, python)
    const first = inPython.startsWith('Fanout') ? `${directory}/000` : directory
    const indexes = await rows(python, first, `SELECT name FROM sqlite_master WHERE name = 'Cache_tag_rowid'`)
    expect(indexes).toHaveLength(maker === 'nobody' ? 0 : 1)
  })

  it('are indexed, or no longer, for both', async () => {
    const { cache, python } = await shared()
    await cache.createTagIndex()
    expect(await python.call(`cache.reset('tag_index')`)).toBe(1)
    await python.call('cache.drop_tag_index()')
    expect((await cache.settings()).tagIndex).toBe(false)
    await python.call('cache.create_tag_index()')
    expect((await cache.settings()).tagIndex).toBe(true)
    await cache.dropTagIndex()
    expect(await python.call(`cache.reset('tag_index')`)).toBe(0)
    await cache.set('key', 1, { tag: 'tag' })
    expect(await python.call(`cache.evict('tag')`)).toBe(1)
    await expectClean(cache, python)
  })

  it('that are floats with whole values match their number', async () => {
    const { cache, python } = await shared()
    await python.call('cache.set("key", 1, tag=tag)', { tag: float('3.0') })
    expect((await cache.info('key'))?.tag).toBe(3)
    expect(await cache.evict(3)).toBe(1)
  })
})

withPython('further tags of an entry', () => {
  async function tagged() {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory)
    await cache.set('before', 1)
    await openInPython(python, directory)
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, 1, { tag: 'main', tags: ['x', 'y', `only ${key}`] })
    const left = async (): Promise<string[]> =>
      (await rows<[string]>(python, directory, 'SELECT tag FROM EntryTag ORDER BY tag')).map(([tag]) => tag)
    return { cache, python, directory, left }
  }

  it('go when Python deletes, pops, overwrites or evicts the entry', async () => {
    const { cache, python, left } = await tagged()
    expect(await left()).toHaveLength(12)
    await python.call(`cache.delete('a')`)
    await python.call(`cache.pop('b')`)
    expect(await left()).toEqual(['only c', 'only d', 'x', 'x', 'y', 'y'])
    await python.call(`cache.set('c', 2, tag='main')`)
    expect(await left()).toEqual(['only d', 'x', 'y'])
    expect((await cache.info('c'))?.tags).toEqual([])
    expect(await cache.evict('x')).toBe(1)
    expect(await collect(cache.keys())).toEqual(['before', 'c'])
    expect(await python.call(`cache.evict('main')`)).toBe(1)
    expect(await left()).toEqual([])
    await expectClean(cache, python)
  })

  it('go when Python clears, expires or culls', async () => {
    const { cache, python, left } = await tagged()
    await python.call(`cache.touch('a', expire=-1)`)
    await python.call('cache.expire()')
    expect(await left()).toHaveLength(9)
    await python.call('cache.clear()')
    expect(await left()).toEqual([])
    await expectClean(cache, python)
  })

  it('stay when Python touches, counts or reads the entry', async () => {
    const { cache, python } = await tagged()
    await python.call(`
      cache.touch('a', expire=100)
      cache.incr('a')
      cache.get('a')
    `)
    expect(await cache.getItem('a')).toMatchObject({ value: 2, tag: 'main', tags: ['x', 'y', 'only a'] })
    expect(await cache.evict('only a')).toBe(1)
  })

  it('stay out of what Python stores next under a rowid that was used before', async () => {
    const { cache, python, left } = await tagged()
    await python.call(`
      cache.clear()
      [cache.set(i, i) for i in range(10)]
    `)
    expect(await left()).toEqual([])
    expect(await cache.evict('x')).toBe(0)
    expect(await cache.count()).toBe(10)
  })
})
