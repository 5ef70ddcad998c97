import { Cache, type CacheOptions, Deque, type DiskCache, type EvictionPolicy, FanoutCache, Index } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { optionsOf } from './support/caches.js'

const SCRIPT = new URL('./fixtures/stresser.mjs', import.meta.url)
const PROCESSES = 3
/** STRESS_STEPS asks for a longer time. */
const STEPS = Number(process.env['STRESS_STEPS'] ?? 200)
/** So small that what they store does not fit. */
const SIZE_LIMIT = 300_000

const POLICIES: readonly EvictionPolicy[] = [
  'least-recently-stored',
  'least-recently-used',
  'least-frequently-used',
  'none',
]

/** Processes that do random things to one directory at the same time; rejects when one of them fails. */
async function stress(kind: 'Cache' | 'FanoutCache' | 'Deque' | 'Index', options: CacheOptions = {}): Promise<string> {
  const directory = temporaryDirectory()
  const processes = Array.from(
    { length: PROCESSES },
    (_, at) => new FixtureProcess(SCRIPT, { kind, directory, options, seed: at * 7919 + kind.length, steps: STEPS }),
  )
  await Promise.all(processes.map(one => one.line('ready')))
  for (const one of processes) one.send('go')
  await Promise.all(processes.map(one => one.done()))
  return directory
}

/** All is in order: rows, figures and files. */
async function expectWhole(cache: DiskCache, directory: string): Promise<void> {
  expect(await cache.check()).toEqual([])
  const keys = await collect(cache.keys({ includeExpired: true }))
  expect(await cache.count()).toBe(keys.length)
  const infos = await Promise.all(keys.map(key => cache.info(key)))
  const files = infos.filter(info => info?.path !== undefined).length
  expect(valueFiles(directory).length).toBeGreaterThanOrEqual(files)
  await cache.expire()
  await cache.cull()
  expect(await cache.clear()).toBeLessThanOrEqual(keys.length)
  await expect.poll(() => valueFiles(directory), { interval: 5 }).toEqual([])
  expect(await cache.check()).toEqual([])
}

describe('several processes that do random things at once', () => {
  // stress_test_core.py, stress_test_fanout.py
  it.each(
    POLICIES.flatMap((policy, at) => [
      { kind: at % 2 ? 'FanoutCache' : 'Cache', policy } as const,
      ...(at === 0 ? [{ kind: 'FanoutCache', policy } as const] : []),
    ]),
  )('leave a $kind that evicts by $policy whole', async ({ kind, policy }) => {
    const limits = policy === 'none' ? {} : { sizeLimit: SIZE_LIMIT }
    const options = optionsOf(kind, { evictionPolicy: policy, timeout: '1m', ...limits })
    const directory = await stress(kind, options)
    await using cache = kind === 'Cache' ? new Cache(directory) : new FanoutCache(directory, { timeout: '1m' })
    if (policy !== 'none') expect(await cache.volume()).toBeLessThan(3 * SIZE_LIMIT)
    await expectWhole(cache, directory)
  })

  // stress_test_deque_mp.py
  it('leave a Deque whole', async () => {
    const directory = await stress('Deque')
    const deque = new Deque(directory)
    onTestFinished(() => deque.close())
    expect(await collect(deque)).toHaveLength(await deque.length())
    await expectWhole(deque.cache, directory)
  })

  // stress_test_index_mp.py
  it('leave an Index whole', async () => {
    const directory = await stress('Index')
    const index = new Index(directory)
    onTestFinished(() => index.close())
    expect(await collect(index)).toHaveLength(await index.size())
    await expectWhole(index.cache, directory)
  })
})
