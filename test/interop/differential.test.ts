import type { Cache, FanoutCache, Key } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { tuple } from '../helpers/wire.js'
import { KINDS, withPython } from './support.js'

/** One call in both languages; `$` is the cache in Python. */
interface Step {
  readonly python: string
  readonly node: (cache: Cache | FanoutCache) => Promise<unknown>
  readonly names: Readonly<Record<string, unknown>>
}

const STEPS = 150
const MISS = 'nothing'
/** No number between 0 and the queue's: Python would take it for the head. */
const KEYS: readonly Key[] = ['a', 'ключ', '', -7, 0, 2n ** 63n - 1n, -0.5, Buffer.from([0, 255]), null, true, ['t', 1]]
const VALUES: readonly unknown[] = [
  1,
  -2.5,
  'text',
  '',
  'x'.repeat(100),
  Buffer.from('b'),
  Buffer.alloc(100, 7),
  2n ** 60n,
]

/** Numbers of a sequence that is the same in every run. Source: Park and Miller, CACM 31 (1988). */
function sequence(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

const orMiss = (value: unknown): unknown => (value === undefined ? MISS : value)
const forPython = (key: Key): unknown => (Array.isArray(key) ? tuple(...key) : key)

function steps(random: (below: number) => number, queue: boolean): Step {
  const key = KEYS[random(KEYS.length)] as Key
  const value = VALUES[random(VALUES.length)]
  // Odd, as the clock is even: the two disagree about the very instant of expiry.
  const ttl = random(2) === 0 ? null : [3, 31, 100_001][random(3)]
  const tag = ['red', 'blue', 7][random(3)] as string
  const names = { key: forPython(key), value, ttl: typeof ttl === 'number' ? ttl / 1000 : null, tag, miss: MISS }
  const storing = { ttl: ttl ?? null, tag }
  const all: readonly Omit<Step, 'names'>[] = [
    { python: '$.set(key, value, expire=ttl, tag=tag)', node: cache => cache.set(key, value, storing) },
    { python: '$.set(key, value)', node: cache => cache.set(key, value) },
    { python: '$.add(key, value, expire=ttl, tag=tag)', node: cache => cache.add(key, value, storing) },
    { python: '$.get(key, miss)', node: cache => cache.get(key).then(orMiss) },
    { python: '$.get(key, miss, tag=True)[1]', node: async cache => (await cache.info(key))?.tag ?? null },
    { python: 'key in $', node: cache => cache.has(key) },
    { python: '$.touch(key, ttl)', node: cache => cache.touch(key, { ttl: ttl ?? null }) },
    { python: '$.delete(key)', node: cache => cache.delete(key) },
    { python: '$.pop(key, miss)', node: cache => cache.pop(key).then(orMiss) },
    { python: '$.incr("n", 3, default=5)', node: cache => cache.incr('n', 3, { default: 5 }) },
    { python: '$.decr("f", 0.5)', node: cache => cache.decr('f', 0.5) },
    { python: '$.evict(tag) >= 0', node: async cache => (await cache.evict(tag)) >= 0 },
    { python: '[key for key in $ if key in $]', node: cache => collect(cache.keys()) },
  ]
  // Of small values: DiskCache 5.4.0 removes the file of what it peeks at.
  const queueing: readonly Omit<Step, 'names'>[] = [
    { python: '$.push(tag, prefix="q")', node: cache => (cache as Cache).push(tag, { prefix: 'q' }) },
    { python: '$.push(value, side="front")', node: cache => (cache as Cache).push(value, { side: 'front' }) },
    {
      python: '$.peek(prefix="q", default=(None, miss))[1]',
      node: async cache => orMiss((await (cache as Cache).peek({ prefix: 'q' }))?.value),
    },
    {
      python: '$.pull(default=(None, miss))[1]',
      node: async cache => orMiss((await (cache as Cache).pull())?.value),
    },
  ]
  const choices = queue ? [...all, ...queueing] : all
  return { ...(choices[random(choices.length)] as Omit<Step, 'names'>), names }
}

/** What Python sees of all live entries. */
function contents(python: Python, cache: string): Promise<unknown> {
  return python.call(`[(key, ${cache}.get(key, tag=True, expire_time=True)) for key in ${cache} if key in ${cache}]`)
}

withPython.each(KINDS)('a $kind in which Node and Python take turns', ({ kind, open, inPython }) => {
  it.each([1, 2])('answers and holds what one of Python alone does (sequence %i)', async seed => {
    const [shared, alone] = [temporaryDirectory(), temporaryDirectory()]
    const random = sequence(seed)
    const clock = new ManualClock()
    const python = startPython()
    const settings = inPython.replace(')', ', cull_limit=0, disk_min_file_size=64)').replace('directory', 'where')
    await python.call(`keep(shared=${settings})`, { where: shared })
    await python.call(`keep(alone=${settings})`, { where: alone })
    const cache = open(shared, { clock })
    for (let step = 0; step < STEPS; step++) {
      clock.advance(2 * (1 + random(20)))
      const { python: call, node, names } = steps(random, kind === 'Cache')
      const inPythonOf = (name: string): Promise<unknown> =>
        python.call(`stop_clock(now)\nreturn ${call.replaceAll('$', name)}`, { ...names, now: clock.now() / 1000 })
      const wanted = await inPythonOf('alone')
      const answer = random(2) === 0 ? await node(cache) : await inPythonOf('shared')
      expect(answer, `step ${step}: ${call}`).toEqual(wanted)
    }
    expect(await contents(python, 'shared')).toEqual(await contents(python, 'alone'))
    expect(await cache.check()).toEqual([])
    expect(await python.call('found(shared)')).toEqual([])
  })
})
