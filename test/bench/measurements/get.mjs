import { keys, randomKeys, values } from '../harness/data.mjs'
import { Floor } from '../harness/floor.mjs'
import { getAwaited, getSynchronous, timeEach, timeEachSynchronous } from '../harness/loops.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, fasterThan, informative } from '../harness/verdicts.mjs'

/**
 * `get` of a small value: text of 100 characters, 10,000 keys in random order, all of them hits.
 *
 * The floor is the same SELECT by hand on the same database through a second connection with the same pragmas: both
 * read the same pages, which lie in the caches of SQLite and of the system. It is called without `await`, since there
 * is nothing to wait for by hand; the promise is part of what the package costs. Python's diskcache reads the same
 * keys and values of a directory of its own, with its defaults, in a loop that holds the bound method.
 */
export async function measure(bench) {
  const known = keys(bench.scale(10_000))
  const operations = bench.scale(100_000)
  const order = randomKeys(operations, known, 1)
  const sample = order.slice(0, operations / 5)
  const directory = bench.directories.fresh('get')
  const cache = await filled(new bench.package.Cache(directory), known)
  const floor = new Floor(directory)
  const python = missingPython() ? undefined : await filledPython(bench, known.length)

  const get = key => cache.get(key)
  const byHand = key => floor.get(key)
  const contestants = [
    {
      name: 'Cache',
      operations,
      run: () => getAwaited(get, order),
      latencies: () => timeEach(get, sample),
    },
    {
      name: 'floor: SELECT by hand',
      operations,
      run: () => getSynchronous(byHand, order),
      latencies: () => timeEachSynchronous(byHand, sample),
    },
    {
      name: 'getMany of 100 keys, per key',
      operations,
      run: () => getByHundreds(cache, order),
    },
    ...(python ? [pythonGets(python, operations, known.length)] : []),
  ]
  const series = await interleave(contestants, bench.rounds)
  floor.close()
  await cache.close()
  await python?.close()

  const [ours, theFloor, many, theirs] = series.values()
  const verdicts = [
    atMost('get, to the SELECT by hand', ours, theFloor, 1.35),
    informative('getMany of 100, per key, to get', many, ours),
  ]
  if (theirs) verdicts.push(fasterThan('get, as fast as Python', ours, theirs, 1.6))
  const notes = python ? [] : [`left out: ${missingPython()}`]
  return { title: 'get of a small value', series: [...series.values()], verdicts, notes }
}

async function getByHundreds(cache, order) {
  for (let from = 0; from < order.length; from += 100) {
    const found = await cache.getMany(order.slice(from, from + 100))
    if (found.includes(undefined)) throw new Error('miss')
  }
}

/** Stores a small value under every key. */
export async function filled(cache, known) {
  const content = values(known.length)
  const entries = known.map((key, at) => [key, content[at]])
  const page = 10_000
  for (let from = 0; from < entries.length; from += page) {
    const stored = await cache.setMany(entries.slice(from, from + page), { retry: true })
    if (stored.includes(false)) throw new Error('refused')
  }
  return cache
}

async function filledPython(bench, count) {
  const python = await Python.open('cache', bench.directories.fresh('get-python'))
  await python.ask('fill', { keys: count })
  return python
}

function pythonGets(python, operations, count) {
  const read = { keys: count, seed: 1 }
  return {
    name: "Python's diskcache.Cache",
    elsewhere: true,
    operations,
    run: () => python.time('get', { ...read, count: operations }),
    latencies: async () => (await python.ask('get', { ...read, count: operations / 5, latencies: true })).latencies,
  }
}
