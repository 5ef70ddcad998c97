import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'
import { LARGE, type Subject, withClock } from './subjects.js'

/** count, volume, clear, cull, check and stats. */
export function maintenanceSuite(subject: Subject): void {
  describe('maintenance', () => {
    figures(subject)
    clearing(subject)
    culling(subject)
    checking(subject)
    statistics(subject)
  })
}

function figures(subject: Subject): void {
  it('count() counts items, expired ones included until they are removed', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    expect(await cache.count()).toBe(0)
    for (let key = 0; key < 10; key += 1) await cache.set(key, key, key < 4 ? { ttl: 1000 } : {})
    clock.advance(1000)
    expect(await cache.count()).toBe(10)
    await cache.expire()
    expect(await cache.count()).toBe(6)
  })

  it('volume() grows and shrinks with value files', async () => {
    const cache = subject.make()
    await cache.set('small', 1)
    const before = await cache.volume()
    expect(before).toBeGreaterThan(0)
    await cache.set('large', Buffer.alloc(1_000_000).toString('latin1'), { file: true })
    expect(await cache.volume()).toBeGreaterThan(before)
    await cache.delete('large')
    expect(await cache.volume()).toBe(before)
  })

  it('figures, listings and check() come to an end while files are always being written', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    for (const look of [
      () => cache.count(),
      () => cache.volume(),
      () => cache.stats(),
      () => collect(cache.keys()),
      () => collect(cache.entries({ prefix: 'key' })),
      () => cache.check(),
    ]) {
      let writes = 0
      let stopped = false
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        while (!stopped && writes < 3000) await cache.set(`file ${writer} ${writes++ % 5}`, LARGE)
      })
      await look()
      stopped = true
      await Promise.all(writers)
      expect(writes, String(look)).toBeLessThan(3000)
    }
  })

  it('count() and volume() count the writes that were called before', async () => {
    const cache = subject.make()
    const writes = Array.from({ length: 25 }, (_, key) => cache.set(key, key))
    expect(await cache.count()).toBe(25)
    await Promise.all(writes)
  })

  it('count() and volume() do not count the writes that were called after', async () => {
    const cache = subject.make()
    await cache.set('before', LARGE)
    const volume = await cache.volume()
    const writes = [cache.set('before', LARGE)]
    const figures = [cache.count(), cache.volume()]
    for (let key = 0; key < 25; key++) writes.push(cache.set(key, LARGE))
    expect(await Promise.all(figures)).toEqual([1, volume])
    await Promise.all(writes)
  })

  it('stats() does not count the writes that were called after', async () => {
    const cache = subject.make()
    await cache.set('before', LARGE)
    const volume = await cache.volume()
    const writes = [cache.set('before', LARGE)]
    const stats = cache.stats()
    for (let key = 0; key < 25; key++) writes.push(cache.set(key, LARGE))
    expect(await stats).toMatchObject({ count: 1, volume })
    await Promise.all(writes)
  })
}

function clearing(subject: Subject): void {
  it('clear() removes everything and answers how many', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 400 }, (_, key) => [key, key % 20 ? key : LARGE, { tags: ['a'] }]))
    expect(await cache.clear()).toBe(400)
    expect(await cache.count()).toBe(0)
    expect(await cache.clear()).toBe(0)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('clear() leaves the cache usable, its directory and its settings in force', async () => {
    const cache = subject.make({ cullLimit: 3 })
    await cache.set('key', 1)
    await cache.clear()
    expect(existsSync(cache.directory)).toBe(true)
    await cache.set('key', 2)
    expect(await cache.get('key')).toBe(2)
    expect((await cache.settings()).cullLimit).toBe(3)
  })

  it('clear() leaves files of others in the directory', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    const [file = ''] = valueFiles(cache.directory)
    writeFileSync(join(dirname(file), 'notes.txt'), 'mine')
    await cache.clear()
    const findings = await cache.check()
    expect(findings.map(({ kind }) => kind)).toEqual([expect.stringMatching(/^(unknown|foreign)-file$/)])
    expect(findings[0]?.path).toContain('notes.txt')
  })
}

function culling(subject: Subject): void {
  it('cull() removes what has expired', async () => {
    const { cache, clock } = withClock(subject, { cullLimit: 0 })
    for (let key = 0; key < 50; key += 1) await cache.set(key, key, { ttl: 1000 })
    await cache.set('kept', 1)
    clock.advance(1000)
    expect(await cache.cull()).toBe(50)
    expect(await cache.get('kept')).toBe(1)
  })

  it('cull() removes nothing below the limit', async () => {
    const cache = subject.make()
    expect(await cache.cull()).toBe(0)
    for (let key = 0; key < 50; key += 1) await cache.set(key, key)
    expect(await cache.cull()).toBe(0)
    expect(await cache.count()).toBe(50)
  })
}

function checking(subject: Subject): void {
  it('check() finds nothing after ordinary use', async () => {
    const cache = subject.make()
    for (let key = 0; key < 60; key += 1) await cache.set(key, key % 3 ? key : LARGE, { tags: [`${key % 2}`] })
    for (let key = 0; key < 60; key += 4) await cache.delete(key)
    for (let key = 1; key < 60; key += 4) await cache.set(key, LARGE)
    await cache.evict('1')
    expect(await cache.check()).toEqual([])
    expect(await cache.check({ fix: true })).toEqual([])
  })

  it('check() takes a timeout of any length', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    for (const timeout of [1000.5, '1.0005s', '60d']) expect(await cache.check({ timeout })).toEqual([])
    expect(await cache.check({ timeout: 1000.5, fix: true })).toEqual([])
  })

  it('check() waits for the writes that were called before', async () => {
    const cache = subject.make()
    const writes = Array.from({ length: 10 }, (_, key) => cache.set(key, LARGE))
    expect(await cache.check({ fix: true })).toEqual([])
    await Promise.all(writes)
    expect(await cache.count()).toBe(10)
  })
}

function statistics(subject: Subject): void {
  it('stats() counts hits and misses while statistics are on', async () => {
    const cache = subject.make({ statistics: true })
    await cache.set('key', 1)
    await cache.getMany(['key', 'nothing'])
    for (let call = 0; call < 5; call += 1) await cache.get('key')
    for (let call = 0; call < 3; call += 1) await cache.get('nothing')
    expect(await cache.stats()).toMatchObject({ hits: 6, misses: 4, count: 1, evictions: 0, timeouts: 0 })
  })

  it('stats() counts the reads of a transaction that is committed', async () => {
    const cache = subject.make({ statistics: true })
    await cache.set('key', 1)
    await cache.transact(tx => [tx.get('key'), tx.getItem('key'), tx.getMany(['key', 'nothing']), tx.has('nothing')])
    await cache
      .transact(tx => {
        tx.get('key')
        throw new Error('no')
      })
      .catch(() => {})
    expect(await cache.stats()).toMatchObject({ hits: 3, misses: 1 })
  })

  it('stats() counts a read once, also when the writes around it are made again', async () => {
    const cache = subject.make({ statistics: true })
    await cache.setMany([
      ['text', 'no number'],
      ['file', LARGE],
    ])
    await Promise.allSettled([
      cache.set('key', 1),
      cache.get('key'),
      cache.getItem('key'),
      cache.get('file'),
      cache.touch('file', { ttl: '1h' }),
      cache.get('file'),
      cache.read('file').then(file => file?.close()),
      cache.delete('gone'),
      cache.get('gone'),

      cache.incr('text'),
    ])
    expect(await cache.stats()).toMatchObject({ hits: 5, misses: 1 })
  })

  it('stats({ reset }) answers the old figures and begins anew', async () => {
    const cache = subject.make({ statistics: true })
    await cache.set('key', 1)
    await cache.get('key')
    await cache.get('nothing')
    expect(await cache.stats({ reset: true })).toMatchObject({ hits: 1, misses: 1 })
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0 })
  })

  it('stats() counts nothing while statistics are off', async () => {
    const cache = subject.make()
    await cache.get('nothing')
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0 })
    await cache.configure({ statistics: true })
    await cache.get('nothing')
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 1 })
    await cache.configure({ statistics: false })
    await cache.get('nothing')
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 1 })
  })

  it('stats() tells count and volume', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    const { count, volume } = await cache.stats()
    expect([count, volume]).toEqual([await cache.count(), await cache.volume()])
  })
}
