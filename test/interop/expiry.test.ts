import { expect, it } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

const START = Date.UTC(2026, 0, 1)

withPython.each(KINDS)('expiry in a $kind that Node and Python share', ({ open, inPython }) => {
  /** Both sides on one directory, with clocks that stand at the same instant. */
  async function stopped() {
    const directory = temporaryDirectory()
    const clock = new ManualClock(START)
    const python = startPython()
    const cache = open(directory, { clock, cullLimit: 0 })
    await cache.open()
    const set = async (now: number): Promise<void> => {
      clock.set(now)
      await python.call('stop_clock(now)', { now: now / 1000 })
    }
    await set(START)
    await openInPython(python, directory, inPython)
    return { cache, python, set }
  }

  it('is the instant that Node stored, in Python', async () => {
    const { cache, python } = await stopped()
    await cache.set('number', 1, { ttl: 1_500 })
    await cache.set('text', 1, { ttl: '10m' })
    await cache.set('never', 1, { ttl: null })
    await cache.add('added', 1, { ttl: 250 })
    await cache.incr('counted', 1, { ttl: '1h' })
    const keys = ['number', 'text', 'never', 'added', 'counted']
    const instants = await python.call<(number | null)[]>('[cache.get(key, expire_time=True)[1] for key in keys]', {
      keys,
    })
    const expected = [START + 1_500, START + 600_000, null, START + 250, START + 3_600_000]
    expect(instants.map(seconds => (seconds === null ? null : seconds * 1000))).toEqual(expected)
  })

  it('is the instant that Python stored, in Node', async () => {
    const { cache, python } = await stopped()
    await python.call(`
      cache.set('set', 1, expire=1.5)
      cache.add('added', 1, expire=0.25)
      cache.set('never', 1)
    `)
    expect((await cache.info('set'))?.expiresAt).toBe(START + 1_500)
    expect((await cache.getItem('added'))?.expiresAt).toBe(START + 250)
    expect((await cache.info('never'))?.expiresAt).toBe(undefined)
    expect((await cache.info('set'))?.storedAt).toBe(START)
  })

  it('is over for both at the same millisecond', async () => {
    const { cache, python, set } = await stopped()
    await cache.set('node', 1, { ttl: 1_500 })
    await python.call(`cache.set('python', 2, expire=1.5)`)
    await set(START + 1_499)
    expect(await cache.getMany(['node', 'python'])).toEqual([1, 2])
    expect(await python.call(`[cache.get('node'), cache.get('python')]`)).toEqual([1, 2])
    await set(START + 1_500)
    expect(await cache.getMany(['node', 'python'])).toEqual([undefined, undefined])
    expect([await cache.has('python'), await cache.info('python')]).toEqual([false, undefined])
    expect(await python.call(`[cache.get('node'), cache.get('python'), 'node' in cache]`)).toEqual([null, null, false])
  })

  it('is changed by touch of the other', async () => {
    const { cache, python } = await stopped()
    await python.call(`cache.set('python', 1, expire=1)`)
    await cache.set('node', 1, { ttl: 1_000 })
    expect(await cache.touch('python', { ttl: 5_000 })).toBe(true)
    expect(await python.call(`cache.touch('node', expire=7)`)).toBe(true)
    expect(await python.call(`cache.get('python', expire_time=True)[1]`)).toBe(START / 1000 + 5)
    expect((await cache.info('node'))?.expiresAt).toBe(START + 7_000)
    expect(await cache.touch('python', { ttl: null })).toBe(true)
    expect(await python.call(`cache.touch('node', expire=None)`)).toBe(true)
    expect(await python.call(`cache.get('python', expire_time=True)[1]`)).toBe(null)
    expect((await cache.info('node'))?.expiresAt).toBe(undefined)
  })

  it('lets expire() of each remove what the other stored, with its files', async () => {
    const { cache, python, set } = await stopped()
    const long = 'x'.repeat(40_000)
    for (let index = 0; index < 130; index++)
      await cache.set(`node ${index}`, index % 10 ? index : long, { ttl: 1_000 })
    await python.call(`
      for i in range(130):
          cache.set('python %d' % i, i if i % 10 else 'x' * 40000, expire=2)
      cache['stays'] = 1
    `)
    await set(START + 1_001)
    expect(await python.call('sum(iter(cache.expire, 0))')).toBe(130)
    await set(START + 2_001)
    expect(await cache.expire()).toBe(130)
    expect([await cache.count(), await python.call('list(cache)')]).toEqual([1, ['stays']])
    await expectClean(cache, python)
  })

  it('lets add() of each replace what has expired, and nothing that lives', async () => {
    const { cache, python, set } = await stopped()
    await cache.set('node', 'x'.repeat(40_000), { ttl: 1_000 })
    await python.call(`cache.set('python', 'x' * 40000, expire=1)`)
    expect(await cache.add('python', 'late')).toBe(false)
    expect(await python.call(`cache.add('node', 'late')`)).toBe(false)
    await set(START + 1_001)
    expect(await cache.add('python', 'new')).toBe(true)
    expect(await python.call(`cache.add('node', 'new')`)).toBe(true)
    expect(await cache.getMany(['node', 'python'])).toEqual(['new', 'new'])
    await expectClean(cache, python)
  })
})

withPython.each(KINDS)('expiry in a $kind by the clocks of the machine', ({ open, inPython }) => {
  it('is none where Python has stored an endless time to live', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    await python.call(`[cache.set(key, value, expire=float('inf')) for key, value in [('a', 1), ('b', 'x' * 40000)]]`)
    const cache = open(directory)
    for (const key of ['a', 'b']) {
      expect(await cache.getItem(key)).not.toHaveProperty('expiresAt')
      expect(await cache.info(key)).not.toHaveProperty('expiresAt')
    }
    expect(await cache.expire()).toBe(0)
    expect(await cache.touch('a', { ttl: '1h' })).toBe(true)
    expect(await cache.info('a')).toHaveProperty('expiresAt', expect.any(Number))
  })

  it('is the same instant to the microsecond', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    const cache = open(directory)
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`)
    for (const [index, key] of keys.entries()) {
      if (index % 2) await python.call('cache.set(key, 1, expire=1000.123456789)', { key })
      else await cache.set(key, 1, { ttl: 1_000_123.456789 })
    }
    const seconds = await python.call<number[]>('[cache.get(key, expire_time=True)[1] for key in keys]', { keys })
    for (const [index, key] of keys.entries()) {
      const instant = (await cache.info(key))?.expiresAt ?? Number.NaN
      expect(Math.abs(instant - (seconds[index] ?? Number.NaN) * 1000)).toBeLessThanOrEqual(0.001)
    }
  })
})
