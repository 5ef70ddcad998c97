import type { Cache, EvictionPolicy } from 'fanout-cache'
import { expect, it } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, openCache, openInPython, withPython } from './support.js'

const START = Date.UTC(2026, 0, 1)
const SIZE = 40_000
const COUNT = 40
const LIMIT = 1_000_000

/** 40 entries of 40,000 bytes, by Node and Python in turn, a minute apart; then entries 0 to 3 are read. */
async function filled(policy: EvictionPolicy, maker: 'Node' | 'Python') {
  const directory = temporaryDirectory()
  const python = startPython()
  const clock = new ManualClock(START)
  const pass = async (): Promise<void> => {
    clock.advance(60_000)
    await python.call('stop_clock(now)', { now: clock.now() / 1000 })
  }
  await pass()
  const inPython = (): Promise<void> =>
    openInPython(python, directory, maker === 'Python' ? `Cache(directory, eviction_policy='${policy}')` : undefined)
  if (maker === 'Python') await inPython()
  const cache = openCache(directory, maker === 'Node' ? { clock, evictionPolicy: policy } : { clock })
  await cache.open()
  if (maker === 'Node') await inPython()
  for (let index = 0; index < COUNT; index++) {
    await pass()
    if (index % 2) await cache.set(index, Buffer.alloc(SIZE, index))
    else await python.call('cache.set(i, bytes([i]) * size)', { i: index, size: SIZE })
  }
  await pass()
  expect(await cache.getMany([0, 1])).toEqual([Buffer.alloc(SIZE, 0), Buffer.alloc(SIZE, 1)])
  // What was read is noted in memory first.
  await cache.close()
  await pass()
  expect(await python.call('[len(cache[2]), len(cache[3])]')).toEqual([SIZE, SIZE])
  return { cache, python, directory }
}

async function survivors(cache: Cache): Promise<number[]> {
  const keys: number[] = []
  for await (const key of cache.keys()) keys.push(key as number)
  return keys.sort((a, b) => a - b)
}

async function limitTo(cache: Cache, python: Python, sizeLimit: number): Promise<void> {
  await cache.configure({ sizeLimit })
  await python.call(`cache.reset('size_limit')`)
}

withPython.each([
  ['Node', 'Python'],
  ['Python', 'Node'],
] as const)('eviction by %s from a directory that %s made', (culler, maker) => {
  const cull = (cache: Cache, python: Python): Promise<number> =>
    culler === 'Node' ? cache.cull() : python.call<number>('cache.cull()')

  it('takes those stored first, whoever stored them', async () => {
    const { cache, python, directory } = await filled('least-recently-stored', maker)
    await limitTo(cache, python, LIMIT)
    const evicted = await cull(cache, python)
    const left = await survivors(cache)
    expect(evicted).toBe(COUNT - left.length)
    expect(left).toEqual(Array.from({ length: left.length }, (_, index) => COUNT - left.length + index))
    expect(left.length).toBeGreaterThan(5)
    expect(await cache.volume()).toBeLessThanOrEqual(LIMIT)
    expect(valueFiles(directory)).toHaveLength(left.length)
    await expectClean(cache, python)
  })

  it('spares those that either has read last', async () => {
    const { cache, python } = await filled('least-recently-used', maker)
    await limitTo(cache, python, LIMIT)
    expect(await cull(cache, python)).toBeGreaterThan(0)
    const left = await survivors(cache)
    const untouched = left.slice(4)
    expect(left.slice(0, 4)).toEqual([0, 1, 2, 3])
    expect(untouched).toEqual(Array.from(untouched, (_, index) => COUNT - untouched.length + index))
    await expectClean(cache, python)
  })

  it('spares those that either has read most often', async () => {
    const { cache, python } = await filled('least-frequently-used', maker)
    const counts = await Promise.all([0, 1, 2, 3, 4].map(async key => (await cache.info(key))?.accessCount))
    expect(counts).toEqual([1, 1, 1, 1, 0])
    await limitTo(cache, python, LIMIT)
    expect(await cull(cache, python)).toBeGreaterThan(0)
    const left = await survivors(cache)
    expect(left.slice(0, 4)).toEqual([0, 1, 2, 3])
    expect(left.length).toBeLessThan(COUNT)
    await expectClean(cache, python)
  })

  it('takes nothing where the policy is none', async () => {
    const { cache, python } = await filled('none', maker)
    await limitTo(cache, python, LIMIT)
    expect(await cull(cache, python)).toBe(0)
    expect(await survivors(cache)).toHaveLength(COUNT)
    await expectClean(cache, python)
  })

  it('keeps the size under the limit while both write', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const settings = `size_limit=${LIMIT}, eviction_policy='least-recently-used'`
    if (maker === 'Python') await openInPython(python, directory, `Cache(directory, ${settings})`)
    const cache = openCache(directory, { sizeLimit: LIMIT, evictionPolicy: 'least-recently-used' })
    await cache.open()
    if (maker === 'Node') await openInPython(python, directory)
    for (let index = 0; index < 60; index++) {
      if (index % 2) await cache.set(`node ${index}`, Buffer.alloc(SIZE))
      else await python.call(`cache.set('python %d' % i, bytes(size))`, { i: index, size: SIZE })
      // Either culls before it looks at what it has just written.
      expect(await cache.volume()).toBeLessThanOrEqual(LIMIT + 2 * SIZE)
      const last = index % 2 ? `node ${index}` : `python ${index}`
      expect(await cache.has(last)).toBe(true)
    }
    expect(await cache.count()).toBeGreaterThan(5)
    expect(valueFiles(directory)).toHaveLength(await cache.count())
    await expectClean(cache, python)
  })
})

withPython('expired entries', () => {
  it.each(['Node', 'Python'])('are taken by the writes of %s, whoever stored them', async writer => {
    const directory = temporaryDirectory()
    const python = startPython()
    const clock = new ManualClock(START)
    const cache = openCache(directory, { clock })
    await cache.open()
    await python.call('stop_clock(now)', { now: START / 1000 })
    await openInPython(python, directory)
    for (let index = 0; index < 8; index++) {
      if (index % 2) await cache.set(index, 'x'.repeat(40_000), { ttl: 1_000 })
      else await python.call(`cache.set(i, 'x' * 40000, expire=1)`, { i: index })
    }
    clock.advance(1_001)
    await python.call('stop_clock(now)', { now: clock.now() / 1000 })
    if (writer === 'Node') await cache.set('new', 1)
    else await python.call(`cache.set('new', 1)`)
    expect(await cache.count()).toBe(1)
    expect(valueFiles(directory)).toEqual([])
    await expectClean(cache, python)
  })
})
