import { describe, expect, it } from 'vitest'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject, withClock } from './subjects.js'

/** get, set, has, add, delete and pop. */
export function itemsSuite(subject: Subject): void {
  describe('items', () => {
    storing(subject)
    replacing(subject)
    adding(subject)
    deleting(subject)
    popping(subject)
  })
}

function storing(subject: Subject): void {
  it('get() returns undefined for a key that was never stored', async () => {
    expect(await subject.make().get('nothing')).toBeUndefined()
  })

  it('set() answers true and get() returns the value', async () => {
    const cache = subject.make()
    expect(await cache.set('key', 'value')).toBe(true)
    expect(await cache.get('key')).toBe('value')
  })

  it('set() keeps values below and above the size of files', async () => {
    const cache = subject.make()
    for (const length of [0, 1, 32_767, 32_768, 100_000]) await cache.set(`length ${length}`, 'y'.repeat(length))
    for (const length of [0, 1, 32_767, 32_768, 100_000]) {
      expect(await cache.get(`length ${length}`)).toBe('y'.repeat(length))
    }
    expect(await cache.check()).toEqual([])
  })

  it('has() tells stored keys from others', async () => {
    const cache = subject.make()
    await cache.set('here', 0)
    expect(await cache.has('here')).toBe(true)
    expect(await cache.has('elsewhere')).toBe(false)
  })

  it('has() and get() tell a stored null from a miss', async () => {
    const cache = subject.make()
    await cache.set('nothing', null)
    expect(await cache.has('nothing')).toBe(true)
    expect(await cache.get('nothing')).toBeNull()
  })

  it.skipIf(subject.sharesPlainData)('get() returns a value of its own to every caller', async () => {
    const cache = subject.make()
    const stored = { list: [1, 2, 3] }
    await cache.set('key', stored)
    stored.list.push(4)
    const first = await cache.get<typeof stored>('key')
    first?.list.push(5)
    expect(await cache.get('key')).toEqual({ list: [1, 2, 3] })
  })

  it('set() keeps the value as it was when it was called', async () => {
    const cache = subject.make()
    const value = { name: 'before' }
    const stored = cache.set('key', value)
    value.name = 'after'
    await stored
    expect(await cache.get('key')).toEqual({ name: 'before' })
  })
}

function replacing(subject: Subject): void {
  it('set() replaces small by small by large by small values and leaves no file', async () => {
    const cache = subject.make()
    for (const value of ['a', 'b', LARGE, `${LARGE}!`, 'c']) {
      await cache.set('key', value)
      expect(await cache.get('key')).toBe(value)
    }
    expect(await cache.count()).toBe(1)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('set() replaces expiry and tags, also by none', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: '1m', tag: 'one', tags: ['two'] })
    await cache.set('key', 2)
    clock.advance(120_000)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ value: 2, tags: [] })
    expect(item?.tag).toBeUndefined()
    expect(item?.expiresAt).toBeUndefined()
  })

  it('set() replaces the type of a value', async () => {
    const cache = subject.make()
    for (const value of ['text', 7, { a: 1 }, null, [1, 2], true, 2.5]) {
      await cache.set('key', value)
      expect(await cache.get('key')).toEqual(value)
    }
  })
}

function adding(subject: Subject): void {
  it('add() stores what is missing and refuses what is there', async () => {
    const cache = subject.make()
    expect(await cache.add('key', 1)).toBe(true)
    expect(await cache.add('key', 2)).toBe(false)
    expect(await cache.get('key')).toBe(1)
  })

  it('add() stores again after delete()', async () => {
    const cache = subject.make()
    await cache.add('key', 1)
    await cache.delete('key')
    expect(await cache.add('key', 2)).toBe(true)
    expect(await cache.get('key')).toBe(2)
  })

  it('add() stores over an item that has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.add('key', 1, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.add('key', 2)).toBe(true)
    expect(await cache.get('key')).toBe(2)
  })

  it('add() that is refused changes neither value, expiry nor tag, and leaves no file', async () => {
    const { cache } = withClock(subject)
    await cache.set('key', 'first', { tag: 'one' })
    expect(await cache.add('key', LARGE, { ttl: 1000, tag: 'two' })).toBe(false)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ value: 'first', tag: 'one' })
    expect(item?.expiresAt).toBeUndefined()
    await expectNoValueFiles(cache.directory)
  })

  it('add() of the same key lets one of many calls win', async () => {
    const cache = subject.make()
    const answers = await Promise.all(Array.from({ length: 50 }, (_, caller) => cache.add('key', caller)))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await cache.get('key')).toBe(answers.indexOf(true))
  })
}

function deleting(subject: Subject): void {
  it('delete() answers true once and false afterwards', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    expect(await cache.delete('key')).toBe(true)
    expect(await cache.delete('key')).toBe(false)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.count()).toBe(0)
  })

  it('delete() answers false for an item that has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.delete('key')).toBe(false)
  })

  it('delete() removes the value file and the directories it leaves empty', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    expect(valueFiles(cache.directory)).toHaveLength(1)
    await cache.delete('key')
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })
}

function popping(subject: Subject): void {
  it('pop() returns the value once', async () => {
    const cache = subject.make()
    await cache.set('key', { deep: ['value'] })
    expect(await cache.pop('key')).toEqual({ deep: ['value'] })
    expect(await cache.pop('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
  })

  it('pop() returns undefined for an item that has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.pop('key')).toBeUndefined()
  })

  it('pop() returns the value of a file and removes the file', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    expect(await cache.pop('key')).toBe(LARGE)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('pop() gives the value to one of many calls', async () => {
    const cache = subject.make()
    await cache.set('key', 'prize')
    const answers = await Promise.all(Array.from({ length: 20 }, () => cache.pop('key')))
    expect(answers.filter(answer => answer === 'prize')).toHaveLength(1)
  })

  it('popItem() returns the value with tag and expiry, once', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 'value', { ttl: 1000, tag: 'red', tags: ['a', 'b'] })
    const item = await cache.popItem('key')
    expect(item).toMatchObject({
      key: 'key',
      value: 'value',
      tag: 'red',
      tags: ['a', 'b'],
      expiresAt: clock.now() + 1000,
    })
    expect(await cache.popItem('key')).toBeUndefined()
  })
}
