import { keys, randomOrder, valueAt } from '../harness/data.mjs'
import { getAwaited, timeEach } from '../harness/loops.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, fasterThan, informative } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

const LOCK = 'lock'

/**
 * Hits of `memoize` and `getOrSet`, and a lock that is acquired and released, each awaited before the next.
 *
 * A hit of `memoize` is held against the bare `get` of the same entries by keys that were made before, and against
 * the hits of a function that Python's `cache.memoize` has wrapped, with the same arguments and results: text of 100
 * characters, 2,000 entries in random order. Python has no verb like `getOrSet`: what computes there when there is nothing
 * is `memoize`, so its hits are what `getOrSet` is held against; those of its bare `get` are shown. Both caches never
 * evict, since a lock asks for that.
 */
export async function measure(bench) {
  const count = bench.scale(2_000)
  const cache = new bench.package.Cache(bench.directories.fresh('recipes'), { evictionPolicy: 'none' })
  const python = missingPython() ? undefined : await openPython(bench, count)
  const hits = await measureHits(bench, cache, python, count)
  const cycles = await measureLocks(bench, cache, python)
  await cache.close()
  await python?.close()
  const notes = python ? [] : [`left out: ${missingPython()}`]
  return {
    title: 'memoize, getOrSet and Lock',
    series: [...hits.series, ...cycles.series],
    verdicts: [...hits.verdicts, ...cycles.verdicts],
    notes,
  }
}

async function openPython(bench, count) {
  const python = await Python.open('cache', bench.directories.fresh('recipes-python'), { eviction_policy: 'none' })
  await python.ask('fill', { keys: count })
  await python.ask('memoize', { count })
  return python
}

async function measureHits(bench, cache, python, count) {
  const operations = bench.scale(50_000)
  const known = keys(count)
  await filled(cache, known)
  const resultOf = bench.package.memoize(cache, valueAt, { name: 'value_at' })
  for (let number = 0; number < count; number++) await resultOf(number)
  const missing = () => {
    throw new Error('miss')
  }
  const numbers = Array.from(randomOrder(operations, count, 1))
  const contestants = [
    reading('memoize, hit', resultOf, numbers),
    reading(
      'get of the same entries',
      key => cache.get(key),
      numbers.map(number => resultOf.cacheKey(number)),
    ),
    reading(
      'getOrSet, hit',
      key => cache.getOrSet(key, missing),
      numbers.map(number => known[number]),
    ),
  ]
  if (python) {
    contestants.push(
      pythonHits("Python's memoize, hit", python, 'memoized', { count: operations, keys: count, seed: 1 }),
      pythonHits("Python's get", python, 'get', { count: operations, keys: count, seed: 1 }),
    )
  }
  const series = [...(await interleave(contestants, bench.rounds)).values()]
  const [memoized, get, getOrSet, theirs, theirGet] = series
  const verdicts = [atMost('memoize hit, to the bare get', memoized, get, 1.5)]
  if (theirs) {
    verdicts.push(
      fasterThan('memoize hit, as fast as Python', memoized, theirs, 1.8),
      fasterThan("getOrSet hit, as fast as Python's memoize", getOrSet, theirs, 1.8),
      informative("getOrSet hit, to Python's bare get", getOrSet, theirGet),
    )
  }
  return { series, verdicts }
}

function reading(name, get, order) {
  return {
    name,
    operations: order.length,
    run: () => getAwaited(get, order),
    latencies: () => timeEach(get, order.slice(0, order.length / 5)),
  }
}

function pythonHits(name, python, what, command) {
  return {
    name,
    elsewhere: true,
    operations: command.count,
    run: () => python.time(what, command),
    latencies: async () =>
      (await python.ask(what, { ...command, count: command.count / 5, latencies: true })).latencies,
  }
}

async function measureLocks(bench, cache, python) {
  const operations = bench.scale(5_000)
  const lock = new bench.package.Lock(cache, LOCK)
  const cycle = async () => {
    const lease = await lock.acquire()
    if (!(await lease.release())) throw new Error('the lock was lost')
  }
  const contestants = [
    {
      name: 'Lock, acquire and release',
      operations,
      run: () => repeat(cycle, operations),
      latencies: () => timeEach(cycle, Array.from({ length: operations / 5 })),
    },
  ]
  if (python) contestants.push(pythonHits("Python's Lock", python, 'lock', { count: operations, key: LOCK }))
  const series = [...(await interleave(contestants, bench.rounds)).values()]
  const [ours, theirs] = series
  return { series, verdicts: theirs ? [fasterThan('Lock cycle, as fast as Python', ours, theirs, 1.8)] : [] }
}

async function repeat(call, times) {
  for (let at = 0; at < times; at++) await call()
}
