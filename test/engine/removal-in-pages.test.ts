import { Cache, type CacheOptions, type EvictionPolicy } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { SlowClock } from '../helpers/slow-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** More than a page of a removal holds. */
const ROWS = 6000
const POLICIES: readonly EvictionPolicy[] = [
  'least-recently-stored',
  'least-recently-used',
  'least-frequently-used',
  'none',
]

function open(directory: string, options: CacheOptions): Cache {
  const cache = new Cache(directory, { sizeLimit: 2 ** 30, ...options })
  onTestFinished(() => cache.close())
  return cache
}

async function filled(policy: EvictionPolicy, clock: ManualClock, directory = temporaryDirectory()): Promise<Cache> {
  const cache = open(directory, { evictionPolicy: policy, clock })
  await cache.setMany(Array.from({ length: ROWS }, (_, key) => [key, 'old', { tag: 'red' }]))
  return cache
}

const REMOVALS: Readonly<Record<string, (cache: Cache) => Promise<number>>> = {
  'clear()': cache => cache.clear(),
  'evict()': cache => cache.evict('red'),
}

describe.each(Object.entries(REMOVALS))('%s of more than a page', (_name, remove) => {
  it.each(POLICIES)('leaves what is stored after it was called, at the same instant, under %s', async policy => {
    const cache = await filled(policy, new ManualClock())
    const removed = remove(cache)
    const last = ROWS - 1
    const stored = [
      cache.set(last, 'new', { tag: 'red' }),
      cache.set('new', 'new', { tag: 'red' }),
      cache.add('added', 'new', { tag: 'red' }),
      cache.push('new', { tag: 'red' }),
    ]
    await Promise.all(stored)
    expect(await removed).toBeGreaterThanOrEqual(ROWS - 1)
    expect(await cache.getMany([last, 'new', 'added'])).toEqual(['new', 'new', 'new'])
    expect(await cache.count()).toBe(4)
  })

  it('lets others write between its pages, however slowly it goes', async () => {
    const directory = temporaryDirectory()
    const clock = new SlowClock()
    const cache = open(directory, { clock })
    await cache.setMany(Array.from({ length: 500 }, (_, key) => [key, 'old', { tag: 'red' }]))
    clock.isSlow = true
    let removed = false
    const removing = remove(cache).finally(() => {
      removed = true
    })
    expect(await cache.set('new', 'new')).toBe(true)
    expect(removed).toBe(false)
    expect(await removing).toBe(500)
  })

  it.each(POLICIES)('removes what was stored just before, however often, under %s', async policy => {
    const clock = new ManualClock()
    const cache = await filled(policy, clock)
    for (let time = 0; time < 20; time += 1) await cache.set(ROWS - 1, time, { tag: 'red' })
    clock.advance(1)
    await cache.set(ROWS - 2, 'just now', { tag: 'red' })
    expect(await remove(cache)).toBe(ROWS)
    expect(await cache.count()).toBe(0)
  })

  it.each(POLICIES)('removes what a clock that is ahead has stored, under %s', async policy => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    await (await filled(policy, clock, directory)).close()
    const behind = open(directory, { clock: new ManualClock(clock.now() - 3_600_000) })
    expect(await remove(behind)).toBe(ROWS)
    expect(await behind.count()).toBe(0)
  })
})
