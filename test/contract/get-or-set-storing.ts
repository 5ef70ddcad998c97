import type { CacheEvents } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { Gate } from '../helpers/gate.js'
import { valueFiles } from '../helpers/value-files.js'
import { LARGE, noise, type Subject, withClock } from './subjects.js'

/** getOrSet: when a value that was computed is stored, and when it is not. */
export function getOrSetStoringSuite(subject: Subject): void {
  describe('what getOrSet() stores', () => {
    storing(subject)
    refusing(subject)
  })
}

function storing(subject: Subject): void {
  it('answers the very object that was computed, and a copy of its own after that', async () => {
    const cache = subject.make()
    const made = { list: [1] }
    expect(await cache.getOrSet('key', () => made)).toBe(made)
    const read = await cache.getOrSet('key', () => made)
    expect(read).toEqual(made)
    expect(read).not.toBe(made)
  })

  it('goes by the options as they were at the call', async () => {
    const { cache, clock } = withClock(subject)
    const gate = new Gate<number>()
    const options = { ttl: 1000 }
    const answer = cache.getOrSet('key', () => gate.opened, options)
    options.ttl = 5000
    gate.open(1)
    await answer
    expect((await cache.info('key'))?.expiresAt).toBe(clock.now() + 1000)
  })

  it('does not put a value over one that was stored while it was computed', async () => {
    const cache = subject.make()
    for (const write of [
      () => cache.set('key', 'newer'),
      () => cache.add('key', 'newer'),
      () => cache.transact(tx => tx.set('key', 'newer')),
    ]) {
      await cache.delete('key')
      const answer = await cache.getOrSet('key', async () => {
        await write()
        return LARGE
      })
      expect(answer).toBe(LARGE)
      expect(await cache.get('key')).toBe('newer')
    }
    expect(valueFiles(cache.directory)).toEqual([])
    expect(await cache.check()).toEqual([])
  })

  it('does not store what was computed before the key was deleted', async () => {
    const cache = subject.make()
    for (const remove of [
      () => cache.delete('key'),
      () => cache.deleteMany(['key']),
      () => cache.pop('key'),
      () => cache.transact(tx => tx.delete('key')),
      () => cache.transact(tx => tx.pop('key')),
    ]) {
      const answer = await cache.getOrSet('key', async () => {
        await remove()
        return LARGE
      })
      expect(answer).toBe(LARGE)
      expect(await cache.has('key')).toBe(false)
    }
    expect(valueFiles(cache.directory)).toEqual([])
    expect(await cache.check()).toEqual([])
  })

  it('computes anew for those who call after the key was deleted', async () => {
    const { cache } = withClock(subject)
    const gate = new Gate<string>()
    const begun = new Gate()
    const before = cache.getOrSet('key', () => {
      begun.open()
      return gate.opened
    })
    await begun.opened
    await cache.delete('key')
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
    gate.open('old')
    expect(await before).toBe('old')
    expect(await cache.get('key')).toBe('new')
  })
}

function refusing(subject: Subject): void {
  async function told(
    options: Parameters<Subject['make']>[0],
    value: string,
    before?: (cache: ReturnType<Subject['make']>) => unknown,
  ): Promise<unknown[]> {
    const { cache } = withClock(subject, options)
    const refused: CacheEvents['refused'][] = []
    cache.on('refused', event => refused.push(event))
    await cache.open()
    before?.(cache)
    expect(await cache.getOrSet('key', () => value)).toBe(value)
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getOrSet('key', () => 'small')).toBe('small')
    return refused.map(({ key, reason }) => [key, reason])
  }

  it('answers a value that is too large for the cache, and tells that it was refused', async () => {
    expect(await told({ sizeLimit: 3 * 2 ** 16 }, noise(400_000))).toEqual([['key', 'too-large']])
  })

  it('answers when too many writes wait, and tells that it was refused', async () => {
    const refusals = await told({ maxPending: { count: 1 } }, 'value', cache => void cache.delete('key'))
    expect(refusals).toContainEqual(['key', 'pending'])
  })

  it('reads with readonly, and rejects where it would have to compute and store', async () => {
    const { cache, clock } = withClock(subject)
    await cache.set('stored', 1)
    await cache.getOrSet('stale', () => 'old', { ttl: 1000, staleFor: '1h' })
    await cache.close()
    clock.advance(1000)
    const reader = subject.make({ readonly: true, clock }, cache.directory)
    const factory = vi.fn(() => 2)
    expect(await reader.getOrSet('stored', factory)).toBe(1)
    expect(await reader.getOrSet<unknown>('stale', factory, { staleFor: '1h' })).toBe('old')
    await expect(reader.getOrSet('missing', factory)).rejects.toMatchObject({ code: 'ERR_CACHE_READONLY' })
    expect(factory).not.toHaveBeenCalled()
  })
}
