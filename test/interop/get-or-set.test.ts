import type { Cache, FanoutCache } from 'fanout-cache'
import { expect, it, vi } from 'vitest'
import { Gate, nextTurn } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openInPython, rows, withPython } from './support.js'

const START = Date.UTC(2026, 0, 1)
const OPTIONS = { ttl: '1m', staleFor: '1h', beta: 1 } as const
const LARGE = 'x'.repeat(50_000)

withPython.each(KINDS)('what getOrSet() keeps in a $kind that Python shares', ({ kind, open, inPython }) => {
  /** A cache in which every side table of getOrSet has rows, open in Python as well; one clock goes for both. */
  async function shared() {
    const directory = temporaryDirectory()
    const python = startPython()
    const clock = new ManualClock(START)
    const cache: Cache | FanoutCache = open(directory, { clock })
    for (let key = 0; key < 40; key++) await cache.getOrSet(key, () => (key % 4 ? `node ${key}` : LARGE), OPTIONS)
    const forget = new Gate()
    // A lease that nobody gives back during the test.
    const begun = new Gate()
    const held = cache.getOrSet('held', async () => {
      begun.open()
      await forget.opened
      return 'held'
    })
    await begun.opened
    const set = async (now: number) => {
      clock.set(now)
      await python.call('stop_clock(seconds)', { seconds: now / 1000 })
    }
    await set(START)
    await openInPython(python, directory, inPython)
    const shards = kind === 'Cache' ? [directory] : [0, 1, 2, 3, 4, 5, 6, 7].map(at => `${directory}/00${at}`)
    return { cache, python, clock, set, shards, held, forget }
  }

  async function counted(python: Python, shards: readonly string[], table: string): Promise<number> {
    let sum = 0
    for (const shard of shards) {
      const tables = await rows(python, shard, 'SELECT name FROM sqlite_master WHERE name = ?', table)
      if (tables.length > 0) sum += (await rows<[number]>(python, shard, `SELECT COUNT(*) FROM ${table}`))[0]?.[0] ?? 0
    }
    return sum
  }

  it('does not disturb Python, which reads, writes, deletes and finds nothing wrong', async () => {
    const { cache, python, shards, held, forget } = await shared()
    expect(await counted(python, shards, 'Freshness')).toBe(40)
    expect(await counted(python, shards, 'Lease')).toBe(1)
    expect(await python.call('len(cache)')).toBe(40)
    expect(await python.call(`sorted(cache)[:3]`)).toEqual([0, 1, 2])
    expect(await python.call('[cache[0], cache[1]]')).toEqual([LARGE, 'node 1'])
    await expectClean(cache, python)
    await python.call(`
      for key in range(10):
          del cache[key]
      for key in range(10, 20):
          cache[key] = 'python %d' % key
      cache.set('new', 'x' * 50000)
    `)
    expect(await counted(python, shards, 'Freshness')).toBe(30)
    await expectClean(cache, python)
    expect(await cache.getOrSet(10, () => expect.unreachable(), OPTIONS)).toBe('python 10')
    expect(await cache.getOrSet(0, () => 'again', OPTIONS)).toBe('again')
    expect(await python.call('cache.clear()')).toBe(32)
    expect(await counted(python, shards, 'Freshness')).toBe(0)
    expect(await counted(python, shards, 'Lease')).toBe(1)
    forget.open()
    expect(await held).toBe('held')
    expect(await python.call('cache["held"]')).toBe('held')
    await expectClean(cache, python)
  })

  it('is put out of use by what Python writes', async () => {
    const { cache, python, set, forget } = await shared()
    await python.call(`
      cache.set(1, 'python', expire=7200)
      cache.touch(2, expire=7200)
      cache.delete(3)
      cache.set(3, 'python', expire=7200)
    `)
    // Past the ttl with which Node had stored them.
    await set(START + 3_000_000)
    const factory = vi.fn(() => 'computed')
    const impatient = { ...OPTIONS, beta: 1e12 }
    for (const [key, value] of [
      [1, 'python'],
      [2, 'node 2'],
      [3, 'python'],
    ] as const) {
      expect(await cache.getOrSet<unknown>(key, factory, impatient)).toBe(value)
    }
    await nextTurn()
    await cache.expire({ now: 0 })
    await nextTurn()
    expect(factory).not.toHaveBeenCalled()
    forget.open()
    await expectClean(cache, python)
  })

  it('gives way to what Python does during a computation', async () => {
    const { cache, python, set, held, forget } = await shared()
    await python.call(`cache['held'] = 'python'`)
    expect(await cache.getOrSet('held', () => expect.unreachable())).toBe('python')
    forget.open()
    expect(await held).toBe('held')
    expect(await cache.get('held')).toBe('python')

    await set(START + 60_000)
    const begun = new Gate()
    const result = new Gate<string>()
    const renewal = (): Promise<string> => {
      begun.open()
      return result.opened
    }
    expect(await cache.getOrSet(1, renewal, OPTIONS)).toBe('node 1')
    await begun.opened
    expect(await python.call('cache.pop(1)')).toBe('node 1')
    result.open('made before Python took it')
    await nextTurn()
    await cache.expire({ now: 0 })
    await nextTurn()
    expect(await python.call('cache.get(1)')).toBeNull()
    await expectClean(cache, python)
  })

  it('is there when Python opens, culls and expires alone', async () => {
    const { cache, python, set, shards, held, forget } = await shared()
    forget.open()
    await held
    await cache.close()
    await openInPython(python, cache.directory, inPython)
    // To Python an entry is not yet over at the very instant.
    await set(START + 3_600_000 + 60_001)
    expect(await python.call('cache.expire()')).toBe(40)
    expect(await python.call('cache.set("alone", 1)')).toBe(true)
    expect(await counted(python, shards, 'Freshness')).toBe(0)
    expect(await cache.getOrSet(1, () => 'anew', OPTIONS)).toBe('anew')
    await expectClean(cache, python)
  })
})
