import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LARGE, type Subject, withClock } from './subjects.js'

/** getItem, info and the version of an entry. */
export function descriptionsSuite(subject: Subject): void {
  describe('getItem() and info()', () => {
    describing(subject)
    describingFiles(subject)
    versions(subject)
  })
}

function describing(subject: Subject): void {
  it('getItem() returns the value with all that is known of it', async () => {
    const { cache, clock } = withClock(subject)
    const start = clock.now()
    await cache.set('key', 'value', { ttl: '1m', tag: 'red', tags: ['b', 'a'] })
    clock.advance(10)
    expect(await cache.getItem('key')).toEqual({
      key: 'key',
      value: 'value',
      expiresAt: start + 60_000,
      tag: 'red',
      tags: ['b', 'a'],
      storedAt: start,
      accessedAt: start,
      accessCount: 0,
      size: expect.any(Number),
      version: expect.any(String),
    })
  })

  it('info() returns the same without the value', async () => {
    const { cache } = withClock(subject)
    await cache.set('key', 'value', { ttl: '1m', tag: 'red', tags: ['a'] })
    const { value, ...rest } = (await cache.getItem('key')) ?? { value: undefined }
    expect(value).toBe('value')
    expect(await cache.info('key')).toEqual(rest)
  })

  it('getItem() and info() return undefined for what is missing or has expired', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('key', 1, { ttl: 1000 })
    clock.advance(1000)
    for (const key of ['key', 'nothing']) {
      expect(await cache.getItem(key)).toBeUndefined()
      expect(await cache.info(key)).toBeUndefined()
    }
  })

  it('getItem() leaves out expiry and tag where there are none, and gives an empty list of tags', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    const item = await cache.getItem('key')
    expect(item).toMatchObject({ key: 'key', value: 1, tags: [] })
    for (const field of ['expiresAt', 'tag', 'path', 'meta']) expect(item).not.toHaveProperty(field)
  })

  it('getItem() returns the key as it was given', async () => {
    const cache = subject.make()
    for (const key of ['text', 7, -2.5, null, true, ['a', 1, [null]], { b: 1, a: ['x'] }]) {
      await cache.set(key, 'value')
      expect((await cache.getItem(key))?.key).toEqual(key)
      expect((await cache.info(key))?.key).toEqual(key)
    }
  })
}

function describingFiles(subject: Subject): void {
  it('info() tells the path of a value file below the directory, and its size', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    const info = await cache.info('key')
    const path = info?.path ?? ''
    expect(isAbsolute(path)).toBe(false)
    expect(existsSync(join(cache.directory, path))).toBe(true)
    expect(info?.size).toBe(statSync(join(cache.directory, path)).size)
  })

  it('getItem() and info() return the metadata of a value', async () => {
    const cache = subject.make()
    const meta = { type: 'text/html', status: 200, headers: { etag: '"x"' }, list: [1, null, true] }
    await cache.set('key', 'value', { meta })
    expect(await cache.info('key')).toMatchObject({ meta, path: expect.any(String) })
    expect(await cache.getItem('key')).toMatchObject({ meta, value: 'value' })
  })

  // JSONDisk compresses every value: there the sizes are another's business.
  if (subject.codec === 'json') return
  it('info() counts the bytes of values in the database and of files', async () => {
    const cache = subject.make()
    await cache.set('inline', Buffer.alloc(100))
    await cache.set('file', Buffer.alloc(50_000))
    await cache.set('forced', Buffer.alloc(10), { file: true })
    expect((await cache.info('inline'))?.size).toBe(100)
    expect((await cache.info('file'))?.size).toBe(50_000)
    expect(await cache.info('forced')).toMatchObject({ size: 10, path: expect.any(String) })
  })

  it('info() and getItem() count the same bytes, of numbers too', async () => {
    const cache = subject.make()
    for (const value of [0, -0, 1.5, 2 ** 53, 5e-324, 1e308, 2n ** 62n, 'é', null, [1]]) {
      await cache.set('key', value)
      const size = (await cache.info('key'))?.size
      expect(size, String(value)).toBeGreaterThan(0)
      expect((await cache.getItem('key'))?.size, String(value)).toBe(size)
    }
  })
}

function versions(subject: Subject): void {
  async function versionsAfter(
    changes: (cache: ReturnType<Subject['make']>) => Promise<unknown>,
  ): Promise<(string | undefined)[]> {
    const { cache } = withClock(subject)
    await cache.set('key', 1)
    const before = (await cache.info('key'))?.version
    await changes(cache)
    return [before, (await cache.info('key'))?.version]
  }

  it('version stays while the entry is only read', async () => {
    const [before, after] = await versionsAfter(async cache => {
      await cache.get('key')
      await cache.getItem('key')
      await cache.has('key')
      await cache.add('key', 2)
      await cache.touch('nothing', { ttl: 1 })
    })
    expect(before).toEqual(expect.any(String))
    expect(after).toBe(before)
  })

  it('version changes with set(), incr() and touch(), although the clock stands still', async () => {
    const [first, second] = await versionsAfter(cache => cache.set('key', 1))
    expect(second).not.toBe(first)
    const [third, fourth] = await versionsAfter(cache => cache.incr('key', 0))
    expect(fourth).not.toBe(third)
    const [fifth, sixth] = await versionsAfter(cache => cache.touch('key', { ttl: '1h' }))
    expect(sixth).not.toBe(fifth)
  })

  it('version does not come back when touch() puts an expiry or metadata back to what it was', async () => {
    const { cache } = withClock(subject)
    await cache.set('key', 'value', { ttl: '1h', meta: { a: 1 } })
    const seen = [(await cache.info('key'))?.version]
    for (const change of [{ ttl: '2h' }, { ttl: '1h' }, { ttl: '1h' }, { meta: { a: 2 } }, { meta: { a: 1 } }]) {
      expect(await cache.touch('key', change)).toBe(true)
      seen.push((await cache.info('key'))?.version)
    }
    expect(new Set(seen).size).toBe(6)
  })

  it('version does not come back when a key that was overwritten is deleted and stored again', async () => {
    const cache = subject.make()
    const seen: (string | undefined)[] = []
    for (let round = 0; round < 3; round += 1) {
      for (let write = 0; write < 5; write += 1) {
        await cache.set('key', write)
        seen.push((await cache.info('key'))?.version)
      }
      await cache.delete('key')
    }
    expect(new Set(seen).size).toBe(15)
  })

  it('version changes when a key is deleted and stored again', async () => {
    const [before, after] = await versionsAfter(async cache => {
      await cache.delete('key')
      await cache.set('key', 1)
    })
    expect(after).not.toBe(before)
  })
}
