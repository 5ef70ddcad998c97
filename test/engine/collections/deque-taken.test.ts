import { unlinkSync } from 'node:fs'
import { DecodeError, type Deque, FanoutCache, jsonCodec } from 'fanout-cache'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectNoValueFiles, valueFiles } from '../../helpers/value-files.js'
import { itemsOf, openDeque, range, withClock } from './support.js'

const LARGE = 'z'.repeat(40_000)

// The package keeps the timers that it finds when it is loaded: these ask for those of the moment.
vi.hoisted(() => {
  const timers = process.getBuiltinModule('node:timers')
  const current: Pick<typeof timers, 'setInterval' | 'clearInterval'> = globalThis
  timers.setInterval = ((...args: Parameters<typeof setInterval>) =>
    current.setInterval(...args)) as typeof timers.setInterval
  timers.clearInterval = timer => current.clearInterval(timer)
})
// The timers of heartbeats are the test's; the rest of time stands still.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Lets heartbeats fire that are due after so long, and waits for what they write. */
async function beat(deque: Deque<unknown>, milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds)
  await deque.cache.set('written after the heartbeats', 1)
  await deque.cache.delete('written after the heartbeats')
}

describe('take()', () => {
  it('takes the first item out of the queue, and done() removes it', async () => {
    const { deque } = withClock<string>()
    await deque.extend(['a', LARGE, 'c'])
    const first = await deque.take()
    const second = await deque.take()
    expect([first?.value, second?.value]).toEqual(['a', LARGE])
    expect(await deque.length()).toBe(1)
    expect(await itemsOf(deque)).toEqual(['c'])
    expect(await deque.count('a')).toBe(0)
    expect([await deque.at(0), await deque.at(-1), await deque.at(1)]).toEqual(['c', 'c', undefined])
    expect(await first?.done()).toBe(true)
    expect(await second?.done()).toBe(true)
    expect(await deque.cache.count()).toBe(1)
    await expectNoValueFiles(deque.directory)
    expect(await deque.pop()).toBe('c')
    expect(await deque.take()).toBeUndefined()
  })

  it('takes the last one from the back', async () => {
    const { deque } = withClock<string>()
    await deque.extend(['a', 'b', 'c'])
    expect((await deque.take({ side: 'back' }))?.value).toBe('c')
    expect((await deque.take({ side: 'front' }))?.value).toBe('a')
  })

  it.each(['front', 'back'] as const)('release() puts an item back at the %s, from where it came', async side => {
    const { deque } = withClock<string>()
    await deque.extend(['a', 'b', LARGE])
    const item = await deque.take({ side })
    expect(await item?.release()).toBe(true)
    expect(await itemsOf(deque)).toEqual(['a', 'b', LARGE])
    expect(await deque.popLeft()).toBe('a')
  })

  it('ends once: what comes second has no effect', async () => {
    const { deque } = withClock<string>()
    await deque.extend(['a', 'b'])
    const first = await deque.take()
    expect([await first?.done(), await first?.done(), await first?.release()]).toEqual([true, false, false])
    const second = await deque.take()
    expect([await second?.release(), await second?.done()]).toEqual([true, false])
    expect(await itemsOf(deque)).toEqual(['b'])
  })

  it('puts the item back at the end of an `await using` unless it is done', async () => {
    const { deque } = withClock<string>()
    await deque.extend(['a', 'b'])
    {
      await using item = await deque.take()
      expect(item?.value).toBe('a')
    }
    expect(await itemsOf(deque)).toEqual(['a', 'b'])
    {
      await using item = await deque.take()
      await item?.done()
    }
    expect(await itemsOf(deque)).toEqual(['b'])
  })

  it('tells apart items of one number, which comes back when the queue was empty', async () => {
    const { deque, clock } = withClock<number>()
    const held: unknown[] = []
    for (const item of range(12)) {
      await deque.append(item)
      held.push((await deque.take())?.value)
    }
    expect(held).toEqual(range(12))
    expect(await deque.length()).toBe(0)
    clock.advance(30_000)
    expect(await deque.peekLeft()).toBe(0)
    expect(await itemsOf(deque)).toEqual(range(12))
  })

  it('is possible in a deque of a FanoutCache, under every codec', async () => {
    await using fanout = new FanoutCache(temporaryDirectory(), { shards: 1, codec: jsonCodec })
    const deque = fanout.deque<{ page: number }>('pages')
    await deque.append({ page: 1 })
    const item = await deque.take()
    expect(item?.value).toEqual({ page: 1 })
    expect(await item?.release()).toBe(true)
    expect(await deque.popLeft()).toEqual({ page: 1 })
  })
})

describe('a lease', () => {
  it.each(['take', 'pop', 'popLeft', 'peek', 'peekLeft'] as const)(
    'that has ended gives its item back, which %s() of another handle meets',
    async verb => {
      const { deque, clock } = withClock<string>()
      const other = openDeque<string>({}, deque.directory)
      await deque.append('a')
      await deque.take({ lease: '10s' })
      clock.advance(9_999)
      expect(await other[verb]()).toBeUndefined()
      clock.advance(1)
      const met = await other[verb]()
      expect(typeof met === 'object' ? met?.value : met).toBe('a')
    },
  )

  it('that has ended puts its item in front of the queue, the oldest first', async () => {
    const { deque, clock } = withClock<number>()
    await deque.extend(range(250))
    for (let taken = 0; taken < 230; taken += 1) await deque.take({ lease: 1000 })
    expect(await deque.length()).toBe(20)
    clock.advance(1000)
    expect(await deque.peekLeft()).toBe(0)
    expect(await itemsOf(deque)).toEqual(range(250))
  })

  it('is seen as ended inside a transaction', async () => {
    const { deque, clock } = withClock<number>()
    await deque.extend([1, 2])
    await deque.take({ lease: 1000 })
    clock.advance(1000)
    expect(await deque.transact(tx => [tx.peekLeft(), tx.pop(), tx.popLeft(), tx.popLeft()])).toEqual([
      1,
      2,
      1,
      undefined,
    ])
  })

  it('is extended by a heartbeat as long as the process lives', async () => {
    const { deque, clock } = withClock<string>()
    const other = openDeque<string>({}, deque.directory)
    await deque.append('a')
    expect(await other.length()).toBe(1)
    const timers = vi.getTimerCount()
    const item = await deque.take({ lease: '30s' })
    for (let turn = 0; turn < 6; turn += 1) {
      clock.advance(10_000)
      await beat(deque, 10_000)
      expect(await other.popLeft()).toBeUndefined()
    }
    expect(item?.signal.aborted).toBe(false)
    expect(await item?.done()).toBe(true)
    expect(vi.getTimerCount()).toBe(timers)
  })

  it('that was lost is told by the signal, and done() and release() answer false', async () => {
    const { deque, clock } = withClock<string>()
    const other = openDeque<string>({}, deque.directory)
    await deque.append('a')
    const late = await deque.take({ lease: '3s' })
    clock.advance(3_000)
    const prompt = await other.take({ lease: '1h' })
    expect(prompt?.value).toBe('a')
    expect(late?.signal.aborted).toBe(false)
    await beat(deque, 1_000)
    expect(late?.signal.aborted).toBe(true)
    expect(late?.signal.reason).toMatchObject({ message: expect.stringMatching(/lease/) })
    expect(await late?.done()).toBe(false)
    expect(await late?.release()).toBe(false)
    expect(await deque.length()).toBe(0)
    expect(await prompt?.done()).toBe(true)
  })

  it('past its end is still its holder’s when nobody wanted the item', async () => {
    const { deque, clock } = withClock<string>()
    await deque.append('a')
    const item = await deque.take({ lease: '3s' })
    clock.advance(3_600_000)
    expect(await item?.done()).toBe(true)
    expect(await deque.popLeft()).toBeUndefined()
  })

  it('ends with clear(), which removes taken items', async () => {
    const { deque, clock } = withClock<string>()
    await deque.extend(['a', LARGE, 'c'])
    const items = [await deque.take({ lease: '3s' }), await deque.take({ lease: '3s' })]
    expect(await deque.clear()).toBe(3)
    await expectNoValueFiles(deque.directory)
    expect(await deque.cache.count()).toBe(0)
    clock.advance(10_000)
    expect(await deque.popLeft()).toBeUndefined()
    expect(await items[0]?.done()).toBe(false)
    await beat(deque, 1_000)
    expect(items[1]?.signal.aborted).toBe(true)
  })

  it('that clear() has ended does not count for the next item of its number', async () => {
    const { deque } = withClock<string>()
    await deque.append('old')
    const old = await deque.take()
    await deque.clear()
    await deque.append('new')
    const item = await deque.take()
    expect(await old?.done()).toBe(false)
    expect(item?.value).toBe('new')
    expect(await item?.done()).toBe(true)
    expect(await deque.cache.count()).toBe(0)
  })

  it('ends when the entry was removed by other means', async () => {
    const { deque } = withClock<string>()
    await deque.append('a')
    const item = await deque.take({ lease: '3s' })
    await deque.cache.clear()
    await beat(deque, 1_000)
    expect(item?.signal.aborted).toBe(true)
    expect(await item?.done()).toBe(false)
  })

  it('outlives close(): the item is not lost, and a heartbeat opens nothing', async () => {
    const { deque, clock } = withClock<string>()
    await deque.extend(['a', LARGE])
    const first = await deque.take({ lease: '3s' })
    await deque.take({ lease: '3s' })
    await deque.close()
    vi.advanceTimersByTime(60_000)
    // With other options: the directory is open nowhere in this process.
    const other = openDeque<string>({ clock, timeout: 5_000 }, deque.directory)
    expect(await other.length()).toBe(0)
    clock.advance(3_000)
    expect(await other.popLeft()).toBe('a')
    expect(await other.popLeft()).toBe(LARGE)
    await other.close()
    expect(await first?.done()).toBe(false)
  })

  it('is over for its holder, and has no timer, when the deque has been closed for as long as it lasts', async () => {
    const { deque } = withClock<string>()
    await deque.append('a')
    const item = await deque.take({ lease: '3s' })
    await deque.close()
    vi.advanceTimersByTime(2_000)
    expect(item?.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1_000)
    expect(item?.signal.reason).toMatchObject({ code: 'ERR_CACHE_LEASE_LOST' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('of an item whose file is missing takes the next one, and leaves nothing of it', async () => {
    const { deque, clock } = withClock<string>()
    await deque.extend([LARGE, 'b'])
    for (const path of valueFiles(deque.directory)) unlinkSync(path)
    const taken = await deque.take({ lease: '3s' })
    expect(taken?.value).toBe('b')
    expect(await taken?.done()).toBe(true)
    clock.advance(3_001)
    expect([await deque.length(), await deque.take()]).toEqual([0, undefined])
    expect(await deque.cache.check()).toEqual([])
  })

  it('of an item that cannot be read goes on, so that others get what is behind it', async () => {
    const { deque, clock } = withClock<string>()
    await deque.extend(['a', 'b'])
    const db = rawDatabase(deque.directory)
    db.prepare("UPDATE Cache SET mode = 4, value = x'00' WHERE rowid = 1").run()
    const timers = vi.getTimerCount()
    await expect(deque.take({ lease: '3s' })).rejects.toThrow(DecodeError)
    expect(vi.getTimerCount()).toBe(timers)
    const next = await deque.take({ lease: '1h' })
    expect(next?.value).toBe('b')
    clock.advance(3_000)
    await expect(deque.take()).rejects.toThrow(DecodeError)
  })
})

describe('the directory of a deque with taken items', () => {
  it('is without fault', async () => {
    const { deque } = withClock<string>()
    await deque.extend(['a', LARGE, LARGE])
    for (let at = 0; at < 2; at += 1) await deque.take()
    expect(await deque.cache.check()).toEqual([])
    expect(valueFiles(deque.directory)).toHaveLength(2)
  })
})
