import { Averager, barrier, jsonCodec, throttle } from 'fanout-cache'
import { expect, it, vi } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openCache, openInPython, withPython } from './support.js'

withPython.each(KINDS)('an average in a $kind', ({ open, inPython }) => {
  it('is made by Node and Python together', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await openInPython(python, directory, inPython)
    await python.call(`keep(latency=diskcache.Averager(cache, ('latency', 1)))`)
    const latency = new Averager(cache, ['latency', 1])
    await python.call('latency.add(1)')
    await latency.add(2)
    expect(await python.call('latency.get()')).toBe(1.5)
    await python.call('latency.add(4.5)')
    expect(await latency.get()).toBe(2.5)
    expect(await python.call('latency.pop()')).toBe(2.5)
    expect(await latency.get()).toBeUndefined()
    await latency.add(0.25)
    await python.call('latency.add(-0.75)')
    expect(await latency.pop()).toBe(-0.25)
    expect(await python.call('latency.get()')).toBe(null)
    await expectClean(cache, python)
  })

  it('loses nothing when both add at the same time', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await openInPython(python, directory, inPython)
    const latency = new Averager(cache, 'latency')
    const theirs = python.call(`
      latency = diskcache.Averager(cache, 'latency')
      for value in range(300):
          latency.add(value)
    `)
    const ours = (async () => {
      for (let value = 300; value < 600; value++) await latency.add(value)
    })()
    await Promise.all([theirs, ours])
    expect(await latency.get()).toBe(299.5)
    expect(await python.call(`cache['latency'][1]`)).toBe(600)
  })
})

withPython('an average under JSONDisk', () => {
  it('is made by Node and Python together', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: jsonCodec })
    await cache.open()
    await openInPython(python, directory, 'Cache(directory, disk=JSONDisk)')
    await new Averager(cache, 'latency').add(1)
    await python.call(`diskcache.Averager(cache, 'latency').add(2)`)
    expect(await new Averager(cache, 'latency').get()).toBe(1.5)
  })
})

withPython('a throttle that Node and Python share', () => {
  it('has the tokens that are left for both', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { evictionPolicy: 'none', clock })
    await cache.open()
    await openInPython(python, directory)
    await python.call(
      `
      slept = []
      now = [start]
      def sleep(seconds):
          slept.append(seconds)
          now[0] += seconds
      def call(): return len(slept)
      keep(now=now, call=diskcache.throttle(cache, 3, 30, name='bucket', time_func=lambda: now[0], sleep_func=sleep)(call))
      `,
      { start: clock.now() / 1000 },
    )
    const ours = vi.fn()
    const call = throttle(cache, ours, { name: 'bucket', count: 3, per: '30s' })
    await call()
    expect(await python.call('call()')).toBe(0)
    await call()
    // Python finds the bucket empty and waits by its own clock for the next token, ten seconds later.
    expect(await python.call('call()')).toBe(1)
    expect(await python.call('now[0] - start', { start: clock.now() / 1000 })).toBeCloseTo(10, 3)
    clock.advance(10_000)
    const late = call()
    await cache.transact(() => undefined)
    expect(ours).toHaveBeenCalledTimes(2)
    clock.advance(10_000)
    await late
    expect(await python.call(`[type(part) in (int, float) for part in cache['bucket']]`)).toEqual([true, true])
    await expectClean(cache, python)
  })
})

withPython('a barrier that Node and Python share', () => {
  it('has the lock of its name', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { evictionPolicy: 'none' })
    await openInPython(python, directory)
    const locked = (): Promise<boolean> => python.call<boolean>(`diskcache.Lock(cache, 'rebuild').locked()`)
    const inside = barrier(cache, locked, { name: 'rebuild' })
    expect([await locked(), await inside(), await locked()]).toEqual([false, true, false])
    await python.call(`
      guarded = diskcache.barrier(cache, diskcache.Lock, name='rebuild')(lambda: 'rebuild' in cache)
      keep(guarded=guarded)
    `)
    expect(await python.call('guarded()')).toBe(true)
    expect(await inside()).toBe(true)
  })
})
