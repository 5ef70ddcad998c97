import type { Tag } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { expectNoValueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject } from './subjects.js'

const KINDS: readonly Tag[] = ['text', '', 7, -1, 2.5, 2n ** 60n, new Uint8Array([1, 0, 255])]

/** tag, tags and evict. */
export function tagsSuite(subject: Subject): void {
  describe('tags', () => {
    kinds(subject)
    evicting(subject)
    furtherTags(subject)
    keeping(subject)
    indexed(subject)
  })
}

function kinds(subject: Subject): void {
  it('a tag may be text, a number or bytes, and comes back', async () => {
    const cache = subject.make()
    for (const [index, tag] of KINDS.entries()) {
      await cache.set(index, 1, { tag })
      const stored = (await cache.info(index))?.tag
      expect(stored instanceof Uint8Array ? new Uint8Array(stored) : stored).toEqual(tag)
    }
  })

  it('evict() tells tags of different types apart', async () => {
    const cache = subject.make()
    const tags: Tag[] = ['1', 1, new Uint8Array([0x31])]
    for (const [index, tag] of tags.entries()) await cache.set(index, 1, { tag })
    await cache.set('further', 1, { tags: ['1'] })
    expect(await cache.evict(1)).toBe(1)
    expect(await cache.evict(new Uint8Array([0x31]))).toBe(1)
    expect(await cache.has('further')).toBe(true)
    expect(await cache.evict('1')).toBe(2)
  })
}

function evicting(subject: Subject): void {
  it('evict() removes the items with the tag and answers how many', async () => {
    const cache = subject.make()
    for (let key = 0; key < 90; key += 1) await cache.set(key, key, { tag: ['red', 'green', 'blue'][key % 3] ?? '' })
    expect(await cache.evict('red')).toBe(30)
    expect(await cache.count()).toBe(60)
    expect(await cache.evict('red')).toBe(0)
    expect(await cache.get(0)).toBeUndefined()
    expect(await cache.get(1)).toBe(1)
  })

  it('evict() removes value files', async () => {
    const cache = subject.make()
    await cache.set('file', LARGE, { tag: 'red' })
    await cache.set('further', LARGE, { tags: ['red'] })
    expect(await cache.evict('red')).toBe(2)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('evict() goes through more items than one page of its work', async () => {
    const cache = subject.make()
    await cache.setMany(
      Array.from({ length: 700 }, (_, key) => [key, key, key % 2 ? { tag: 'odd' } : { tags: ['even'] }]),
    )
    expect(await cache.evict('odd')).toBe(350)
    expect(await cache.evict('even')).toBe(350)
    expect(await cache.count()).toBe(0)
  })
}

function furtherTags(subject: Subject): void {
  it('evict() matches tag and tags alike, and counts an item once', async () => {
    const cache = subject.make()
    await cache.set('one', 1, { tag: 'red' })
    await cache.set('two', 1, { tags: ['red', 'blue'] })
    await cache.set('both', 1, { tag: 'red', tags: ['red', 'green'] })
    await cache.set('none', 1, { tag: 'blue' })
    expect(await cache.evict('red')).toBe(3)
    expect(await collect(cache.keys())).toEqual(['none'])
  })

  it('tags come back in the order in which they were given', async () => {
    const cache = subject.make()
    const tags = ['z', 'a', 'm', 'é', '']
    await cache.set('key', 1, { tags })
    expect((await cache.info('key'))?.tags).toEqual(tags)
    expect((await cache.getItem('key'))?.tags).toEqual(tags)
    expect((await cache.popItem('key'))?.tags).toEqual(tags)
  })

  it('tags of a removed item do not reach the item that comes after it', async () => {
    const cache = subject.make()
    await cache.set('key', 1, { tags: ['old'] })
    await cache.delete('key')
    await cache.set('key', 2)
    expect((await cache.info('key'))?.tags).toEqual([])
    expect(await cache.evict('old')).toBe(0)
    expect(await cache.get('key')).toBe(2)
  })

  it('set() replaces the tags of an item', async () => {
    const cache = subject.make()
    await cache.set('key', 1, { tag: 'a', tags: ['b', 'c'] })
    await cache.set('key', 2, { tag: 'd', tags: ['c', 'e'] })
    expect(await cache.info('key')).toMatchObject({ tag: 'd', tags: ['c', 'e'] })
    expect(await cache.evict('a')).toBe(0)
    expect(await cache.evict('b')).toBe(0)
    expect(await cache.evict('e')).toBe(1)
  })
}

function keeping(subject: Subject): void {
  it('touch(), incr() and get() keep tag and tags', async () => {
    const cache = subject.make()
    await cache.set('key', 1, { tag: 'red', tags: ['a', 'b'] })
    await cache.touch('key', { ttl: '1h' })
    await cache.incr('key')
    await cache.get('key')
    expect(await cache.info('key')).toMatchObject({ tag: 'red', tags: ['a', 'b'] })
  })

  it('transact() that is undone leaves tags as they were', async () => {
    const cache = subject.make()
    await cache.set('key', 1, { tag: 'red', tags: ['a'] })
    const failing = cache.transact(tx => {
      tx.set('key', 2, { tag: 'blue', tags: ['b'] })
      tx.set('new', 2, { tags: ['a', 'c'] })
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect(await cache.info('key')).toMatchObject({ tag: 'red', tags: ['a'] })
    expect(await cache.evict('c')).toBe(0)
    expect(await cache.evict('a')).toBe(1)
  })
}

function indexed(subject: Subject): void {
  it('createTagIndex() and dropTagIndex() show in the settings and change no result', async () => {
    const cache = subject.make()
    expect((await cache.settings()).tagIndex).toBe(false)
    for (const index of [true, false]) {
      for (let key = 0; key < 20; key += 1) await cache.set(key, key, { tag: key % 4, tags: [`group ${key % 5}`] })
      await (index ? cache.createTagIndex() : cache.dropTagIndex())
      expect((await cache.settings()).tagIndex).toBe(index)
      expect((await collect(cache.keys({ tag: 3 }))).sort()).toEqual([11, 15, 19, 3, 7])
      expect(await cache.evict(1)).toBe(5)
      expect(await cache.evict('group 0')).toBe(3)
      expect(await cache.count()).toBe(12)
    }
    expect(await cache.check()).toEqual([])
  })

  it('createTagIndex() twice is harmless, and so is dropTagIndex()', async () => {
    const cache = subject.make()
    await cache.createTagIndex()
    await cache.createTagIndex()
    await cache.dropTagIndex()
    await cache.dropTagIndex()
    expect((await cache.settings()).tagIndex).toBe(false)
  })

  it('tagIndex at the opening makes the index', async () => {
    const cache = subject.make({ tagIndex: true })
    await cache.set('key', 1, { tag: 'red' })
    expect((await cache.settings()).tagIndex).toBe(true)
    expect(await cache.evict('red')).toBe(1)
  })
}
